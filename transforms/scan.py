"""Scan: one vectorised pass over the code points of a batch of texts.

A code point's **class** stands for its script and its category flags. There are a few hundred
classes in Unicode and a few dozen in a batch, so one histogram of classes per document gives
every count of letters by script, of white space, of characters, at once.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from glotmill.language_registry.unicode_tables import SCRIPT_CODES, category_flags, script_table

Ints = npt.NDArray[np.int64]

_NUM_SCRIPTS = len(SCRIPT_CODES)

# Flags of our own, above the 16 bits of the registry's.
MID_LETTER = 1 << 16
"""Apostrophes, middle dot, Hebrew geresh and gershayim: part of a word between two letters."""
JOINER = 1 << 17
"""Zero-width joiner and non-joiner."""
NEWLINE = 1 << 18
"""Line feed."""
_OWN_FLAGS = {
    MID_LETTER: (0x27, 0x2019, 0xB7, 0x5F3, 0x5F4),
    JOINER: (0x200C, 0x200D),
    NEWLINE: (0x0A,),
}
_SCRIPT_SHIFT = 24


@dataclass(frozen=True)
class Scan:
    """Code points of a batch of n documents with m code points in all.

    Attributes:
        codepoints: uint32[m].
        flags: uint32[m], category flags of each code point, and the flags above.
        scripts: uint8[m], index into SCRIPT_CODES.
        starts: int64[n + 1], where each document starts among the code points.
        histogram: int64[n, k], code points by document and class.
        class_scripts: uint8[k], script of each class.
        class_flags: uint32[k], flags of each class; classes are in the order of their scripts.
    """

    codepoints: npt.NDArray[np.uint32]
    flags: npt.NDArray[np.uint32]
    scripts: npt.NDArray[np.uint8]
    starts: Ints
    histogram: Ints
    class_scripts: npt.NDArray[np.uint8]
    class_flags: npt.NDArray[np.uint32]

    @property
    def num_documents(self) -> int:
        """Number of documents, n."""
        return len(self.starts) - 1

    def count(self, flag: int) -> Ints:
        """Code points per document that carry any bit of `flag`; int64[n]."""
        return self.histogram @ ((self.class_flags & flag) != 0).astype(np.int64)

    def count_by_script(self, flag: int) -> Ints:
        """Code points per document and script that carry `flag`; int64[n, scripts]."""
        counts = np.zeros((self.num_documents, _NUM_SCRIPTS), np.int64)
        counted = np.where(self.class_flags & flag, self.histogram, 0)
        scripts, firsts = np.unique(self.class_scripts, return_index=True)
        counts[:, scripts] = np.add.reduceat(counted, firsts, axis=1)
        return counts

    def sum_by_document(self, values: npt.NDArray[np.bool_]) -> Ints:
        """Number of true values per document; values is bool[m], result int64[n]."""
        before = np.zeros(len(values) + 1, np.int64)
        np.cumsum(values, out=before[1:])
        return before[self.starts[1:]] - before[self.starts[:-1]]


@functools.cache
def _classes() -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8], npt.NDArray[np.uint32]]:
    """Class of every code point; script and flags of every class."""
    key = script_table().astype(np.uint32) << _SCRIPT_SHIFT | category_flags()
    for flag, codepoints in _OWN_FLAGS.items():
        key[list(codepoints)] |= flag
    kinds, inverse = np.unique(key, return_inverse=True)
    return (
        inverse.astype(np.uint16),
        (kinds >> _SCRIPT_SHIFT).astype(np.uint8),
        kinds & np.uint32((1 << _SCRIPT_SHIFT) - 1),
    )


def scan(text: pa.Array) -> Scan:
    """Scans an Arrow string array of n texts."""
    class_of, class_scripts, class_flags = _classes()
    codepoints = _codepoints(text)
    starts = np.zeros(len(text) + 1, np.int64)
    np.cumsum(np.asarray(pc.utf8_length(text)), out=starts[1:])
    classes = class_of[codepoints]
    present = np.flatnonzero(np.bincount(classes, minlength=len(class_scripts)))
    dense = np.zeros(len(class_scripts), np.int64)
    dense[present] = np.arange(len(present))
    width = max(1, len(present))
    document = np.repeat(np.arange(len(text)) * width, np.diff(starts))
    histogram = np.bincount(document + dense[classes], minlength=len(text) * width)
    return Scan(
        codepoints=codepoints,
        flags=class_flags[classes],
        scripts=class_scripts[classes],
        starts=starts,
        histogram=histogram.reshape(len(text), width),
        class_scripts=class_scripts[present] if len(present) else class_scripts[:1],
        class_flags=class_flags[present] if len(present) else class_flags[:1],
    )


def _codepoints(text: pa.Array) -> npt.NDArray[np.uint32]:
    """All code points of the array, one document after another."""
    _, offset_buffer, data = text.buffers()
    if data is None or not len(text):
        return np.zeros(0, np.uint32)
    kind = np.int64 if pa.types.is_large_string(text.type) else np.int32
    offsets = np.frombuffer(offset_buffer, kind)[text.offset : text.offset + len(text) + 1]
    raw = memoryview(data)[offsets[0] : offsets[-1]]
    return np.frombuffer(str(raw, "utf-8").encode("utf-32-le"), np.uint32)
