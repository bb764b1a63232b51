"""Compose: what may be drawn of each unit, counted and tokenized once.

What comes out is a file a unit, one row a drawable, and sums by group: of these the plan is made,
and among those rows the mixture draws. No text is in it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from glotmill.schemas import recipe
from glotmill.schemas.manifest import FileEntry
from glotmill.schemas.tables import AVAILABLE, COUNTS, DRAWABLE_SIZES, DRAWABLES
from glotmill.transforms.drawables import Drawables, path_of
from glotmill.transforms.draws import sample_draw
from glotmill.transforms.fertility import SideSample
from glotmill.transforms.records import write_record
from glotmill.transforms.split import read_splitter
from glotmill.transforms.tables import TableWriter, write_table
from glotmill.transforms.tokenize import TextTokenizer, list_type
from glotmill.transforms.unit_index import IndexedUnit

FOLDER = "compose"
AVAILABLE_PATH = "compose/available.parquet"
#: The same by size of cluster, of what training may draw.
SIZES_PATH = "compose/cluster_sizes.parquet"
#: Where each unit leaves its sums, and of which kinds they are.
PARTS_FOLDER = "compose/parts"
PARTS = {"available": AVAILABLE, "cluster_sizes": DRAWABLE_SIZES}

TOKENS = "tokens"
_SUMS = ("num_documents", *COUNTS, "num_tokens", "num_fallback_tokens")


class ComposeUnits:
    """Writes the drawables of a unit, and their sums."""

    def __init__(self, root: str, bitext: str, tokens: str | None, seed: int) -> None:
        """Takes what there is to know.

        Args:
            root: the output directory, after the split.
            bitext: the recipe's section, as JSON.
            tokens: the recipe's section, as JSON; None where nothing is tokenized.
            seed: of the recipe.
        """
        self._root = root
        self._bitext = bitext
        self._tokens = tokens
        self._seed = seed

    def setup(self) -> None:
        """Loads the tokenizer and reads the index of the units."""
        bitext = recipe.Bitext.model_validate_json(self._bitext)
        splitter = read_splitter(self._root)
        self._drawables = Drawables(self._root, splitter, bitext, self._seed)
        self._tokenizer = None
        if self._tokens is not None:
            options = recipe.TokenOutput.model_validate_json(self._tokens)
            self._tokenizer = TextTokenizer(options)
        self._schema = drawables_schema(self._tokenizer)

    def __call__(self, ordinal: int) -> str:
        """Composes a unit; gives the path of its record."""
        unit = self._drawables.unit(ordinal)
        sample = SideSample(self._tokenizer) if self._tokenizer else None
        sums = Sums(unit)
        lost: dict[str, npt.NDArray[np.int64]] = {}
        with TableWriter(self._root, path_of(unit), self._schema) as writer:
            for batch in self._drawables.batches(
                unit,
                text=self._tokenizer is not None,
                watch=sample.look if sample else None,
                lost=lost,
            ):
                rows = self._row_batch(batch)
                sums.add(rows)
                writer.write(rows)
        entries = writer.entries
        if not entries:
            entries = [write_table(self._root, path_of(unit), self._schema.empty_table())]
        parts = {"available": sums.available(), "cluster_sizes": sums.cluster_sizes()}
        if sample is not None and unit.category == "bitext":
            parts["fertility"] = sample.table()
        for name, table in parts.items():
            path = f"{PARTS_FOLDER}/{name}-{unit.key}.parquet"
            entries.append(write_table(self._root, path, table))
        if lost:
            entries.append(self._write_lost(unit, lost))
        return write_record(self._root, FOLDER, unit.key, entries)

    def _write_lost(self, unit: IndexedUnit, lost: dict[str, npt.NDArray[np.int64]]) -> FileEntry:
        """Counts the pairs that no document holds."""
        reasons = pa.array(np.repeat(list(lost), [len(rows) for rows in lost.values()]))
        rows = np.concatenate(list(lost.values()))
        statistics = self._drawables.excluded(unit, rows, reasons)
        return write_table(self._root, f"{FOLDER}/statistics/lost-{unit.key}.parquet", statistics)

    def _row_batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows of drawables, tokenized where a tokenizer is named."""
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        columns["draw"] = pa.array(draws_of(batch, self._seed), pa.int64())
        if self._tokenizer is None:
            columns["num_tokens"] = columns["num_fallback_tokens"] = _zeros(batch.num_rows)
        else:
            found = self._tokenizer.tokenize(columns["text"].to_pylist())
            columns[TOKENS] = found.tokens
            columns["num_tokens"] = pa.array(found.num_tokens)
            columns["num_fallback_tokens"] = pa.array(found.num_fallback)
        arrays = [columns[name] for name in self._schema.names]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)


