"""Shadows: documents that the filters dropped count in the sizes of clusters, and decide nothing.

They are added after the removal lists are written, so that what is removed cannot depend on them.
The clusters of the lists, and the edges to shadows, make larger clusters. Where shadows join
clusters that have nothing else in common, the document that stays of each has the size of all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam import typehints

from glotmill.schemas import recipe
from glotmill.schemas.lock import doc_id, row_of, shadowed_unit
from glotmill.transforms.cluster_sizes import count_dropped, write_sizes
from glotmill.transforms.components import EDGE, NODE, ConnectComponents
from glotmill.transforms.deduplicate import FindEdges, find_equals, read_nodes
from glotmill.transforms.edge_files import EdgeFiles, WriteEdges
from glotmill.transforms.records import read_records
from glotmill.transforms.removals import (
    EXACT,
    FOLDER,
    REMOVAL,
    REPEATED,
    Records,
    WriteRemovals,
    partitions_of,
    units_of,
)
from glotmill.transforms.tables import read_table
from glotmill.transforms.unit_index import Corpora, UnitIndex, removals_path

# A document of a cluster, and how many documents that has.
_SIZED = np.dtype([("id", "<i8"), ("size", "<i8")])
_LISTED, _COUNTED = 0, 1


@typehints.with_input_types(int)
@typehints.with_output_types(tuple[int, bytes])
class _ReadLists(beam.DoFn):
    """Ordinals to (ordinal, records of REMOVAL), for units that have a removal list."""

    def __init__(self, root: str) -> None:
        self._root = root

    def setup(self) -> None:
        self._index = UnitIndex(self._root)
        self._listed = {entry.path for entry in read_records(self._root, FOLDER)}

    def process(self, ordinal: int) -> Iterator[tuple[int, bytes]]:
        if shadowed_unit(ordinal) is not None:
            return
        path = removals_path(self._index.units[ordinal].key)
        if path not in self._listed:
            return
        table = read_table(f"{self._root}/{path}")
        found = np.zeros(table.num_rows, REMOVAL)
        found["id"] = doc_id(ordinal, table.column("row").to_numpy())
        for name, column in (
            ("removed", "removed"), ("cluster", "cluster"), ("size", "cluster_size"),
        ):  # fmt: skip
            found[name] = table.column(column).to_numpy()
        reasons = np.array(table.column("reason").to_pylist(), object)
        found["exact"], found["capped"] = reasons == EXACT, reasons == REPEATED
        yield ordinal, found.tobytes()


def _edges_of_list(element: tuple[int, bytes]) -> bytes:
    found = np.frombuffer(element[1], REMOVAL)
    found = found[~found["capped"]]  # which share a side with the one that stays, and no more
    edges = np.empty(len(found), EDGE)
    edges["a"], edges["b"] = found["cluster"], found["id"]
    return edges.tobytes()


@typehints.with_output_types(bytes)
class _FindEdges(beam.PTransform):
    """Ordinals, and the removal lists, to edges of clusters that shadows are part of."""

    def __init__(self, root: str, options: recipe.Deduplicate, num_documents: int) -> None:
        super().__init__()
        self._root = root
        self._options = options
        self._find = FindEdges(root, options, num_documents, only_shadows=True)

    def expand(self, inputs: tuple[beam.PCollection, beam.PCollection]) -> beam.PCollection:
        ordinals, lists = inputs
        exact = find_equals(ordinals, self._root, self._options)
        with_shadows = (ordinals, exact) | "FindEdges" >> self._find
        listed = lists | "EdgesOfLists" >> beam.Map(_edges_of_list).with_output_types(bytes)
        return (with_shadows, listed) | "AllEdges" >> beam.Flatten()


@typehints.with_input_types(tuple[int, bytes])
@typehints.with_output_types(tuple[int, bytes])
class _ByRoot(beam.DoFn):
    """(ordinal, records of NODE) to (partition of the root, records of NODE)."""

    def process(self, element: tuple[int, bytes]) -> Iterator[tuple[int, bytes]]:
        nodes = np.frombuffer(element[1], NODE)
        partition = partitions_of(nodes["root"])
        for number in np.unique(partition):
            yield int(number), nodes[partition == number].tobytes()


@typehints.with_input_types(tuple[int, Iterable[bytes]])
@typehints.with_output_types(tuple[int, bytes])
class _CountMembers(beam.DoFn):
    """Nodes of whole clusters to (ordinal, records of id and size)."""

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
        nodes = np.frombuffer(b"".join(element[1]), NODE)
        _, places, counts = np.unique(nodes["root"], return_inverse=True, return_counts=True)
        sized = np.empty(len(nodes), _SIZED)
        sized["id"], sized["size"] = nodes["id"], counts[places]
        yield from units_of(sized)


def resized(listed: Records, sized: Records, *, exact: bool) -> Records:
    """Records of REMOVAL whose sizes count shadows too.

    Args:
        listed: records of REMOVAL without shadows.
        sized: id and size of all documents in clusters.
        exact: whether documents that only shadows are similar to are equal to them.
    """
    sized = sized[np.argsort(sized["id"])]
    alone = sized[~np.isin(sized["id"], listed["id"])]
    found = np.zeros(len(listed) + len(alone), REMOVAL)
    found[: len(listed)] = listed
    new = found[len(listed) :]
    new["id"], new["cluster"], new["size"] = alone["id"], alone["id"], alone["size"]
    new["exact"] = exact
    counted = np.flatnonzero(np.isin(listed["id"], sized["id"]))
    places = np.searchsorted(sized["id"], listed["id"][counted])
    # Of other corpora more documents may be counted there than have an edge here.
    found["size"][counted] = np.maximum(listed["size"][counted], sized["size"][places])
    return found


@typehints.with_input_types(tuple[int, Iterable[tuple[int, bytes]]])
@typehints.with_output_types(tuple[int, bytes])
class _Resize(beam.DoFn):
    """A unit's list and sizes to its new list; sums are written of dropped documents."""

    def __init__(self, root: str, exact: bool) -> None:
        self._root = root
        self._exact = exact

    def setup(self) -> None:
        self._corpora = Corpora(self._root)

    def process(
        self, element: tuple[int, Iterable[tuple[int, bytes]]]
    ) -> Iterator[tuple[int, bytes]]:
        ordinal = element[0]
        packed: dict[int, list[bytes]] = {_LISTED: [], _COUNTED: []}
        for kind, records in element[1]:
            packed[kind].append(records)
        listed = np.frombuffer(b"".join(packed[_LISTED]), REMOVAL)
        sized = np.frombuffer(b"".join(packed[_COUNTED]), _SIZED)
        if shadowed_unit(ordinal) is not None:
            self._count_dropped(ordinal, sized)
        elif len(sized):
            yield ordinal, resized(listed, sized, exact=self._exact).tobytes()

    def _count_dropped(self, ordinal: int, sized: Records) -> None:
        labels = self._corpora.column(ordinal, "label").take(pa.array(row_of(sized["id"])))
        category = self._corpora.unit(ordinal).category
        write_sizes(self._root, ordinal, count_dropped(labels, sized["size"], category))


