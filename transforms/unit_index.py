"""Index of the units: what later stages need to know of each, in one small table.

Workers read it when they start, so that the elements of a pipeline are no more than ordinals and
nothing large is pickled into the graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from glotmill.schemas.lock import (
    Lock,
    doc_id,
    foreign_ordinal,
    row_of,
    shadow_ordinal,
    shadowed_unit,
    split_ordinal,
    unit_of,
)
from glotmill.schemas.manifest import MANIFEST, SUCCESS, FileEntry, Manifest, UnitRecord
from glotmill.schemas.tables import DROP_REASON
from glotmill.transforms import storage
from glotmill.transforms.decide import not_judged
from glotmill.transforms.tables import read_batches, read_table, write_table

PATH = "units.parquet"
#: Clusters of near duplicates that are too large to be believed, where there are any.
OVERSIZED_PATH = "deduplicate/oversized.parquet"
#: Column that says which rows are in one of them that was kept.
IN_OVERSIZED = "in_oversized"

_SCHEMA = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("category", pa.string(), nullable=False),
        pa.field("domain", pa.string()),
        pa.field("licence", pa.string()),
        pa.field("priority", pa.int32(), nullable=False),
        # Path of the documents relative to the output; null where none was kept.
        pa.field("documents", pa.string()),
        pa.field("num_rows", pa.int64(), nullable=False),
        # The same of the documents that were dropped.
        pa.field("dropped", pa.string()),
        pa.field("num_dropped", pa.int64(), nullable=False),
    ]
)


@dataclass(frozen=True)
class IndexedUnit:
    """One unit as later stages see it."""

    ordinal: int
    key: str
    source: str
    category: str
    domain: str | None
    licence: str | None
    priority: int
    documents: str | None
    num_rows: int
    dropped: str | None = None  # earlier versions wrote neither
    num_dropped: int = 0


def write_index(root: str, lock: Lock, records: Sequence[UnitRecord]) -> FileEntry:
    """Writes the index of the lock's units, whose records are given in the same order."""
    sources = {source.name: source for source in lock.recipe.sources}
    rows = []
    for unit, record in zip(lock.units, records, strict=True):
        source = sources[unit.source]
        entry, dropped = record.file("documents"), record.file("dropped")
        rows.append(
            {
                "key": unit.key,
                "source": unit.source,
                "category": source.category,
                "domain": source.domain,
                "licence": source.licence,
                "priority": source.priority,
                "documents": entry.path if entry else None,
                "num_rows": record.num_kept,
                "dropped": dropped.path if dropped else None,
                "num_dropped": record.num_dropped,
            }
        )
    return write_table(root, PATH, pa.Table.from_pylist(rows, schema=_SCHEMA))


