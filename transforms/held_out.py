"""Held out: what there is to know of validation texts, so that training can be kept clear of them.

Held-out documents are few, 200 a label by default, so all of them fit one small table, which
workers read when they start.
"""

from __future__ import annotations

from collections.abc import Iterator

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam import typehints

from glotmill.schemas.lock import doc_id
from glotmill.schemas.recipe import Near
from glotmill.schemas.tables import WORD_HASHES, sketch_fields
from glotmill.transforms import storage
from glotmill.transforms.gather import ToList
from glotmill.transforms.pair_rows import segment_hashes
from glotmill.transforms.records import temporary_folder, write_record
from glotmill.transforms.scan import pieces, scan
from glotmill.transforms.split import FOLDER, read_splitter
from glotmill.transforms.tables import read_table, write_table
from glotmill.transforms.unit_index import IndexedUnit, UnitIndex, read_manifest
from glotmill.transforms.words import hash_words, word_characters, words_by_document

PATH = f"{FOLDER}/held_out.parquet"
#: Longer documents are not compared with the sides of pairs; in characters.
MOST_CHARACTERS = 1_000

Hashes = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]


def held_out_schema(near: Near | None) -> pa.Schema:
    """Columns of the table, one row a held-out document, in the order of the units."""
    sketched = [] if near is None else sketch_fields(near.bands, near.rows)
    return pa.schema(
        [
            pa.field("id", pa.int64(), nullable=False),
            pa.field("category", pa.string(), nullable=False),
            pa.field("label", pa.string(), nullable=False),
            pa.field("content_hash", pa.binary(16), nullable=False),
            # xxh3-64 without regard to case and punctuation: of the sides of a pair, or of all of
            # a short document.
            pa.field("text_hashes", pa.list_(pa.uint64()), nullable=False),
            *sketched,
        ]
    )


def folded_hashes(text: pa.Array) -> Hashes:
    """The hash by which n texts are equal whatever their case and punctuation; uint64[n].

    It is that of the sides of pairs, in their column `segment_hashes`.
    """
    found = [np.zeros(0, np.uint64)]
    for piece in pieces(text):
        scanned = scan(piece)
        column = words_by_document(*hash_words(scanned, word_characters(scanned)))
        names = ["text", WORD_HASHES.name]
        found.append(segment_hashes(pa.RecordBatch.from_arrays([piece, column], names=names)))
    return np.concatenate(found)


@typehints.with_input_types(int)
@typehints.with_output_types(str)
class _CollectUnit(beam.DoFn):
    """A unit to the path of a table of its held-out documents, if it has any."""

    def __init__(self, root: str, schema: pa.Schema, folds: bool) -> None:
        self._root = root
        self._schema = schema
        self._folds = folds

    def setup(self) -> None:
        self._index = UnitIndex(self._root, read_manifest(self._root, "deduplicate"))
        self._splitter = read_splitter(self._root)

    def process(self, ordinal: int) -> Iterator[str]:
        unit = self._index.units[ordinal]
        found = list(self._held_out(unit)) if self._splitter.holds_out(unit.category) else []
        if not found:
            return
        batches, rows = zip(*found, strict=True)
        table = self._described(unit, pa.Table.from_batches(batches), np.concatenate(rows))
        # The number is of so many digits that the order of paths is that of units.
        folder, name = f"{temporary_folder(self._root, FOLDER)}/held_out", f"{ordinal:010d}.parquet"
        write_table(folder, name, table)
        yield f"{folder}/{name}"

    def _held_out(self, unit: IndexedUnit) -> Iterator[tuple[pa.RecordBatch, Ints]]:
        made = ("id", "category", "text_hashes")
        own = [name for name in self._schema.names if name not in made]
        columns = dict.fromkeys([*self._splitter.columns(unit.category), *own, "num_characters"])
        for batch, _, rows in self._index.surviving_rows(unit, list(columns)):
            held_out = self._splitter.held_out(unit.category, batch)
            if held_out.any():
                yield batch.filter(pa.array(held_out)), rows[held_out]

    def _described(self, unit: IndexedUnit, found: pa.Table, rows: Ints) -> pa.Table:
        columns = dict(zip(found.schema.names, found.columns, strict=True))
        columns["id"] = pa.array(doc_id(unit.ordinal, rows))
        columns["category"] = pa.repeat(unit.category, len(rows))
        if unit.category == "bitext":
            columns["text_hashes"] = columns["segment_hashes"]
        else:
            columns["text_hashes"] = self._hashes_of_short(unit, found, rows)
        arrays = [columns[field.name].cast(field.type) for field in self._schema]
        return pa.Table.from_arrays(arrays, schema=self._schema)

    def _hashes_of_short(self, unit: IndexedUnit, found: pa.Table, rows: Ints) -> pa.Array:
        """A list of the one hash of each short document, an empty one of each other."""
        short = found.column("num_characters").to_numpy() <= MOST_CHARACTERS
        short &= self._folds
        texts = _texts(f"{self._root}/{unit.documents}", rows[short])
        bounds = np.concatenate(([0], np.cumsum(short))).astype(np.int32)
        return pa.ListArray.from_arrays(bounds, pa.array(folded_hashes(texts)))


def _texts(path: str, rows: Ints) -> pa.Array:
    """The texts of some rows of a file of documents, ascending; other row groups are not read."""
    found = [pa.array([], pa.string())]
    with storage.open_input(path) as source:
        file = pq.ParquetFile(source)
        start = 0
        for group in range(file.num_row_groups):
            end = start + file.metadata.row_group(group).num_rows
            wanted = rows[(rows >= start) & (rows < end)] - start
            if wanted.size:
                texts = file.read_row_group(group, columns=["text"]).column("text")
                found += texts.take(pa.array(wanted)).chunks
            start = end
    return pa.concat_arrays(found)


@typehints.with_input_types(str)
@typehints.with_output_types(list[str])
class _PathsToList(ToList):
    """Gathers paths."""


@typehints.with_input_types(list[str])
@typehints.with_output_types(str)
class _WriteHeldOut(beam.DoFn):
    def __init__(self, root: str, schema: pa.Schema) -> None:
        self._root = root
        self._schema = schema

    def process(self, paths: list[str]) -> Iterator[str]:
        tables = [self._schema.empty_table(), *map(read_table, sorted(paths))]
        entry = write_table(self._root, PATH, pa.concat_tables(tables))
        yield write_record(self._root, FOLDER, "held_out", [entry])


@typehints.with_input_types(int)
@typehints.with_output_types(str)
class CollectHeldOut(beam.PTransform):
    """Ordinals of units to one table of all that is held out; an empty one where nothing is.

    It reads what `FindThresholds` wrote, so it has to be in a pipeline after it.
    """

    def __init__(self, root: str, near: Near | None, *, folds: bool) -> None:
        """Takes what there is to know.

        Args:
            root: the output directory.
            near: how near duplicates are found, if they are.
            folds: whether short documents are compared with the sides of pairs, and with each
                other, whatever their case and punctuation.
        """
        super().__init__()
        self._root = root
        self._schema = held_out_schema(near)
        self._collect = _CollectUnit(root, self._schema, folds)

    def expand(self, ordinals: beam.PCollection) -> beam.PCollection:
        """Writes a table a unit, then one of all."""
        return (
            ordinals
            | "CollectUnit" >> beam.ParDo(self._collect)
            | "Gather" >> beam.CombineGlobally(_PathsToList())
            | "WriteHeldOut" >> beam.ParDo(_WriteHeldOut(self._root, self._schema))
        )
