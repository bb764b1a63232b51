"""The index of units, and manifests that count only when their stage is complete."""

import json

import pytest

from glotmill.schemas.manifest import MANIFEST, SUCCESS, Manifest
from glotmill.transforms.tables import read_table, write_table
from glotmill.transforms.unit_index import (
    PATH,
    UnitIndex,
    read_manifest,
    removals_path,
    write_index,
)


def test_units_as_later_stages_see_them(make_corpus):
    sources = [
        {"domain": "news", "licence": "PD", "category": "book", "priority": -3}, {}, {},
    ]  # fmt: skip
    corpus = make_corpus([[("eng", "a"), ("eng", "b")], [], [("eng", "c")]], sources)
    units = corpus.index().units
    assert [unit.ordinal for unit in units] == [0, 1, 2]
    assert [unit.key for unit in units] == ["u0", "u1", "u2"]
    assert [unit.num_rows for unit in units] == [2, 0, 1]
    assert (units[0].category, units[0].domain, units[0].licence, units[0].priority) == (
        "book", "news", "PD", -3,
    )  # fmt: skip
    assert (units[1].category, units[1].domain, units[1].documents) == ("monolingual", None, None)


def texts(index, unit, columns=("text",)):
    return [t for batch in index.batches(unit, list(columns)) for t in batch["text"].to_pylist()]


def test_batches_are_all_documents_in_order(make_corpus):
    corpus = make_corpus([[("eng", f"t{n}") for n in range(4_500)], []])
    index = corpus.index()
    assert texts(index, index.units[0]) == [f"t{n}" for n in range(4_500)]
    assert texts(index, index.units[1]) == []


def test_removal_lists_count_only_if_a_manifest_names_them(make_corpus):
    from glotmill.schemas.recipe import Deduplicate
    from glotmill.transforms.deduplicate import RemoveDuplicates
    from glotmill.transforms.records import read_records

    corpus = make_corpus([[("eng", "a"), ("eng", "a")], [("eng", "a")]])
    corpus.run(RemoveDuplicates(corpus.root, Deduplicate(scope="all"), {}))
    entries = [e for e in read_records(corpus.root, "deduplicate") if "u1" not in e.path]

    def left(manifest):
        index = UnitIndex(corpus.root, manifest)
        return [
            (unit.ordinal, sizes.tolist())
            for unit in index.units
            for _, sizes in index.surviving(unit)
        ]

    assert left(None) == [(0, [1, 1]), (1, [1])]
    corpus.complete("deduplicate", entries)
    assert left(read_manifest(corpus.root, "deduplicate")) == [(0, [3]), (1, [1])]


def test_records_have_to_match_the_lock(make_corpus):
    corpus = make_corpus([[("eng", "a")], [("eng", "b")]])
    with pytest.raises(ValueError, match="shorter"):
        write_index(corpus.root, corpus.lock, corpus.records[:1])


def test_a_manifest_without_success_or_a_broken_one_is_none(tmp_path):
    folder = tmp_path / "mix"
    folder.mkdir()
    content = {"stage": "mix", "key": "k", "glotmill": "0", "files": [], "counts": {"a": 1}}
    (folder / MANIFEST).write_text(json.dumps(content))
    assert read_manifest(str(tmp_path), "mix") is None
    (folder / SUCCESS).touch()
    assert read_manifest(str(tmp_path), "mix") == Manifest.model_validate(content)
    (folder / MANIFEST).write_text(json.dumps(content)[:-5])
    assert read_manifest(str(tmp_path), "mix") is None
    (folder / MANIFEST).unlink()
    assert read_manifest(str(tmp_path), "mix") is None


def test_a_manifest_of_the_whole_corpus_lies_at_its_root(tmp_path):
    content = {"stage": "corpus", "key": "k", "glotmill": "0", "files": [], "counts": {}}
    (tmp_path / MANIFEST).write_text(json.dumps(content))
    (tmp_path / SUCCESS).touch()
    assert read_manifest(str(tmp_path), "").stage == "corpus"


def test_where_removals_lie():
    assert removals_path("abc") == "deduplicate/removals/abc.parquet"


def test_dropped_documents_and_an_index_of_before_they_were_known(make_corpus):
    filters = {"filters": {"min_characters": 3}}
    corpus = make_corpus([[("eng", "ab"), ("eng", "abc")], [("eng", "abc")]], **filters)
    index = corpus.index()
    assert [unit.num_dropped for unit in index.units] == [1, 0]
    found = [b["text"].to_pylist() for unit in index.units for b in index.dropped_batches(unit)]
    assert found == [["ab"]]
    table = read_table(f"{corpus.root}/{PATH}").drop_columns(["dropped", "num_dropped"])
    write_table(corpus.root, PATH, table)
    old = corpus.index()
    assert [(unit.dropped, unit.num_dropped) for unit in old.units] == [(None, 0)] * 2
    assert [unit.num_rows for unit in old.units] == [1, 1]
