"""Near duplicates: band keys to candidate pairs, candidate pairs to verified edges.

Band keys, pairs and sketches go through the exchange, so what a worker holds is one partition of
them whatever the size of the corpus. Text is read for `verify: jaccard` only, and only that of
candidates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash
from apache_beam import typehints

from glotmill.schemas import recipe
from glotmill.schemas.lock import is_shadow, row_of, unit_of
from glotmill.transforms.batches import cut_by_bytes
from glotmill.transforms.candidates import candidate_pairs, unique_pairs
from glotmill.transforms.components import EDGE
from glotmill.transforms.exchange import PARTITION, ExchangeBatches, read_references
from glotmill.transforms.minhash import similarities
from glotmill.transforms.scan import scan
from glotmill.transforms.segments import cut_segments
from glotmill.transforms.shingles import shingles
from glotmill.transforms.sketch import compared_words, shingle_lengths
from glotmill.transforms.unit_index import Corpora, IndexedUnit
from glotmill.transforms.words import word_characters

# Records of (key, id) in a partition, with room for uneven ones: 16 MB, and twice that to sort.
_RECORDS_PER_PARTITION = 1 << 20
# The estimate of a pair that is compared shingle by shingle may be so much too low: three standard
# errors for 100 values.
_DOUBT = 0.15
# Pairs whose sketches are held at a time, and bytes of shingles.
_PAIRS_AT_A_TIME = 1 << 16
_SHINGLE_BYTES = 32 * 2**20

Ints = npt.NDArray[np.int64]


def scopes_of(scope: str, unit: IndexedUnit, batch: pa.RecordBatch) -> list[str]:
    """Name of what texts are equal within, for each row; `label` is read from the batch."""
    if scope == "label":
        labels: list[str] = batch.column("label").to_pylist()
        return labels
    name = {"source": unit.source, "category": unit.category, "all": ""}[scope]
    return [name] * batch.num_rows


def _near_scopes_of(scope: str, unit: IndexedUnit, batch: pa.RecordBatch) -> list[str]:
    """The same for near duplicates: of a pair, whatever the scope, its languages belong to it.

    The translations of one text share its shingles, so pairs of other languages, and the text by
    itself, look like near duplicates of a pair. `label` is read where `_reads_label` says so.
    """
    names = scopes_of(scope, unit, batch)
    if scope == "label" or unit.category != "bitext":
        return names
    labels = batch.column("label").to_pylist()
    return [f"{name}\0{label}" for name, label in zip(names, labels, strict=True)]


def _reads_label(scope: str, unit: IndexedUnit) -> bool:
    return scope == "label" or unit.category == "bitext"


def num_key_partitions(num_documents: int, near: recipe.Near) -> int:
    """Partitions of the band keys of so many documents; a worker holds one."""
    return 1 + num_documents * near.bands // _RECORDS_PER_PARTITION


@typehints.with_input_types(tuple[int, Iterable[bytes]])
@typehints.with_output_types(pa.RecordBatch)
class _ReadBandKeys(beam.DoFn):
    """A unit and the documents that exact deduplication removed to (partition, key, id)."""

    def __init__(self, root: str, options: str, num_partitions: int) -> None:
        self._root = root
        self._options = options
        self._num_partitions = num_partitions

    def setup(self) -> None:
        options = recipe.Deduplicate.model_validate_json(self._options)
        self._scope = options.scope
        self._corpora = Corpora(self._root, options.against)

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[pa.RecordBatch]:
        ordinal, removed = element[0], np.frombuffer(b"".join(element[1]), np.int64)
        unit = self._corpora.unit(ordinal)
        more = ["label"] if _reads_label(self._scope, unit) else []
        columns = ["band_keys", "num_shingles", *more]
        for batch, ids in self._corpora.batches(ordinal, columns):
            compared = np.asarray(batch.column("num_shingles")) > 0
            compared &= ~np.isin(ids, removed)
            names = _near_scopes_of(self._scope, unit, batch)
            keys = fixed_bytes(batch.column("band_keys"), np.dtype("<u8"))[compared]
            keys = keys ^ salts(names)[compared, None]
            columns_of_all = [
                pa.array((keys.ravel() % np.uint64(self._num_partitions)).astype(np.int32)),
                pa.array(keys.ravel()),
                pa.array(np.repeat(ids[compared], keys.shape[1])),
            ]
            yield pa.RecordBatch.from_arrays(columns_of_all, names=[PARTITION, "key", "id"])


def salts(names: Sequence[str]) -> npt.NDArray[np.uint64]:
    """A hash of each name; uint64[n]."""
    kinds, places = np.unique(np.array(names, dtype=object), return_inverse=True)
    hashes = [xxhash.xxh3_64_intdigest(str(name).encode()) for name in kinds]
    return np.array(hashes, np.uint64)[places]


def fixed_bytes(column: pa.Array, kind: np.dtype[Any]) -> npt.NDArray[Any]:
    """Values of a column of fixed-size bytes without nulls; kind[n, width]."""
    width = column.type.byte_width
    data = np.frombuffer(column.buffers()[1], np.uint8) if len(column) else np.zeros(0, np.uint8)
    rows = data[column.offset * width : (column.offset + len(column)) * width]
    return rows.view(kind).reshape(len(column), width // kind.itemsize)


def _joined(references: Iterable[str]) -> dict[str, pa.ChunkedArray]:
    table = pa.Table.from_batches(read_references(references))
    return {name: table.column(name) for name in table.schema.names}


@typehints.with_input_types(tuple[int, Iterable[str]])
@typehints.with_output_types(pa.RecordBatch)
class _FindPairs(beam.DoFn):
    """A partition of (key, id) to pairs, partitioned by the unit of the first."""

    def __init__(self, only_shadows: bool) -> None:
        self._only_shadows = only_shadows

    def process(self, element: tuple[int, Iterable[str]]) -> Iterator[pa.RecordBatch]:
        columns = _joined(element[1])
        pairs = candidate_pairs(columns["key"].to_numpy(), columns["id"].to_numpy())
        if self._only_shadows:
            pairs = pairs[is_shadow(pairs).any(axis=1)]
        if len(pairs):
            yield _pairs_batch(pairs, by=0)


def _pairs_batch(pairs: Ints, by: int, **more: pa.Array) -> pa.RecordBatch:
    """Pairs for the exchange, partitioned by the unit of one side."""
    arrays = {
        PARTITION: pa.array(unit_of(pairs[:, by]).astype(np.int32)),
        "a": pa.array(np.ascontiguousarray(pairs[:, 0])),
        "b": pa.array(np.ascontiguousarray(pairs[:, 1])),
    }
    return pa.RecordBatch.from_pydict(arrays | more)


def _edges(pairs: Ints) -> bytes:
    edges = np.empty(len(pairs), EDGE)
    edges["a"], edges["b"] = pairs[:, 0], pairs[:, 1]
    return edges.tobytes()


@typehints.with_input_types(tuple[int, Iterable[str]])
@typehints.with_output_types(bytes)
class _TakePairs(beam.DoFn):
    """Pairs to edges, none of them compared."""

    def process(self, element: tuple[int, Iterable[str]]) -> Iterator[bytes]:
        yield _edges(_pairs(_joined(element[1])))


def _pairs(columns: dict[str, pa.ChunkedArray] | pa.RecordBatch) -> Ints:
    return np.stack([columns["a"].to_numpy(), columns["b"].to_numpy()], axis=1)


class _Comparing(beam.DoFn):
    """What the steps of the comparison share."""

    def __init__(self, root: str, options: str) -> None:
        self._root = root
        self._options = options

    def setup(self) -> None:
        options = recipe.Deduplicate.model_validate_json(self._options)
        assert options.near is not None  # noqa: S101  the graph is built where it is wanted
        self._near = options.near
        self._corpora = Corpora(self._root, options.against)

    def _sketches(self, ordinal: int) -> npt.NDArray[np.uint8]:
        column = self._corpora.column(ordinal, "sketch").combine_chunks()
        return fixed_bytes(column, np.dtype(np.uint8))

    def _shingles(self, ordinal: int, wanted: Ints) -> dict[int, npt.NDArray[np.uint32]]:
        """Sorted shingles of some documents of a unit, by id."""
        found: dict[int, npt.NDArray[np.uint32]] = {}
        of_pairs = self._corpora.unit(ordinal).category == "bitext"
        columns = ["text", *(["segment_labels", "segment_bytes"] if of_pairs else ["script"])]
        for batch, ids in self._corpora.batches(ordinal, columns):
            rows = np.flatnonzero(np.isin(ids, wanted))
            if rows.size:
                taken = batch.take(pa.array(rows))
                sets = (_sets_of_pairs if of_pairs else _sets_of_texts)(taken, self._near)
                found |= dict(zip(ids[rows].tolist(), sets, strict=True))
        return found


def _sets_of_texts(batch: pa.RecordBatch, near: recipe.Near) -> list[npt.NDArray[np.uint32]]:
    return shingle_sets(batch.column("text"), batch.column("script").to_pylist(), near)


def _sets_of_pairs(batch: pa.RecordBatch, near: recipe.Near) -> list[npt.NDArray[np.uint32]]:
    """The shingles of all segments of each pair, each segment's by its own script."""
    lengths = batch.column("segment_bytes").to_pylist()
    segments = list(map(cut_segments, batch.column("text").to_pylist(), lengths))
    scripts = [label[-4:] for label in batch.column("segment_labels").flatten().to_pylist()]
    texts = pa.array([text for row in segments for text in row], pa.string())
    sets = iter(shingle_sets(texts, scripts, near))
    return [np.unique(np.concatenate([next(sets) for _ in row])) for row in segments]


