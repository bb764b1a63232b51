"""Exact duplicates: against a dictionary, and on real units on Beam's engine."""

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmill.schemas.lock import doc_id
from glotmill.schemas.recipe import Deduplicate
from glotmill.schemas.tables import REMOVALS, STATISTICS
from glotmill.transforms import deduplicate
from glotmill.transforms.deduplicate import RemoveDuplicates, content_keys, find_duplicates
from glotmill.transforms.records import read_records
from glotmill.transforms.tables import read_table

KEY = deduplicate._KEY
ROWS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([0, 1, 2**64 - 1]), st.integers(-2, 2)),
    max_size=40,
)


def by_dictionary(rows):
    """What `find_duplicates` should find, among (high, low, priority, id)."""
    clusters = {}
    for high, low, priority, identity in rows:
        clusters.setdefault((high, low), []).append((-priority, identity))
    found = {}
    for members in clusters.values():
        if len(members) > 1:
            stays = min(members)[1]
            found |= {i: (i != stays, stays, len(members)) for _, i in members}
    return found


@settings(deadline=None, max_examples=300)
@given(ROWS, st.randoms(use_true_random=False))
def test_the_highest_priority_stays_then_the_smallest_id_in_any_order(rows, random):
    rows = [(*row, doc_id(number % 3, number)) for number, row in enumerate(rows)]
    random.shuffle(rows)
    found = find_duplicates(np.array(rows, KEY))
    assert {
        int(row["id"]): (bool(row["removed"]), int(row["cluster"]), int(row["size"]))
        for row in found
    } == by_dictionary(rows)
    assert len(found) == len(by_dictionary(rows))


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["", "x", "yé"])), max_size=20))
def test_keys_are_equal_where_text_and_scope_are(rows):
    hashes = pa.array([xxhash.xxh3_128_digest(text.encode()) for text, _ in rows], pa.binary(16))
    keys = [tuple(key) for key in content_keys(hashes, [scope for _, scope in rows]).tolist()]
    by_row = dict(zip(rows, keys, strict=True))
    assert [by_row[row] for row in rows] == keys
    assert len(set(by_row.values())) == len(by_row)


def test_keys_of_a_slice():
    hashes = pa.array([bytes([i]) * 16 for i in range(5)], pa.binary(16))
    keys = content_keys(hashes, ["a"] * 5)
    assert (content_keys(hashes.slice(2, 2), ["a"] * 2) == keys[2:4]).all()


UNITS = [
    [("eng", "one text"), ("eng", "another"), ("eng", "one text"), ("fra", "one text")],
    [("eng", "ONE text"), ("eng", "another"), ("fra", "one text"), ("deu", "allein")],
    [("eng", "unique")],
    [("eng", "one  text "), ("fra", "unique")],
]


def removals(corpus, scope):
    corpus.run(RemoveDuplicates(corpus.root, Deduplicate(scope=scope), {}))
    entries = read_records(corpus.root, "deduplicate")
    found = {}
    for entry in entries:
        if "/removals/" in entry.path:
            table = read_table(f"{corpus.root}/{entry.path}")
            assert table.schema == REMOVALS
            assert table.column("row").to_pylist() == sorted(table.column("row").to_pylist())
            unit = next(u for u in corpus.index().units if f"/{u.key}." in entry.path)
            for row in table.to_pylist():
                assert row["reason"] == "exact_duplicate"
                found[unit.ordinal, row["row"]] = (
                    row["removed"], row["cluster"], row["cluster_size"]
                )  # fmt: skip
    return found, entries


def expected(corpus, scope):
    """By dictionary, from the documents as they were written."""
    rows = []
    for unit in corpus.index().units:
        number = 0
        for batch in corpus.index().batches(unit):
            for row in batch.to_pylist():
                of = {"label": row["label"], "source": row["source"],
                      "category": unit.category, "all": 0}[scope]  # fmt: skip
                rows.append((row["text"], of, unit.priority, doc_id(unit.ordinal, number)))
                number += 1
    return {(i >> 32, i & 0xFFFFFFFF): found for i, found in by_dictionary(rows).items()}


@pytest.mark.parametrize("scope", ["label", "source", "category", "all"])
def test_units_on_the_engine(make_corpus, scope):
    sources = [{}, {"category": "book"}, {}, {"priority": 1}]
    corpus = make_corpus(UNITS, sources)
    found, entries = removals(corpus, scope)
    assert found == expected(corpus, scope)
    statistics = [read_table(f"{corpus.root}/{e.path}") for e in entries if "statistics" in e.path]
    assert all(table.schema == STATISTICS for table in statistics)
    removed = sum(sum(table.column("num_documents").to_pylist()) for table in statistics)
    assert removed == sum(was for was, _, _ in found.values())


def test_known_removals(make_corpus):
    found, _ = removals(make_corpus(UNITS, [{}, {}, {}, {"priority": 1}]), "label")
    first, last = doc_id(0, 1), doc_id(3, 0)
    assert found == {
        (0, 0): (True, last, 3), (0, 2): (True, last, 3), (3, 0): (False, last, 3),
        (0, 1): (False, first, 2), (1, 1): (True, first, 2),
        (0, 3): (False, doc_id(0, 3), 2), (1, 2): (True, doc_id(0, 3), 2),
    }  # fmt: skip


def test_nothing_to_remove(make_corpus):
    found, entries = removals(make_corpus([[("eng", "a")], [], [("eng", "b")]]), "all")
    assert (found, entries) == ({}, [])


def test_the_index_leaves_out_what_was_removed(make_corpus):
    from glotmill.transforms.unit_index import UnitIndex, read_manifest

    corpus = make_corpus(UNITS, [{}, {}, {}, {"priority": 1}])
    _, entries = removals(corpus, "label")
    corpus.complete("deduplicate", entries)
    index = UnitIndex(corpus.root, read_manifest(corpus.root, "deduplicate"))
    left = [
        (text, size)
        for unit in index.units
        for batch, sizes in index.surviving(unit, ["text"])
        for text, size in zip(batch["text"].to_pylist(), sizes.tolist(), strict=True)
    ]
    assert left == [("another", 2), ("one text", 2), ("ONE text", 1), ("allein", 1),
                    ("unique", 1), ("one text", 3), ("unique", 1)]  # fmt: skip
