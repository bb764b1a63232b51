"""Repeated sides: a cap on pairs of parallel text that share a source or a target.

Of all pairs of two labels that have one text on one side, the first so many stay, by the priority
of their sources and then in the order of the recipe. What deduplication removed is not counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from apache_beam import typehints

from glotmill.transforms.near import salts
from glotmill.transforms.ordinals import CreateOrdinals, Ordinals
from glotmill.transforms.removals import REMOVAL, units_of
from glotmill.transforms.unit_index import Corpora

# A side of a pair: 64 bits of its text and labels, and what decides which pairs stay.
_SIDE = np.dtype([("key", "<u8"), ("priority", "<i4"), ("id", "<i8")])
# The upper six bits of a key are one of 64 partitions.
_PARTITION_SHIFT = np.uint64(58)

Sides = npt.NDArray[np.void]


def beyond_cap(sides: Sides, most: int) -> npt.NDArray[np.void]:
    """Pairs of which a side occurs too often, whatever the order of the input.

    Args:
        sides: records of key, priority, id.
        most: pairs that may share a side.

    Returns:
        Records of `removals.REMOVAL`, one for each side that is beyond the cap: `cluster` is the
        first pair with that side, `size` the number of pairs that have it.
    """
    sides = sides[np.lexsort((sides["id"], -sides["priority"].astype(np.int64), sides["key"]))]
    first = np.flatnonzero(np.append(True, sides["key"][1:] != sides["key"][:-1]))[: len(sides)]
    sizes = np.diff(first, append=len(sides))
    rank = np.arange(len(sides)) - np.repeat(first, sizes)
    beyond = rank >= most
    found = np.zeros(np.count_nonzero(beyond), REMOVAL)
    found["id"] = sides["id"][beyond]
    found["removed"] = found["capped"] = True
    found["cluster"] = np.repeat(sides["id"][first], sizes)[beyond]
    found["size"] = np.repeat(sizes, sizes)[beyond]
    return found


@typehints.with_input_types(tuple[int, Iterable[bytes]])
@typehints.with_output_types(tuple[int, bytes])
class _ReadSides(beam.DoFn):
    """A unit and what becomes of its documents to (partition, sides of the pairs that stay)."""

    def __init__(self, root: str) -> None:
        self._root = root

    def setup(self) -> None:
        self._corpora = Corpora(self._root)

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
        ordinal = element[0]
        priority = self._corpora.unit(ordinal).priority
        found = np.frombuffer(b"".join(element[1]), REMOVAL)
        removed = found["id"][found["removed"]]
        columns = ["segment_hashes", "segment_labels", "label"]
        for batch, ids in self._corpora.batches(ordinal, columns):
            stays = ~np.isin(ids, removed)
            sides = _sides(batch.filter(pa.array(stays)), ids[stays], priority)
            partition = sides["key"] >> _PARTITION_SHIFT
            for number in np.unique(partition):
                yield int(number), sides[partition == number].tobytes()


def _sides(batch: pa.RecordBatch, ids: npt.NDArray[np.int64], priority: int) -> Sides:
    counts = np.asarray(batch.column("segment_hashes").value_lengths())
    of_row = np.repeat(np.arange(batch.num_rows), counts)
    labels = batch.column("label").to_pylist()
    segments = batch.column("segment_labels").flatten().to_pylist()
    names = [f"{labels[row]} {own}" for row, own in zip(of_row.tolist(), segments, strict=True)]
    sides = np.empty(len(of_row), _SIDE)
    hashes = batch.column("segment_hashes").flatten().to_numpy(zero_copy_only=False)
    sides["key"] = hashes.astype(np.uint64) ^ salts(names)
    sides["priority"] = priority
    sides["id"] = ids[of_row]
    return sides


@typehints.with_input_types(tuple[int, Iterable[bytes]])
@typehints.with_output_types(tuple[int, bytes])
class _Cap(beam.DoFn):
    def __init__(self, most: int) -> None:
        self._most = most

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
        yield from units_of(beyond_cap(np.frombuffer(b"".join(element[1]), _SIDE), self._most))


def _without_records(ordinal: int) -> tuple[int, bytes]:
    return ordinal, b""


@typehints.with_output_types(tuple[int, bytes])
class CapRepeatedSides(beam.PTransform):
    """Units of pairs, and what becomes of all documents, to what else is to be removed.

    Input: ordinals of the units of pairs, and (ordinal, packed records of `removals.REMOVAL`).
    Output: (ordinal, packed records of it) for pairs beyond the cap.
    """

    def __init__(self, root: str, most: int, ordinals: Iterable[int]) -> None:
        """Takes the output directory, the cap, and the ordinals of the units of pairs."""
        super().__init__()
        self._root = root
        self._most = most
        self._ordinals = Ordinals(ordinals)

    def expand(self, found: beam.PCollection) -> beam.PCollection:
        """Reads the sides of what stays, groups them, caps them."""
        packed = tuple[int, bytes]
        ordinals = self._ordinals
        units = (
            found.pipeline
            | "PairUnits" >> CreateOrdinals(ordinals)
            | "NoneYet" >> beam.Map(_without_records).with_output_types(packed)
        )
        of_pairs = found | "OfPairs" >> beam.Filter(lambda each: each[0] in ordinals)
        return (
            (units, of_pairs)
            | "WithFound" >> beam.Flatten()
            | "GatherUnit" >> beam.GroupByKey()
            | "ReadSides" >> beam.ParDo(_ReadSides(self._root))
            | "GatherSides" >> beam.GroupByKey()
            | "Cap" >> beam.ParDo(_Cap(self._most))
        )