def shingle_sets(
    text: pa.Array, scripts: Sequence[str], near: recipe.Near
) -> list[npt.NDArray[np.uint32]]:
    """Shingles of n texts of the scripts given, sorted and each once; n arrays uint32[...]."""
    scanned = scan(text)
    words, num_words = compared_words(scanned, word_characters(scanned))
    hashes, counts = shingles(words, num_words, shingle_lengths(scripts, near))
    return [np.unique(part) for part in np.split(hashes, np.cumsum(counts)[:-1])]


@typehints.with_input_types(tuple[int, Iterable[str]])
@typehints.with_output_types(pa.RecordBatch)
class _AttachSketches(_Comparing):
    """Pairs by the unit of the first to pairs by that of the second, the first's sketch beside."""

    def process(self, element: tuple[int, Iterable[str]]) -> Iterator[pa.RecordBatch]:
        ordinal, references = element
        pairs = unique_pairs(_pairs(_joined(references)))
        values = self._sketches(ordinal)
        kind = pa.binary(values.shape[1])
        for start in range(0, len(pairs), _PAIRS_AT_A_TIME):
            part = pairs[start : start + _PAIRS_AT_A_TIME]
            rows = pa.py_buffer(np.ascontiguousarray(values[row_of(part[:, 0])]))
            sketch = pa.Array.from_buffers(kind, len(part), [None, rows])
            yield _pairs_batch(part, by=1, sketch=sketch)