class UnitIndex:
    """The index in memory, and the documents and removals it leads to."""

    def __init__(self, root: str, removals: Manifest | None = None) -> None:
        """Reads the index.

        Args:
            root: the output directory.
            removals: manifest of `deduplicate`, where removals are wanted.
        """
        self._root = root
        rows = read_table(f"{root}/{PATH}").to_pylist()
        self.units = tuple(IndexedUnit(ordinal, **row) for ordinal, row in enumerate(rows))
        self._removals = {entry.path for entry in removals.files} if removals else set()
        self._doubted = np.zeros(0, np.int64)
        if OVERSIZED_PATH in self._removals:
            table = read_table(f"{root}/{OVERSIZED_PATH}", ["kept"])
            self._doubted = pc.list_flatten(table.column("kept")).to_numpy()

    def batches(
        self, unit: IndexedUnit, columns: Sequence[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Record batches of a unit's documents, all of them."""
        if unit.documents is not None:
            yield from read_batches(f"{self._root}/{unit.documents}", columns)

    def shadow_ordinals(self) -> list[int]:
        """Ordinals that stand for the dropped documents of the units that have any."""
        return [shadow_ordinal(unit.ordinal) for unit in self.units if unit.num_dropped]

    def dropped_batches(
        self, unit: IndexedUnit, columns: Sequence[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Record batches of the documents of a unit that ingest dropped, whatever the reason."""
        if unit.dropped is not None:
            yield from read_batches(f"{self._root}/{unit.dropped}", columns)

    def surviving(
        self, unit: IndexedUnit, columns: Sequence[str] | None = None
    ) -> Iterator[tuple[pa.RecordBatch, npt.NDArray[np.int64]]]:
        """Documents of a unit that deduplication leaves, each with the size of its cluster."""
        for batch, sizes, _ in self.surviving_rows(unit, columns):
            yield batch, sizes

    def surviving_rows(
        self, unit: IndexedUnit, columns: Sequence[str] | None = None
    ) -> Iterator[tuple[pa.RecordBatch, npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """The same, each with its row number in the unit too.

        Where clusters too large to be believed were kept, a column IN_OVERSIZED says which rows
        are in one.
        """
        removed = self.removed_rows(unit)
        sizes = np.ones(unit.num_rows, np.int64)
        removals = self.removals(unit)
        if removals is not None:
            sizes[removals.column("row").to_numpy()] = removals.column("cluster_size").to_numpy()
        doubted = np.zeros(unit.num_rows, bool)
        doubted[row_of(self._doubted[unit_of(self._doubted) == unit.ordinal])] = True
        start = 0
        for batch in self.batches(unit, columns):
            rows = np.arange(start, start + batch.num_rows)
            rows = rows[~removed[rows]]
            found = batch.take(pa.array(rows - start))
            if len(self._doubted):
                found = found.append_column(IN_OVERSIZED, pa.array(doubted[rows]))
            yield found, sizes[rows], rows
            start += batch.num_rows

    def removed_rows(self, unit: IndexedUnit) -> npt.NDArray[np.bool_]:
        """Which documents of a unit deduplication removed; bool[rows]."""
        removed = np.zeros(unit.num_rows, bool)
        removals = self.removals(unit)
        if removals is not None:
            removed[removals.column("row").to_numpy()] = removals.column("removed").to_numpy()
        return removed

    def removals(self, unit: IndexedUnit) -> pa.Table | None:
        """The unit's removals, if it has any."""
        path = removals_path(unit.key)
        return read_table(f"{self._root}/{path}") if path in self._removals else None


class Corpora:
    """The units of this run and of the corpora that it is deduplicated against."""

    def __init__(self, root: str, against: Sequence[str] = ()) -> None:
        """Reads their indices.

        Args:
            root: the output directory.
            against: output directories of earlier runs.
        """
        self._own = UnitIndex(root)
        self._others = [UnitIndex(path, read_manifest(path, "deduplicate")) for path in against]

    def ordinals(self) -> list[int]:
        """Ordinals of all units that have documents."""
        foreign = [
            foreign_ordinal(corpus, unit.ordinal)
            for corpus, index in enumerate(self._others)
            for unit in index.units
            if unit.num_rows
        ]
        return [*(unit.ordinal for unit in self._own.units if unit.num_rows), *foreign]

    def own_units(self) -> list[IndexedUnit]:
        """Units of this run that have documents."""
        return [unit for unit in self._own.units if unit.num_rows]

    def unit(self, ordinal: int) -> IndexedUnit:
        """A unit; its own ordinal is that in its corpus."""
        return self._find(ordinal)[1]

    def _find(self, ordinal: int) -> tuple[UnitIndex, IndexedUnit]:
        shadowed = shadowed_unit(ordinal)
        if shadowed is not None:
            return self._own, self._own.units[shadowed]
        corpus, place = split_ordinal(ordinal)
        index = self._own if corpus < 0 else self._others[corpus]
        return index, index.units[place]

    def batches(
        self, ordinal: int, columns: Sequence[str]
    ) -> Iterator[tuple[pa.RecordBatch, npt.NDArray[np.int64]]]:
        """Documents of a unit with their identities.

        Of other corpora those that survived, of dropped documents those that a filter judged.
        """
        start = 0
        stays_out = self._left_out(ordinal)
        for batch in self._all_batches(ordinal, columns):
            rows = np.arange(start, start + batch.num_rows)
            start += batch.num_rows
            stays = ~stays_out[rows]
            yield batch.filter(pa.array(stays)), doc_id(ordinal, rows[stays])

    def _left_out(self, ordinal: int) -> npt.NDArray[np.bool_]:
        index, unit = self._find(ordinal)
        if shadowed_unit(ordinal) is not None:
            reasons = self.column(ordinal, DROP_REASON.name)
            return np.asarray(not_judged(reasons))
        if split_ordinal(ordinal)[0] >= 0:
            return index.removed_rows(unit)
        return np.zeros(unit.num_rows, bool)

    def _all_batches(self, ordinal: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        index, unit = self._find(ordinal)
        if shadowed_unit(ordinal) is not None:
            return index.dropped_batches(unit, columns)
        return index.batches(unit, columns)

    def column(self, ordinal: int, name: str) -> pa.ChunkedArray:
        """One column of all documents of a unit, by row number."""
        return pa.chunked_array(
            [batch.column(name) for batch in self._all_batches(ordinal, [name])]
        )


def removals_path(key: str) -> str:
    """Path of a unit's removals, relative to the output."""
    return f"deduplicate/removals/{key}.parquet"


def read_manifest(root: str, folder: str) -> Manifest | None:
    """The manifest of a stage, or None where the stage is not complete."""
    prefix = f"{root}/{folder}" if folder else root
    if not storage.exists(f"{prefix}/{SUCCESS}"):
        return None
    try:
        return Manifest.model_validate_json(storage.read_bytes(f"{prefix}/{MANIFEST}"))
    except (OSError, ValueError):
        return None
