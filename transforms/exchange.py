"""Exchange: group rows by partition without sending their text through the engine's shuffle.

Each bundle writes its rows as one Arrow IPC file with one record batch a partition. The engine
groups the small references to them, and the reader of a partition opens its batch in each file
(an IPC file gives random access to batch i). A retried bundle writes a new file; only references
of bundles that succeeded arrive, so nothing is doubled. Memory is bounded by one bundle's buffer
and one partition, on every engine.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam import typehints
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from glotmill.transforms import batches as _coder  # noqa: F401  registers the coder
from glotmill.transforms import storage

#: Column of int32 that says where a row goes; it does not arrive.
PARTITION = "partition"
_BUFFER_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Reference:
    """One record batch of an IPC file, as the text `piece:index@path`."""

    path: str
    index: int
    #: Of the partition, where it has several.
    piece: int = 0

    def __str__(self) -> str:
        return f"{self.piece}:{self.index}@{self.path}"

    @classmethod
    def parse(cls, text: str) -> Reference:
        """The reference that `str` wrote."""
        place, _, path = text.partition("@")
        piece, _, index = place.partition(":")
        return cls(path, int(index), int(piece))

    def read(self) -> pa.RecordBatch:
        """The record batch."""
        with storage.open_input(self.path) as source:
            return pa.ipc.open_file(source).get_batch(self.index)


@typehints.with_input_types(pa.RecordBatch)
@typehints.with_output_types(tuple[int, str])
class _WriteReferences(beam.DoFn):
    def __init__(self, folder: str, pieces: int = 1) -> None:
        self._folder = folder
        self._pieces = pieces

    def start_bundle(self) -> None:
        self._pending: list[pa.RecordBatch] = []
        self._num_bytes = 0

    def process(self, batch: pa.RecordBatch) -> Iterator[tuple[int, str]]:
        if batch.num_rows:
            self._pending.append(batch)
        self._num_bytes += batch.nbytes
        if self._num_bytes >= _BUFFER_BYTES:
            yield from self._flush()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        window = GlobalWindow()
        for element in self._flush():
            yield WindowedValue(element, window.max_timestamp(), [window])

    def _flush(self) -> Iterator[tuple[int, str]]:
        if not self._pending:
            return
        table = pa.Table.from_batches(self._pending).combine_chunks()
        self._pending, self._num_bytes = [], 0
        path = f"{self._folder}/{uuid.uuid4().hex}.arrow"
        partitions, groups = _split(table)
        with storage.atomic_writer(path) as sink:
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            with pa.ipc.new_file(sink, groups[0].schema, options=options) as writer:
                for group in groups:
                    writer.write_batch(group)
        for index, number in enumerate(partitions):
            partition, piece = divmod(number, self._pieces)
            yield partition, str(Reference(path, index, piece))


def _split(table: pa.Table) -> tuple[list[int], list[pa.RecordBatch]]:
    """The table's rows by partition: the partitions, and one record batch for each."""
    partition = table.column(PARTITION).to_numpy()
    if partition.min() >= 0 and partition.max() < 1 << 16:
        partition = partition.astype(np.uint16)  # which numpy sorts by radix
    order = np.argsort(partition, kind="stable")
    rows = table.drop_columns([PARTITION]).take(pa.array(order)).combine_chunks()
    (batch,) = rows.to_batches(max_chunksize=max(1, rows.num_rows))
    kinds, starts = np.unique(partition[order], return_index=True)
    ends = np.append(starts[1:], len(order))
    groups = [
        batch.slice(int(start), int(end - start)) for start, end in zip(starts, ends, strict=True)
    ]
    return [int(kind) for kind in kinds], groups


class ExchangeBatches(beam.PTransform):
    """Record batches with a column `partition` to (partition, references to its batches).

    `read_references` turns the references into the batches; their order is not fixed. A partition
    may have several pieces, numbered in the column from `partition * pieces` on: they arrive
    together, and `read_pieces` gives one after the other.
    """

    def __init__(self, folder: str, pieces: int = 1) -> None:
        """Takes the folder for the exchange's files; its owner deletes it afterwards."""
        super().__init__()
        self._folder = folder
        self._pieces = pieces

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Writes, then groups."""
        return (
            batches
            | "WriteReferences" >> beam.ParDo(_WriteReferences(self._folder, self._pieces))
            | "GroupReferences" >> beam.GroupByKey()
        )


def read_references(references: Iterable[str]) -> Iterator[pa.RecordBatch]:
    """The batches behind references."""
    for reference in references:
        yield Reference.parse(reference).read()


def read_pieces(references: Iterable[str]) -> Iterator[Iterator[pa.RecordBatch]]:
    """The batches of each piece of a partition, piece after piece; pieces without any are left out.

    Batches of a piece are read as they are asked for, so that one piece is in memory at a time.
    """
    found: dict[int, list[Reference]] = {}
    for text in references:
        reference = Reference.parse(text)
        found.setdefault(reference.piece, []).append(reference)
    for _, pieces in sorted(found.items()):
        yield (reference.read() for reference in pieces)