def draws_of(batch: pa.RecordBatch, seed: int) -> list[int]:
    """The draw of each drawable: of pairs that are written both ways one for both.

    They are then drawn together at any rate, and `again` is right of what is drawn.

    Args:
        batch: with the columns content_hash and again; what is there again follows the first.
        seed: of the recipe.
    """
    draws: list[int] = []
    columns = (batch.column(name).to_pylist() for name in ("content_hash", "again"))
    for content_hash, again in zip(*columns, strict=True):
        draws.append(draws[-1] if again else sample_draw(seed, content_hash))
    return draws


def _zeros(num_rows: int) -> pa.Array:
    return pa.array(np.zeros(num_rows, np.int64))


def drawables_schema(tokenizer: TextTokenizer | None) -> pa.Schema:
    """Schema of a unit's drawables, with a column of tokens where there is a tokenizer."""
    if tokenizer is None:
        return DRAWABLES
    return DRAWABLES.append(pa.field(TOKENS, list_type(tokenizer.dtype), nullable=False))


class Sums:
    """Sums over the drawables of a unit."""

    def __init__(self, unit: IndexedUnit) -> None:
        """Takes the unit."""
        self._about = {"category": unit.category, "domain": unit.domain or ""}
        self._tables: list[pa.Table] = []

    def add(self, rows: pa.RecordBatch) -> None:
        """Adds drawables."""
        names = ["label", "held_out", "again", "cluster_size", *_SUMS[1:]]
        table = pa.table([rows.column(n) for n in [*names, "num_pairs"]], [*names, "num_documents"])
        keys = ["label", "held_out", "again", "cluster_size"]
        self._tables.append(_summed([table], keys))

    def available(self) -> pa.Table:
        """By label and split, in the schema AVAILABLE."""
        table = _summed(self._tables, ["label", "held_out", "again"])
        held_out = table.column("held_out") if table.num_rows else pa.array([], pa.bool_())
        split = pc.if_else(held_out, "validation", "train")
        return self._shaped(table, AVAILABLE, split=split)

    def cluster_sizes(self) -> pa.Table:
        """Of training by label and size of cluster, in the schema DRAWABLE_SIZES."""
        tables = [t.filter(pc.invert(t.column("held_out"))) for t in self._tables]
        return self._shaped(_summed(tables, ["label", "cluster_size"]), DRAWABLE_SIZES)

    def _shaped(self, table: pa.Table, schema: pa.Schema, **more: pa.Array) -> pa.Table:
        if not table.num_rows:
            return schema.empty_table()
        constants = {name: pa.repeat(value, table.num_rows) for name, value in self._about.items()}
        columns = dict(zip(table.schema.names, table.columns, strict=True)) | constants | more
        return pa.table([columns[name] for name in schema.names], schema=schema)


def _summed(tables: Iterable[pa.Table], keys: list[str]) -> pa.Table:
    """Tables added up by keys."""
    tables = list(tables)
    if not tables:
        return pa.table({})
    summed = pa.concat_tables(tables).group_by(keys).aggregate([(name, "sum") for name in _SUMS])
    return summed.rename_columns([name.removesuffix("_sum") for name in summed.schema.names])


def merge_parts(tables: Iterable[pa.Table], schema: pa.Schema) -> pa.Table:
    """The sums of all units, in the order of their keys."""
    keys = [name for name in schema.names if name not in _SUMS]
    table = _summed([schema.empty_table(), *tables], keys)
    ordered = table.sort_by([(name, "ascending") for name in keys])
    return ordered.select(schema.names).cast(schema)
