"""Profiles: texts by label, script, source, domain and category, against a count by hand."""

from collections import defaultdict

import numpy as np
import pytest

from glotmill.dashboard.profiles import GROUPINGS, PROFILES, profiles, profiles_table
from glotmill.schemas.recipe import Source
from glotmill.transforms.sketches import LabelSketches

SOURCES = [
    Source(name="web", path="a", domain="news"),
    Source(name="books", path="b", category="book"),
    Source(name="blogs", path="c", domain="news"),
]
# Characters of documents by source and label.
LENGTHS = {
    ("web", "swa_Latn"): range(1, 20),
    ("web", "rus_Cyrl"): range(100, 131),
    ("books", "swa_Latn"): range(1_000, 1_008),
    ("blogs", "ukr_Cyrl"): range(5, 6),
}


@pytest.fixture(scope="module")
def found():
    by_source = defaultdict(dict)
    for (source, label), lengths in LENGTHS.items():
        sketches = by_source[source][label] = LabelSketches()
        sketches.add_numbers("lengths", np.array(lengths, np.float64))
        sketches.add_counts("hosts", {f"{source}.example": len(lengths), "all.example": 1})
    return profiles(by_source, SOURCES)


def alike(by, name):
    """Lengths of the documents that are alike in something."""
    described = {source.name: source for source in SOURCES}
    for (source, label), lengths in LENGTHS.items():
        of = {
            "label": label,
            "script": label[-4:],
            "source": source,
            "domain": described[source].domain or "",
            "category": described[source].category,
        }
        if of[by] == name:
            yield from lengths


def test_every_group_is_there_once_in_order(found):
    names = {
        "label": ["rus_Cyrl", "swa_Latn", "ukr_Cyrl"],
        "script": ["Cyrl", "Latn"],
        "source": ["blogs", "books", "web"],
        "domain": ["", "news"],
        "category": ["book", "monolingual"],
    }
    assert [(row.by, row.name) for row in found] == [
        (by, name) for by in GROUPINGS for name in names[by]
    ]


def test_quantiles_are_those_of_all_documents_of_the_group(found):
    for row in found:
        lengths = sorted(alike(row.by, row.name))
        below = np.searchsorted(lengths, row.quantiles["lengths"])
        ranks = np.array([0.1, 0.5, 0.9]) * len(lengths)
        assert np.abs(below - ranks).max() < 1.5, (row.by, row.name)
        assert row.quantiles["confidence"] == [None] * 3


def test_hosts_add_up_over_sources(found):
    by_name = {(row.by, row.name): row for row in found}
    news = by_name["domain", "news"]
    assert news.hosts == [("web.example", 50), ("all.example", 3), ("blogs.example", 1)]
    assert round(news.num_hosts) == 3
    assert by_name["source", "books"].hosts == [("books.example", 8), ("all.example", 1)]


def test_the_table_has_a_row_for_each(found):
    table = profiles_table(found)
    assert table.schema == PROFILES
    assert table.column("by").to_pylist() == [row.by for row in found]
    medians = [row.quantiles["lengths"][1] for row in found]
    assert table.column("length_0.5").to_pylist() == medians
    assert table.column("script_share_0.5").null_count == len(found)
