"""Samples: a few texts of chosen groups of documents, read from the files of ingest.

Which units hold a group stands in their statistics, so no file is opened in vain. Of the files
that are looked at the texts with the smallest content hashes are taken: the same ones every time,
and no text twice. Their number is bounded, so a group may have more in files not looked at.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from glotmill.dashboard.examples import shorten
from glotmill.schemas.manifest import Manifest
from glotmill.transforms import storage
from glotmill.transforms.tables import read_batches

MAX_SAMPLES = 3
NUM_CHARACTERS = 200

_MAX_FILES = 64
_MAX_FILES_A_GROUP = 4
_BATCH_ROWS = 50_000
# Stands between the keys of a group; no label, verdict or reason holds it.
_SEPARATOR = "\x1f"
# Marks that turn the direction of all that follows, up to where they are closed.
_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# What the files of documents call a column of the statistics.
_IN_FILES = {"reason": "drop_reason"}

Group = tuple[str, ...]
#: Content hash, path and row of one document.
_Found = dict[bytes, tuple[str, int]]


def readable(text: str) -> str:
    r"""A text as one short line without control characters.

    >>> readable("a\n\x1b[31mb")
    'a [31mb'
    """
    # Some characters more than are shown, as runs of spaces become one.
    return shorten(printable(text[: 4 * NUM_CHARACTERS]), NUM_CHARACTERS)


def printable(text: str) -> str:
    r"""A text as one line without control characters.

    >>> printable("a\tb\x07")
    'a b'
    """
    shown = (c for c in text if c not in _DIRECTIONS)
    return " ".join("".join(" " if unicodedata.category(c) == "Cc" else c for c in shown).split())


def find_samples(
    root: str,
    ingest: Manifest,
    units: Mapping[str, pa.Table],
    keys: Sequence[str],
    wanted: Sequence[Group],
    tables: Sequence[str] = ("documents", "dropped"),
) -> dict[Group, tuple[str, ...]]:
    """Samples of each group, the smallest content hash first.

    Args:
        root: the output directory.
        ingest: manifest of the stage.
        units: statistics of each unit, by its key.
        keys: columns of the statistics that make the groups.
        wanted: the groups, the most wanted first.
        tables: which files to look at.
    """
    value_set = pa.array([_SEPARATOR.join(group) for group in wanted], pa.string())
    found: list[_Found] = [{} for _ in wanted]
    for path in _files(ingest, units, keys, value_set, tables):
        _look(f"{root}/{path}", [_IN_FILES.get(key, key) for key in keys], value_set, found)
    texts = _texts([place for of_group in found for place in of_group.values()])
    return {
        group: tuple(texts[of_group[each]] for each in sorted(of_group))
        for group, of_group in zip(wanted, found, strict=True)
        if of_group
    }


def _files(
    ingest: Manifest,
    units: Mapping[str, pa.Table],
    keys: Sequence[str],
    value_set: pa.Array,
    tables: Sequence[str],
) -> list[str]:
    """Files that hold the groups, in the order of the manifest; for each group a few."""
    listed = {entry.path for entry in ingest.files}
    holding: list[list[str]] = [[] for _ in value_set]
    for unit, statistics in units.items():
        groups = _groups(statistics, keys, value_set)
        for outcome, table in (("kept", "documents"), ("dropped", "dropped")):
            path = f"ingest/{table}/{unit}.parquet"
            if table in tables and path in listed:
                here = groups.filter(pc.equal(statistics.column("outcome"), outcome))
                for group in pc.unique(here.drop_null()).to_pylist():
                    holding[group].append(path)
    chosen: dict[str, None] = {}
    for paths in holding:
        chosen.update(dict.fromkeys(paths[:_MAX_FILES_A_GROUP]))
    return list(chosen)[:_MAX_FILES]


def _groups(
    rows: pa.Table | pa.RecordBatch, keys: Sequence[str], value_set: pa.Array
) -> pa.Array | pa.ChunkedArray:
    """Number of the group of each row; null for rows of none."""
    columns = [pc.fill_null(rows.column(key), "") for key in keys]
    return pc.index_in(pc.binary_join_element_wise(*columns, _SEPARATOR), value_set=value_set)


def _look(path: str, keys: Sequence[str], value_set: pa.Array, found: list[_Found]) -> None:
    """Adds the documents of a file that are among the smallest of their group."""
    start = 0
    for batch in read_batches(path, [*keys, "content_hash"], batch_rows=_BATCH_ROWS):
        rows = pa.table(
            {
                "group": _groups(batch, keys, value_set),
                "content_hash": batch.column("content_hash"),
                "row": pa.array(np.arange(start, start + batch.num_rows)),
            }
        )
        for group, content_hash, row in _smallest(rows.filter(pc.is_valid(rows.column("group")))):
            found[group].setdefault(content_hash, (path, row))
        start += batch.num_rows
    for group, of_group in enumerate(found):
        found[group] = {each: of_group[each] for each in sorted(of_group)[:MAX_SAMPLES]}


def _smallest(rows: pa.Table) -> Iterator[tuple[int, bytes, int]]:
    """Group, content hash and row of the smallest content hashes of each group."""
    distinct = rows.group_by(["group", "content_hash"]).aggregate([("row", "min")])
    ordered = distinct.sort_by([("group", "ascending"), ("content_hash", "ascending")])
    groups: npt.NDArray[np.int64] = ordered.column("group").to_numpy()
    place = np.arange(len(groups)) - np.searchsorted(groups, groups)
    first = ordered.filter(pa.array(place < MAX_SAMPLES))
    names = ("group", "content_hash", "row_min")
    yield from zip(*(first.column(name).to_pylist() for name in names), strict=True)


def _texts(places: Sequence[tuple[str, int]]) -> dict[tuple[str, int], str]:
    """The texts at paths and rows, readable."""
    return {place: readable(row["text"]) for place, row in rows_at(places, ["text"]).items()}


def rows_at(
    places: Iterable[tuple[str, int]], columns: Sequence[str]
) -> dict[tuple[str, int], dict[str, Any]]:
    """The rows at paths and row numbers; of each file only the row groups with one are read."""
    rows: dict[str, set[int]] = {}
    for path, row in places:
        rows.setdefault(path, set()).add(row)
    return {
        (path, row): values
        for path, of_file in rows.items()
        for row, values in _rows_of(path, sorted(of_file), columns)
    }


def _rows_of(
    path: str, rows: Sequence[int], columns: Sequence[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    with storage.open_input(path) as source:
        file = pq.ParquetFile(source)
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        ends = np.cumsum(sizes)
        numbers = np.searchsorted(ends, rows, side="right")
        for number in sorted(set(numbers.tolist())):
            start = int(ends[number]) - sizes[number]
            wanted = np.asarray(rows)[numbers == number]
            found = file.read_row_group(number, columns=columns).take(pa.array(wanted - start))
            yield from zip(wanted.tolist(), found.to_pylist(), strict=True)
