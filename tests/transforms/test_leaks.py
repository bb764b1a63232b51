"""What is held out is found again: by hash, by sketch, in any batch; and by nothing else."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glotmill.schemas.recipe import Near
from glotmill.schemas.tables import STATISTICS
from glotmill.transforms.held_out import CollectHeldOut, folded_hashes, held_out_schema
from glotmill.transforms.held_out_index import KeySet, Sketched, SketchIndex
from glotmill.transforms.leaks import (
    REASONS,
    FindLeaks,
    HeldOutTexts,
    excluded_path,
    excluded_rows,
    read_excluded,
)
from glotmill.transforms.minhash import band_keys, signatures, sketches
from glotmill.transforms.near import jaccard
from glotmill.transforms.records import read_records
from glotmill.transforms.split import SplitRule
from glotmill.transforms.split_thresholds import FindThresholds
from glotmill.transforms.tables import read_table

KEYS = st.lists(st.sampled_from([0, 1, 2, 3, 2**63, 2**64 - 1]) | st.integers(0, 2**64 - 1))


@given(KEYS, KEYS)
def test_a_set_of_keys_is_a_set(held_out, asked):
    found = KeySet(np.array(held_out, np.uint64)).find(np.array(asked, np.uint64))
    assert found.tolist() == [key in set(held_out) for key in asked]


def test_many_keys():
    keys = np.random.RandomState(1).randint(0, 2**63, 50_000).astype(np.uint64)
    known = KeySet(keys[:10_000])
    assert known.find(keys).tolist() == [True] * 10_000 + [False] * 40_000


def sketched(rows, bands=20, per_band=5):
    """What sets of shingles are compared by; none is empty."""
    starts = np.cumsum([0, *map(len, rows)])[:-1]
    found = signatures(np.concatenate(rows), starts, bands * per_band)
    sizes = np.array([len(row) for row in rows], np.int32)
    return Sketched(sizes, band_keys(found, bands, per_band), sketches(found))


def some(documents, rows):
    parts = (documents.num_shingles, documents.band_keys, documents.sketches)
    return Sketched(*(part[rows] for part in parts))


def similar_sets(sizes, count):
    """Random sets, of which every second shares more or less with the one before."""
    draw = np.random.RandomState(7)
    rows = []
    for number in range(count):
        shingles = draw.choice(2**32, sizes[number // 2 % len(sizes)], replace=True).astype("<u4")
        if number % 2:
            shared = draw.randint(0, len(shingles) + 1)
            shingles[:shared] = rows[-1][:shared]
        rows.append(shingles)
    return rows


@pytest.mark.parametrize("at_a_time", [1, 7, 1 << 16])
def test_near_duplicates_are_those_that_a_comparison_with_all_finds(at_a_time, monkeypatch):
    monkeypatch.setattr("glotmill.transforms.held_out_index._PAIRS_AT_A_TIME", at_a_time)
    rows = similar_sets([60], 400)
    similarity = np.array([[jaccard(np.unique(a), np.unique(b)) for b in rows[::2]]
                           for a in rows[1::2]]).max(axis=1)  # fmt: skip
    everything = sketched(rows)
    held_out, others = some(everything, np.s_[::2]), some(everything, np.s_[1::2])
    found = SketchIndex(held_out, 0.6).near(others)
    assert 50 < (similarity >= 0.6).sum() < 150
    assert found[similarity >= 0.6].all()
    assert not found[similarity < 0.35].any()


def test_texts_of_few_shingles_are_not_taken_for_others():
    """A byte of a value tells only of the lowest byte of a shingle: 40,000 pairs share one."""
    rows = similar_sets([1, 2, 3, 4, 5], 6000)
    everything = sketched(rows)
    known = [set(row.tolist()) for row in rows[::2]]
    similarity = np.array([
        len(known[at] & set(row.tolist())) / len(known[at] | set(row.tolist()))
        for at, row in enumerate(rows[1::2])
    ])  # fmt: skip
    held_out, others = some(everything, np.s_[::2]), some(everything, np.s_[1::2])
    found = SketchIndex(held_out, 0.6).near(others)
    assert found[similarity == 1].all()
    assert found[similarity >= 0.6].mean() > 0.98
    assert found[similarity < 0.3].sum() < 3


@pytest.mark.parametrize(("bands", "per_band"), [(1, 1), (2, 1), (1, 3), (5, 1), (64, 5), (200, 5)])
def test_sketches_of_any_width(bands, per_band):
    everything = sketched(similar_sets([40], 40), bands, per_band)
    held_out = some(everything, np.s_[::2])
    index = SketchIndex(held_out, 0.9)
    assert index.near(held_out).all()
    assert SketchIndex(some(held_out, np.s_[:0]), 0.9).near(held_out).sum() == 0
    assert len(index.near(some(held_out, np.s_[:0]))) == 0


def content(number):
    return bytes([number]) * 16


def sketch_of(number):
    return np.random.RandomState(number).bytes(100)


def table_of(*rows):
    """Held-out documents of (category, number of the content, hashes of texts, sketch or None)."""
    made = [
        {
            "id": place,
            "category": category,
            "label": "",
            "content_hash": content(number),
            "text_hashes": hashes,
            "num_shingles": 0 if sketch is None else 9,
            "band_keys": bytes(160),
            "sketch": sketch or bytes(100),
        }
        for place, (category, number, hashes, sketch) in enumerate(rows)
    ]
    return pa.RecordBatch.from_pylist(made, schema=held_out_schema(Near()))


def documents_of(*rows):
    """Documents of (number of the content, text, sketch or None)."""
    return pa.RecordBatch.from_arrays(
        [
            pa.array([content(row[0]) for row in rows], pa.binary(16)),
            pa.array([row[1] for row in rows], pa.string()),
            pa.array([len(row[1]) for row in rows], pa.int64()),
            pa.array([0 if row[2] is None else 9 for row in rows], pa.int32()),
            pa.array([bytes(160)] * len(rows), pa.binary(160)),
            pa.array([row[2] or bytes(100) for row in rows], pa.binary(100)),
        ],
        names=["content_hash", "text", "num_characters", "num_shingles", "band_keys", "sketch"],
    )


def pairs_of(*rows):
    """Pairs of (number of the content, hashes of the sides, sketch or None)."""
    batch = documents_of(*((number, "", sketch) for number, _, sketch in rows))
    sides = pa.array([row[1] for row in rows], pa.list_(pa.uint64()))
    return batch.append_column("segment_hashes", sides)


SHORT, LONG = "One text.", "One text. " * 200
HELD_OUT = table_of(
    ("monolingual", 1, folded_hashes(pa.array([SHORT])).tolist(), None),
    ("book", 2, [], sketch_of(2)),
    ("bitext", 3, [31, *folded_hashes(pa.array(["a side"])).tolist()], sketch_of(3)),
)


def reasons(category, batch, near=Near(), folds=True, size=100):  # noqa: B008
    texts = HeldOutTexts(HELD_OUT, near, folds=folds)
    parts = [batch.slice(at, size) for at in range(0, batch.num_rows, size)]
    return [REASONS[code] for part in parts for code in texts.leaks(category, part)]


@pytest.mark.parametrize("size", [1, 2, 100])
def test_why_documents_are_left_out(size):
    batch = documents_of(
        (1, "whatever", None), (3, "of a pair", sketch_of(2)), (9, "ONE text", None),
        (9, "A side!", sketch_of(9)), (9, LONG, None), (9, "", sketch_of(2)),
        (9, "x", sketch_of(3)), (9, "no shingle", None), (9, "z", sketch_of(8)),
    )  # fmt: skip
    assert reasons("code", batch, size=size) == [
        *["validation_copy"] * 4, "", *["validation_near_duplicate"] * 2, "", ""
    ]  # fmt: skip
    assert reasons("code", batch, near=None, folds=False, size=size) == [
        *["validation_copy"] * 2, *[""] * 7
    ]  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 100])
def test_why_pairs_are_left_out(size):
    text = folded_hashes(pa.array([SHORT])).tolist()[0]
    batch = pairs_of(
        (3, [5, 6], None), (9, [31, text], None), (9, [7, 31, 8], sketch_of(3)),
        (9, [text, 7], None), (9, [7, 8], sketch_of(3)), (9, [7, 8], None),
    )  # fmt: skip
    assert reasons("bitext", batch, size=size) == [
        "validation_copy", "validation_copy", "validation_translation", "validation_copy",
        "validation_near_duplicate", "",
    ]  # fmt: skip


def test_nothing_held_out_leaves_everything():
    texts = HeldOutTexts(HELD_OUT.slice(0, 0), Near(), folds=True)
    assert texts.num_documents == 0
    assert not texts.leaks("code", documents_of((1, SHORT, sketch_of(1)))).any()
    assert not texts.leaks("bitext", pairs_of((1, [1, 2], sketch_of(1)))).any()
    assert len(texts.leaks("bitext", pairs_of())) == 0


def test_lists_and_sums_and_what_an_earlier_run_left(make_corpus):
    same = [f"Ein und derselbe Satz, Nummer {n}." for n in range(10)]
    units = [
        [("deu", text) for text in same] + [("deu", f"Anders {n}") for n in range(10)],
        [("gsw", text) for text in same] + [("gsw", f"Oder {n}") for n in range(10)],
        [("fra", "Autre chose.")],
    ]
    corpus = make_corpus(units)
    root, index = corpus.root, corpus.index()

    def leaks(wanted):
        corpus.run(FindThresholds(root, wanted, SplitRule(5, {})))
        corpus.run(CollectHeldOut(root, None, folds=False))
        corpus.run(FindLeaks(root, None, folds=False))
        return [read_excluded(root, unit) for unit in index.units]

    left, right, other = leaks({("monolingual", "gsw_Latn"): 20})
    assert (
        left.column("row").to_pylist()
        == list(range(10))
        == excluded_rows(root, index.units[0]).tolist()
    )
    assert set(left.column("reason").to_pylist()) == {"validation_copy"}
    assert right.num_rows == other.num_rows == 0
    entries = {entry.path: entry for entry in read_records(root, "compose")}
    assert excluded_path(index.units[0]) in entries
    assert excluded_path(index.units[1]) not in entries
    assert entries["compose/held_out.parquet"].num_rows == 20
    sums = read_table(f"{root}/compose/statistics/excluded-{index.units[0].key}.parquet")
    assert sums.schema == STATISTICS
    (row,) = sums.to_pylist()
    assert (row["stage"], row["outcome"], row["reason"], row["label"], row["source"]) == (
        "compose", "excluded", "validation_copy", "deu_Latn", "s0"
    )  # fmt: skip
    assert (row["num_documents"], row["num_characters"]) == (10, sum(map(len, same)))
    assert [table.num_rows for table in leaks({})] == [0, 0, 0]