@typehints.with_input_types(tuple[int, Iterable[str]])
@typehints.with_output_types(pa.RecordBatch)
class _CompareSketches(_Comparing):
    """Keeps pairs that are similar enough by their sketches; `by` the unit of the first again."""

    def process(self, element: tuple[int, Iterable[str]]) -> Iterator[pa.RecordBatch]:
        ordinal, references = element
        values = self._sketches(ordinal)
        least = self._near.min_similarity
        if self._near.verify == "jaccard":
            least -= _DOUBT
        for batch in read_references(references):
            pairs = _pairs(batch)
            first = fixed_bytes(batch.column("sketch"), np.dtype(np.uint8))
            alike = similarities(first, values[row_of(pairs[:, 1])]) >= least
            if alike.any():
                yield _pairs_batch(pairs[alike], by=0)


@typehints.with_input_types(tuple[int, Iterable[str]])
@typehints.with_output_types(pa.RecordBatch)
class _AttachShingles(_Comparing):
    """Pairs by the unit of the first to pairs by that of the second, the first's set beside."""

    def process(self, element: tuple[int, Iterable[str]]) -> Iterator[pa.RecordBatch]:
        ordinal, references = element
        pairs = _pairs(_joined(references))
        sets = self._shingles(ordinal, np.unique(pairs[:, 0]))
        num_bytes = np.array([sets[identity].nbytes for identity in pairs[:, 0].tolist()])
        for start, end in cut_by_bytes(num_bytes, _SHINGLE_BYTES):
            part = pairs[start:end]
            listed = [sets[identity] for identity in part[:, 0].tolist()]
            column = pa.array(listed, pa.list_(pa.uint32()))
            yield _pairs_batch(part, by=1, shingles=column)


