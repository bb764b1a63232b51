"""Contamination: text of evaluation sets inside documents, found by hashes of runs of words.

A segment of an evaluation set is looked for by every run of `n` words in it; one of fewer words by
all of them, and one of very few only as the whole of a text. Words are those that are compared
everywhere: neither case nor punctuation enters them. docs/decontamination.md says what it finds.

Nearly all runs of a document are told not to be in the index by its **first five words**, whose
hash is computed anyway for the measure of repetition. The others are made longer word by word,
told apart in the same way at the lengths that segments have at least, and looked up where they
are as long as runs of the index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from glotmill.transforms.words import Hashes, Ints, longer_ngrams

Numbers = npt.NDArray[np.int16]

#: Words of the runs that are looked up first, those of the measure of repetition.
FIRST = 5

# The most bytes that the table of first words has; 32 to 64 bits for each run where it has fewer.
_MOST_BYTES = 1 << 25
# Bits in it of the first five words, and of as many as all runs of a kind of script have.
_FIRST_BITS, _LEAST_BITS = 2, 4
_NONE = np.iinfo(np.int16).max
_SEVEN, _MIDDLE = np.uint64(7), np.uint64(24)
# An odd multiplier that gives a hash its next bit (Steele and Vigna, 2022).
_NEXT = np.uint64(0xD1342543DE82EF95)


class _Table:
    """A set of hashes that may find what is not in it: some bits for each (Bloom, CACM 1970)."""

    def __init__(self) -> None:
        self._bytes = np.zeros(_MOST_BYTES, np.uint8)

    def add(self, hashes: Hashes, num_bits: int) -> None:
        """Takes hashes."""
        distinct = np.unique(hashes)
        for _ in range(num_bits):
            np.bitwise_or.at(self._bytes, self._places(distinct), self._bits(distinct))
            distinct = distinct * _NEXT

    def shrink(self, num_hashes: int) -> None:
        """Halves the table while that leaves 32 bits or more for each hash."""
        while len(self._bytes) // 2 >= max(4 * num_hashes, 1024):
            self._bytes = self._bytes[0::2] | self._bytes[1::2]

    def find(self, hashes: Hashes, num_bits: int) -> Ints:
        """Positions of the hashes that have all their bits set, ascending."""
        found = np.flatnonzero(self._has_bit(hashes))
        hashes = hashes[found]
        for _ in range(num_bits - 1):
            hashes = hashes * _NEXT
            has = self._has_bit(hashes)
            found, hashes = found[has], hashes[has]
        return found

    def _has_bit(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        return (self._bytes[self._places(hashes)] & self._bits(hashes)) != 0

    def _places(self, hashes: Hashes) -> Ints:
        shift = np.uint64(65 - len(self._bytes).bit_length())
        return (hashes >> shift).view(np.int64)

    @staticmethod
    def _bits(hashes: Hashes) -> npt.NDArray[np.uint8]:
        return np.left_shift(np.uint8(1), ((hashes >> _MIDDLE) & _SEVEN).astype(np.uint8))

    @property
    def num_bytes(self) -> int:
        """Its size."""
        return len(self._bytes)


class _Runs:
    """Hashes of runs of words of one length, sorted, each with the first set that has it."""

    def __init__(self) -> None:
        self._parts: list[tuple[Hashes, Numbers]] = []
        self.hashes = np.zeros(0, np.uint64)
        self.sets = np.zeros(0, np.int16)

    def add(self, hashes: Hashes, number: int) -> None:
        """Takes runs of a set."""
        distinct = np.unique(hashes)
        self._parts.append((distinct, np.full(len(distinct), number, np.int16)))

    def finish(self) -> None:
        """Sorts what was added."""
        hashes = np.concatenate([part[0] for part in self._parts])
        sets = np.concatenate([part[1] for part in self._parts])
        order = np.lexsort((sets, hashes))
        hashes, sets = hashes[order], sets[order]
        firsts = np.ones(len(hashes), bool)
        firsts[1:] = hashes[1:] != hashes[:-1]
        self.hashes, self.sets = hashes[firsts], sets[firsts]
        self._parts = []

    def look_up(self, hashes: Hashes) -> Numbers:
        """The set of each run, `_NONE` where none has it; int16[n]."""
        places = np.searchsorted(self.hashes, hashes)
        places[places == len(self.hashes)] = 0
        return np.where(self.hashes[places] == hashes, self.sets[places], _NONE)


class ContaminationIndex:
    """Runs of words of evaluation sets; filled once, then asked."""

    def __init__(self, least: Sequence[int]) -> None:
        """An empty index.

        Args:
            least: least words, 5 or more, of segments that are found inside a text, ascending: in
                scripts with spaces, in others.
        """
        self._least = tuple(least)
        self._table = _Table()
        self._inside: dict[int, _Runs] = {}
        self._alone: dict[int, _Runs] = {}

    def add(
        self, number: int, words: Hashes, words_per_segment: Ints, lengths: Ints, least: Ints
    ) -> None:
        """Takes segments of a set.

        Args:
            number: of the set; of several that hold a run, the lowest is found.
            words: uint64[w], hashes of the words of all segments.
            words_per_segment: int64[n].
            lengths: int64[n], words of the runs that each segment is found by.
            least: int64[n], words that it needs to be found inside a text.
        """
        inside = words_per_segment >= least
        wanted = np.where(inside, np.minimum(lengths, words_per_segment), 0)
        for length, runs in _runs(words, words_per_segment, wanted, self._first_words):
            self._inside.setdefault(length, _Runs()).add(runs, number)
        wanted = np.where(inside, 0, words_per_segment)
        for length, runs in _runs(words, words_per_segment, wanted):
            self._alone.setdefault(length, _Runs()).add(runs, number)

    def _first_words(self, length: int, runs: Hashes) -> None:
        if length == FIRST:
            self._table.add(runs, _FIRST_BITS)
        if length in self._least:
            self._table.add(runs, _LEAST_BITS)

    def finish(self) -> None:
        """Makes it ready to be asked."""
        for runs in (*self._inside.values(), *self._alone.values()):
            runs.finish()
        self._table.shrink(sum(len(runs.hashes) for runs in self._inside.values()))

    @property
    def num_runs(self) -> int:
        """Runs of words in it."""
        return sum(len(r.hashes) for r in (*self._inside.values(), *self._alone.values()))

    @property
    def num_bytes(self) -> int:
        """Memory that it takes."""
        return 10 * self.num_runs + self._table.num_bytes

    def find(self, words: Hashes, words_per_document: Ints, grams: Hashes) -> Numbers:
        """The set whose text is in each of n documents, -1 where none is; int16[n].

        Args:
            words: uint64[w], hashes of the words of all documents.
            words_per_document: int64[n].
            grams: what `ngram_hashes(words, 5)` gives.
        """
        found = np.full(len(words_per_document), _NONE, np.int16)
        if self._inside:
            self._find_inside(words, words_per_document, grams, found)
        if self._alone:
            self._find_alone(words, words_per_document, found)
        found[found == _NONE] = -1
        return found

    def _find_inside(
        self, words: Hashes, words_per_document: Ints, grams: Hashes, found: Numbers
    ) -> None:
        ends = np.cumsum(words_per_document)
        places = self._table.find(grams, _FIRST_BITS)
        documents = np.searchsorted(ends, places, side="right")
        room = ends[documents] - places
        runs, longest = grams[places], max(self._inside)
        for length in range(FIRST, longest + 1):
            going = room >= max(length, self._least[0])
            if length > FIRST:
                runs = longer_ngrams(runs[going], words[places[going] + length - 1])
            else:
                runs = runs[going]
            places, documents, room = places[going], documents[going], room[going]
            if length in self._least:
                kept = self._table.find(runs, _LEAST_BITS)
                places, documents, room = places[kept], documents[kept], room[kept]
                runs = runs[kept]
            if not len(runs):
                return
            if length in self._inside:
                np.minimum.at(found, documents, self._inside[length].look_up(runs))

    def _find_alone(self, words: Hashes, words_per_document: Ints, found: Numbers) -> None:
        short = np.flatnonzero(words_per_document <= max(self._alone))
        if not short.size:
            return
        starts = np.cumsum(words_per_document) - words_per_document
        for length, runs in self._alone.items():
            rows = short[words_per_document[short] == length]
            if rows.size:
                whole = words[starts[rows, None] + np.arange(length)]
                hashes = np.zeros(len(rows), np.uint64)
                for place in range(length):
                    hashes = longer_ngrams(hashes, whole[:, place])
                found[rows] = np.minimum(found[rows], runs.look_up(hashes))


def _runs(
    words: Hashes,
    words_per_segment: Ints,
    wanted: Ints,
    see: Callable[[int, Hashes], None] = lambda length, runs: None,
) -> Iterator[tuple[int, Hashes]]:
    """Hashes of all runs of `wanted[i]` words in segment i, by length; of 0 words none.

    Args:
        words: uint64[w], hashes of the words of all segments.
        words_per_segment: int64[n].
        wanted: int64[n].
        see: is shown the beginnings of all runs, by their length.
    """
    ends = np.cumsum(words_per_segment)
    length_at = np.repeat(wanted, words_per_segment)
    room = np.repeat(ends, words_per_segment) - np.arange(len(words))
    places = np.flatnonzero((room >= length_at) & (length_at > 0))
    length_at = length_at[places]
    runs = np.zeros(len(places), np.uint64)
    length = 0
    while len(places):
        length += 1
        runs = longer_ngrams(runs, words[places + length - 1])
        see(length, runs)
        done = length_at == length
        if done.any():
            yield length, runs[done]
            places, runs, length_at = places[~done], runs[~done], length_at[~done]
