"""The layout of a fastText model file, as far as one needs it to see that it is whole.

fastText reads past the end of a file that was cut short without an error, and may then take
minutes, or end the process. The layout is that of fastText 0.9 (`FastText::saveModel` and the
`save` methods of its dictionary, matrices and product quantiser), little-endian, without padding.
"""

from __future__ import annotations

import mmap
import struct

#: fastText's own magic number (FASTTEXT_FILEFORMAT_MAGIC_INT32).
MAGIC = (793712314).to_bytes(4, "little")

_VERSION = 4
_ARGUMENTS = 12 * 4 + 8  # twelve int32 and one double
_DICTIONARY = struct.Struct("<iiiqq")  # entries, words, labels, tokens, pruned entries
_AFTER_WORD = 8 + 1  # int64 count, int8 type
_PRUNED = 2 * 4
_SHAPE = struct.Struct("<qq")
_CODE_SIZE = struct.Struct("<i")
_QUANTISER = struct.Struct("<iiii")  # dimensions, sub-quantisers, their dimensions, of the last
_CENTROIDS = 256
_FLOAT = 4


def has_magic(path: str) -> bool:
    """Whether a file begins as a fastText model does."""
    with open(path, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def is_whole(path: str) -> bool:
    """Whether a file that begins as a model is as long as its own headers say."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return _end(data) == len(data)
        except (struct.error, ValueError, IndexError):
            return False


def _end(data: mmap.mmap) -> int:
    """Where the model ends, by its headers."""
    at = _end_of_dictionary(data, len(MAGIC) + _VERSION + _ARGUMENTS)
    at = _end_of_matrix(data, at + 1, quantised=bool(data[at]))
    return _end_of_matrix(data, at + 1, quantised=bool(data[at]))


def _end_of_dictionary(data: mmap.mmap, at: int) -> int:
    num_entries, _, _, _, num_pruned = _DICTIONARY.unpack_from(data, at)
    at += _DICTIONARY.size
    for _ in range(num_entries):
        end = data.find(b"\0", at)
        if end < 0:
            raise ValueError("a word without an end")
        at = end + 1 + _AFTER_WORD
    return at + max(0, num_pruned) * _PRUNED


def _end_of_matrix(data: mmap.mmap, at: int, *, quantised: bool) -> int:
    if not quantised:
        rows, columns = _SHAPE.unpack_from(data, at)
        return int(at + _SHAPE.size + rows * columns * _FLOAT)
    has_norms = bool(data[at])
    rows, _ = _SHAPE.unpack_from(data, at + 1)
    at += 1 + _SHAPE.size
    (code_size,) = _CODE_SIZE.unpack_from(data, at)
    at = _end_of_quantiser(data, at + _CODE_SIZE.size + code_size)
    return _end_of_quantiser(data, at + rows) if has_norms else at


def _end_of_quantiser(data: mmap.mmap, at: int) -> int:
    dimensions, *_ = _QUANTISER.unpack_from(data, at)
    return int(at + _QUANTISER.size + dimensions * _CENTROIDS * _FLOAT)
