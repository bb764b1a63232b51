"""Stars: connected components over files of edges, in rounds of bounded memory.

Large-star and small-star alternate until a round changes nothing. `components` says what a star
is, and holds the form for graphs that fit one worker.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from apache_beam import typehints

from glotmill.schemas.lock import unit_of
from glotmill.transforms import storage
from glotmill.transforms.components import (
    NODE,
    Flags,
    Ids,
    first_of_runs,
    nodes_by_unit,
    sorted_nodes,
    spanning_forest,
    to_nodes,
    to_records,
)
from glotmill.transforms.edge_files import (
    SLICE_ROWS,
    EdgeFiles,
    Summarise,
    Written,
    columns_of,
    gather_columns,
    read_edges,
    write_edges,
)
from glotmill.transforms.exchange import PARTITION, ExchangeBatches, read_references
from glotmill.transforms.spread import spread

#: Of a partition of a round.
PARTITION_BYTES = 128 * 2**20

_MESSAGES = pa.schema(
    [
        pa.field("node", pa.int64(), nullable=False),
        pa.field("other", pa.int64(), nullable=False),
        pa.field("changed", pa.bool_(), nullable=False),
        pa.field(PARTITION, pa.int32(), nullable=False),
    ]
)

Build = Callable[[beam.Pipeline], object]


class _Minima:
    """The smallest value of each key; memory grows with the keys, not with the values."""

    def __init__(self) -> None:
        self._keys = self._values = np.empty(0, np.int64)

    def add(self, keys: Ids, values: Ids) -> None:
        keys, values = np.concatenate([self._keys, keys]), np.concatenate([self._values, values])
        order = np.argsort(keys)
        keys, values = keys[order], values[order]
        starts = np.flatnonzero(first_of_runs(keys))
        self._keys = keys[starts]
        self._values = np.minimum.reduceat(values, starts) if len(starts) else values

    def of(self, keys: Ids) -> Ids:
        """The minimum of each key, or the key where there is none; keys are sorted, for speed."""
        if not len(self._keys):
            return keys
        places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[places] == keys, self._values[places], keys)


def _messages(node: Ids, other: Ids, changed: Flags, partition: Ids) -> Iterator[pa.RecordBatch]:
    columns = [node, other, changed, partition.astype(np.int32)]
    for start in range(0, len(node), SLICE_ROWS):
        arrays = [pa.array(column[start : start + SLICE_ROWS]) for column in columns]
        yield pa.record_batch(arrays, schema=_MESSAGES)


def _partition_of(nodes: Ids, num_partitions: int) -> Ids:
    mixed = nodes.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return ((mixed >> np.uint64(32)) % np.uint64(num_partitions)).astype(np.int64)


def _large_star(references: Sequence[str], num_bytes: int) -> Iterator[tuple[Ids, Ids, Flags]]:
    """Joins each larger neighbour of a node to the smallest of the node and its neighbours."""
    minima = _Minima()
    for node, other, _ in _read_messages(references, num_bytes):
        smaller = other < node
        minima.add(node[smaller], other[smaller])
    for node, other, _ in _read_messages(references, num_bytes):
        larger = other > node
        node, other = node[larger], other[larger]
        order = np.argsort(node)
        node, other = node[order], other[order]
        parent = minima.of(node)
        yield other, parent, parent != node


def _small_star(references: Sequence[str], num_bytes: int) -> Iterator[tuple[Ids, Ids, int]]:
    """Joins a node and its smaller neighbours to the smallest of them; all others are smaller."""
    minima = _Minima()
    for node, other, _ in _read_messages(references, num_bytes):
        minima.add(node, other)
    for node, other, changed in _read_messages(references, num_bytes):
        order = np.argsort(node)
        node, other = node[order], other[order]
        smallest = minima.of(node)
        moved = other != smallest
        yield np.where(moved, other, node), smallest, int(moved.sum()) + int(changed.sum())


def _read_messages(references: Sequence[str], num_bytes: int) -> Iterator[list[npt.NDArray[Any]]]:
    batches = read_references(references)
    return gather_columns(batches, ("node", "other", "changed"), num_bytes)


@typehints.with_input_types(str)
@typehints.with_output_types(pa.RecordBatch)
class _ReadEdges(beam.DoFn):
    """Edges of a file to both their nodes; a piece of it is replaced by its star forest first."""

    def __init__(self, num_partitions: int, num_bytes: int) -> None:
        self._num_partitions = num_partitions
        self._num_bytes = num_bytes

    def process(self, path: str) -> Iterator[pa.RecordBatch]:
        for chunk in read_edges(path, self._num_bytes):
            stars = spanning_forest(chunk)
            same = np.zeros(len(stars), bool)
            for node, other in ((stars["a"], stars["b"]), (stars["b"], stars["a"])):
                partition = _partition_of(node, self._num_partitions)
                yield from _messages(node, other, same, partition)


@typehints.with_input_types(tuple[int, Iterable[str]])
@typehints.with_output_types(pa.RecordBatch)
class _LargeStar(beam.DoFn):
    def __init__(self, num_partitions: int, num_bytes: int) -> None:
        self._num_partitions = num_partitions
        self._num_bytes = num_bytes

    def process(self, element: tuple[int, Iterable[str]]) -> Iterator[pa.RecordBatch]:
        for node, other, changed in _large_star(list(element[1]), self._num_bytes):
            partition = _partition_of(node, self._num_partitions)
            yield from _messages(node, other, changed, partition)


@typehints.with_input_types(tuple[int, Iterable[str]])
@typehints.with_output_types(tuple[str, int, int])
class _SmallStar(beam.DoFn):
    def __init__(self, folder: str, num_bytes: int) -> None:
        self._folder = folder
        self._num_bytes = num_bytes

    def process(self, element: tuple[int, Iterable[str]]) -> Iterator[Written]:
        yield write_edges(self._folder, _small_star(list(element[1]), self._num_bytes))


@typehints.with_input_types(str)
@typehints.with_output_types(str)
class StarRound(beam.PTransform):
    """Paths of files of edges to files of edges of the same components: a large-star, a small-star.

    Kiveris, Lattanzi, Mirrokni, Rastogi, Vassilvitskii, "Connected Components in MapReduce and
    Beyond", SoCC 2014: the alternating algorithm. Every edge that is changed gets a smaller sum
    of ends and none is added, so that rounds come to an end; one that changes nothing has read
    stars. Before a round each piece of a file is replaced by its star forest.

    Nodes are cut into partitions by a hash. A node's neighbours are not held but streamed twice,
    once to find the smallest and once to join them to it, so that a star of any size passes: a
    worker holds one number for each node of its partition and one piece of neighbours. What is
    not bounded is the time of the partition of the largest star, which one worker reads; the
    paper splits such a node into copies.
    """

    def __init__(self, folder: str, num_partitions: int, partition_bytes: int) -> None:
        """Takes the folder to write to, how many partitions, and the size of a piece in bytes."""
        super().__init__()
        self._folder = folder
        self._num_partitions = num_partitions
        self._num_bytes = partition_bytes

    def expand(self, paths: beam.PCollection) -> beam.PCollection:
        """Reads, exchanges by node, exchanges by the larger node, writes."""
        cut = (self._num_partitions, self._num_bytes)
        return (
            paths
            | "ReadEdges" >> beam.ParDo(_ReadEdges(*cut))
            | "ExchangeByNode" >> ExchangeBatches(f"{self._folder}/exchange")
            | "LargeStar" >> beam.ParDo(_LargeStar(*cut))
            | "ExchangeByLarger" >> ExchangeBatches(f"{self._folder}/exchange")
            | "SmallStar" >> beam.ParDo(_SmallStar(self._folder, self._num_bytes))
            | "Summarise" >> Summarise(self._folder)
        )


def connect_distributed(
    run: Callable[[Build], None],
    folder: str,
    edges: EdgeFiles,
    *,
    partition_bytes: int = PARTITION_BYTES,
) -> EdgeFiles:
    """Stars of the components of edges in files: one pipeline a round, until nothing changes.

    Args:
        run: builds a pipeline with the function given, runs it and waits for it.
        folder: for the files of the rounds; its owner deletes it afterwards. Each round's files
            are deleted when the next is complete; those of `edges` stay.
        edges: the files.
        partition_bytes: of a partition of a round. A worker takes about six times as much at its
            peak, and 300 MiB for the buffers of `ExchangeBatches`.

    Returns:
        Files of stars, for `ReadStars`. They may hold an edge more than once.
    """
    for number in itertools.count():
        target = f"{folder}/round-{number:03}"
        storage.delete([target])
        run(_Round(edges, target, partition_bytes))
        storage.delete([f"{target}/exchange"])
        connected, num_changed = EdgeFiles.read_changes(target)
        if number:
            storage.delete([f"{folder}/round-{number - 1:03}"])
        edges = connected
        if not num_changed:
            break
    return edges


@dataclass(frozen=True)
class _Round:
    """Builds the pipeline of a round."""

    edges: EdgeFiles
    folder: str
    partition_bytes: int

    def __call__(self, pipeline: beam.Pipeline) -> object:
        num_partitions = self.edges.num_partitions(self.partition_bytes)
        paths = beam.Create(self.edges.paths, reshuffle=False).with_output_types(str)
        star_round = StarRound(self.folder, num_partitions, self.partition_bytes)
        return spread(pipeline | "Paths" >> paths) | "Round" >> star_round


@typehints.with_input_types(str)
@typehints.with_output_types(pa.RecordBatch)
class _ReadNodes(beam.DoFn):
    def __init__(self, num_partitions: int, num_bytes: int) -> None:
        self._num_partitions = num_partitions
        self._num_bytes = num_bytes

    def process(self, path: str) -> Iterator[pa.RecordBatch]:
        for chunk in read_edges(path, self._num_bytes):
            nodes = to_nodes(spanning_forest(chunk))
            partition = unit_of(nodes["id"]) % self._num_partitions
            same = np.zeros(len(nodes), bool)
            yield from _messages(nodes["id"], nodes["root"], same, partition)


@typehints.with_input_types(tuple[int, Iterable[str]])
@typehints.with_output_types(tuple[int, bytes])
class _GatherNodes(beam.DoFn):
    def process(self, element: tuple[int, Iterable[str]]) -> Iterator[tuple[int, bytes]]:
        batches = list(read_references(element[1]))
        ids, roots = columns_of([batch.select(["node", "other"]) for batch in batches])
        yield from nodes_by_unit(sorted_nodes(to_records(NODE, ids, roots)))


@typehints.with_input_types(str)
@typehints.with_output_types(tuple[int, bytes])
class ReadStars(beam.PTransform):
    """Paths of files of stars to what `ConnectComponents` gives for the same edges."""

    def __init__(
        self, folder: str, num_partitions: int, partition_bytes: int = PARTITION_BYTES
    ) -> None:
        """Takes a folder for the exchange's files, how many partitions, and bytes in a piece.

        Units are cut into the partitions by their ordinals; a worker holds the nodes of one.
        """
        super().__init__()
        self._folder = folder
        self._cut = (num_partitions, partition_bytes)

    def expand(self, paths: beam.PCollection) -> beam.PCollection:
        """Reads, exchanges by unit, splits by unit."""
        return (
            paths
            | "ReadNodes" >> beam.ParDo(_ReadNodes(*self._cut))
            | "ExchangeByUnit" >> ExchangeBatches(self._folder)
            | "GatherNodes" >> beam.ParDo(_GatherNodes())
        )