@typehints.with_input_types(tuple[int, Iterable[str]])
@typehints.with_output_types(bytes)
class _CompareShingles(_Comparing):
    """Keeps pairs whose sets of shingles are similar enough."""

    def process(self, element: tuple[int, Iterable[str]]) -> Iterator[bytes]:
        ordinal, references = element
        read = list(read_references(references))
        wanted = np.unique(np.concatenate([batch.column("b").to_numpy() for batch in read]))
        sets = self._shingles(ordinal, wanted)
        for batch in read:
            pairs = _pairs(batch)
            similarity = [
                jaccard(first.values.to_numpy(), sets[other])
                for first, other in zip(batch.column("shingles"), pairs[:, 1].tolist(), strict=True)
            ]
            alike = np.array(similarity) >= self._near.min_similarity
            if alike.any():
                yield _edges(pairs[alike])


def jaccard(left: npt.NDArray[np.uint32], right: npt.NDArray[np.uint32]) -> float:
    """Jaccard similarity of two sets, each sorted; 0 where both are empty.

    >>> jaccard(np.array([1, 2, 3], np.uint32), np.array([2, 3, 4], np.uint32))
    0.5
    """
    shared = len(np.intersect1d(left, right, assume_unique=True))
    return shared / max(1, len(left) + len(right) - shared)


class FindNearDuplicates(beam.PTransform):
    """Units and the documents removed in each to packed edges between near duplicates.

    Input: (ordinal, packed int64 ids of documents that are not compared), each unit once.
    Output: packed records of `components.EDGE`.
    """

    def __init__(
        self,
        root: str,
        options: recipe.Deduplicate,
        num_documents: int,
        temporary: str,
        *,
        only_shadows: bool = False,
    ) -> None:
        """Takes what there is to know.

        Args:
            root: the output directory.
            options: of the recipe.
            num_documents: in all; it decides how finely keys are partitioned.
            temporary: a folder for exchanges.
            only_shadows: compare only pairs of which one was dropped by the filters.
        """
        super().__init__()
        self._only_shadows = only_shadows
        self._root = root
        self._near = options.near or recipe.Near()
        self._options = options.model_dump_json()
        self._num_partitions = num_key_partitions(num_documents, self._near)
        self._temporary = temporary

    def expand(self, units: beam.PCollection) -> beam.PCollection:
        """Reads band keys, pairs what shares one, compares the pairs."""
        comparing = (self._root, self._options)
        pairs = (
            units
            | "ReadBandKeys"
            >> beam.ParDo(_ReadBandKeys(self._root, self._options, self._num_partitions))
            | "ExchangeKeys" >> self._exchange("keys")
            | "FindPairs" >> beam.ParDo(_FindPairs(self._only_shadows))
            | "ExchangePairs" >> self._exchange("pairs")
        )
        if self._near.verify == "none":
            return pairs | "TakePairs" >> beam.ParDo(_TakePairs())
        alike = (
            pairs
            | "AttachSketches" >> beam.ParDo(_AttachSketches(*comparing))
            | "ExchangeSketches" >> self._exchange("sketches")
            | "CompareSketches" >> beam.ParDo(_CompareSketches(*comparing))
        )
        if self._near.verify == "sketch":
            return alike | "TakeAlike" >> beam.ParDo(_TakeAlike())
        return (
            alike
            | "ExchangeAlike" >> self._exchange("alike")
            | "AttachShingles" >> beam.ParDo(_AttachShingles(*comparing))
            | "ExchangeShingles" >> self._exchange("shingles")
            | "CompareShingles" >> beam.ParDo(_CompareShingles(*comparing))
        )

    def _exchange(self, name: str) -> ExchangeBatches:
        return ExchangeBatches(f"{self._temporary}/{name}")


@typehints.with_input_types(pa.RecordBatch)
@typehints.with_output_types(bytes)
class _TakeAlike(beam.DoFn):
    """Pairs of a batch to edges."""

    def process(self, batch: pa.RecordBatch) -> Iterator[bytes]:
        pairs = _pairs(batch)
        yield _edges(pairs)
