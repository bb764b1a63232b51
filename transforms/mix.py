"""Mix: draw documents by the plan, shuffle them by hash, write the shards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam import typehints

from glotmill.schemas import recipe
from glotmill.schemas.manifest import FileEntry
from glotmill.schemas.tables import CORPUS, COUNTS, STATISTICS
from glotmill.transforms.batches import cut_by_bytes
from glotmill.transforms.directions import FOLDER as DIRECTIONS_FOLDER
from glotmill.transforms.directions import (
    directions_of_documents,
    directions_of_pairs,
    merge_directions,
)
from glotmill.transforms.draws import num_copies, order_draw, partition_of, split_draw
from glotmill.transforms.exchange import PARTITION, ExchangeBatches, read_references
from glotmill.transforms.plan import Group
from glotmill.transforms.pseudo_documents import AGAIN, HELD_OUT, NUM_PAIRS, PseudoDocuments
from glotmill.transforms.pseudo_documents import COLUMNS as PAIR_COLUMNS
from glotmill.transforms.records import temporary_folder, write_record
from glotmill.transforms.rehydrate import PATH as REHYDRATION_PATH
from glotmill.transforms.rehydrate import Weights
from glotmill.transforms.statistics import merge, summarise
from glotmill.transforms.tables import TableWriter, read_table, write_table
from glotmill.transforms.unit_index import IndexedUnit, UnitIndex, read_manifest

FOLDER = "mix"
PLAN_PATH = "mix/plan.parquet"

_ORDER = "order"
# Ties of the hash, which only equal texts have, are broken by where the row came from.
_SHARD_ORDER = [_ORDER, "content_hash", "label", "source", "path", "offset", "copy"]
_READ = [name for name in CORPUS.names if name not in
         ("category", "domain", "licence", "cluster_size", "copy")]  # fmt: skip
# Text that is copied at a time, where documents are drawn and where shards are written.
_PART_BYTES = 32 * 2**20

# What is exchanged: rows of the shards, where they go, and what the statistics count.
_DRAWN = pa.schema(
    [
        *CORPUS,
        pa.field(NUM_PAIRS, pa.int64()),
        pa.field(AGAIN, pa.bool_()),
        pa.field(_ORDER, pa.int64()),
        pa.field(PARTITION, pa.int32()),
    ]
)

Ints = npt.NDArray[np.int64]


def shard_path(output: recipe.ParquetOutput, partition: int) -> str:
    """Path of a shard, relative to the output: training shards first, then validation."""
    if partition < output.shards:
        return f"shards/train-{partition:05d}-of-{output.shards:05d}.parquet"
    number = partition - output.shards
    return f"shards/validation-{number:05d}-of-{output.validation_shards:05d}.parquet"


def num_partitions(output: recipe.ParquetOutput) -> int:
    """Number of shards of both splits."""
    return output.shards + output.validation_shards


class Drawer:
    """Draws documents: how often each one, into which shard, at which place."""

    def __init__(
        self,
        plan: pa.Table,
        output: recipe.ParquetOutput,
        seed: int,
        weights: Weights | None = None,
    ) -> None:
        """Takes the plan, the shards there are to be, the seed, and weights by size of cluster."""
        self._output = output
        self._weights = weights or Weights({})
        self._seed = seed
        self._groups: dict[Group, tuple[float, int]] = {
            (row["category"], row["label"]): (row["rate"], row["validation_threshold"])
            for row in plan.select(
                ["category", "label", "rate", "validation_threshold"]
            ).to_pylist()
        }

    def held_out(self, category: str, labels: list[str], hashes: list[bytes]) -> list[bool]:
        """Which documents of a category the validation split takes, by label and content."""
        return [
            split_draw(self._seed, content) <= self._groups.get((category, label), (0.0, -1))[1]
            for label, content in zip(labels, hashes, strict=True)
        ]

    def draw(
        self,
        category: str,
        labels: list[str],
        hashes: list[bytes],
        sizes: list[int],
        held_out: Sequence[bool] | None = None,
    ) -> dict[str, Ints]:
        """Draws among documents of one category.

        Args:
            category: of all the documents.
            labels: of n documents.
            hashes: of their content.
            sizes: of their clusters.
            held_out: which of them are for validation, where something else decides than their
                hashes.

        Returns:
            Equally long arrays, one element a drawn copy: `row` of the document, `copy` from 0,
            `order` in the shuffled corpus, `partition`.
        """
        drawn: list[tuple[int, int, int, int]] = []
        if held_out is None:
            held_out = self.held_out(category, labels, hashes)
        documents = zip(labels, hashes, sizes, held_out, strict=True)
        for row, (label, content, size, out) in enumerate(documents):
            if (category, label) not in self._groups:
                continue
            rate = self._groups[category, label][0] * self._weights.of(label, size)
            copies = 1 if out else num_copies(self._seed, content, rate)
            for copy in range(copies):
                order = order_draw(self._seed, content, copy)
                drawn.append((row, copy, order, self._partition(order, out)))
        columns = np.array(drawn, np.int64).reshape(-1, 4).T
        return dict(zip(("row", "copy", _ORDER, PARTITION), columns, strict=True))

    def _partition(self, order: int, held_out: bool) -> int:
        if held_out:
            return self._output.shards + partition_of(order, self._output.validation_shards)
        return partition_of(order, self._output.shards)


@typehints.with_input_types(int)
@typehints.with_output_types(pa.RecordBatch)
class _DrawDocuments(beam.DoFn):
    def __init__(self, root: str, output: str, seed: int, rehydrated: bool, bitext: str) -> None:
        self._root = root
        self._output = output
        self._seed = seed
        self._rehydrated = rehydrated
        self._bitext = bitext

    def setup(self) -> None:
        self._index = UnitIndex(self._root, read_manifest(self._root, "deduplicate"))
        plan = read_table(f"{self._root}/{PLAN_PATH}")
        output = recipe.ParquetOutput.model_validate_json(self._output)
        weights = None
        if self._rehydrated:
            weights = Weights.read(read_table(f"{self._root}/{REHYDRATION_PATH}"))
        self._drawer = Drawer(plan, output, self._seed, weights)
        self._pairs = PseudoDocuments(recipe.Bitext.model_validate_json(self._bitext), self._seed)

    def process(self, ordinal: int) -> Iterator[pa.RecordBatch]:
        unit = self._index.units[ordinal]
        directions: list[pa.Table] = []
        for batch, sizes, held_out in self._documents(unit, directions):
            labels = batch.column("label").to_pylist()
            hashes = batch.column("content_hash").to_pylist()
            drawn = self._drawer.draw(unit.category, labels, hashes, sizes.tolist(), held_out)
            num_bytes = batch.column("num_bytes").to_numpy()[drawn["row"]]
            for start, end in cut_by_bytes(num_bytes, _PART_BYTES):
                part = {name: values[start:end] for name, values in drawn.items()}
                yield _drawn_batch(unit, batch, sizes, part)
        if unit.category == "bitext":
            path = f"{DIRECTIONS_FOLDER}/available-{unit.key}.parquet"
            entry = write_table(self._root, path, merge_directions(directions))
            write_record(self._root, FOLDER, f"available-{unit.key}", [entry])

    def _documents(
        self, unit: IndexedUnit, directions: list[pa.Table]
    ) -> Iterator[tuple[pa.RecordBatch, Ints, Sequence[bool] | None]]:
        """What may be drawn, with sizes of clusters; of pairs, which documents are held out.

        Counts of the pairs by direction are added to `directions`.
        """
        if unit.category != "bitext":
            for batch, sizes in self._index.surviving(unit, _READ):
                yield batch, sizes, None
            return
        split = partial(self._drawer.held_out, unit.category)
        pairs = _counted(self._index.surviving(unit, PAIR_COLUMNS), directions)
        for batch in self._pairs.batches(pairs, split):
            sizes = batch.column("cluster_size").to_numpy()
            yield batch, sizes, batch.column(HELD_OUT).to_pylist()


def _counted(
    rows: Iterable[tuple[pa.RecordBatch, Ints]], directions: list[pa.Table]
) -> Iterator[tuple[pa.RecordBatch, Ints]]:
    """The rows as they come; adds their directions to the list."""
    for batch, sizes in rows:
        directions.append(directions_of_pairs(batch, {"outcome": "available", "reason": ""}))
        yield batch, sizes


def _drawn_batch(
    unit: IndexedUnit, batch: pa.RecordBatch, sizes: Ints, drawn: dict[str, Ints]
) -> pa.RecordBatch:
    rows = drawn["row"]
    taken = batch.take(pa.array(rows))
    constants = {"category": unit.category, "domain": unit.domain, "licence": unit.licence}
    columns = dict(zip(taken.schema.names, taken.columns, strict=True))
    for name, value in constants.items():
        columns[name] = pa.array([value] * len(rows), pa.string())
    columns["cluster_size"] = pa.array(sizes[rows])
    columns["copy"] = pa.array(drawn["copy"], pa.int32())
    columns[_ORDER] = pa.array(drawn[_ORDER])
    columns[PARTITION] = pa.array(drawn[PARTITION], pa.int32())
    columns.setdefault(NUM_PAIRS, pa.array(np.ones(len(rows), np.int64)))
    columns.setdefault(AGAIN, pa.array(np.zeros(len(rows), bool)))
    return pa.RecordBatch.from_arrays([columns[name] for name in _DRAWN.names], schema=_DRAWN)


@typehints.with_input_types(tuple[int, Iterable[str]])
@typehints.with_output_types(str)
class _WriteShard(beam.DoFn):
    def __init__(self, root: str, output: str) -> None:
        self._root = root
        self._output = recipe.ParquetOutput.model_validate_json(output)

    def process(self, element: tuple[int, Iterable[str]]) -> Iterator[str]:
        partition, references = element
        table = pa.Table.from_batches(read_references(references))
        entries = write_shard(self._root, self._output, partition, table)
        yield write_record(self._root, FOLDER, f"{partition:05d}", entries)


def write_shard(
    root: str, output: recipe.ParquetOutput, partition: int, table: pa.Table | None
) -> list[FileEntry]:
    """Sorts the rows of a shard and writes it, and its statistics.

    Args:
        root: the output directory.
        output: the shards there are to be.
        partition: which of them this is.
        table: rows of what is exchanged, in any order; None writes an empty shard.
    """
    path = shard_path(output, partition)
    if table is None:
        return [write_table(root, path, CORPUS.empty_table())]
    order = pc.sort_indices(table, [(name, "ascending") for name in _SHARD_ORDER])
    rows = table.select(CORPUS.names)
    # The texts of a shard may not fit the 32-bit offsets of one string array, which `take` makes.
    wide = rows.cast(_wide(CORPUS))
    num_bytes = rows.column("num_bytes").take(order).to_numpy()
    with TableWriter(root, path, CORPUS, row_group_rows=output.row_group_rows) as writer:
        for start, end in cut_by_bytes(num_bytes, _PART_BYTES):
            for batch in wide.take(order.slice(start, end - start)).cast(CORPUS).to_batches():
                writer.write(batch)
    split = "train" if partition < output.shards else "validation"
    name = f"{split}-{partition:05d}.parquet"
    entries = [
        *writer.entries,
        write_table(root, f"{FOLDER}/statistics/{name}", _statistics(table, split)),
    ]
    directions = _directions(table, split)
    if directions.num_rows:
        entries.append(write_table(root, f"{DIRECTIONS_FOLDER}/{name}", directions))
    return entries


def _wide(schema: pa.Schema) -> pa.Schema:
    """The schema with 64-bit offsets for the text."""
    index = schema.get_field_index("text")
    return schema.set(index, schema.field(index).with_type(pa.large_string()))


def _statistics(rows: pa.Table, split: str) -> pa.Table:
    """Sums of a shard; copies beyond a document's first have the reason `repeated`.

    Of pseudo-documents the pairs are counted, as the plan counts them, and those that are written
    both ways are repeated.
    """
    columns = [name for name in STATISTICS.names if name in CORPUS.names]
    table = rows.select(columns).append_column("reason", _repeated(rows))
    table = table.append_column("num_documents", rows.column(NUM_PAIRS))
    return merge([summarise(table, {"stage": FOLDER, "outcome": split})])


def _repeated(rows: pa.Table) -> pa.ChunkedArray:
    again = pc.or_(pc.greater(rows.column("copy"), 0), rows.column(AGAIN))
    return pc.if_else(again, "repeated", "")


def _directions(rows: pa.Table, split: str) -> pa.Table:
    """The pseudo-documents of a shard by direction, in the schema DIRECTIONS."""
    names = ["source", "label", "original_code", *COUNTS, NUM_PAIRS]
    table = rows.select(names).append_column("reason", _repeated(rows))
    pairs = table.filter(pc.equal(rows.column("category"), "bitext"))
    return directions_of_documents(pairs, {"outcome": split})


@typehints.with_input_types(int)
@typehints.with_output_types(str)
class WriteShards(beam.PTransform):
    """Ordinals of units to shards, by way of the exchange."""

    def __init__(
        self,
        root: str,
        output: recipe.ParquetOutput,
        seed: int,
        *,
        rehydrated: bool = False,
        bitext: recipe.Bitext | None = None,
    ) -> None:
        """Takes what there is to know.

        Args:
            root: the output directory, with the plan.
            output: the shards there are to be.
            seed: of the draws.
            rehydrated: whether there are weights by size of cluster beside the plan.
            bitext: how pairs become documents; the defaults where it is absent.
        """
        super().__init__()
        self._root = root
        self._output = output.model_dump_json()
        pairs = (bitext or recipe.Bitext()).model_dump_json()
        self._draw = _DrawDocuments(root, self._output, seed, rehydrated, pairs)

    def expand(self, ordinals: beam.PCollection) -> beam.PCollection:
        """Draws, exchanges, writes."""
        folder = f"{temporary_folder(self._root, FOLDER)}/exchange"
        return (
            ordinals
            | "DrawDocuments" >> beam.ParDo(self._draw)
            | "Exchange" >> ExchangeBatches(folder)
            | "WriteShard" >> beam.ParDo(_WriteShard(self._root, self._output))
        )
