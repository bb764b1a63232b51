"""Scan: one vectorised pass over the code points of a batch of texts.

A code point's **class** stands for its script and its category flags. There are a few hundred
classes in Unicode and a few dozen in a batch, so one histogram of classes per document gives
every count of letters by script, of white space, of characters, at once.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from glotmill.language_registry.unicode_tables import SCRIPT_CODES, category_flags, script_table

Ints = npt.NDArray[np.int64]

_NUM_SCRIPTS = len(SCRIPT_CODES)


@dataclass(frozen=True)
class Scan:
    """Code points of a batch of n documents with m code points in all.

    Attributes:
        codepoints: uint32[m].
        flags: uint16[m], category flags of each code point.
        scripts: uint8[m], index into SCRIPT_CODES.
        starts: int64[n + 1], where each document starts among the code points.
        histogram: int64[n, k], code points by document and class.
        class_scripts: uint8[k], script of each class.
        class_flags: uint16[k], flags of each class.
    """

    codepoints: npt.NDArray[np.uint32]
    flags: npt.NDArray[np.uint16]
    scripts: npt.NDArray[np.uint8]
    starts: Ints
    histogram: Ints
    class_scripts: npt.NDArray[np.uint8]
    class_flags: npt.NDArray[np.uint16]

    @property
    def num_documents(self) -> int:
        """Number of documents, n."""
        return len(self.starts) - 1

    def count(self, flag: int) -> Ints:
        """Code points per document that carry any bit of `flag`; int64[n]."""
        return self.histogram @ ((self.class_flags & flag) != 0).astype(np.int64)

    def count_by_script(self, flag: int) -> Ints:
        """Code points per document and script that carry `flag`; int64[n, scripts]."""
        of_script = np.zeros((len(self.class_scripts), _NUM_SCRIPTS), np.int64)
        of_script[np.arange(len(self.class_scripts)), self.class_scripts] = (
            self.class_flags & flag
        ) != 0
        return self.histogram @ of_script

    def sum_by_document(self, values: npt.NDArray[np.bool_]) -> Ints:
        """Number of true values per document; values is bool[m], result int64[n]."""
        before = np.zeros(len(values) + 1, np.int64)
        np.cumsum(values, out=before[1:])
        return before[self.starts[1:]] - before[self.starts[:-1]]


@functools.cache
def _classes() -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8], npt.NDArray[np.uint16]]:
    """Class of every code point; script and flags of every class."""
    key = script_table().astype(np.uint32) << 16 | category_flags()
    kinds, inverse = np.unique(key, return_inverse=True)
    return (
        inverse.astype(np.uint16),
        (kinds >> 16).astype(np.uint8),
        (kinds & 0xFFFF).astype(np.uint16),
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


def names_of(scripts: Sequence[int]) -> list[str]:
    """ISO 15924 codes of script indices."""
    return [SCRIPT_CODES[index] for index in scripts]
