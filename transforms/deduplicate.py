"""Deduplicate: documents of equal text, and near duplicates where the recipe wants them gone.

Packed integers travel through the engine: one element a unit and partition, not one a document.
Equal texts are found first, and one of each takes part in the search for near duplicates. The
edges of both make clusters; one document of a cluster stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash
from apache_beam import typehints

from glotmill.schemas import recipe
from glotmill.schemas.lock import is_foreign, is_shadow
from glotmill.transforms.components import EDGE, ConnectComponents
from glotmill.transforms.edge_files import EdgeFiles, WriteEdges
from glotmill.transforms.near import FindNearDuplicates, scopes_of
from glotmill.transforms.records import temporary_folder
from glotmill.transforms.removals import (
    FOLDER,
    PRIORITY_OF_OTHERS,
    PRIORITY_OF_SHADOWS,
    REMOVAL,
    ChooseSurvivors,
    WriteRemovals,
    units_of,
)
from glotmill.transforms.repeated_sides import CapRepeatedSides
from glotmill.transforms.spread import spread
from glotmill.transforms.stars import PARTITION_BYTES, ReadStars
from glotmill.transforms.unit_index import Corpora

_PARTITIONS = 64
# 128 bits of key, then what decides which row of a cluster stays.
_KEY = np.dtype([("high", "<u8"), ("low", "<u8"), ("priority", "<i4"), ("id", "<i8")])

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
        Records of `removals.REMOVAL`; rows of unique keys are absent.
    """
    order = np.lexsort((keys["id"], -keys["priority"].astype(np.int64), keys["low"], keys["high"]))
    keys = keys[order]
    new = np.ones(len(keys), bool)
    new[1:] = (keys["high"][1:] != keys["high"][:-1]) | (keys["low"][1:] != keys["low"][:-1])
    first = np.flatnonzero(new)
    sizes = np.diff(first, append=len(keys))
    found = np.zeros(len(keys), REMOVAL)
    found["exact"] = True
    found["id"] = keys["id"]
    found["removed"] = ~new
    found["cluster"] = np.repeat(keys["id"][first], sizes)
    found["size"] = np.repeat(sizes, sizes)
    return found[found["size"] > 1]


@typehints.with_input_types(int)
@typehints.with_output_types(tuple[int, bytes])
class _ReadKeys(beam.DoFn):
    def __init__(self, root: str, options: str) -> None:
        self._root = root
        self._options = options

    def setup(self) -> None:
        options = recipe.Deduplicate.model_validate_json(self._options)
        self._scope = options.scope
        self._corpora = Corpora(self._root, options.against)

    def process(self, ordinal: int) -> Iterator[tuple[int, bytes]]:
        parts = list(self._keys(ordinal))
        if not parts:
            return
        keys = np.concatenate(parts)
        partition = (keys["high"] % np.uint64(_PARTITIONS)).astype(np.int64)
        keys = keys[np.argsort(partition, kind="stable")]
        ends = np.cumsum(np.bincount(partition, minlength=_PARTITIONS))
        for number, rows in enumerate(np.split(keys, ends[:-1])):
            if len(rows):
                yield number, rows.tobytes()

    def _keys(self, ordinal: int) -> Iterator[Keys]:
        unit = self._corpora.unit(ordinal)
        for batch, ids in self._corpora.batches(ordinal, ["content_hash", "label"]):
            keys = np.zeros(batch.num_rows, _KEY)
            names = scopes_of(self._scope, unit, batch)
            halves = content_keys(batch.column("content_hash"), names)
            keys["high"], keys["low"] = halves[:, 0], halves[:, 1]
            keys["priority"] = np.where(is_foreign(ids), PRIORITY_OF_OTHERS, unit.priority)
            keys["priority"][is_shadow(ids)] = PRIORITY_OF_SHADOWS
            keys["id"] = ids
            yield keys


@typehints.with_input_types(tuple[int, Iterable[bytes]])
@typehints.with_output_types(tuple[int, bytes])
class _FindDuplicates(beam.DoFn):
    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
        keys = np.frombuffer(b"".join(element[1]), _KEY)
        yield from units_of(find_duplicates(keys))


@typehints.with_input_types(int)
@typehints.with_output_types(tuple[int, bytes])
class FindExactDuplicates(beam.PTransform):
    """Ordinals of units to (ordinal, packed records of `removals.REMOVAL`)."""

    def __init__(self, root: str, options: recipe.Deduplicate) -> None:
        super().__init__()
        self._root = root
        self._options = options.model_dump_json()

    def expand(self, ordinals: beam.PCollection) -> beam.PCollection:
        """Reads keys, groups them, finds duplicates."""
        return (
            ordinals
            | "ReadKeys" >> beam.ParDo(_ReadKeys(self._root, self._options))
            | "GroupKeys" >> beam.GroupByKey()
            | "FindDuplicates" >> beam.ParDo(_FindDuplicates())
        )


def _removed(element: tuple[int, bytes]) -> tuple[int, bytes]:
    """Ids of the documents of a unit that have an equal that stays."""
    found = np.frombuffer(element[1], REMOVAL)
    return element[0], found["id"][found["removed"]].tobytes()


def _edges_to_equals(element: tuple[int, bytes]) -> bytes:
    found = np.frombuffer(element[1], REMOVAL)
    found = found[found["removed"]]
    edges = np.empty(len(found), EDGE)
    edges["a"], edges["b"] = found["cluster"], found["id"]
    return edges.tobytes()


def _with_nothing(ordinal: int) -> tuple[int, bytes]:
    return ordinal, b""


