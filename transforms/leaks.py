"""Leaks: rows of the training split that tell of the validation split, to be left out of both.

A row leaks if its text is held out elsewhere, if it is a near duplicate of what is, or if it is a
pair of which one side is. docs/validation.md says what is compared, and what is not.
"""

from __future__ import annotations

from collections.abc import Iterator

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam import typehints

from glotmill.schemas.manifest import FileEntry
from glotmill.schemas.recipe import Near
from glotmill.schemas.tables import COUNTS, STATISTICS_KEYS
from glotmill.transforms import storage
from glotmill.transforms.held_out import MOST_CHARACTERS, PATH, folded_hashes
from glotmill.transforms.held_out_index import KeySet, Sketched, SketchIndex
from glotmill.transforms.near import fixed_bytes
from glotmill.transforms.pseudo_documents import HELD_OUT_DIRECTION
from glotmill.transforms.records import write_record
from glotmill.transforms.split import FOLDER, read_splitter
from glotmill.transforms.statistics import summarise
from glotmill.transforms.tables import read_table, write_table
from glotmill.transforms.unit_index import IndexedUnit, UnitIndex, read_manifest

#: Why a row is left out, the first that holds; "" stands for none.
REASONS = (
    "",
    HELD_OUT_DIRECTION,  # a pair that may not be trained on, beyond those that are held out
    "validation_copy",  # its text, or that of a side, is held out: equal but for case, punctuation
    "validation_translation",  # it shares a side with a pair that is held out
    "validation_near_duplicate",
)
_NONE, _DIRECTION, _COPY, _TRANSLATION, _NEAR = range(len(REASONS))

EXCLUDED = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
    ]
)

Codes = npt.NDArray[np.int8]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


class HeldOutTexts:
    """What is held out, made ready for training documents to be held against."""

    def __init__(self, table: pa.RecordBatch, near: Near | None, *, folds: bool) -> None:
        """Makes the index.

        Args:
            table: what `CollectHeldOut` wrote.
            near: how near duplicates are found, if they are.
            folds: whether short documents are compared whatever their case and punctuation.
        """
        #: How many there are.
        self.num_documents = table.num_rows
        self._contents = KeySet(_content_keys(table.column("content_hash")))
        of_pairs = pc.equal(table.column("category"), "bitext")
        self._sides = _texts(table.filter(of_pairs))
        self._texts = _texts(table.filter(pc.invert(of_pairs)))
        self._folds = folds
        self._sketches = None
        if near is not None:
            self._sketches = SketchIndex(Sketched.read(table), near.min_similarity)

    def columns(self, category: str) -> tuple[str, ...]:
        """Columns that are read of training documents of a category."""
        sketched = () if self._sketches is None else ("num_shingles", "band_keys", "sketch")
        if category == "bitext":
            return ("content_hash", "segment_hashes", *sketched)
        folded = ("text", "num_characters") if self._folds else ()
        return ("content_hash", *folded, *sketched)

    def leaks(self, category: str, batch: pa.RecordBatch) -> Codes:
        """Places in REASONS, why each of n training documents is to be left out; int8[n]."""
        found = np.zeros(batch.num_rows, np.int8)
        if category == "bitext":
            found[self._has_side(batch, self._sides)] = _TRANSLATION
            found[self._has_side(batch, self._texts)] = _COPY
        else:
            found[self._is_short_text(batch)] = _COPY
        found[self._contents.find(_content_keys(batch.column("content_hash")))] = _COPY
        if self._sketches is not None:
            found[self._sketches.near(Sketched.read(batch)) & (found == _NONE)] = _NEAR
        return found

    def _has_side(self, batch: pa.RecordBatch, known: KeySet) -> Ints:
        column = batch.column("segment_hashes")
        row_of = np.repeat(np.arange(len(column)), np.asarray(column.value_lengths()))
        return row_of[known.find(column.flatten().to_numpy())]

    def _is_short_text(self, batch: pa.RecordBatch) -> Ints:
        if not self._folds:
            return np.zeros(0, np.int64)
        rows = np.flatnonzero(batch.column("num_characters").to_numpy() <= MOST_CHARACTERS)
        hashes = folded_hashes(batch.column("text").take(pa.array(rows)))
        return rows[self._sides.find(hashes) | self._texts.find(hashes)]


def _texts(table: pa.RecordBatch) -> KeySet:
    return KeySet(table.column("text_hashes").flatten().to_numpy())


def _content_keys(column: pa.Array) -> npt.NDArray[np.uint64]:
    """The first half of each hash: among 10^12 documents and 10^6 held out 0.05 agree by chance."""
    return np.ascontiguousarray(fixed_bytes(column, np.dtype("<u8"))[:, 0])


