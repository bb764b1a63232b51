"""Packing: documents of many lengths into sequences of one length.

A packing is made from lengths alone: it says of which pieces of which documents each sequence
consists. `tokens_of` and `of_pieces` then bring columns of documents into that shape.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

# Of splitmix64 (Steele et al., OOPSLA 2014), as in transforms/words.py.
_SPREAD = np.uint64(0x9E3779B97F4A7C15)

_Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Packing:
    """Pieces of documents, sequence by sequence.

    Attributes:
        sequence_length: most tokens of a sequence.
        documents: row of the document of each piece, int64.
        starts: its first token, counted from that document's first, int64.
        lengths: its number of tokens, int64.
        offsets: the first piece of each sequence and, last, the number of pieces, int64.
    """

    sequence_length: int
    documents: _Int64s
    starts: _Int64s
    lengths: _Int64s
    offsets: _Int64s

    @property
    def num_sequences(self) -> int:
        """Number of sequences."""
        return len(self.offsets) - 1

    @property
    def num_tokens(self) -> int:
        """Tokens of all sequences, which are those of all documents."""
        return int(self.lengths.sum())

    @property
    def num_padding(self) -> int:
        """Tokens that are wanting for all sequences to be full."""
        return self.num_sequences * self.sequence_length - self.num_tokens

    def part(self, first: int, last: int) -> Packing:
        """The sequences from the first to before the last."""
        offsets = self.offsets[first : last + 1]
        pieces = slice(offsets[0], offsets[-1])
        return Packing(
            self.sequence_length,
            self.documents[pieces],
            self.starts[pieces],
            self.lengths[pieces],
            offsets - offsets[0],
        )

    @property
    def num_cut_documents(self) -> int:
        """Documents that are in more than one piece."""
        return int(np.count_nonzero(np.bincount(self.documents) > 1))


def concatenate(lengths: npt.ArrayLike, sequence_length: int) -> Packing:
    """Documents one after the other, cut wherever a sequence is full.

    The last sequence is shorter; there is no other padding.

    Args:
        lengths: tokens of each document; one without tokens is in no sequence.
        sequence_length: most tokens of a sequence.

    >>> packing = concatenate([3, 4], 5)
    >>> packing.documents, packing.starts, packing.lengths, packing.offsets
    (array([0, 1, 1]), array([0, 0, 2]), array([3, 2, 2]), array([0, 2, 3]))
    """
    document_ends = np.cumsum(_checked(lengths, sequence_length))
    total = int(document_ends[-1]) if len(document_ends) else 0
    sequence_starts = np.arange(0, total, sequence_length, dtype=np.int64)
    # Both rise already, and a stable sort merges them in linear time.
    bounds = np.sort(np.concatenate([sequence_starts, document_ends]), kind="stable")
    # An empty document ends where another does, or at 0, and gives no piece.
    bounds = bounds[np.diff(bounds, prepend=-1) > 0]
    starts = bounds[:-1]
    documents = np.searchsorted(document_ends, starts, side="right")
    document_starts = np.append(0, document_ends)[documents]
    offsets = np.append(np.searchsorted(starts, sequence_starts), len(starts))
    return Packing(sequence_length, documents, starts - document_starts, np.diff(bounds), offsets)


def best_fit(lengths: npt.ArrayLike, sequence_length: int) -> Packing:
    """Best-fit decreasing: no document is cut that fits into a sequence.

    A longer one is cut into full sequences and a rest that is packed like a document. From the
    longest to the shortest, each goes into the fullest sequence that still has room for it; of
    equal ones the earlier goes first. Source: Ding et al. 2024, "Fewer Truncations Improve Language
    Modeling", which looks up sequences by the room they have, as here.

    Sequences stand in the order of a hash of the place of their longest document, whatever their
    number of documents; the documents of a sequence stand in their own order.

    Args:
        lengths: tokens of each document; one without tokens is in no sequence.
        sequence_length: most tokens of a sequence.

    >>> packing = best_fit([3, 4, 2, 1], 5)
    >>> packing.documents, packing.offsets, packing.num_padding
    (array([0, 2, 1, 3]), array([0, 2, 4]), 0)
    """
    documents, starts, sizes = _pieces(_checked(lengths, sequence_length), sequence_length)
    decreasing = np.argsort(-sizes, kind="stable")
    opener = np.empty(len(sizes), np.int64)
    opener[decreasing] = decreasing[_fill(sizes[decreasing], sequence_length)]
    # Odd, so no two products are the same: sequences change places, their pieces stay together.
    order = np.argsort(opener.astype(np.uint64) * _SPREAD, kind="stable")
    offsets = np.append(np.flatnonzero(np.diff(opener[order], prepend=-1)), len(order))
    return Packing(sequence_length, documents[order], starts[order], sizes[order], offsets)


def _checked(lengths: npt.ArrayLike, sequence_length: int) -> _Int64s:
    if sequence_length < 1:
        raise ValueError(f"a sequence has 1 token or more, not {sequence_length}")
    checked = np.asarray(lengths, np.int64)
    if len(checked) and checked.min() < 0:
        raise ValueError(f"document {int(checked.argmin())} has {checked.min()} tokens")
    return checked


def _pieces(lengths: _Int64s, sequence_length: int) -> tuple[_Int64s, _Int64s, _Int64s]:
    """Document, start and size of each piece, where only what is too long is cut."""
    counts = -(-lengths // sequence_length)
    documents = np.repeat(np.arange(len(lengths)), counts)
    place = np.arange(len(documents)) - (np.cumsum(counts) - counts)[documents]
    starts = place * sequence_length
    return documents, starts, np.minimum(lengths[documents] - starts, sequence_length)


class _OpenSequences:
    """Sequences by the room that they have left, those of a room in the order they came to it."""

    def __init__(self) -> None:
        self._rooms: list[int] = []
        self._by_room: dict[int, list[_Int64s]] = {}

    def add(self, room: int, sequences: _Int64s) -> None:
        if room == 0 or len(sequences) == 0:
            return
        if room not in self._by_room:
            insort(self._rooms, room)
            self._by_room[room] = []
        self._by_room[room].append(sequences)

    def pop_fullest(self, size: int) -> tuple[int, _Int64s] | None:
        """All sequences of the least room that is enough, and that room."""
        place = bisect_left(self._rooms, size)
        if place == len(self._rooms):
            return None
        room = self._rooms.pop(place)
        sequences = self._by_room.pop(room)
        return room, sequences[0] if len(sequences) == 1 else np.concatenate(sequences)


def _fill(sizes: _Int64s, sequence_length: int) -> _Int64s:
    """Best fit of sizes that do not rise: the first item of the sequence that each one is put into.

    Items of one size are placed together: the fullest sequence with room for one takes as many as
    it has room for, as after each it is still the fullest. So the number of steps goes with the
    number of different sizes and rooms, both at most the length of a sequence, not with the items.
    """
    opened_by = np.empty(len(sizes), np.int64)
    open_sequences = _OpenSequences()
    bounds = np.append(np.flatnonzero(np.diff(sizes, prepend=-1)), len(sizes))
    for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        size, place = int(sizes[start]), start
        while place < end:
            new = sequence_length, np.arange(place, end, sequence_length // size)
            room, sequences = open_sequences.pop_fullest(size) or new
            each = room // size
            num_placed = min(end - place, each * len(sequences))
            num_full, num_more = divmod(num_placed, each)
            used = num_full + (num_more > 0)
            opened_by[place : place + num_placed] = np.repeat(sequences[:used], each)[:num_placed]
            open_sequences.add(room - each * size, sequences[:num_full])
            open_sequences.add(room - num_more * size, sequences[num_full:used])
            open_sequences.add(room, sequences[used:])
            place += num_placed
    return opened_by


def tokens_of(packing: Packing, tokens: pa.ListArray) -> pa.ListArray:
    """The tokens of each sequence, list<int32>.

    Args:
        packing: of which sequences; a `part` of a packing where memory is to be bounded.
        tokens: of each document.
    """
    firsts = np.asarray(tokens.offsets)[packing.documents] + packing.starts
    ends = np.cumsum(packing.lengths)
    indices = np.arange(packing.num_tokens) + np.repeat(
        firsts - ends + packing.lengths, packing.lengths
    )
    values = np.asarray(tokens.values)[indices].astype(np.int32)
    return pa.ListArray.from_arrays(np.append(0, ends)[packing.offsets].astype(np.int32), values)


def of_pieces(packing: Packing, values: pa.Array) -> pa.ListArray:
    """A column of documents as lists: of each sequence the values of its pieces' documents."""
    return pa.ListArray.from_arrays(
        packing.offsets.astype(np.int32), values.take(packing.documents)
    )
