"""Components: which nodes of a graph hang together, exactly, from packed edges.

Two forms give the same records bit for bit. `ConnectComponents` merges star forests in one worker;
`stars.connect_distributed` works over files, and what a worker holds is bounded by a number that
the caller states. `fits_one_worker` says which to take.

A star forest joins every node to its root, the smallest node of its component. It is a spanning
forest, so forests are merged by concatenating their edges and starting again.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import numpy.typing as npt
from apache_beam import coders, typehints

from glotmill.schemas.lock import unit_of

#: An edge between two nodes; direction, repeats and edges from a node to itself mean nothing.
EDGE = np.dtype([("a", "<i8"), ("b", "<i8")])
#: A node with an edge to another, and the smallest node of its component.
NODE = np.dtype([("id", "<i8"), ("root", "<i8")])
#: Edges that one worker merges in 3 GiB. Where few edges share a node, the merge takes 112 bytes
#: an edge at its peak, and 160 with the engine's own copies (measured on 10 and 20 million).
ONE_WORKER_EDGES = 20_000_000

_BUFFER_BYTES = 4 * 2**20
_FANOUT = 16

Ids = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Records = npt.NDArray[np.void]


def components(edges: Records | Ids) -> tuple[Ids, Ids]:
    """The nodes that have an edge to another node, and the root of each.

    Every node hooks itself to its smallest neighbour. The loops that arise have two nodes, the
    smaller of which is the smallest of its tree and becomes its root; the trees are flattened by
    pointer jumping and contracted (Hirschberg, Chandra, Sarwate, "Computing Connected Components
    on Parallel Computers", CACM 22(8), 1979). No tree has fewer than two nodes, so that n nodes
    take at most log2(n) rounds whatever the graph's shape, each on what the last has left. FastSV
    (Zhang, Azad, Hu, SIAM PP 2020, doi 10.1137/1.9781611976137.5) keeps every edge to the end:
    with numpy it took two to twelve times as long on random graphs, paths and stars.

    Args:
        edges: e records of EDGE, or int64[e, 2].

    Returns:
        The nodes int64[n], sorted, and their roots int64[n].

    >>> nodes, roots = components(np.array([[7, 3], [5, 7], [2, 1], [9, 9]]))
    >>> nodes.tolist(), roots.tolist()
    ([1, 2, 3, 5, 7], [1, 1, 3, 3, 3])
    """
    pairs = _pairs(edges)
    nodes, places = _ranks(pairs[pairs[:, 0] != pairs[:, 1]].ravel())
    a, b = places[::2].copy(), places[1::2].copy()
    del places
    return nodes, nodes[_roots(a, b, len(nodes))]


def spanning_forest(edges: Records | Ids) -> Records:
    """The star forest of a graph: records (root, node) of EDGE, sorted by node.

    It depends on the set of edges alone, and the forest of a forest is itself.

    Args:
        edges: e records of EDGE, or int64[e, 2].

    >>> spanning_forest(np.array([[7, 3], [5, 7], [2, 1], [9, 9]])).tolist()
    [(1, 2), (3, 5), (3, 7)]
    """
    nodes, roots = components(edges)
    below = nodes != roots
    return to_records(EDGE, roots[below], nodes[below])


def to_nodes(stars: Records) -> Records:
    """Records of NODE, sorted by id, each node once, from the edges (root, node) of stars.

    >>> to_nodes(np.array([(3, 7), (3, 5), (1, 2)], EDGE)).tolist()
    [(1, 1), (2, 1), (3, 3), (5, 3), (7, 3)]
    """
    roots = _distinct(np.sort(stars["a"]))
    ids = np.concatenate([stars["b"], roots])
    return sorted_nodes(to_records(NODE, ids, np.concatenate([stars["a"], roots])))


def fits_one_worker(num_edges: int) -> bool:
    """Whether `ConnectComponents` takes a graph whose forest has so many edges."""
    return num_edges <= ONE_WORKER_EDGES


def _pairs(edges: Records | Ids) -> Ids:
    if edges.dtype != EDGE:
        return edges.reshape(-1, 2).astype(np.int64, copy=False)
    return np.ascontiguousarray(edges).view(np.int64).reshape(-1, 2)


def to_records(dtype: np.dtype[np.void], first: Ids, second: Ids) -> Records:
    """Records of EDGE or NODE of two columns."""
    records = np.empty(len(first), dtype)
    for name, values in zip(dtype.names or (), (first, second), strict=True):
        records[name] = values
    return records


def first_of_runs(ordered: Ids) -> Flags:
    """Which values differ from the one before them."""
    new = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    return new


def _distinct(ordered: Ids) -> Ids:
    # np.unique hashes since numpy 2.3, which takes a hundred times as long for ten million.
    return ordered[first_of_runs(ordered)]


def _ranks(values: Ids) -> tuple[Ids, Ids]:
    """The distinct values, sorted, and the place of each value among them."""
    order = np.argsort(values)
    ordered = values[order]
    new = first_of_runs(ordered)
    distinct = ordered[new]
    del ordered
    places = np.empty(len(values), np.int64)
    places[order] = np.cumsum(new) - 1
    return distinct, places


def _roots(a: Ids, b: Ids, num_nodes: int) -> Ids:
    """The smallest node of each node's component; nodes count from 0, and each has an edge."""
    rounds = []
    while len(a):
        trees = _hook(a, b, num_nodes)
        a, b = trees[a], trees[b]
        between = a != b
        a, b = a[between], b[between]
        live = np.zeros(num_nodes, bool)
        live[a] = live[b] = True
        nodes = np.flatnonzero(live)
        rounds.append((trees, nodes))
        places, num_nodes = np.cumsum(live) - 1, len(nodes)
        a, b = places[a], places[b]
    roots = np.empty(0, np.int64)
    for trees, nodes in reversed(rounds):
        tops = np.arange(len(trees))
        tops[nodes] = nodes[roots]
        roots = tops[trees]
    return roots


def _hook(a: Ids, b: Ids, num_nodes: int) -> Ids:
    """The root of each node's tree after every node has hooked to its smallest neighbour."""
    parents = np.full(num_nodes, num_nodes)
    np.minimum.at(parents, a, b)
    np.minimum.at(parents, b, a)
    nodes = np.arange(num_nodes)
    roots = (parents[parents] == nodes) & (nodes < parents)
    parents[roots] = nodes[roots]
    while not np.array_equal(above := parents[parents], parents):
        parents = above
    return parents


def sorted_nodes(nodes: Records) -> Records:
    """Records of NODE sorted by id, each id once."""
    nodes = nodes[np.argsort(nodes["id"])]
    return nodes[first_of_runs(nodes["id"])]


def nodes_by_unit(nodes: Records) -> Iterator[tuple[int, bytes]]:
    """Packed nodes of each unit; they are sorted by id."""
    units = unit_of(nodes["id"])
    starts = np.flatnonzero(first_of_runs(units))
    for start, end in itertools.pairwise([*starts.tolist(), len(nodes)]):
        yield int(units[start]), nodes[start:end].tobytes()


class _Forest:
    """A star forest, and edges that are not yet part of it."""

    def __init__(self, stars: bytes = b"") -> None:
        self._stars = stars
        self._pending: list[bytes] = []
        self._num_pending = 0

    def add(self, edges: bytes) -> None:
        """Each edge is folded a bounded number of times: a fold at least doubles what is held."""
        self._pending.append(edges)
        self._num_pending += len(edges)
        if self._num_pending >= max(_BUFFER_BYTES, len(self._stars)):
            self.fold()

    def fold(self) -> bytes:
        if self._pending:
            edges = np.frombuffer(b"".join([self._stars, *self._pending]), EDGE)
            self._pending, self._num_pending = [], 0
            self._stars = spanning_forest(edges).tobytes()
        return self._stars


class _ForestCoder(coders.Coder):
    """A forest on its way between workers is its packed stars."""

    def encode(self, value: _Forest) -> bytes:
        return value.fold()

    def decode(self, encoded: bytes) -> _Forest:
        return _Forest(encoded)

    def is_deterministic(self) -> bool:
        return True


@typehints.with_input_types(bytes)
@typehints.with_output_types(bytes)
class MergeForests(beam.CombineFn):
    """Packed records of EDGE, in any pieces, to the packed star forest of all of them.

    Inputs are kept until there are 4 MiB of them, and no fewer than the forest. An accumulator
    holds at most twice the forest, which has one edge for each node that is not a root.

    Raises:
        ValueError: a piece is not a whole number of records.
    """

    def create_accumulator(self) -> _Forest:
        """A forest without edges."""
        return _Forest()

    def add_input(self, accumulator: _Forest, element: bytes) -> _Forest:
        """Takes packed edges."""
        accumulator.add(element)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[_Forest]) -> _Forest:
        """The forest of all."""
        first, *others = accumulators
        merged = _Forest(first.fold())
        for other in others:
            merged.add(other.fold())
        return merged

    def extract_output(self, accumulator: _Forest) -> bytes:
        """Packed edges (root, node), sorted by node."""
        return accumulator.fold()

    def get_accumulator_coder(self) -> coders.Coder:
        """The packed stars, not a pickle."""
        return _ForestCoder()


