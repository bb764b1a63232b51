"""Mix: draw documents by the plan, shuffle them by hash, write the shards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam import typehints

from glotmill.schemas import recipe
from glotmill.schemas.manifest import FileEntry
from glotmill.schemas.tables import CORPUS, STATISTICS
from glotmill.transforms import batches as _coder  # noqa: F401  registers the coder
from glotmill.transforms.draws import num_copies, order_draw, partition_of, split_draw
from glotmill.transforms.exchange import PARTITION, ExchangeBatches, read_references
from glotmill.transforms.plan import Group
from glotmill.transforms.records import temporary_folder, write_record
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

    def __init__(self, plan: pa.Table, output: recipe.ParquetOutput, seed: int) -> None:
        """Takes the plan, the shards there are to be, and the seed."""
        self._output = output
        self._seed = seed
        self._groups: dict[Group, tuple[float, int]] = {
            (row["category"], row["label"]): (row["rate"], row["validation_threshold"])
            for row in plan.select(
                ["category", "label", "rate", "validation_threshold"]
            ).to_pylist()
        }

    def draw(self, category: str, labels: list[str], hashes: list[bytes]) -> dict[str, Ints]:
        """Draws among documents of one category.

        Returns:
            Equally long arrays, one element a drawn copy: `row` of the document, `copy` from 0,
            `order` in the shuffled corpus, `partition`.
        """
        drawn: list[tuple[int, int, int, int]] = []
        for row, (label, content) in enumerate(zip(labels, hashes, strict=True)):
            rate, threshold = self._groups.get((category, label), (0.0, -1))
            held_out = split_draw(self._seed, content) <= threshold
            copies = 1 if held_out else num_copies(self._seed, content, rate)
            for copy in range(copies):
                order = order_draw(self._seed, content, copy)
                drawn.append((row, copy, order, self._partition(order, held_out)))
        columns = np.array(drawn, np.int64).reshape(-1, 4).T
        return dict(zip(("row", "copy", _ORDER, PARTITION), columns, strict=True))

    def _partition(self, order: int, held_out: bool) -> int:
        if held_out:
            return self._output.shards + partition_of(order, self._output.validation_shards)
        return partition_of(order, self._output.shards)


@typehints.with_input_types(int)
@typehints.with_output_types(pa.RecordBatch)
class _DrawDocuments(beam.DoFn):
    def __init__(self, root: str, output: str, seed: int) -> None:
        self._root = root
        self._output = output
        self._seed = seed

    def setup(self) -> None:
        self._index = UnitIndex(self._root, read_manifest(self._root, "deduplicate"))
        plan = read_table(f"{self._root}/{PLAN_PATH}")
        output = recipe.ParquetOutput.model_validate_json(self._output)
        self._drawer = Drawer(plan, output, self._seed)

    def process(self, ordinal: int) -> Iterator[pa.RecordBatch]:
        unit = self._index.units[ordinal]
        for batch, sizes in self._index.surviving(unit, _READ):
            labels = batch.column("label").to_pylist()
            hashes = batch.column("content_hash").to_pylist()
            drawn = self._drawer.draw(unit.category, labels, hashes)
            num_bytes = batch.column("num_bytes").to_numpy()[drawn["row"]]
            for start, end in cut_by_bytes(num_bytes, _PART_BYTES):
                part = {name: values[start:end] for name, values in drawn.items()}
                yield _drawn_batch(unit, batch, sizes, part)


def cut_by_bytes(num_bytes: Ints, most: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows that hold about `most` bytes, one row at least; all rows, in order.

    >>> list(cut_by_bytes(np.array([3, 3, 9, 1, 1]), 6))
    [(0, 2), (2, 3), (3, 5)]
    """
    ends = np.cumsum(num_bytes)
    start = 0
    while start < len(ends):
        before = int(ends[start - 1]) if start else 0
        end = max(start + 1, int(np.searchsorted(ends, before + most, side="right")))
        yield start, end
        start = end


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
    schema = CORPUS.append(pa.field(_ORDER, pa.int64())).append(pa.field(PARTITION, pa.int32()))
    columns[_ORDER] = pa.array(drawn[_ORDER])
    columns[PARTITION] = pa.array(drawn[PARTITION], pa.int32())
    return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)


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
        table: rows in the schema CORPUS and `order`, in any order; None writes an empty shard.
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
    statistics = f"{FOLDER}/statistics/{split}-{partition:05d}.parquet"
    return [*writer.entries, write_table(root, statistics, _statistics(rows, split))]


def _wide(schema: pa.Schema) -> pa.Schema:
    """The schema with 64-bit offsets for the text."""
    index = schema.get_field_index("text")
    return schema.set(index, schema.field(index).with_type(pa.large_string()))


def _statistics(rows: pa.Table, split: str) -> pa.Table:
    """Sums of a shard; copies beyond a document's first have the reason `repeated`."""
    columns = [name for name in STATISTICS.names if name in CORPUS.names]
    reason = pc.if_else(pc.greater(rows.column("copy"), 0), "repeated", "")
    table = rows.select(columns).append_column("reason", reason)
    return merge([summarise(table, {"stage": FOLDER, "outcome": split})])


@typehints.with_input_types(int)
@typehints.with_output_types(str)
class WriteShards(beam.PTransform):
    """Ordinals of units to shards, by way of the exchange."""

    def __init__(self, root: str, output: recipe.ParquetOutput, seed: int) -> None:
        """Takes the output directory with its plan, the shards there are to be, the seed."""
        super().__init__()
        self._root = root
        self._output = output.model_dump_json()
        self._seed = seed

    def expand(self, ordinals: beam.PCollection) -> beam.PCollection:
        """Draws, exchanges, writes."""
        folder = f"{temporary_folder(self._root, FOLDER)}/exchange"
        return (
            ordinals
            | "DrawDocuments" >> beam.ParDo(_DrawDocuments(self._root, self._output, self._seed))
            | "Exchange" >> ExchangeBatches(folder)
            | "WriteShard" >> beam.ParDo(_WriteShard(self._root, self._output))
        )
