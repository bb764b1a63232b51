"""Drawables: the same rows with text and without, documents and pseudo-documents alike."""

import pyarrow as pa
import pytest

from glotmill.schemas.recipe import Bitext
from glotmill.schemas.tables import CORPUS, COUNTS
from glotmill.transforms import drawables
from glotmill.transforms.drawables import ABOUT, WHOLE, Drawables, path_of
from glotmill.transforms.leaks import excluded_rows
from glotmill.transforms.split import read_splitter
from glotmill.transforms.unit_index import UnitIndex, read_manifest

TEXTS = [("eng", f"an english text {n}") for n in range(80)]
# The sides of some pairs are texts too: what is held out of one may not be trained on in the other.
PAIRS = [{"eng": f"An English text {n}.", "swh": f"maandishi {n}"} for n in range(40)]
COUNTED = ["label", "content_hash", "cluster_size", *COUNTS]


@pytest.fixture(scope="module")
def corpus(make_shared_corpus):
    bitext = {"pairs_per_document": 3, "directions": "both"}
    made = make_shared_corpus(
        [[*TEXTS, *TEXTS[:9]], PAIRS, []],
        [{"domain": "news"}, {"category": "bitext"}, {}],
        bitext=bitext, mix={"tiers": "uniform", "validation": {"share": 0.2}},
    )  # fmt: skip
    made.compose()
    return made


@pytest.fixture
def found(corpus):
    recipe = corpus.lock.recipe
    return Drawables(corpus.root, read_splitter(corpus.root), recipe.bitext, recipe.seed)


def rows_of(found, ordinal, **options):
    batches = list(found.batches(found.unit(ordinal), **options))
    return pa.Table.from_batches(batches) if batches else None


@pytest.mark.parametrize("ordinal", [0, 1])
def test_with_text_and_without_they_are_the_same_rows(found, ordinal):
    whole = rows_of(found, ordinal, text=True)
    counted = rows_of(found, ordinal, text=False)
    assert whole.schema.names == [*WHOLE, *ABOUT]
    assert counted.schema.names == [*COUNTED, *ABOUT]
    assert whole.select(counted.schema.names).equals(counted)
    assert whole.num_rows > 20


@pytest.mark.parametrize("ordinal", [0, 1])
def test_types_are_those_of_the_shards(found, ordinal):
    whole = rows_of(found, ordinal, text=True)
    for name in WHOLE:
        assert whole.schema.field(name).type == CORPUS.field(name).type
    for name in ("label", "content_hash", "held_out", "again", "num_pairs", "cluster_size"):
        assert whole.column(name).null_count == 0


def test_texts_of_the_same_hash_are_those_that_were_read(found):
    rows = rows_of(found, 0, text=True).to_pylist()
    texts = [row["text"] for row in rows]
    assert set(texts) < {text for _, text in TEXTS}
    assert len(texts) == len(set(texts))
    assert texts == sorted(texts, key=[text for _, text in TEXTS].index)
    assert {row["cluster_size"] for row in rows} == {1, 2}


def test_what_would_leak_is_not_among_them(corpus, found):
    """A row that is left out is in no document, however it is asked for."""
    index = UnitIndex(corpus.root, read_manifest(corpus.root, "deduplicate"))
    left_out = 0
    for unit in index.units[:2]:
        excluded = excluded_rows(corpus.root, unit)
        left_out += len(excluded)
        (documents,) = [pa.Table.from_batches(index.batches(unit))]
        gone = documents.take(pa.array(excluded)).column("text").to_pylist()
        texts = "\n".join(rows_of(found, unit.ordinal, text=True).column("text").to_pylist())
        for text in gone:
            assert not any(f"{side}\n" in f"{texts}\n" for side in text.split("\n")), text
    assert left_out > 3


def test_the_watcher_sees_every_pair_that_deduplication_left(corpus, found):
    seen = []
    rows_of(found, 1, text=False, watch=lambda batch: seen.extend(batch["text"].to_pylist()))
    assert sorted(seen) == sorted("\n".join(row.values()) for row in PAIRS)
    assert len(excluded_rows(corpus.root, corpus.index().units[1])) > 0


def test_a_unit_without_documents(found):
    assert rows_of(found, 2, text=True) is None
    assert path_of(found.unit(2)) == "compose/drawables/u2.parquet"


def test_documents_are_never_rendered_where_only_counts_are_wanted(corpus, found, monkeypatch):
    calls = []
    batches = drawables.PseudoDocuments.batches

    def watched(self, *arguments, render, **more):
        calls.append(render)
        return batches(self, *arguments, render=render, **more)

    monkeypatch.setattr(drawables.PseudoDocuments, "batches", watched)
    assert rows_of(found, 1, text=False).num_rows > 0
    assert calls == [False]


def test_other_options_of_pairs_make_other_documents(corpus, found):
    splitter = read_splitter(corpus.root)
    other = Drawables(corpus.root, splitter, Bitext(pairs_per_document=1), 42)
    rows = rows_of(other, 1, text=False)
    both = rows_of(found, 1, text=False)
    assert set(rows.column("num_pairs").to_pylist()) == {1}
    once = both.filter(pa.compute.invert(both.column("again")))
    assert rows.num_rows == sum(once.column("num_pairs").to_pylist())
