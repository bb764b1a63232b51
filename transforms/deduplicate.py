"""Deduplicate: find documents of equal text by their content hashes; the text is not read.

Packed integers travel through the engine: one element a unit and partition, not one a document.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash
from apache_beam import typehints

from glotmill.schemas.lock import doc_id, row_of, unit_of
from glotmill.schemas.tables import COUNTS, REMOVALS
from glotmill.transforms.records import write_record
from glotmill.transforms.statistics import merge, summarise
from glotmill.transforms.tables import write_table
from glotmill.transforms.unit_index import IndexedUnit, UnitIndex, removals_path

FOLDER = "deduplicate"
REASON = "exact_duplicate"
Scope = Literal["label", "source", "category", "all"]

_PARTITIONS = 64
# 128 bits of key, then what decides which row of a cluster stays.
_KEY = np.dtype([("high", "<u8"), ("low", "<u8"), ("priority", "<i4"), ("id", "<i8")])
_REMOVAL = np.dtype([("id", "<i8"), ("removed", "?"), ("cluster", "<i8"), ("size", "<i8")])

Keys = npt.NDArray[np.void]


def content_keys(hashes: pa.Array, scopes: Iterable[str]) -> npt.NDArray[np.uint64]:
    """Keys that are equal for equal texts of one scope; uint64[n, 2].

    Args:
        hashes: n content hashes of 16 bytes.
        scopes: n names; a hash of the name is xored to both halves of the content hash.
    """
    raw = b"".join(hashes.to_pylist())
    keys = np.frombuffer(raw, np.dtype("<u8")).reshape(-1, 2).copy()
    names, places = np.unique(np.array(list(scopes), dtype=object), return_inverse=True)
    salts = [xxhash.xxh3_128_digest(str(name).encode()) for name in names]
    if salts:
        keys ^= np.frombuffer(b"".join(salts), np.dtype("<u8")).reshape(-1, 2)[places]
    return keys


def find_duplicates(keys: Keys) -> Keys:
    """Rows that share their key with others, and which of them stays.

    The row of the highest priority stays, among equals the one of the smallest id, whatever the
    order of the input.

    Args:
        keys: records of high, low, priority, id.

    Returns:
        Records of id, removed, cluster (the id that stays), size; rows of unique keys are absent.
    """
    order = np.lexsort((keys["id"], -keys["priority"], keys["low"], keys["high"]))
    keys = keys[order]
    new = np.ones(len(keys), bool)
    new[1:] = (keys["high"][1:] != keys["high"][:-1]) | (keys["low"][1:] != keys["low"][:-1])
    first = np.flatnonzero(new)
    sizes = np.diff(first, append=len(keys))
    found = np.zeros(len(keys), _REMOVAL)
    found["id"] = keys["id"]
    found["removed"] = ~new
    found["cluster"] = np.repeat(keys["id"][first], sizes)
    found["size"] = np.repeat(sizes, sizes)
    return found[found["size"] > 1]


@typehints.with_input_types(int)
@typehints.with_output_types(tuple[int, bytes])
class _ReadKeys(beam.DoFn):
    def __init__(self, root: str, scope: Scope) -> None:
        self._root = root
        self._scope = scope

    def setup(self) -> None:
        self._index = UnitIndex(self._root)

    def process(self, ordinal: int) -> Iterator[tuple[int, bytes]]:
        unit = self._index.units[ordinal]
        parts = list(self._keys(unit))
        if not parts:
            return
        keys = np.concatenate(parts)
        partition = (keys["high"] % np.uint64(_PARTITIONS)).astype(np.int64)
        keys = keys[np.argsort(partition, kind="stable")]
        ends = np.cumsum(np.bincount(partition, minlength=_PARTITIONS))
        for number, rows in enumerate(np.split(keys, ends[:-1])):
            if len(rows):
                yield number, rows.tobytes()

    def _keys(self, unit: IndexedUnit) -> Iterator[Keys]:
        row = 0
        for batch in self._index.batches(unit, ["content_hash", "label"]):
            keys = np.zeros(batch.num_rows, _KEY)
            halves = content_keys(batch.column("content_hash"), self._scopes(unit, batch))
            keys["high"], keys["low"] = halves[:, 0], halves[:, 1]
            keys["priority"] = unit.priority
            keys["id"] = doc_id(unit.ordinal, row) + np.arange(batch.num_rows)
            row += batch.num_rows
            yield keys

    def _scopes(self, unit: IndexedUnit, batch: pa.RecordBatch) -> list[str]:
        if self._scope == "label":
            return batch.column("label").to_pylist()
        name = {"source": unit.source, "category": unit.category, "all": ""}[self._scope]
        return [name] * batch.num_rows


@typehints.with_input_types(tuple[int, Iterable[bytes]])
@typehints.with_output_types(tuple[int, bytes])
class _FindDuplicates(beam.DoFn):
    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
        keys = np.frombuffer(b"".join(element[1]), _KEY)
        found = find_duplicates(keys)
        if not len(found):
            return
        found = found[np.argsort(found["id"], kind="stable")]
        ordinals, starts = np.unique(unit_of(found["id"]), return_index=True)
        for ordinal, rows in zip(ordinals, np.split(found, starts[1:]), strict=True):
            yield int(ordinal), rows.tobytes()


@typehints.with_input_types(tuple[int, Iterable[bytes]])
@typehints.with_output_types(str)
class _WriteRemovals(beam.DoFn):
    def __init__(self, root: str) -> None:
        self._root = root

    def setup(self) -> None:
        self._index = UnitIndex(self._root)

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[str]:
        unit = self._index.units[element[0]]
        found = np.frombuffer(b"".join(element[1]), _REMOVAL)
        found = found[np.argsort(found["id"])]
        table = pa.table(
            {
                "row": row_of(found["id"]),
                "removed": found["removed"],
                "reason": pa.repeat(REASON, len(found)),
                "cluster": found["cluster"],
                "cluster_size": found["size"],
            },
            schema=REMOVALS,
        )
        entry = write_table(self._root, removals_path(unit.key), table)
        removed = row_of(found["id"][found["removed"]])
        path = f"{FOLDER}/statistics/{unit.key}.parquet"
        statistics = write_table(self._root, path, self._statistics(unit, removed))
        yield write_record(self._root, FOLDER, unit.key, [entry, statistics])

    def _statistics(self, unit: IndexedUnit, removed: npt.NDArray[np.int64]) -> pa.Table:
        columns = [
            "source", "declared_label", "identified_label", "verdict", "script", "label", *COUNTS
        ]  # fmt: skip
        schema_and_rows = list(self._index.batches(unit, columns))
        table = pa.Table.from_batches(schema_and_rows).take(pa.array(removed))
        constants = {"stage": FOLDER, "outcome": "dropped", "reason": REASON}
        return merge([summarise(table, constants)])


@typehints.with_input_types(int)
@typehints.with_output_types(str)
class RemoveExactDuplicates(beam.PTransform):
    """Ordinals of units to removal lists, one file for each unit that has equals elsewhere."""

    def __init__(self, root: str, scope: Scope) -> None:
        super().__init__()
        self._root = root
        self._scope = scope

    def expand(self, ordinals: beam.PCollection) -> beam.PCollection:
        """Reads keys, groups them, finds duplicates, groups them by unit, writes."""
        return (
            ordinals
            | "ReadKeys" >> beam.ParDo(_ReadKeys(self._root, self._scope))
            | "GroupKeys" >> beam.GroupByKey()
            | "FindDuplicates" >> beam.ParDo(_FindDuplicates())
            | "GroupByUnit" >> beam.GroupByKey()
            | "WriteRemovals" >> beam.ParDo(_WriteRemovals(self._root))
        )
