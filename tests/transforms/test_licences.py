"""Licences by share: sums that are checked by hand, and nothing left out."""

import pyarrow as pa
import pytest

from glotmill.schemas.tables import DRAWN_SUMS
from glotmill.transforms.licences import LICENCES, UNKNOWN, licence_shares, licences, measure


def drawn(*rows: tuple) -> pa.Table:
    """Sums of (split, category, source, licence, bytes, tokens), each twice, in two labels."""
    names = ("split", "category", "source", "licence", "num_bytes", "num_tokens")
    counts = dict.fromkeys(DRAWN_SUMS.names, 1)
    return pa.Table.from_pylist(
        [
            counts | {"domain": "", "label": label} | dict(zip(names, row, strict=True))
            for row in rows
            for label in ("deu_Latn", "swh_Latn")
        ],
        schema=DRAWN_SUMS,
    )


ROWS = (
    ("train", "monolingual", "web", "CC-BY-4.0", 100, 30),
    ("train", "monolingual", "news", "", 300, 50),
    ("train", "bitext", "talks", "CC-BY-4.0", 50, 20),
    ("validation", "monolingual", "news", "  ", 10, 4),
)


def test_by_split_category_source_and_licence() -> None:
    table = licences(drawn(*ROWS))
    assert table.schema == LICENCES
    keys = ["split", "category", "source", "licence", "num_documents", "num_tokens", "share"]
    assert [tuple(row.values()) for row in table.select(keys).to_pylist()] == [
        ("train", "monolingual", "news", UNKNOWN, 2, 100, 0.5),
        ("train", "monolingual", "web", "CC-BY-4.0", 2, 60, 0.3),
        ("train", "bitext", "talks", "CC-BY-4.0", 2, 40, 0.2),
        ("validation", "monolingual", "news", UNKNOWN, 2, 8, 1.0),
    ]


def test_unknown_licences_are_in_the_sum() -> None:
    rows = licence_shares(licences(drawn(*ROWS)))
    assert [(row["licence"], row["share"]) for row in rows] == [("CC-BY-4.0", 0.5), (UNKNOWN, 0.5)]
    assert sum(row["num_tokens"] for row in rows) == 200


@pytest.mark.parametrize("keys", [("licence",), ("category", "licence"), ("source",)])
@pytest.mark.parametrize("split", ["train", "validation"])
def test_shares_sum_to_one(keys: tuple[str, ...], split: str) -> None:
    rows = licence_shares(licences(drawn(*ROWS)), split, keys)
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    assert all(set(keys) < set(row) for row in rows)


def test_bytes_where_nothing_was_tokenized() -> None:
    table = licences(drawn(*((*row[:5], 0) for row in ROWS)))
    assert measure(table) == "bytes"
    shares = {row["source"]: row["share"] for row in licence_shares(table, keys=["source"])}
    assert shares == {"news": 600 / 900, "web": 200 / 900, "talks": 100 / 900}


def test_nothing_drawn() -> None:
    table = licences(DRAWN_SUMS.empty_table())
    assert table.schema == LICENCES
    assert licence_shares(table) == []