@typehints.with_output_types(bytes)
class FindEdges(beam.PTransform):
    """Ordinals of units to edges between equal and between similar documents.

    Input: the ordinals, and what `FindExactDuplicates` makes of them.
    Output: packed records of `components.EDGE`.
    """

    def __init__(
        self,
        root: str,
        options: recipe.Deduplicate,
        num_documents: int,
        *,
        only_shadows: bool = False,
    ) -> None:
        """Takes what `FindNearDuplicates` takes; without near duplicates it is not used."""
        super().__init__()
        self._near = options.near is not None
        self._find = FindNearDuplicates(
            root,
            options,
            num_documents,
            f"{temporary_folder(root, FOLDER)}/exchange",
            only_shadows=only_shadows,
        )

    def expand(self, inputs: tuple[beam.PCollection, beam.PCollection]) -> beam.PCollection:
        """Compares what exact deduplication leaves."""
        ordinals, exact = inputs
        equal = exact | "EdgesToEquals" >> beam.Map(_edges_to_equals).with_output_types(bytes)
        if not self._near:
            return equal
        packed = tuple[int, bytes]
        units = ordinals | "AllUnits" >> beam.Map(_with_nothing).with_output_types(packed)
        removed = exact | "Removed" >> beam.Map(_removed).with_output_types(packed)
        near = (
            (units, removed)
            | "WithRemoved" >> beam.Flatten()
            | "GroupByUnit" >> beam.GroupByKey()
            | "FindNearDuplicates" >> self._find
        )
        return (near, equal) | "Edges" >> beam.Flatten()


@typehints.with_input_types(int)
@typehints.with_output_types(str)
class RemoveDuplicates(beam.PTransform):
    """Ordinals of units to removal lists, one file for each unit that has duplicates elsewhere."""

    def __init__(
        self,
        root: str,
        options: recipe.Deduplicate,
        documents_by_label: Mapping[str, int],
        num_documents: int = 0,
        connected: EdgeFiles | None = None,
        pair_ordinals: Iterable[int] = (),
    ) -> None:
        """Takes what there is to know.

        Args:
            root: the output directory.
            options: of the recipe.
            documents_by_label: how many documents each label has.
            num_documents: those of other corpora too; it decides how finely keys are partitioned.
            connected: stars of the edges that `WriteDuplicateEdges` wrote; None has them found
                here, with all components in one worker.
            pair_ordinals: units of parallel text.
        """
        super().__init__()
        self._root = root
        self._options = options
        self._documents_by_label = dict(documents_by_label)
        self._num_documents = num_documents
        self._connected = connected
        self._pair_ordinals = tuple(pair_ordinals)

    def expand(self, ordinals: beam.PCollection) -> beam.PCollection:
        """Finds equal and similar documents, chooses which stay, writes."""
        found = exact = find_equals(ordinals, self._root, self._options)
        if self._options.near is not None:
            nodes = self._nodes(ordinals, exact)
            found = (nodes, exact) | "Choose" >> ChooseSurvivors(
                self._root, self._options, self._documents_by_label
            )
        most = self._options.max_repeated_sides
        if most is not None and self._pair_ordinals:
            cap = CapRepeatedSides(self._root, most, self._pair_ordinals)
            capped = found | "CapRepeatedSides" >> cap
            found = (found, capped) | "WithCapped" >> beam.Flatten()
        return found | "Write" >> WriteRemovals(self._root)

    def _nodes(self, ordinals: beam.PCollection, exact: beam.PCollection) -> beam.PCollection:
        if self._connected is not None:
            return read_nodes(ordinals.pipeline, self._root, self._connected)
        edges = (ordinals, exact) | FindEdges(self._root, self._options, self._num_documents)
        return edges | "Connect" >> ConnectComponents()


def read_nodes(pipeline: beam.Pipeline, root: str, connected: EdgeFiles) -> beam.PCollection:
    """Nodes of components, as `ConnectComponents` gives them, out of files of stars."""
    folder = f"{temporary_folder(root, FOLDER)}/exchange/nodes"
    num_partitions = connected.num_partitions(PARTITION_BYTES)
    paths = beam.Create(connected.paths, reshuffle=False).with_output_types(str)
    stars = spread(pipeline | "Stars" >> paths, "SpreadStars")
    return stars | "ReadStars" >> ReadStars(folder, num_partitions)


def find_equals(
    ordinals: beam.PCollection, root: str, options: recipe.Deduplicate
) -> beam.PCollection:
    """Documents of equal text, by unit; nothing where they are not looked for."""
    if options.exact:
        return ordinals | "Exact" >> FindExactDuplicates(root, options)
    nothing = beam.Create([], reshuffle=False).with_output_types(tuple[int, bytes])
    return ordinals.pipeline | "NoExact" >> nothing


@typehints.with_input_types(int)
@typehints.with_output_types(str)
class WriteDuplicateEdges(beam.PTransform):
    """Ordinals of units to files of the edges between their equal and similar documents."""

    def __init__(
        self, root: str, options: recipe.Deduplicate, num_documents: int, folder: str
    ) -> None:
        """Takes the output directory, the options, the documents in all, the files' folder."""
        super().__init__()
        self._root = root
        self._options = options
        self._num_documents = num_documents
        self._folder = folder

    def expand(self, ordinals: beam.PCollection) -> beam.PCollection:
        """Finds edges, writes them."""
        exact = find_equals(ordinals, self._root, self._options)
        edges = (ordinals, exact) | FindEdges(self._root, self._options, self._num_documents)
        return edges | "WriteEdges" >> WriteEdges(self._folder)
