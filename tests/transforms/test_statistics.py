"""Sums by group, against a dictionary."""

from collections import Counter

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmill.schemas.tables import COUNTS, STATISTICS, STATISTICS_KEYS
from glotmill.transforms.statistics import merge, summarise

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["s", "t"]),
        st.none() | st.sampled_from(["", "eng_Latn", "fra_Latn"]),
        st.integers(0, 2**40),
    ),
    max_size=20,
)


def table(rows):
    columns = {
        "source": pa.array([row[0] for row in rows], pa.string()),
        "declared_label": pa.array([row[1] for row in rows], pa.string()),
        "text": pa.array(["x"] * len(rows), pa.string()),
    }
    for place, name in enumerate(COUNTS):
        columns[name] = pa.array([row[2] + place for row in rows], pa.int64())
    return pa.table(columns)


def by_dictionary(rows):
    sums = {}
    for source, declared, count in rows:
        group = sums.setdefault((source, declared or ""), Counter())
        group["num_documents"] += 1
        for place, name in enumerate(COUNTS):
            group[name] += count + place
    return sums


def found_in(statistics):
    assert statistics.schema == STATISTICS
    return {
        (row["source"], row["declared_label"]): {
            name: row[name] for name in ("num_documents", *COUNTS)
        }
        for row in statistics.to_pylist()
    }


@settings(deadline=None)
@given(ROWS, st.integers(0, 20))
def test_sums_of_parts_merge_into_sums_of_all(rows, cut):
    constants = {"stage": "ingest", "outcome": "kept"}
    whole = summarise(table(rows), constants)
    assert found_in(whole) == by_dictionary(rows)
    parts = [summarise(table(some), constants) for some in (rows[:cut], rows[cut:])]
    assert merge(parts).equals(whole)
    assert merge(reversed(parts)).equals(whole)
    assert merge([whole]).equals(whole)


def test_constants_nulls_and_columns_that_are_not_there():
    row = {"source": ["s"], "verdict": pa.array([None], pa.string()), "stage": ["other"]}
    (found,) = summarise(pa.table(row), {"stage": "ingest", "outcome": "rejected"}).to_pylist()
    assert {name: found[name] for name in STATISTICS_KEYS if found[name]} == {
        "stage": "ingest", "outcome": "rejected", "source": "s",
    }  # fmt: skip
    assert found["num_documents"] == 1
    assert all(found[name] == 0 for name in COUNTS)


def test_groups_are_in_the_order_of_their_keys():
    rows = [("t", "b", 1), ("s", "z", 1), ("t", None, 1), ("s", "a", 1)]
    found = summarise(table(rows), {"stage": "x"})
    keys = list(zip(found["source"].to_pylist(), found["declared_label"].to_pylist(), strict=True))
    assert keys == [("s", "a"), ("s", "z"), ("t", ""), ("t", "b")]


def test_nothing_sums_to_nothing():
    assert merge([]).equals(STATISTICS.empty_table())
    assert summarise(table([]), {"stage": "x"}).equals(STATISTICS.empty_table())


def test_a_record_batch_is_summed_as_a_table_is():
    rows = [("s", "a", 1), ("s", None, 2)]
    (batch,) = table(rows).to_batches()
    assert summarise(batch, {}).equals(summarise(table(rows), {}))
