"""Scan: vectorised passes over the characters of a batch of texts.

`scan` decodes a batch and gives each code point its category flags and its script. A code point's
**class** stands for both: there are a few hundred in Unicode, so the tables stay small.
`count_letters` counts the letters of each document by script, which needs less: ASCII letters are
counted among the bytes, and only what is not ASCII is decoded.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from glotmill.language_registry.unicode_tables import (
    HAN_SIMPLIFIED_ONLY,
    HAN_TRADITIONAL_ONLY,
    LETTER,
    MARK,
    SCRIPT_CODES,
    category_flags,
    script_index,
    script_table,
)

Ints = npt.NDArray[np.int64]

NUM_SCRIPTS = len(SCRIPT_CODES)

# Flags of our own, above the 16 bits of the registry's.
MID_LETTER = 1 << 16
"""Part of a word between two letters, and never a letter (`LETTER` is taken from them):
apostrophes, those that Unicode calls letters among them, as they are typed for each other; middle
dot, Hebrew geresh and gershayim; Armenian marks of stress, exclamation and question. `"` is between
Hebrew letters alone."""
JOINER = 1 << 17
"""What nobody sees and UAX #29 passes over inside a word (Format, ZWJ), and U+200C: joiners, soft
hyphens, directional marks, the Mongolian vowel separator. U+200B is not: it parts words."""
NEWLINE = 1 << 18
"""Line feed."""
MAYBE_TERMINAL = 1 << 19
"""What ends a sentence behind letters of one script: `:` of Armenian, `;` of Greek, the shad of
Tibetan; and two Ethiopic word spaces."""
UNSEEN_MARK = 1 << 20
"""Marks that nobody sees, by the property Default_Ignorable_Code_Point: the grapheme joiner,
variation selectors (Mongolian ones too), the inherent vowels of Khmer."""
_OWN_FLAGS = {
    LETTER: (0xA789, 0xA78A),  # UAX #29: signs of tone, letters of words
    MID_LETTER: (
        *(0x22, 0x27, 0xB7, 0x2BB, 0x2BC, 0x2BD, 0x2018, 0x2019, 0x201B, 0xA78B, 0xA78C),
        *(*range(0x55A, 0x55D), 0x55E, 0x5F3, 0x5F4),
    ),
    JOINER: (
        *(0xAD, 0x61C, 0x180E, 0xFEFF, 0xE0001),
        *(*range(0x200C, 0x2010), *range(0x202A, 0x202F)),
        *(*range(0x2060, 0x2065), *range(0x2066, 0x2070), *range(0xFFF9, 0xFFFC)),
        *(*range(0x13430, 0x13440), *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B)),
    ),
    NEWLINE: (0x0A,),
    MAYBE_TERMINAL: (0x3A, 0x3B, 0xF0D, 0xF0E, 0x1361),
    UNSEEN_MARK: (
        *(0x34F, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F),
        *(*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)),
    ),
}
_SCRIPT_SHIFT = 24

_ASCII = bytes(range(0x80))
_LATN = script_index("Latn")
# Scripts of no language in particular: common, inherited, unknown.
_NEUTRAL = [script_index(code) for code in ("Zyyy", "Zinh", "Zzzz")]
# Columns of the histogram of letters behind those of the scripts.
_SIMPLIFIED, _TRADITIONAL, _NUM_COLUMNS = NUM_SCRIPTS, NUM_SCRIPTS + 1, NUM_SCRIPTS + 2
# Pieces whose arrays stay in the processor's cache; smaller ones cost more calls of numpy.
_PIECE_BYTES = 400 * 2**10


@dataclass(frozen=True)
class Scan:
    """Code points of a batch of n documents with m code points in all.

    Attributes:
        text: the Arrow string array that was scanned.
        codepoints: uint32[m].
        flags: uint32[m], category flags of each code point, and the flags above.
        scripts: uint8[m], index into SCRIPT_CODES.
        starts: int64[n + 1], where each document starts among the code points.
    """

    text: pa.Array
    codepoints: npt.NDArray[np.uint32]
    flags: npt.NDArray[np.uint32]
    scripts: npt.NDArray[np.uint8]
    starts: Ints

    @property
    def num_documents(self) -> int:
        """Number of documents, n."""
        return len(self.starts) - 1

    def sum_by_document(self, values: npt.NDArray[np.bool_]) -> Ints:
        """Number of true values per document; values is bool[m], result int64[n]."""
        return count_between(values, self.starts)


@dataclass(frozen=True)
class LetterCounts:
    """Letters of n documents, without those of no script in particular (Zyyy, Zinh, Zzzz).

    Attributes:
        by_script: int64[n, scripts], in the order of SCRIPT_CODES.
        simplified: int64[n], those among the Han characters that only simplified Chinese has.
        traditional: int64[n], those that only traditional Chinese has.
    """

    by_script: Ints
    simplified: Ints
    traditional: Ints


def count_between(values: npt.NDArray[np.bool_], starts: Ints) -> Ints:
    """Number of true values from each start to the next; bool[m], int64[n + 1] to int64[n].

    >>> count_between(np.array([True, False, True]), np.array([0, 0, 2, 3])).tolist()
    [0, 1, 1]
    """
    counts = np.zeros(len(starts) - 1, np.int64)
    filled = np.flatnonzero(starts[1:] > starts[:-1])
    if filled.size:  # no text has 4 G characters, and 32 bits are added faster than 64
        counts[filled] = np.add.reduceat(values.view(np.uint8), starts[filled], dtype=np.uint32)
    return counts


@functools.cache
def _classes() -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8], npt.NDArray[np.uint32]]:
    """Class of every code point; script and flags of every class."""
    key = script_table().astype(np.uint32) << _SCRIPT_SHIFT | category_flags()
    for flag, codepoints in _OWN_FLAGS.items():
        key[list(codepoints)] |= flag
    key[list(_OWN_FLAGS[MID_LETTER])] &= ~np.uint32(LETTER)
    kinds, inverse = np.unique(key, return_inverse=True)
    return (
        inverse.astype(np.uint16),
        (kinds >> _SCRIPT_SHIFT).astype(np.uint8),
        kinds & np.uint32((1 << _SCRIPT_SHIFT) - 1),
    )


@functools.cache
def _columns(counted: int) -> npt.NDArray[np.uint8]:
    """Column of every code point in a histogram of those that carry the flag `counted`.

    What is not counted goes to column 0, which is that of a neutral script.
    """
    scripts, flags = script_table(), category_flags()
    wanted = ((flags & counted) != 0) & ~np.isin(scripts, _NEUTRAL)
    columns = np.where(wanted, scripts, 0).astype(np.uint8)
    columns[wanted & ((flags & HAN_SIMPLIFIED_ONLY) != 0)] = _SIMPLIFIED
    columns[wanted & ((flags & HAN_TRADITIONAL_ONLY) != 0)] = _TRADITIONAL
    return columns


def scan(text: pa.Array) -> Scan:
    """Scans an Arrow string array of n texts."""
    class_of, class_scripts, class_flags = _classes()
    raw, _ = utf8_of(text)
    codepoints = np.frombuffer(str(raw, "utf-8").encode("utf-32-le"), np.uint32)
    starts = np.zeros(len(text) + 1, np.int64)
    np.cumsum(np.asarray(pc.utf8_length(text)), out=starts[1:])
    classes = class_of[codepoints]
    return Scan(
        text=text,
        codepoints=codepoints,
        flags=class_flags[classes],
        scripts=class_scripts[classes],
        starts=starts,
    )


def count_letters(text: pa.Array) -> LetterCounts:
    """Counts the letters of an Arrow string array of n texts."""
    raw, starts = utf8_of(text)
    histogram = _count_non_ascii(raw, starts, LETTER)
    by_script = histogram[:, :NUM_SCRIPTS]
    by_script[:, _NEUTRAL] = 0
    by_script[:, _LATN] += _ascii_letters(raw, starts)
    simplified, traditional = histogram[:, _SIMPLIFIED], histogram[:, _TRADITIONAL]
    by_script[:, script_index("Hani")] += simplified + traditional
    return LetterCounts(by_script, simplified, traditional)


def count_marks(text: pa.Array) -> Ints:
    """Counts the marks of n texts that belong to one script, by script; int64[n, scripts]."""
    marks = _count_non_ascii(*utf8_of(text), MARK)[:, :NUM_SCRIPTS]
    marks[:, _NEUTRAL] = 0
    return marks


def _ascii_letters(raw: bytes, starts: Ints) -> Ints:
    """ASCII letters from each start to the next; int64[n]."""
    lower = np.frombuffer(raw, np.uint8) | np.uint8(0x20)
    lower -= np.uint8(ord("a"))
    return count_between(lower < 26, starts)


def _count_non_ascii(raw: bytes, starts: Ints, counted: int) -> Ints:
    """Code points outside ASCII that carry a flag, by document and column; int64[n, columns]."""
    num_rows, rest = len(starts) - 1, raw.translate(None, _ASCII)
    if not rest:
        return np.zeros((num_rows, _NUM_COLUMNS), np.int64)
    codepoints = np.frombuffer(str(rest, "utf-8").encode("utf-32-le"), np.uint32)
    lengths = count_between(np.frombuffer(raw, np.uint8) >= 0xC0, starts)
    cells = np.repeat(np.arange(0, num_rows * _NUM_COLUMNS, _NUM_COLUMNS), lengths)
    cells += _columns(counted)[codepoints]
    histogram = np.bincount(cells, minlength=num_rows * _NUM_COLUMNS)
    return histogram.reshape(num_rows, _NUM_COLUMNS)


def pieces(text: pa.Array, num_bytes: int = _PIECE_BYTES) -> Iterator[pa.Array]:
    """Slices of about so many bytes; arrays of larger ones leave the processor's cache."""
    num_rows = max(1, len(text) * num_bytes // max(1, text.nbytes))
    for start in range(0, len(text), num_rows):
        yield text.slice(start, num_rows)


def utf8_of(text: pa.Array) -> tuple[bytes, Ints]:
    """The bytes of an Arrow string array, and where each text starts in them; int64[n + 1]."""
    _, offset_buffer, data = text.buffers()
    if data is None or not len(text):
        return b"", np.zeros(len(text) + 1, np.int64)
    kind = np.int64 if pa.types.is_large_string(text.type) else np.int32
    offsets = np.frombuffer(offset_buffer, kind)[text.offset : text.offset + len(text) + 1]
    starts = offsets.astype(np.int64)
    return bytes(memoryview(data)[starts[0] : starts[-1]]), starts - starts[0]
