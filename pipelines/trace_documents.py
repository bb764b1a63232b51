"""Documents of a run by identifier, address, hash or text, and what became of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from glotmill.dashboard.samples import rows_at
from glotmill.pipelines.errors import UserError
from glotmill.pipelines.trace_fate import (
    COLUMNS,
    drawables_at,
    dropped_fate,
    fates_of,
    rejected_fate,
)
from glotmill.pipelines.trace_model import Fate, Trace
from glotmill.pipelines.trace_run import Run
from glotmill.schemas.tables import REJECTED
from glotmill.transforms.drawables import path_of
from glotmill.transforms.tables import read_batches
from glotmill.transforms.unit_index import IndexedUnit

Key = Literal["external_id", "url", "content_hash", "text"]
_NAMES = {"external_id": "id", "url": "url", "content_hash": "hash", "text": "text"}
_BATCH_ROWS = 50_000
_HASH_DIGITS = 32


@dataclass(frozen=True)
class _Hit:
    """A row that was asked for; `table` is documents, dropped, rejected or drawables."""

    unit: IndexedUnit
    table: str
    path: str
    row: int


def trace_documents(run: Run, key: Key, value: str, limit: int) -> Trace:
    """What became of the documents that have a value.

    Args:
        run: the run.
        key: column that is looked at; of hashes a prefix will do, of texts any part.
        value: that is looked for.
        limit: most documents.

    Raises:
        UserError: the value cannot be one of that column.
    """
    found = list(islice(_hits(run, key, value), limit + 1))
    fates = tuple(fate for fate in _fates(run, found[:limit]))
    notes = []
    if len(found) > limit:
        notes.append(f"there are more than these {limit:,}; --limit shows more")
    if not found:
        notes.append(_nothing(run, key, value))
    if run.unfinished:
        notes.append(f"the run has not come further: the stage {run.unfinished} is not finished")
    return Trace(asked=f"{_NAMES[key]} {value}", documents=fates, notes=tuple(notes))


def _nothing(run: Run, key: Key, value: str) -> str:
    what = f"no document with {_NAMES[key]} '{value}' was read"
    missing = {
        "external_id": "sources without 'id' have no identifiers: {}",
        "url": "sources without 'url' have no addresses: {}",
        "content_hash": "hashes are of normalised texts, and of pseudo-documents",
        "text": "texts are searched as they were normalised, letter by letter",
    }[key]
    without = [s.name for s in run.lock.recipe.sources if getattr(s, _NAMES[key], "") is None]
    if "{}" not in missing or without:
        return f"{what}; {missing.format(', '.join(without))}"
    return what


# -------------------------------------------------------------- searching


def _hits(run: Run, key: Key, value: str) -> Iterator[_Hit]:
    test = _test(key, value)
    for unit in run.index.units:
        for table, path in (("documents", unit.documents), ("dropped", unit.dropped)):
            if path is not None:
                for row in _rows(f"{run.root}/{path}", key, test):
                    yield _Hit(unit, table, path, row)
        yield from _in_drawables(run, unit, key, test)
    # An excerpt may hold what was asked for by chance, so these must not hide the others.
    for unit in run.index.units:
        yield from _in_rejected(run, unit, key, value)


def _in_rejected(run: Run, unit: IndexedUnit, key: Key, value: str) -> Iterator[_Hit]:
    """Records that could not be read: what was asked for may stand in their excerpt."""
    path = f"ingest/rejected/{unit.key}.parquet"
    if path in run.files and key != "content_hash":
        for row in _rows(f"{run.root}/{path}", "excerpt", _test("text", value)):
            yield _Hit(unit, "rejected", path, row)


def _in_drawables(
    run: Run, unit: IndexedUnit, key: Key, test: Callable[[pa.Array], pa.Array]
) -> Iterator[_Hit]:
    """Pseudo-documents, which have hashes of their own."""
    path = path_of(unit)
    if key == "content_hash" and unit.category == "bitext" and path in run.files:
        for row in _rows(f"{run.root}/{path}", key, test):
            yield _Hit(unit, "drawables", path, row)


def _rows(path: str, column: str, test: Callable[[pa.Array], pa.Array]) -> Iterator[int]:
    """Numbers of the rows that pass; only their column is read."""
    start = 0
    for batch in read_batches(path, [column], batch_rows=_BATCH_ROWS):
        passed = pc.indices_nonzero(pc.fill_null(test(batch.column(column)), False))
        yield from (start + row for row in passed.to_pylist())
        start += batch.num_rows


def _test(key: Key, value: str) -> Callable[[pa.Array], pa.Array]:
    if key == "text":
        return lambda column: pc.match_substring(column, value)
    if key != "content_hash":
        return lambda column: pc.equal(column, value)
    whole, nibble = _hash_prefix(value)
    return lambda column: _starts_with(column, whole, nibble)


def _hash_prefix(value: str) -> tuple[bytes, int | None]:
    """The whole bytes of a prefix, and half a byte where it has an odd number of digits."""
    digits = value.lower().removeprefix("0x")
    if not 0 < len(digits) <= _HASH_DIGITS or set(digits) - set("0123456789abcdef"):
        message = f"'{value}' is no hash: it has 1 to {_HASH_DIGITS} hexadecimal digits"
        raise UserError(message)
    even = len(digits) // 2 * 2
    return bytes.fromhex(digits[:even]), int(digits[even:], 16) if digits[even:] else None


def _starts_with(column: pa.Array, whole: bytes, nibble: int | None) -> pa.Array:
    binary = column.cast(pa.binary())
    found = pc.starts_with(binary, whole)
    if nibble is None:
        return found
    at = len(whole)
    high = pc.binary_slice(binary, at, at + 1)
    first, last = bytes([nibble << 4]), bytes([nibble << 4 | 15])
    inside = pc.and_(pc.greater_equal(high, first), pc.less_equal(high, last))
    return pc.and_(found, inside)


# ------------------------------------------------------------------ fates


def _fates(run: Run, hits: list[_Hit]) -> Iterator[Fate]:
    for (unit, table, path), group in groupby(hits, lambda hit: (hit.unit, hit.table, hit.path)):
        rows = [hit.row for hit in group]
        if table == "drawables":
            yield from (_pseudo_document(run, unit, row) for row in rows)
            continue
        columns = REJECTED.names if table == "rejected" else COLUMNS
        columns = [*columns, "drop_reason"] if table == "dropped" else columns
        full = f"{run.root}/{path}"
        read = rows_at([(full, row) for row in rows], columns)
        values: list[tuple[int, dict[str, Any]]] = [(row, read[full, row]) for row in rows]
        if table == "documents":
            yield from fates_of(run, unit, values)
        else:
            make = dropped_fate if table == "dropped" else rejected_fate
            yield from (make(run, unit, row) for _, row in values)


def _pseudo_document(run: Run, unit: IndexedUnit, row: int) -> Fate:
    """A document of pairs; its text and place are read from a shard, if it is in one."""
    (drawable,) = drawables_at(run, unit, [row])
    path = f"{run.root}/{path_of(unit)}"
    about = rows_at([(path, row)], ["label", "cluster_size", "num_bytes"])[path, row]
    written = next((copy for copy in drawable.copies if copy.row is not None), None)
    values: dict[str, Any] = {}
    if written is not None and written.row is not None:
        shard = f"{run.root}/{written.shard}"
        values = rows_at([(shard, written.row)], COLUMNS)[shard, written.row]
    drawn = "drawn" if drawable.copies else "not_drawn"
    return Fate(
        outcome="held_out" if drawable.held_out else drawn if run.has("mix") else "kept",  # type: ignore[arg-type]
        origin=run.origin(values) if values else None,
        category=unit.category,
        text=values.get("text", ""),
        content_hash=drawable.content_hash,
        verdict=values.get("verdict"),
        drawables=(drawable,),
        detail=f"a document of {drawable.num_pairs} pairs; its place is that of the first",
        **about,
    )
