"""Pairs by direction: as the data has them, as they are written, and added up."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from glotmill.schemas.tables import COUNTS, DIRECTION_KEYS, DIRECTIONS
from glotmill.transforms.directions import (
    directions_of_documents,
    directions_of_pairs,
    merge_directions,
)

LISTS = pa.list_(pa.field("item", pa.string(), nullable=False))
AVAILABLE = {"outcome": "available", "reason": ""}


def pairs(*rows):
    """Rows of source, label and the labels of the segments; each counts 2 in everything."""
    columns = {
        "source": [source for source, _, _ in rows],
        "label": [label for _, label, _ in rows],
        "segment_labels": pa.array([segments for _, _, segments in rows], LISTS),
        **{name: pa.array([2] * len(rows), pa.int64()) for name in COUNTS},
    }
    return pa.RecordBatch.from_pydict(columns)


def counted(table):
    assert table.schema == DIRECTIONS
    names = ("source", "label", "direction", "num_documents", "num_pairs", "num_words")
    return [tuple(row[name] for name in names) for row in table.to_pylist()]


def test_pairs_as_the_data_has_them():
    rows = pairs(
        ("a", "deu_Latn-eng_Latn", ["eng_Latn", "deu_Latn"]),
        ("a", "deu_Latn-eng_Latn", ["deu_Latn", "eng_Latn"]),
        ("a", "deu_Latn-eng_Latn", ["eng_Latn", "deu_Latn"]),
        ("b", "deu_Latn-eng_Latn", ["eng_Latn", "deu_Latn"]),
    )
    assert counted(directions_of_pairs(rows, AVAILABLE)) == [
        ("a", "deu_Latn-eng_Latn", "deu_Latn>eng_Latn", 0, 1, 2),
        ("a", "deu_Latn-eng_Latn", "eng_Latn>deu_Latn", 0, 2, 4),
        ("b", "deu_Latn-eng_Latn", "eng_Latn>deu_Latn", 0, 1, 2),
    ]


def test_many_languages_are_one_direction():
    rows = pairs(("a", "mul", ["d_D", "c_C", "b_B", "a_A"]), ("a", "mul", ["e_E", "c_C", "b_B"]))
    assert counted(directions_of_pairs(rows, AVAILABLE)) == [("a", "mul", "mul", 0, 2, 4)]


def test_no_pairs():
    assert counted(directions_of_pairs(pairs(), AVAILABLE)) == []
    assert counted(merge_directions([])) == []


def test_documents_count_their_pairs():
    rows = pa.table(
        {
            "reason": ["", "repeated", ""],
            "source": ["a"] * 3,
            "label": ["deu_Latn-eng_Latn"] * 3,
            "original_code": ["eng_Latn>deu_Latn"] * 3,
            "num_pairs": [10, 10, 3],
            **{name: [7, 7, 2] for name in COUNTS},
        }
    )
    found = directions_of_documents(rows, {"outcome": "train"})
    assert [(row["outcome"], row["reason"]) for row in found.to_pylist()] == [
        ("train", ""), ("train", "repeated"),
    ]  # fmt: skip
    assert counted(found) == [
        ("a", "deu_Latn-eng_Latn", "eng_Latn>deu_Latn", 2, 13, 9),
        ("a", "deu_Latn-eng_Latn", "eng_Latn>deu_Latn", 1, 10, 7),
    ]


KEYS = st.sampled_from(["a", "b"])


@given(st.lists(st.tuples(KEYS, st.permutations(["x_X", "y_Y"]))), st.data())
def test_neither_order_nor_batches_matter(some, data):
    rows = [(source, "x_X-y_Y", segments) for source, segments in some]
    shuffled = data.draw(st.permutations(rows))
    cut = data.draw(st.integers(0, len(rows)))
    parts = [directions_of_pairs(pairs(*part), AVAILABLE) for part in (rows[:cut], rows[cut:])]
    whole = directions_of_pairs(pairs(*shuffled), AVAILABLE)
    assert merge_directions(parts) == whole
    assert sum(whole.column("num_pairs").to_pylist()) == len(rows)
    assert whole.select(DIRECTION_KEYS).to_pylist() == sorted(
        whole.select(DIRECTION_KEYS).to_pylist(), key=lambda row: tuple(row.values())
    )