@typehints.with_input_types(int)
@typehints.with_output_types(str)
class _FindInUnit(beam.DoFn):
    def __init__(self, root: str, near: Near | None, folds: bool) -> None:
        self._root = root
        self._near = None if near is None else near.model_dump_json()
        self._folds = folds

    def setup(self) -> None:
        self._index = UnitIndex(self._root, read_manifest(self._root, "deduplicate"))
        self._splitter = read_splitter(self._root)
        near = None if self._near is None else Near.model_validate_json(self._near)
        table = read_table(f"{self._root}/{PATH}").combine_chunks()
        (batch,) = table.to_batches() or [pa.RecordBatch.from_pylist([], schema=table.schema)]
        self._held_out = HeldOutTexts(batch, near, folds=self._folds)

    def process(self, ordinal: int) -> Iterator[str]:
        unit = self._index.units[ordinal]
        needed = self._held_out.num_documents or self._splitter.forbids(unit.category)
        found = list(self._excluded(unit)) if needed else []
        if not found:
            # An earlier run with another recipe may have left one.
            storage.delete([f"{self._root}/{excluded_path(unit)}"])
            return
        rows, codes = (np.concatenate(each) for each in zip(*found, strict=True))
        yield write_record(
            self._root, FOLDER, f"excluded-{unit.key}", self._write(unit, rows, codes)
        )

    def _excluded(self, unit: IndexedUnit) -> Iterator[tuple[Ints, Codes]]:
        category = unit.category
        columns = [*self._splitter.columns(category), *self._held_out.columns(category)]
        for batch, _, rows in self._index.surviving_rows(unit, list(dict.fromkeys(columns))):
            held_out, left_out = self._splitter.judge(category, batch)
            codes = self._held_out.leaks(category, batch)
            codes[left_out] = _DIRECTION
            codes[held_out] = _NONE
            if codes.any():
                yield rows[codes != _NONE], codes[codes != _NONE]

    def _write(self, unit: IndexedUnit, rows: Ints, codes: Codes) -> list[FileEntry]:
        reasons = pa.array(REASONS).take(pa.array(codes))
        table = pa.Table.from_arrays([pa.array(rows), reasons], schema=EXCLUDED)
        statistics = excluded_statistics(self._index, unit, rows, reasons)
        path = f"{FOLDER}/statistics/excluded-{unit.key}.parquet"
        return [
            write_table(self._root, excluded_path(unit), table),
            write_table(self._root, path, statistics),
        ]


def excluded_statistics(
    index: UnitIndex, unit: IndexedUnit, rows: Ints, reasons: pa.Array
) -> pa.Table:
    """Sums over rows that are left out of training, in the schema STATISTICS.

    Args:
        index: of the units.
        unit: whose rows they are.
        rows: their numbers; int64[m].
        reasons: why, of each; string[m].
    """
    counted = [name for name in STATISTICS_KEYS if name not in ("stage", "outcome", "reason")]
    batches = index.batches(unit, [*counted, *COUNTS])
    documents = pa.Table.from_batches(batches).take(pa.array(rows))
    documents = documents.append_column("reason", reasons)
    return summarise(documents, {"stage": FOLDER, "outcome": "excluded"})


@typehints.with_input_types(int)
@typehints.with_output_types(str)
class FindLeaks(beam.PTransform):
    """Ordinals of units to lists of rows to leave out, and their statistics.

    It reads what `CollectHeldOut` wrote, so it has to be in a pipeline after it. A unit of which
    nothing is left out has no list.
    """

    def __init__(self, root: str, near: Near | None, *, folds: bool) -> None:
        """Takes what `CollectHeldOut` was given."""
        super().__init__()
        self._find = _FindInUnit(root, near, folds)

    def expand(self, ordinals: beam.PCollection) -> beam.PCollection:
        """Holds each unit against what is held out."""
        return ordinals | "FindInUnit" >> beam.ParDo(self._find)


def excluded_path(unit: IndexedUnit) -> str:
    """Path of the list of a unit, relative to the output."""
    return f"{FOLDER}/excluded/{unit.key}.parquet"


def read_excluded(root: str, unit: IndexedUnit) -> pa.Table:
    """The rows of a unit that are left out, ascending, in the schema EXCLUDED."""
    path = f"{root}/{excluded_path(unit)}"
    return read_table(path) if storage.exists(path) else EXCLUDED.empty_table()


def excluded_rows(root: str, unit: IndexedUnit) -> Ints:
    """The numbers of these rows, ascending; int64[m]."""
    return read_excluded(root, unit).column("row").to_numpy()
