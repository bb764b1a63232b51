"""Mix: draw documents by their exact rates, shuffle them by hash, write the shards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from apache_beam import typehints

from glotmill.schemas import recipe
from glotmill.schemas.curriculum import Stage
from glotmill.schemas.model import Model
from glotmill.schemas.tables import COUNTS, DRAWABLES
from glotmill.transforms.batches import cut_by_bytes
from glotmill.transforms.compose import TOKENS
from glotmill.transforms.curriculum import SHUFFLED, Curriculum, read_curriculum
from glotmill.transforms.directions import FOLDER as DIRECTIONS_FOLDER
from glotmill.transforms.directions import directions_of_pairs, merge_directions
from glotmill.transforms.drawables import Drawables, path_of
from glotmill.transforms.draws import DRAWS, order_draw, partition_of
from glotmill.transforms.exact_rates import num_copies
from glotmill.transforms.exchange import PARTITION, ExchangeBatches
from glotmill.transforms.fit import RATES_PATH, DrawGroup, most_epochs
from glotmill.transforms.records import temporary_folder, write_record
from glotmill.transforms.rehydrate import Weights, read_weights
from glotmill.transforms.shards import DRAWN, FOLDER, ORDER, WriteShard
from glotmill.transforms.split import read_splitter
from glotmill.transforms.tables import read_batches, read_table, write_table
from glotmill.transforms.unit_index import IndexedUnit, UnitIndex, read_manifest

# Text that is copied at a time, where documents are drawn.
_PART_BYTES = 32 * 2**20
_OTHER_DOCUMENTS = "{} is of other documents; delete the folder 'compose' and run again"

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Shuffle:
    """Where drawn documents go: shards, each of several pieces of which one is sorted at a time.

    Attributes:
        shards: of training.
        validation_shards: of validation.
        pieces: of each shard.
    """

    shards: int
    validation_shards: int
    pieces: int = 1

    @property
    def num_shards(self) -> int:
        """Shards of both splits: those of training first."""
        return self.shards + self.validation_shards

    def piece_of(self, order: int, held_out: bool) -> int:
        """The piece that a document goes to, counted over all shards."""
        if held_out:
            first = self.shards * self.pieces
            return first + partition_of(order, self.validation_shards * self.pieces)
        return partition_of(order, self.shards * self.pieces)


class Drawer:
    """Draws documents: how often each one, into which piece of which shard, at which place."""

    def __init__(
        self,
        rates: Mapping[DrawGroup, tuple[float, float]],
        shuffle: Shuffle,
        seed: int,
        weights: Weights | None = None,
        curriculum: Curriculum = SHUFFLED,
    ) -> None:
        """Takes what there is to know.

        Args:
            rates: of each category, label and domain, with the most copies of a document.
            shuffle: the shards there are to be.
            seed: of the recipe.
            weights: by size of cluster; 1 without them.
            curriculum: says where the copies of each category go.
        """
        self._rates = rates
        self._shuffle = shuffle
        self._seed = seed
        self._weights = weights or Weights({})
        self._curriculum = curriculum

    def draw(self, category: str, domain: str, rows: pa.Table | pa.RecordBatch) -> dict[str, Ints]:
        """Draws among documents of one category and domain.

        Args:
            category: of all the documents.
            domain: of all of them, "" where their source names none.
            rows: with the columns label, content_hash, held_out, draw and cluster_size.

        Returns:
            Equally long arrays, one element a drawn copy: `row` of the document, `copy` from 0,
            `order` in the shuffled corpus, `partition`.
        """
        held_out = np.asarray(rows.column("held_out"))
        copies = self._copies(category, domain, rows, held_out)
        row = np.repeat(np.arange(len(copies)), copies)
        copy = np.arange(len(row)) - np.repeat(np.cumsum(copies) - copies, copies)
        hashes = rows.column("content_hash").to_pylist()
        places = zip(row.tolist(), copy.tolist(), strict=True)
        draws = [order_draw(self._seed, hashes[each], number) for each, number in places]
        outs = held_out[row]
        order = np.array(draws, np.int64)
        order = np.where(outs, order, self._curriculum.place(category, order))
        both = zip(order.tolist(), outs.tolist(), strict=True)
        partition = [self._shuffle.piece_of(place, out) for place, out in both]
        return {
            "row": row,
            "copy": copy,
            ORDER: order,
            PARTITION: np.array(partition, np.int64),
        }

    def _copies(
        self, category: str, domain: str, rows: pa.Table | pa.RecordBatch, held_out: Bools
    ) -> Ints:
        """How often each document is drawn; those that are held out once, whatever their rate."""
        draws = np.asarray(rows.column("draw")) / DRAWS
        sizes = np.asarray(rows.column("cluster_size"))
        labels = pa.array(rows.column("label").to_pylist(), pa.string()).dictionary_encode()
        kinds = np.asarray(labels.indices)
        copies = held_out.astype(np.int64)
        for kind, label in enumerate(labels.dictionary.to_pylist()):
            found = self._rates.get((category, label, domain))
            if found is not None:
                own = np.flatnonzero((kinds == kind) & ~held_out)
                weights = self._weights.of_all(label, sizes[own])
                copies[own] = num_copies(draws[own], weights, *found)
        return copies


def read_rates(root: str) -> dict[DrawGroup, tuple[float, float]]:
    """Rate and most epochs of each category, label and domain."""
    rows = read_table(f"{root}/{RATES_PATH}").to_pylist()
    return {
        (row["category"], row["label"], row["domain"]): (row["rate"], most_epochs(row))
        for row in rows
    }


class DrawOptions(Model):
    """What the recipe says of drawing."""

    seed: int
    bitext: recipe.Bitext
    stages: list[Stage]
    tokens: bool


@typehints.with_input_types(int)
@typehints.with_output_types(pa.RecordBatch)
class _DrawDocuments(beam.DoFn):
    def __init__(self, root: str, shuffle: Shuffle, options: str) -> None:
        self._root = root
        self._shuffle = shuffle
        self._options = options

    def setup(self) -> None:
        options = DrawOptions.model_validate_json(self._options)
        seed, splitter = options.seed, read_splitter(self._root)
        self._drawables = Drawables(self._root, splitter, options.bitext, seed)
        rates, weights = read_rates(self._root), read_weights(self._root)
        curriculum = read_curriculum(self._root, options.stages)
        self._drawer = Drawer(rates, self._shuffle, seed, weights, curriculum)
        self._columns = [*DRAWABLES.names, *([TOKENS] if options.tokens else [])]

    def process(self, ordinal: int) -> Iterator[pa.RecordBatch]:
        unit = self._drawables.unit(ordinal)
        directions: list[pa.Table] = []
        for batch, rows in self._rows(unit, directions):
            drawn = self._drawer.draw(unit.category, unit.domain or "", rows)
            num_bytes = np.asarray(batch.column("num_bytes"))[drawn["row"]]
            for start, end in cut_by_bytes(num_bytes, _PART_BYTES):
                part = {name: values[start:end] for name, values in drawn.items()}
                yield _drawn_batch(unit, batch, rows, part)
        if unit.category == "bitext":
            _write_directions(self._root, unit, directions)

    def _rows(
        self, unit: IndexedUnit, directions: list[pa.Table]
    ) -> Iterator[tuple[pa.RecordBatch, pa.Table]]:
        """What may be drawn with its text, and beside it what was composed of the same rows."""
        watch = partial(_count_directions, directions)
        composed = _Rows(read_batches(f"{self._root}/{path_of(unit)}", self._columns))
        for batch in self._drawables.batches(unit, text=True, watch=watch):
            rows = composed.take(batch.num_rows)
            if rows is None or _hashes(rows) != batch.column("content_hash"):
                raise ValueError(_OTHER_DOCUMENTS.format(path_of(unit)))
            yield batch, rows
        if composed.take(1) is not None:
            raise ValueError(_OTHER_DOCUMENTS.format(path_of(unit)))


def _hashes(rows: pa.Table) -> pa.Array:
    return rows.column("content_hash").combine_chunks()


class _Rows:
    """Consecutive rows of a stream of record batches."""

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self._batches = iter(batches)
        self._left: pa.Table | None = None

    def take(self, count: int) -> pa.Table | None:
        """The next rows; None where there are not so many."""
        parts = [] if self._left is None else [self._left]
        while sum(part.num_rows for part in parts) < count:
            batch = next(self._batches, None)
            if batch is None:
                return None
            parts.append(pa.Table.from_batches([batch]))
        table = pa.concat_tables(parts)
        self._left = table.slice(count)
        return table.slice(0, count)


def _count_directions(directions: list[pa.Table], pairs: pa.RecordBatch) -> None:
    directions.append(directions_of_pairs(pairs, {"outcome": "available", "reason": ""}))


def _write_directions(root: str, unit: IndexedUnit, directions: Iterable[pa.Table]) -> str:
    """Leaves the pairs of a unit by direction; gives the path of the record."""
    path = f"{DIRECTIONS_FOLDER}/available-{unit.key}.parquet"
    entry = write_table(root, path, merge_directions(directions))
    return write_record(root, FOLDER, f"available-{unit.key}", [entry])


class CountDirections:
    """Counts the pairs of units from which nothing is drawn, as they are counted in drawing."""

    def __init__(self, root: str) -> None:
        """Takes the output directory, after deduplication."""
        self._root = root

    def setup(self) -> None:
        """Reads the index of the units."""
        self._index = UnitIndex(self._root, read_manifest(self._root, "deduplicate"))

    def __call__(self, ordinal: int) -> str:
        """Counts those of a unit; gives the path of its record."""
        unit = self._index.units[ordinal]
        directions: list[pa.Table] = []
        for pairs, _ in self._index.surviving(unit, ["source", "label", "segment_labels", *COUNTS]):
            _count_directions(directions, pairs)
        return _write_directions(self._root, unit, directions)


def _drawn_batch(
    unit: IndexedUnit, batch: pa.RecordBatch, rows: pa.Table, drawn: Mapping[str, Ints]
) -> pa.RecordBatch:
    """Copies of documents, with what shards and statistics say of them."""
    places = pa.array(drawn["row"])
    taken = batch.take(places)
    columns = dict(zip(taken.schema.names, taken.columns, strict=True))
    for name, value in (
        ("category", unit.category), ("domain", unit.domain), ("licence", unit.licence),
    ):  # fmt: skip
        columns[name] = pa.repeat(pa.scalar(value, pa.string()), len(places))
    schema = DRAWN
    if TOKENS in rows.schema.names:
        columns["num_tokens"] = rows.column("num_tokens").combine_chunks().take(places)
        columns[TOKENS] = rows.column(TOKENS).combine_chunks().take(places)
        schema = schema.append(rows.schema.field(TOKENS))
    else:
        columns["num_tokens"] = pa.nulls(len(places), pa.int64())
    columns["copy"] = pa.array(drawn["copy"], pa.int32())
    columns[ORDER] = pa.array(drawn[ORDER])
    columns[PARTITION] = pa.array(drawn[PARTITION], pa.int32())
    return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)


@typehints.with_input_types(int)
@typehints.with_output_types(str)
class WriteShards(beam.PTransform):
    """Ordinals of units to shards, by way of the exchange."""

    def __init__(self, root: str, options: recipe.Recipe, pieces: int) -> None:
        """Takes what there is to know.

        Args:
            root: the output directory, with the exact rates.
            options: the recipe.
            pieces: of each shard, of which one is sorted at a time.
        """
        super().__init__()
        output = options.output
        self._root = root
        self._pieces = pieces
        shuffle = Shuffle(output.parquet.shards, output.parquet.validation_shards, pieces)
        drawing = DrawOptions(
            seed=options.seed,
            bitext=options.bitext,
            stages=options.mix.stages,
            tokens=output.tokens is not None,
        )
        self._draw = _DrawDocuments(root, shuffle, drawing.model_dump_json())
        self._write = WriteShard(root, output, options.mix.stages)

    def expand(self, ordinals: beam.PCollection) -> beam.PCollection:
        """Draws, exchanges, writes."""
        folder = f"{temporary_folder(self._root, FOLDER)}/exchange"
        return (
            ordinals
            | "DrawDocuments" >> beam.ParDo(self._draw)
            | "Exchange" >> ExchangeBatches(folder, self._pieces)
            | "WriteShard" >> beam.ParDo(self._write)
        )