@typehints.with_input_types(tuple[int, bytes])
@typehints.with_output_types(tuple[int, bytes])
class _ForestToNodes(beam.DoFn):
    def process(self, element: tuple[int, bytes]) -> Iterator[tuple[int, bytes]]:
        yield from nodes_by_unit(to_nodes(np.frombuffer(element[1], EDGE)))


def _to_some(edges: bytes) -> tuple[int, bytes]:
    return zlib.crc32(edges) % _FANOUT, edges


def _to_one(element: tuple[int, bytes]) -> tuple[int, bytes]:
    return 0, element[1]


@typehints.with_input_types(bytes)
@typehints.with_output_types(tuple[int, bytes])
class ConnectComponents(beam.PTransform):
    """Packed records of EDGE to (ordinal of a unit, its packed records of NODE, sorted by id).

    Each unit that has a node comes once. One worker holds the forest of all edges; see
    `fits_one_worker`.
    """

    def expand(self, edges: beam.PCollection) -> beam.PCollection:
        """Merges forests in two steps, then splits by unit."""
        # CombineGlobally with a fanout does the same, but with elements of no type.
        keyed = tuple[int, bytes]
        return (
            edges
            | "ToSome" >> beam.Map(_to_some).with_output_types(keyed)
            | "MergeSome" >> beam.CombinePerKey(MergeForests()).with_output_types(keyed)
            | "ToOne" >> beam.Map(_to_one).with_output_types(keyed)
            | "MergeAll" >> beam.CombinePerKey(MergeForests()).with_output_types(keyed)
            | "ForestToNodes" >> beam.ParDo(_ForestToNodes())
        )
