"""Files of edges: Arrow IPC, and a summary of what a step wrote into a folder."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from apache_beam import typehints
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from glotmill.transforms import storage
from glotmill.transforms.components import EDGE, Ids, Records, spanning_forest, to_records

#: A file of edges: its path, how many it holds, and how many of them a round has changed.
Written = tuple[str, int, int]
#: Of a batch in a file, at most.
SLICE_ROWS = 2**20

_FILE_BYTES = 64 * 2**20
_SUMMARY = "summary.json"
# An edge goes to both its nodes, each time as two nodes and a flag.
_EXCHANGED_BYTES = 2 * 17
_EDGES = pa.schema([pa.field(name, pa.int64(), nullable=False) for name in ("a", "b")])


@dataclass(frozen=True)
class EdgeFiles:
    """Arrow IPC files of two columns of int64, `a` and `b`, and how many edges they hold."""

    paths: tuple[str, ...]
    num_edges: int

    @classmethod
    def read(cls, folder: str) -> EdgeFiles:
        """The files that `WriteEdges` or `StarRound` left in a folder."""
        return cls.read_changes(folder)[0]

    @classmethod
    def read_changes(cls, folder: str) -> tuple[EdgeFiles, int]:
        """The same, and how many edges the round changed."""
        path = f"{folder}/{_SUMMARY}"
        rows = json.loads(storage.read_bytes(path)) if storage.exists(path) else []
        paths = tuple(path for path, _, _ in rows)
        return cls(paths, sum(count for _, count, _ in rows)), sum(n for _, _, n in rows)

    def num_partitions(self, partition_bytes: int) -> int:
        """Into how many parts a round cuts them, for so many bytes in each."""
        return max(1, math.ceil(self.num_edges * _EXCHANGED_BYTES / partition_bytes))


def write_edges(folder: str, chunks: Iterable[tuple[Ids, Ids, int]]) -> Written:
    """Writes chunks of edges and changes to a new file: its path, how many edges, how many changes.

    A retried bundle writes another file; only what succeeded reaches the summary.
    """
    path = f"{folder}/{uuid.uuid4().hex}.arrow"
    num_edges = num_changed = 0
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with (
        storage.atomic_writer(path) as sink,
        pa.ipc.new_file(sink, _EDGES, options=options) as writer,
    ):
        for a, b, changed in chunks:
            batch = pa.record_batch([pa.array(a), pa.array(b)], schema=_EDGES)
            for start in range(0, len(a), SLICE_ROWS):
                writer.write_batch(batch.slice(start, SLICE_ROWS))
            num_edges += len(a)
            num_changed += changed
    return path, num_edges, num_changed


def read_edges(path: str, num_bytes: int) -> Iterator[Records]:
    """The edges of a file, in pieces of about so many bytes."""
    with storage.open_input(path) as source:
        file = pa.ipc.open_file(source)
        batches = (file.get_batch(index) for index in range(file.num_record_batches))
        for columns in gather_columns(batches, ("a", "b"), num_bytes):
            yield to_records(EDGE, *columns)


def gather_columns(
    batches: Iterable[pa.RecordBatch], names: Sequence[str], num_bytes: int
) -> Iterator[list[npt.NDArray[Any]]]:
    """Columns of batches, these taken together until they have so many bytes."""
    pending: list[pa.RecordBatch] = []
    held = 0
    for batch in batches:
        pending.append(batch.select(list(names)))
        held += batch.nbytes
        if held >= num_bytes:
            yield columns_of(pending)
            pending, held = [], 0
    if pending:
        yield columns_of(pending)


def columns_of(batches: Sequence[pa.RecordBatch]) -> list[npt.NDArray[Any]]:
    """Columns of batches that are taken together."""
    return [column.to_numpy() for column in pa.Table.from_batches(batches).columns]


def _to_summary(written: Written) -> tuple[int, Written]:
    return 0, written


@typehints.with_input_types(tuple[int, Iterable[tuple[str, int, int]]])
@typehints.with_output_types(str)
class _WriteSummary(beam.DoFn):
    def __init__(self, folder: str) -> None:
        self._folder = folder

    def process(self, element: tuple[int, Iterable[Written]]) -> Iterator[str]:
        path = f"{self._folder}/{_SUMMARY}"
        storage.write_atomically(path, json.dumps(sorted(element[1])).encode())
        yield path


class Summarise(beam.PTransform):
    """What was written to a folder, to one file in it; none where nothing was."""

    def __init__(self, folder: str) -> None:
        """Takes the folder."""
        super().__init__()
        self._folder = folder

    def expand(self, written: beam.PCollection) -> beam.PCollection:
        """Gathers and writes."""
        keyed = tuple[int, tuple[str, int, int]]
        return (
            written
            | "ToSummary" >> beam.Map(_to_summary).with_output_types(keyed)
            | "Gather" >> beam.GroupByKey()
            | "WriteSummary" >> beam.ParDo(_WriteSummary(self._folder))
        )


@typehints.with_input_types(bytes)
@typehints.with_output_types(tuple[str, int, int])
class _WriteForests(beam.DoFn):
    def __init__(self, folder: str) -> None:
        self._folder = folder

    def start_bundle(self) -> None:
        self._pending: list[bytes] = []
        self._num_bytes = 0

    def process(self, edges: bytes) -> Iterator[Written]:
        self._pending.append(edges)
        self._num_bytes += len(edges)
        if self._num_bytes >= _FILE_BYTES:
            yield self._flush()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        window = GlobalWindow()
        if self._pending:
            yield WindowedValue(self._flush(), window.max_timestamp(), [window])

    def _flush(self) -> Written:
        stars = spanning_forest(np.frombuffer(b"".join(self._pending), EDGE))
        self._pending, self._num_bytes = [], 0
        return write_edges(self._folder, [(stars["a"], stars["b"], 0)])


@typehints.with_input_types(bytes)
@typehints.with_output_types(str)
class WriteEdges(beam.PTransform):
    """Packed records of EDGE to the files of a folder, for `EdgeFiles.read` and then either form.

    Each file holds the star forest of what came in one bundle, or of 64 MiB of it.
    """

    def __init__(self, folder: str) -> None:
        """Takes a folder, which does not exist or is empty."""
        super().__init__()
        self._folder = folder

    def expand(self, edges: beam.PCollection) -> beam.PCollection:
        """Writes, then summarises."""
        return (
            edges
            | "WriteForests" >> beam.ParDo(_WriteForests(self._folder))
            | "Summarise" >> Summarise(self._folder)
        )
