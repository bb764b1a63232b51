"""Index of what is held out: hashes and sketches that millions of documents are held against.

Nearly every document is told not to be in it by one look into a table of places that hashes share,
as in a Bloom filter of one function; the few others are looked up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from glotmill.transforms.batches import cut_by_bytes
from glotmill.transforms.minhash import similarities
from glotmill.transforms.near import fixed_bytes

Keys = npt.NDArray[np.unsignedinteger[Any]]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Sketches = npt.NDArray[np.uint8]

# The odd multiplier of Fibonacci hashing (Knuth, volume 3, section 6.4).
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
# Places in the table for each key, at least: of keys that are not in the set an eighth to a quarter
# is looked up.
_PLACES = 4

# Values of a sketch that two documents have to share, one behind the other, to be compared: each
# is a byte, so two that have nothing in common do by chance once in 16 million.
_VALUES = 3
# With fewer shingles they have to share a band, too. The byte of a value is the lowest, which tells
# of nothing but the lowest byte of a shingle: of two texts of one shingle each all of them agree
# once in 256 times. From four on so many agree by chance once in 10^9 times.
_FEW = 4
# So many such places are looked at, and so many pairs compared at a time.
_MOST_PLACES = 256
_PAIRS_AT_A_TIME = 1 << 16
# An estimate from a sketch is so many standard errors too low once in 700 times.
_ERRORS = 3


class KeySet:
    """A set of keys, such as hashes."""

    def __init__(self, keys: Keys) -> None:
        """Takes the keys, in any order, repeats included; unsigned integers[m]."""
        self._keys = np.unique(keys)
        bits = max(1, (_PLACES * len(self._keys)).bit_length())
        self._shift = np.uint64(64 - bits)
        self._maybe = np.zeros(1 << bits, bool)
        self._maybe[self._places(self._keys)] = True

    def _places(self, keys: Keys) -> Ints:
        return (keys.astype(np.uint64) * _SPREAD >> self._shift).view(np.int64)

    def locate(self, keys: Keys) -> tuple[Ints, Ints]:
        """Which of n keys are in it: their positions, and their places among its sorted keys."""
        positions = np.flatnonzero(self._maybe[self._places(keys)])
        found = keys[positions]
        places = np.minimum(np.searchsorted(self._keys, found), len(self._keys) - 1)
        right = self._keys[places] == found
        return positions[right], places[right]

    def find(self, keys: Keys) -> Bools:
        """Which of n keys are in it; bool[n]."""
        found = np.zeros(len(keys), bool)
        found[self.locate(keys)[0]] = True
        return found


def least_similarity(similarity: float, num_values: int) -> float:
    """Estimated similarity from which on two documents may well have the true one given.

    The standard error of an estimate is sqrt(J (1 - J) / k).

    >>> round(least_similarity(0.6, 100), 3)
    0.453
    """
    return max(0.0, similarity - _ERRORS * sqrt(similarity * (1 - similarity) / num_values))


@dataclass(frozen=True)
class Sketched:
    """What documents are compared by, as ingest left it.

    Attributes:
        num_shingles: int32[n]; those of none are like no other.
        band_keys: uint64[n, bands].
        sketches: uint8[n, k].
    """

    num_shingles: npt.NDArray[np.int32]
    band_keys: npt.NDArray[np.uint64]
    sketches: Sketches

    @classmethod
    def read(cls, batch: pa.RecordBatch) -> Sketched:
        """Those of a batch with the columns of `sketch_fields`."""
        return cls(
            batch.column("num_shingles").to_numpy(),
            fixed_bytes(batch.column("band_keys"), np.dtype("<u8")),
            fixed_bytes(batch.column("sketch"), np.dtype(np.uint8)),
        )


class SketchIndex:
    """Sketches of documents, to find out whether others are near duplicates of them.

    Documents are compared that share three values of their sketches one behind the other, where
    `deduplicate` wants a band of them: of pairs with a similarity of 0.6, 99.97% do among 100
    values, against 80% that share one of 20 bands of 5. That is too much for all pairs of a corpus,
    and cheap against the few documents that are held out. Texts of up to three shingles are
    compared if they share a band.
    """

    def __init__(self, held_out: Sketched, similarity: float) -> None:
        """Takes the documents, and the least similarity of near duplicates.

        Args:
            held_out: m documents.
            similarity: true one; an estimate may be three standard errors below it.
        """
        self._sketches = held_out.sketches
        self._least = least_similarity(similarity, held_out.sketches.shape[1])
        # A text of so many shingles can be that similar to one of three.
        self._most_of_few = int((_FEW - 1) / similarity) if similarity else np.iinfo(np.int32).max
        few, many = self._kinds(held_out)
        self._bands = [_Place(keys, few) for keys in held_out.band_keys.T]
        self._runs = [_Place(values, many) for values in _runs(held_out.sketches)]

    def _kinds(self, documents: Sketched) -> tuple[Ints, Ints]:
        """Documents to be compared by bands, and those by runs of values; some by both."""
        num = documents.num_shingles
        return np.flatnonzero((num > 0) & (num <= self._most_of_few)), np.flatnonzero(num >= _FEW)

    def near(self, documents: Sketched) -> Bools:
        """Which of n documents are near duplicates of one in it; bool[n]."""
        found = np.zeros(len(documents.num_shingles), bool)
        few, many = self._kinds(documents)
        for place, keys in zip(self._bands, documents.band_keys.T, strict=True):
            self._compare(documents.sketches, found, few, place, keys)
        for place, values in zip(self._runs, _runs(documents.sketches), strict=True):
            self._compare(documents.sketches, found, many, place, values)
        return found

    def _compare(
        self, sketches: Sketches, found: Bools, rows: Ints, place: _Place, keys: Keys
    ) -> None:
        """Marks those of some rows that are like one with the same key."""
        rows = rows[~found[rows]]
        for mine, theirs in place.pairs(keys[rows]):
            alike = similarities(sketches[rows[mine]], self._sketches[theirs]) >= self._least
            found[rows[mine[alike]]] = True


class _Place:
    """One key of each document: which of them have which."""

    def __init__(self, keys: Keys, rows: Ints) -> None:
        """Takes the keys of all documents, and those that are to be found by them."""
        keys = keys[rows]
        self._known = KeySet(keys)
        self._order = rows[np.argsort(keys, kind="stable")].astype(np.int32)
        self._ends = np.cumsum(np.unique(keys, return_counts=True)[1]).astype(np.int32)

    def pairs(self, keys: Keys) -> Iterator[tuple[Ints, Ints]]:
        """Positions of keys, and documents that have them; about so many at a time."""
        positions, places = self._known.locate(keys)
        starts = np.where(places > 0, self._ends[places - 1], 0)
        sizes = (self._ends[places] - starts).astype(np.int64)
        for begin, end in cut_by_bytes(sizes, _PAIRS_AT_A_TIME):
            part = slice(begin, end)
            theirs = self._order[_ranges(starts[part], sizes[part])]
            yield np.repeat(positions[part], sizes[part]), theirs.astype(np.int64)


def _runs(sketches: Sketches) -> list[npt.NDArray[np.uint32]]:
    """Runs of three values of n sketches as one number each, by place; uint32[n] each."""
    width = min(_VALUES, sketches.shape[1])
    num_places = min(sketches.shape[1] // width, _MOST_PLACES)
    columns = np.ascontiguousarray(sketches[:, : num_places * width].T).astype(np.uint32)
    found = columns[::width]
    for value in range(1, width):
        found = found << np.uint32(8) | columns[value::width]
    return list(found)


def _ranges(starts: Ints, sizes: Ints) -> Ints:
    """The integers from each start on, so many of each; concatenated."""
    before = np.cumsum(sizes) - sizes
    return np.repeat(starts - before, sizes) + np.arange(int(sizes.sum()))
