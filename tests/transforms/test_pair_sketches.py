"""Sketches of pairs: near the exact numbers, blind to direction, the same however rows are cut."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glotmill.transforms.pair_sketches import update_pairs
from glotmill.transforms.pairs import Groups
from glotmill.transforms.sketches import merge_sketches, sketches_table

LABEL = "deu_Latn-eng_Latn"
SIDES = pa.schema(
    [("label", pa.string()), ("num_characters", pa.int64()), ("identified_score", pa.float32())]
)
ROWS = pa.schema([("label", pa.string()), ("scores", pa.map_(pa.string(), pa.float32()))])


def sketch(rows, sketches=None, kept=None):
    """Of rows of (language, characters, confidence) for each side, with scores where given."""
    sketches = {} if sketches is None else sketches
    sides = [side for row in rows for side in row["sides"]]
    sizes = [len(row["sides"]) for row in rows]
    labels = ["-".join(sorted(side[0] for side in row["sides"])) for row in rows]
    given = [
        {"label": label, "scores": list(row.get("scores", {}).items())}
        for label, row in zip(labels, rows, strict=True)
    ]
    update_pairs(
        sketches,
        pa.RecordBatch.from_pylist([dict(zip(SIDES.names, s, strict=True)) for s in sides], SIDES),
        Groups(np.arange(len(sides)), np.cumsum([0, *sizes]), np.arange(len(rows))),
        pa.RecordBatch.from_pylist(given, ROWS),
        np.ones(len(rows), bool) if kept is None else np.array(kept, bool),
    )
    return sketches


def pair(german, english, *, reverse=False, scores=None):
    sides = [("deu_Latn", german, None), ("eng_Latn", english, 0.5)]
    return {"sides": sides[::-1] if reverse else sides, "scores": scores or {}}


@pytest.fixture(scope="module")
def lengths():
    generator = np.random.default_rng(3)
    german = generator.integers(1, 400, 8_000)
    return german, np.maximum(1, german * np.exp(generator.normal(0.2, 0.4, 8_000))).astype(int)


def test_quantiles_count_least_and_greatest(lengths):
    german, english = lengths
    found = sketch([pair(*each) for each in zip(*lengths, strict=True)])[LABEL]
    exact = {
        "first_characters": german, "second_characters": english,
        "log_ratio": np.log(english / german),
    }  # fmt: skip
    for name, values in exact.items():
        assert found.num_numbers(name) == len(values)
        assert found.quantiles(name, [0, 1]) == pytest.approx([values.min(), values.max()])
        for rank in (0.05, 0.25, 0.5, 0.75, 0.95):
            (value,) = found.quantiles(name, [rank])
            below, upto = np.mean(values < value), np.mean(values <= value)
            assert below - 0.02 <= rank <= upto + 0.02
    assert found.quantiles("second_confidence", [0.5]) == [0.5]
    assert found.num_numbers("first_confidence") == 0


def test_direction_makes_no_difference(lengths):
    rows = list(zip(*lengths, strict=True))
    there = sketch([pair(*each) for each in rows])
    back = sketch([pair(*each, reverse=bool(i % 2)) for i, each in enumerate(rows)])
    assert sketches_table(there).equals(sketches_table(back))


@given(st.lists(st.integers(0, 60), max_size=4))
def test_the_cut_of_rows_makes_no_difference(cuts):
    rows = [pair(1 + i, 2 * i + 1) for i in range(60)]
    rows[7] = {"sides": [("swh_Latn", 3, 0.1), ("eng_Latn", 4, 0.2)]}
    parts = {}
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), 60], strict=True):
        sketch(rows[start:end], parts)
    assert sketches_table(parts).equals(sketches_table(sketch(rows)))


def test_what_is_dropped_and_what_has_no_ratio():
    rows = [
        pair(10, 20),
        pair(10, 40),  # dropped
        pair(0, 9),
        {"sides": [("a_Latn", 1, None), ("b_Latn", 2, None), ("c_Latn", 3, None)]},
    ]
    found = sketch(rows, kept=[True, False, True, True])
    assert list(found) == [LABEL]
    assert found[LABEL].num_numbers("second_characters") == 2
    assert found[LABEL].quantiles("second_characters", [0, 1]) == [9, 20]
    assert found[LABEL].num_numbers("log_ratio") == 1
    assert found[LABEL].quantiles("log_ratio", [0.5]) == [np.log(2)]


def test_scores_keep_their_names():
    scored = [pair(9, 9, scores={"top margin": 1 + i / 8, "x": 1}) for i in range(8)]
    no_numbers = [pair(9, 9, scores={"x": value}) for value in (float("inf"), float("nan"))]
    found = sketch([*scored, *no_numbers, pair(9, 9)])
    (merged,) = merge_sketches([sketches_table(found)]).values()
    assert merged.num_numbers("score:top margin") == 8
    assert merged.quantiles("score:top margin", [0, 1]) == [1, 1.875]
    assert merged.num_numbers("score:x") == 8
    assert merged.quantiles("score:x", [0, 1]) == [1, 1]


def test_nothing_gives_nothing():
    assert sketch([]) == {}
    assert sketch([pair(1, 1)], kept=[False]) == {}
