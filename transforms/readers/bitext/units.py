"""Translation units: their Arrow schema, and batches of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from glotmill.transforms.readers.bitext.options import BitextOptions
from glotmill.transforms.readers.records import OFFSET, ReadBatch, Reject

SEGMENTS = "segments"
EXTERNAL_ID = "external_id"
DOCUMENT = "document"
URL = "url"
SCORES = "scores"

_SEGMENT = pa.struct([pa.field("code", pa.string()), pa.field("text", pa.string(), nullable=False)])
_SEGMENT_LIST = pa.list_(pa.field("item", _SEGMENT, nullable=False))
_SCORE_MAP = pa.map_(pa.string(), pa.float32())

UNITS = pa.schema(
    [
        pa.field(SEGMENTS, _SEGMENT_LIST, nullable=False),
        pa.field(OFFSET, pa.int64(), nullable=False),
        pa.field(EXTERNAL_ID, pa.string()),
        pa.field(DOCUMENT, pa.string()),
        pa.field(URL, pa.string()),
        pa.field(SCORES, _SCORE_MAP, nullable=False),
    ]
)
"""What every reader of parallel text gives.

``segments`` holds the texts of one unit with the language codes that the file gives them (null
where it gives none), in the file's order; a code may occur twice. ``offset`` is where the unit
starts, in bytes of the decompressed (first) file or rows of Parquet. ``external_id`` is what the
file calls it, ``document`` the document inside the file, ``scores`` what the data carries.
"""

Ints = npt.NDArray[np.int64]


@dataclass
class Unit:
    """A unit on its way to Arrow: texts and their codes, side by side, and what is known of it."""

    codes: Sequence[str | None]
    texts: Sequence[str]
    external_id: str | None = None
    document: str | None = None
    url: str | None = None
    scores: Mapping[str, float] = field(default_factory=dict)


class UnitBatch:
    """Units and rejects gathered until they fill a batch."""

    def __init__(self, options: BitextOptions) -> None:
        self._options = options
        self._clear()

    def _clear(self) -> None:
        self.rejects: list[Reject] = []
        self._codes: list[str | None] = []
        self._texts: list[str] = []
        self._ends: list[int] = [0]
        self._offsets: list[int] = []
        self._ids: list[str | None] = []
        self._documents: list[str | None] = []
        self._urls: list[str | None] = []
        self._score_names: list[str] = []
        self._score_values: list[float] = []
        self._score_ends: list[int] = [0]
        self._num_bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether it is time to take what was added."""
        limit = self._options.max_rows
        return (
            len(self._offsets) >= limit
            or self._num_bytes >= self._options.max_bytes
            or len(self.rejects) >= limit
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added."""
        return not self._offsets and not self.rejects

    def add(self, unit: Unit, offset: int, size: int) -> None:
        """Add a unit of ``size`` bytes, or its reject if it has too few segments."""
        if len(unit.texts) < self._options.min_segments:
            self.rejects.append(missing_side(unit.codes, unit.texts, offset, self._options))
            return
        self._codes += unit.codes
        self._texts += unit.texts
        self._ends.append(len(self._texts))
        self._offsets.append(offset)
        self._ids.append(unit.external_id)
        self._documents.append(unit.document)
        self._urls.append(unit.url)
        if unit.scores:
            self._score_names += unit.scores
            self._score_values += unit.scores.values()
        self._score_ends.append(len(self._score_names))
        self._num_bytes += size

    def take(self) -> ReadBatch:
        """Return what was added since the last time."""
        columns = [
            segment_lists(
                pa.array(self._ends, pa.int32()),
                pa.array(self._codes, pa.string()),
                pa.array(self._texts, pa.string()),
            ),
            pa.array(self._offsets, pa.int64()),
            pa.array(self._ids, pa.string()),
            pa.array(self._documents, pa.string()),
            pa.array(self._urls, pa.string()),
            score_maps(
                pa.array(self._score_ends, pa.int32()),
                pa.array(self._score_names, pa.string()),
                pa.array(self._score_values, pa.float32()),
            ),
        ]
        rejects = sorted(self.rejects, key=lambda reject: reject.offset)
        self._clear()
        return ReadBatch(pa.RecordBatch.from_arrays(columns, schema=UNITS), rejects)


def segment_lists(ends: pa.Array, codes: pa.Array, texts: pa.Array) -> pa.Array:
    """Make the ``segments`` column of flat codes and texts, and the n + 1 bounds of n units."""
    segments = pa.StructArray.from_arrays([codes, texts], fields=list(_SEGMENT))
    return pa.ListArray.from_arrays(ends, segments, type=_SEGMENT_LIST)


def score_maps(ends: pa.Array, names: pa.Array, values: pa.Array) -> pa.Array:
    """Make the ``scores`` column of flat names and values, and the n + 1 bounds of n units."""
    return pa.MapArray.from_arrays(ends, names, values, type=_SCORE_MAP)


def no_scores(num_rows: int) -> pa.Array:
    """Make a ``scores`` column that has none."""
    empty = pa.array([], pa.string()), pa.array([], pa.float32())
    return score_maps(pa.array(np.zeros(num_rows + 1, np.int32)), *empty)


def rejected(rejects: Iterable[Reject]) -> ReadBatch:
    """Return a batch of rejects without units."""
    return ReadBatch(pa.RecordBatch.from_pylist([], schema=UNITS), list(rejects))


def missing_side(
    codes: Sequence[str | None], texts: Sequence[str], offset: int, options: BitextOptions
) -> Reject:
    """Make the reject of a unit that has too few segments."""
    found = ", ".join(code or "without a code" for code in codes)
    detail = f"{len(texts)} of at least {options.min_segments} segments" + f": {found}" * bool(
        found
    )
    shown = "".join(c if c.isprintable() else " " for c in " | ".join(texts)[:200])
    return Reject(offset, "missing_side", detail, shown)