def _as_listed(element: tuple[int, bytes]) -> tuple[int, tuple[int, bytes]]:
    return element[0], (_LISTED, element[1])


def _as_counted(element: tuple[int, bytes]) -> tuple[int, tuple[int, bytes]]:
    return element[0], (_COUNTED, element[1])


@typehints.with_input_types(int)
@typehints.with_output_types(str)
class CountShadows(beam.PTransform):
    """Ordinals of units and of shadows to removal lists that are written once more.

    They differ from those of `RemoveDuplicates` in the sizes of clusters, and list the documents
    too that only shadows are similar to.
    """

    def __init__(
        self,
        root: str,
        options: recipe.Deduplicate,
        num_documents: int,
        connected: EdgeFiles | None = None,
    ) -> None:
        """Takes what there is to know.

        Args:
            root: the output directory, with the removal lists.
            options: of the recipe.
            num_documents: those that were dropped too.
            connected: stars of the edges that `WriteShadowEdges` wrote; None has them found here.
        """
        super().__init__()
        self._root = root
        self._options = options
        self._num_documents = num_documents
        self._connected = connected

    def expand(self, ordinals: beam.PCollection) -> beam.PCollection:
        """Finds clusters, counts their documents, writes the lists."""
        tagged = tuple[int, tuple[int, bytes]]
        lists = ordinals | "ReadLists" >> beam.ParDo(_ReadLists(self._root))
        sizes = (
            self._nodes(ordinals, lists)
            | "ByRoot" >> beam.ParDo(_ByRoot())
            | "GatherCluster" >> beam.GroupByKey()
            | "CountMembers" >> beam.ParDo(_CountMembers())
            | "AsCounted" >> beam.Map(_as_counted).with_output_types(tagged)
        )
        listed = lists | "AsListed" >> beam.Map(_as_listed).with_output_types(tagged)
        return (
            (listed, sizes)
            | "Both" >> beam.Flatten()
            | "GatherUnit" >> beam.GroupByKey()
            | "Resize" >> beam.ParDo(_Resize(self._root, self._options.near is None))
            | "Write" >> WriteRemovals(self._root)
        )

    def _nodes(self, ordinals: beam.PCollection, lists: beam.PCollection) -> beam.PCollection:
        if self._connected is not None:
            return read_nodes(ordinals.pipeline, self._root, self._connected)
        find = _FindEdges(self._root, self._options, self._num_documents)
        return (ordinals, lists) | "FindShadows" >> find | "Connect" >> ConnectComponents()


@typehints.with_input_types(int)
@typehints.with_output_types(str)
class WriteShadowEdges(beam.PTransform):
    """Ordinals of units and of shadows to files of the edges of their clusters."""

    def __init__(
        self, root: str, options: recipe.Deduplicate, num_documents: int, folder: str
    ) -> None:
        """Takes the output directory, the options, the documents in all, the files' folder."""
        super().__init__()
        self._root = root
        self._find = _FindEdges(root, options, num_documents)
        self._folder = folder

    def expand(self, ordinals: beam.PCollection) -> beam.PCollection:
        """Finds edges, writes them."""
        lists = ordinals | "ReadLists" >> beam.ParDo(_ReadLists(self._root))
        edges = (ordinals, lists) | "FindShadows" >> self._find
        return edges | "WriteEdges" >> WriteEdges(self._folder)
