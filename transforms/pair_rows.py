r"""Rows of pairs: annotated sides folded into one row each.

The text of a row is its segments with a line feed between them; counts are sums. Of what says how
good a side is, the worst stands: the least script share, score and consistency, the greatest
share of repetition, the worst verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from glotmill.schemas import recipe as recipes
from glotmill.schemas.tables import (
    ANNOTATIONS,
    COUNTS,
    MANY_LANGUAGES,
    PAIRS,
    RECORDS,
    SENTENCE_CONSISTENCY,
    WORD_HASHES,
    sketch_fields,
)
from glotmill.transforms.minhash import band_keys, signatures, sketches
from glotmill.transforms.pairs import Groups, Ints
from glotmill.transforms.shingles import shingles
from glotmill.transforms.sketch import shingle_lengths

Hashes = npt.NDArray[np.uint64]

#: Verdicts of sides, the worst first: a pair has that of its worst side.
WORST_FIRST = (
    "unknown_code",
    "contradicted",
    "unidentified",
    "unsure",
    "too_short",
    "unverifiable",
    "identified",
    "confirmed",
)

#: Of a side, while it is folded: what `segment_hashes` gives.
SIDE_HASH = pa.field("side_hash", pa.uint64(), nullable=False)

# More languages than this are one label.
_MOST_NAMED = 3
_UNKNOWN = "und"

_OF_UNIT = ("source", "path", "offset", "external_id", "url")


def pair_fields(
    near: recipes.Near | None, added: Sequence[pa.Field], *, consistency: bool
) -> list[pa.Field]:
    """Columns of a row, in order.

    Args:
        near: how near duplicates are to be found, if they are.
        added: columns that stages of the user's own give to sides; a row lists them.
        consistency: whether sentences are judged.
    """
    lists = [pa.field(each.name, pa.list_(each.type)) for each in added]
    sketched = [] if near is None else sketch_fields(near.bands, near.rows)
    return [
        *RECORDS,
        *ANNOTATIONS["normalise"],
        *lists,
        *ANNOTATIONS["measure"],
        *sketched,
        *ANNOTATIONS["identify"],
        *([SENTENCE_CONSISTENCY] if consistency else []),
        *ANNOTATIONS["hash"],
        *PAIRS,
    ]


class FoldSides:
    """Makes rows of annotated sides."""

    def __init__(
        self, schema: pa.Schema, near: recipes.Near | None, *, keeps_direction: bool
    ) -> None:
        """Takes what the rows look like.

        Args:
            schema: of `pair_fields`.
            near: how near duplicates are to be found, if they are.
            keeps_direction: whether a pair's hash differs from that of its reverse.
        """
        self._schema = schema
        self._near = near
        self._keeps_direction = keeps_direction

    def fold(self, sides: pa.RecordBatch, groups: Groups, units: pa.RecordBatch) -> pa.RecordBatch:
        """The rows.

        Args:
            sides: annotated, with WORD_HASHES and SIDE_HASH.
            groups: which of them make a row.
            units: where the groups come from, with the schema UNITS.
        """
        gathered = _Gathered(sides, groups)
        columns = {name: gathered.firsts(name) for name in _OF_UNIT}
        columns |= {name: units.column(name).take(groups.units) for name in ("document", "scores")}
        columns |= {name: gathered.reduced(name, np.add) for name in (*COUNTS, "num_letters")}
        least = ["script_share", "identified_score", SENTENCE_CONSISTENCY.name]
        for name in least:
            if name in sides.schema.names:
                columns[name] = gathered.least(name)
        for name in ("repeated_line_share", "repeated_ngram_share"):
            columns[name] = gathered.reduced(name, np.maximum)
        columns |= {
            "text": gathered.joined("text", "\n"),
            "changes": gathered.reduced("changes", np.bitwise_or),
            "script": gathered.firsts("script"),
            "original_code": gathered.codes(),
            "declared_label": gathered.labels("declared_label"),
            "identified_label": gathered.labels("identified_label"),
            "label": gathered.labels("label"),
            "verdict": gathered.worst_verdicts(),
            "content_hash": gathered.content_hashes(keeps_direction=self._keeps_direction),
            "segment_labels": gathered.lists("label"),
            "segment_bytes": gathered.listed(np.asarray(sides.column("num_bytes"), np.int32)),
            "segment_hashes": gathered.lists(SIDE_HASH.name),
        }
        if self._near is not None:
            columns |= _sketches(gathered, self._near)
        arrays = [
            _cast(
                columns[field.name] if field.name in columns else gathered.lists(field.name), field
            )
            for field in self._schema
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)


def _cast(array: pa.Array, field: pa.Field) -> pa.Array:
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_list(field.type) and array.type != field.type:
        values = array.values.cast(field.type.value_type)
        return pa.ListArray.from_arrays(array.offsets, values, type=field.type)
    return array if array.type == field.type else array.cast(field.type)


def segment_hashes(sides: pa.RecordBatch) -> Hashes:
    """xxh3-64 of the folded words of each side, of its text where it has no word; uint64[m]."""
    words = sides.column(WORD_HASHES.name)
    bounds = np.asarray(words.offsets).astype(np.int64)
    data = memoryview(np.ascontiguousarray(words.values.to_numpy(), "<u8").tobytes())
    digest = xxhash.xxh3_64_intdigest
    starts = (bounds * 8).tolist()
    found = [digest(data[start:end]) for start, end in pairwise(starts)]
    for row in np.flatnonzero(np.diff(bounds) == 0).tolist():
        found[row] = digest(sides.column("text")[row].as_py().encode())
    return np.array(found, np.uint64)


class _Gathered:
    """Columns of the sides by the rows that they belong to."""

    def __init__(self, sides: pa.RecordBatch, groups: Groups) -> None:
        self._sides = sides
        self._groups = groups
        self.members = pa.array(groups.members)
        self._offsets = pa.array(groups.starts.astype(np.int32))
        self._heads = groups.starts[:-1]

    def column(self, name: str) -> pa.Array:
        """The column's values by member."""
        return self._sides.column(name).take(self.members)

    def firsts(self, name: str) -> pa.Array:
        """The value of each row's first side."""
        return self._sides.column(name).take(pa.array(self._groups.members[self._heads]))

    def reduced(self, name: str, function: np.ufunc) -> pa.Array:
        """The values of each row's sides, as one."""
        values = np.asarray(self._sides.column(name))[self._groups.members]
        if not len(self._heads):
            return pa.array(values[:0])
        return pa.array(function.reduceat(values, self._heads))

    def least(self, name: str) -> pa.Array:
        """The least value of each row's sides; null where one has none."""
        values = self._sides.column(name).to_numpy(zero_copy_only=False).astype(np.float32)
        if not len(self._heads):
            return pa.array([], pa.float32())
        found = np.minimum.reduceat(values[self._groups.members], self._heads)
        return pa.array(found, from_pandas=True)

    def lists(self, name: str) -> pa.Array:
        """The values of each row's sides, as a list."""
        return pa.ListArray.from_arrays(self._offsets, self.column(name))

    def listed(self, values: npt.NDArray[np.generic]) -> pa.Array:
        """Values by side, as lists by row."""
        return pa.ListArray.from_arrays(self._offsets, pa.array(values[self._groups.members]))

    def joined(self, name: str, separator: str) -> pa.Array:
        """Texts of each row's sides with something between them."""
        return pc.binary_join(self.lists(name), separator)

    def codes(self) -> pa.Array:
        """Codes as the data gives them, joined; null where it gives none."""
        codes = self._sides.column("original_code")
        filled = pc.fill_null(codes, _UNKNOWN).take(self.members)
        joined = pc.binary_join(pa.ListArray.from_arrays(self._offsets, filled), "-")
        given = self.reduced_flags(np.asarray(codes.is_valid()))
        return pc.if_else(pa.array(given), joined, pa.scalar(None, pa.string()))

    def reduced_flags(self, flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Whether any side of each row has the flag."""
        if not len(self._heads):
            return np.zeros(0, bool)
        return np.logical_or.reduceat(flags[self._groups.members], self._heads)

    def _by_combination(
        self, column: pa.Array, fold: Callable[[list[str | None]], str | None]
    ) -> pa.Array:
        """What a function makes of each row's values; done once for equal ones."""
        encoded = column.dictionary_encode()
        names = [*encoded.dictionary.to_pylist(), None]
        index = np.asarray(encoded.indices.fill_null(len(names) - 1))[self._groups.members]
        sizes = np.diff(self._groups.starts)
        if len(sizes) and (sizes == 2).all():
            keys, inverse = np.unique(index[0::2] * len(names) + index[1::2], return_inverse=True)
            found = [fold([names[k] for k in divmod(key, len(names))]) for key in keys.tolist()]
            return pa.array(found, pa.string()).take(pa.array(inverse))
        made: dict[tuple[int, ...], str | None] = {}
        rows = []
        for start, end in zip(self._groups.starts[:-1], self._groups.starts[1:], strict=True):
            key = tuple(index[start:end].tolist())
            if key not in made:
                made[key] = fold([names[k] for k in key])
            rows.append(made[key])
        return pa.array(rows, pa.string())

    def labels(self, name: str) -> pa.Array:
        """The label of each row, made of those of its sides; null where one has none."""
        return self._by_combination(self._sides.column(name), joined_label)

    def worst_verdicts(self) -> pa.Array:
        """The worst verdict of each row's sides."""
        return self._by_combination(
            self._sides.column("verdict"),
            lambda verdicts: min((each or "" for each in verdicts), key=WORST_FIRST.index),
        )

    def content_hashes(self, *, keeps_direction: bool) -> pa.Array:
        """xxh3-128 of the texts with NUL between them, in the order of labels or of the data."""
        members = self._groups.members
        if not keeps_direction:
            members = members[self._by_label()]
        texts = self._sides.column("text").take(pa.array(members))
        joined = pc.binary_join(pa.ListArray.from_arrays(self._offsets, texts), "\0")
        digests = [xxhash.xxh3_128_digest(each) for each in joined.cast(pa.binary()).to_pylist()]
        return pa.array(digests, pa.binary(16))

    def _by_label(self) -> Ints:
        """Order of the members by row, label and text."""
        labels = self._sides.column("label").dictionary_encode()
        ranks = np.argsort(np.argsort(labels.dictionary.to_pylist()))
        rank = ranks[np.asarray(labels.indices)][self._groups.members]
        row = np.repeat(np.arange(len(self._heads)), np.diff(self._groups.starts))
        order = np.lexsort((rank, row))
        tied = np.flatnonzero(
            (rank[order][1:] == rank[order][:-1]) & (row[order][1:] == row[order][:-1])
        )
        for each in np.unique(row[order][tied]).tolist():
            span = slice(self._groups.starts[each], self._groups.starts[each + 1])
            texts = self._sides.column("text")
            order[span] = sorted(
                order[span].tolist(),
                key=lambda at: (rank[at], texts[int(self._groups.members[at])].as_py()),
            )
        return order

    @property
    def groups(self) -> Groups:
        """The rows."""
        return self._groups

    @property
    def sides(self) -> pa.RecordBatch:
        """The sides."""
        return self._sides


def joined_label(labels: Sequence[str | None]) -> str | None:
    """The label of several, sorted so that direction does not matter; None where one is.

    >>> joined_label(["eng_Latn", "deu_Latn"])
    'deu_Latn-eng_Latn'
    """
    if None in labels:
        return None
    return MANY_LANGUAGES if len(labels) > _MOST_NAMED else "-".join(sorted(map(str, labels)))


def _sketches(gathered: _Gathered, near: recipes.Near) -> dict[str, pa.Array]:
    """Columns of `sketch_fields` of the shingles of all sides, each by its own script.

    A set of shingles has no order, so a pair and its reverse have one sketch.
    """
    words = gathered.column(WORD_HASHES.name)
    per_side = np.diff(np.asarray(words.offsets)).astype(np.int64)
    lengths = shingle_lengths(gathered.column("script").to_pylist(), near)
    hashes, counts = shingles(words.flatten().to_numpy(), per_side, lengths)
    heads = gathered.groups.starts[:-1]
    counts = np.add.reduceat(counts, heads) if len(heads) else counts[:0]
    rows = np.flatnonzero(counts)
    found = signatures(hashes, (np.cumsum(counts) - counts)[rows], near.bands * near.rows)
    keys = np.zeros((len(counts), near.bands), "<u8")
    keys[rows] = band_keys(found, near.bands, near.rows)
    values = np.zeros((len(counts), near.bands * near.rows), np.uint8)
    values[rows] = sketches(found)
    num_shingles, *packed = sketch_fields(near.bands, near.rows)
    columns = {num_shingles.name: pa.array(counts.astype(np.int32))}
    for field, array in zip(packed, (keys, values), strict=True):
        data = pa.py_buffer(np.ascontiguousarray(array))
        columns[field.name] = pa.Array.from_buffers(field.type, len(array), [None, data])
    return columns
