"""Croissant: what is listed, and what MLCommons' own library makes of it."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glotmill.schemas.manifest import FileEntry
from glotmill.schemas.tables import CORPUS, COUNTS, PACKED, TOKEN_ROWS
from glotmill.transforms.croissant import PATH, croissant
from glotmill.transforms.tables import write_table

LISTS = ("input_ids", "document_lengths", "labels", "documents")


def corpus(root: str) -> list[FileEntry]:
    """Shards of three rows of documents and tokens, one of validation, and an empty one."""
    counts = dict.fromkeys((*COUNTS, "num_tokens", "offset", "cluster_size"), 3)
    texts = dict.fromkeys(("label", "source", "category", "path", "script", "verdict", "tier"), "x")
    texts["dataset"] = "train-x"
    rows = [
        {**counts, **texts, "text": f"text {i}", "copy": i, "content_hash": bytes([i] * 16),
         "input_ids": [i, 7, 8]}
        for i in range(3)
    ]  # fmt: skip
    parts = {"train-00000-of-00002": rows[:2], "validation-00000-of-00001": rows[2:]}
    entries = []
    for folder, schema in (("shards", CORPUS), ("tokens/parquet", TOKEN_ROWS)):
        for name, of_part in {**parts, "train-00001-of-00002": []}.items():
            table = pa.Table.from_pylist(of_part, schema=schema)
            entries.append(write_table(root, f"{folder}/{name}.parquet", table))
    return entries


@pytest.fixture
def described(tmp_path: Path) -> Path:
    """A folder with shards and their metadata."""
    content = croissant("small", "A small corpus.", ["MIT"], corpus(str(tmp_path)))
    (tmp_path / PATH).write_bytes(content)
    return tmp_path


def test_every_file_with_rows_is_listed_with_size_and_checksum(described: Path) -> None:
    found = json.loads((described / PATH).read_bytes())
    files = {each["@id"]: each for each in found["distribution"] if "sha256" in each}
    listed = {entry.path: entry for entry in corpus(str(described)) if entry.num_rows}
    assert {path: each["sha256"] for path, each in files.items()} == {
        path: entry.sha256 for path, entry in listed.items()
    }
    for path, each in files.items():
        assert each["contentSize"] == f"{(described / path).stat().st_size} B"


def test_fields_have_the_types_of_the_columns(described: Path) -> None:
    found = json.loads((described / PATH).read_bytes())
    sets = {each["@id"]: each for each in found["recordSet"]}
    types = {field["name"]: field["dataType"] for field in sets["documents"]["field"]}
    assert types["text"] == "sc:Text"
    assert (types["offset"], types["copy"]) == ("cr:Int64", "cr:Int32")
    assert list(types) == ["split", *CORPUS.names]
    (ids,) = [field for field in sets["tokens"]["field"] if field["name"] == "input_ids"]
    assert (ids["dataType"], ids["isArray"]) == ("cr:Int32", True)


def test_every_column_of_every_set_is_described() -> None:
    entries = [
        FileEntry(path=f"{folder}/train-0.parquet", num_rows=1, num_bytes=1, sha256="0" * 64)
        for folder in ("shards", "tokens/parquet", "tokens/packed")
    ]
    found = json.loads(croissant("a", "b", [], entries))
    names = {each["@id"]: [field["name"] for field in each["field"]] for each in found["recordSet"]}
    assert names["sequences"] == ["split", *PACKED.names]
    assert "license" not in found


def test_mlcommons_own_library_tells_of_sources_without_a_licence(tmp_path: Path) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    files = corpus(str(tmp_path))
    found = {}
    for unlicensed in ([], ["b", "c"]):
        content = croissant("small", "A corpus.", ["MIT"], files, unlicensed=unlicensed)
        (tmp_path / PATH).write_bytes(content)
        found[len(unlicensed)] = mlcroissant.Dataset(tmp_path / PATH).metadata
    assert found[0].license == ["MIT"]
    licence, unknown = found[2].license
    assert (licence, unknown.name) == ("MIT", "unknown")
    assert unknown.description.startswith("The recipe names no licence for 2 sources: b, c. Who ")
    assert (found[2].issues.errors, found[2].issues.warnings) == (
        found[0].issues.errors, found[0].issues.warnings,
    )  # fmt: skip


def test_mlcommons_own_library_accepts_it_and_loads_the_rows(described: Path) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    dataset = mlcroissant.Dataset(described / PATH)
    assert not dataset.metadata.issues.errors
    rows = list(dataset.records("documents"))
    assert [row["documents/text"] for row in rows] == [b"text 0", b"text 1", b"text 2"]
    assert [row["documents/split"] for row in rows] == [b"train", b"train", b"validation"]
    assert [row["documents/copy"] for row in rows] == [0, 1, 2]
    tokens = list(dataset.records("tokens"))
    assert [list(row["tokens/input_ids"]) for row in tokens] == [[i, 7, 8] for i in range(3)]
    columns = pq.read_schema(described / "shards/train-00000-of-00002.parquet").names
    assert set(rows[0]) == {f"documents/{name}" for name in ("split", *columns)}
