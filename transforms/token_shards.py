"""Token shards: the tokens of drawn documents, as lists, packed, and as runs for Megatron's format.

Beside each dataset in Megatron's format lies a table with a row for each of its documents: that is
how a span of tokens is traced to its source and licence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from typing_extensions import Self

from glotmill.schemas.bitext import Bitext
from glotmill.schemas.manifest import FileEntry
from glotmill.schemas.mixture import Mix, dataset_part
from glotmill.schemas.output import TokenOutput
from glotmill.schemas.tables import PACKED, TOKEN_DOCUMENTS, TOKEN_ROWS
from glotmill.transforms import storage
from glotmill.transforms.compose import TOKENS
from glotmill.transforms.curriculum import SHUFFLED, Curriculum, parts_of
from glotmill.transforms.indexed_dataset import IndexedDatasetWriter, join_runs
from glotmill.transforms.packing import best_fit, concatenate, of_pieces, tokens_of
from glotmill.transforms.records import temporary_folder, write_record
from glotmill.transforms.tables import TableWriter, read_batches, read_table

FOLDER = "mix"
#: Where datasets in Megatron's format are, relative to the output.
MEGATRON = "tokens/megatron"
_RUNS = "runs"
_PACKERS = {"concatenate": concatenate, "best_fit": best_fit}
# What packed sequences say of the document of each piece: column there, and of the document.
_PIECES = {
    "labels": "label",
    "categories": "category",
    "sources": "source",
    "documents": "content_hash",
}
#: Tier of each category and label.
Tiers = Mapping[tuple[str, str], str]
# Of so many documents expected, hashes leave none with a probability of exp(-50).
_SURELY_SOME = 50
# Sequences whose tokens are brought together at a time.
_SEQUENCES = 1_024


@dataclass(frozen=True)
class Naming:
    """Which dataset a document goes to.

    Attributes:
        split: train or validation.
        by: whether there is a dataset for each category, or for each category and tier.
        tiers: of each category and label.
        stages: names of the stages of training; without any there is one shuffle.
        curriculum: where they begin.
    """

    split: str
    by: Literal["category", "tier"]
    tiers: Tiers
    stages: Sequence[str] = ()
    curriculum: Curriculum = SHUFFLED

    def tiers_of(self, rows: pa.Table) -> pa.Array:
        """The tier of each row."""
        columns = (rows.column(name).to_pylist() for name in ("category", "label"))
        return pa.array([self.tiers[key] for key in zip(*columns, strict=True)], pa.string())

    def names_of(self, rows: pa.Table) -> pa.Array:
        """The dataset of each row.

        Args:
            rows: with the columns category, tier and order.
        """
        stages = [""] * rows.num_rows
        if self.stages and self.split == "train":
            numbers = self.curriculum.stage_of(rows.column("order").to_numpy())
            stages = [self.stages[number] for number in numbers.tolist()]
        columns = (rows.column(name).to_pylist() for name in ("category", "tier"))
        names = [self.name_of(*each) for each in zip(stages, *columns, strict=True)]
        return pa.array(names, pa.string())

    def name_of(self, stage: str, category: str, tier: str) -> str:
        """The dataset of a stage of training, empty where there are none, a category and a tier."""
        parts = (self.split, stage, category, tier if self.by == "tier" else "")
        return dataset_name(*filter(None, parts))


def dataset_name(*parts: str) -> str:
    """Name of a dataset.

    >>> dataset_name("train", "bitext", "very high")
    'train-bitext-very-high'
    """
    return "-".join(map(dataset_part, parts))


def certain_datasets(
    plan: pa.Table, by: Literal["category", "tier"], mix: Mix, bitext: Bitext
) -> set[str]:
    """Names of the train datasets for which so much is planned that none of them stays empty.

    Args:
        plan: in the schema PLAN.
        by: as `Naming` has it.
        mix: of the recipe.
        bitext: of the recipe.
    """
    naming = Naming("train", by, {})
    expected: dict[str, float] = {}
    for row in plan.filter(pc.greater(plan.column("planned_count"), 0)).to_pylist():
        category = row["category"]
        documents = _planned_documents(row, mix.counted)
        if category == "bitext":  # which the plan counts in pairs
            documents /= bitext.pairs_per_document
        parts = parts_of(mix.stages, category) if mix.stages else [1.0]
        for stage, part in zip([each.name for each in mix.stages] or [""], parts, strict=True):
            name = naming.name_of(stage, category, row["tier"])
            expected[name] = expected.get(name, 0.0) + documents * part
    return {name for name, number in expected.items() if number >= _SURELY_SOME}


def _planned_documents(row: Mapping[str, Any], counted: str) -> float:
    """About how many documents of a label are drawn, by their mean size."""
    return float(row["num_documents"] * row["planned_count"] / (row[counted] or 1))


def dataset_prefix(name: str) -> str:
    """Prefix of a dataset's `.bin` and `.idx`, relative to the output."""
    return f"{MEGATRON}/{name}_text_document"


def documents_path(name: str) -> str:
    """Path of the table of a dataset's documents, relative to the output."""
    return f"{MEGATRON}/{name}.documents.parquet"


class TokenShard(ExitStack):
    """Writes the tokens of one shard; used as a context manager, which closes what it opened."""

    def __init__(self, root: str, options: TokenOutput, name: str, naming: Naming) -> None:
        """Takes what there is to know.

        Args:
            root: the output directory.
            options: of the recipe.
            name: of the shard.
            naming: of the datasets.
        """
        super().__init__()
        self._root = root
        self._options = options
        self._name = name
        self._naming = naming
        self._datasets: dict[str, _Run] = {}
        self._parquet = self._table(
            "parquet", TOKEN_ROWS, wanted="parquet" in self._options.formats
        )
        self._packed = self._table("packed", PACKED, wanted=bool(self._options.sequence_length))
        self._pending: list[pa.Table] = []

    def _table(self, kind: str, schema: pa.Schema, *, wanted: bool) -> TableWriter | None:
        path = f"tokens/{kind}/{self._name}.parquet"
        return TableWriter(self._root, path, schema) if wanted else None

    def __enter__(self) -> Self:
        for writer in (self._parquet, self._packed):
            if writer is not None:
                self.enter_context(writer)
        return self

    def write(self, part: pa.RecordBatch) -> None:
        """Appends documents in their order, with the columns of CORPUS and their tokens."""
        rows = pa.Table.from_batches([part])
        rows = rows.filter(pc.greater(rows.column("num_tokens"), 0))  # no format knows empty ones
        rows = rows.append_column("tier", self._naming.tiers_of(rows))
        rows = rows.append_column("dataset", self._naming.names_of(rows))
        if self._parquet is not None:
            _write(self._parquet, rows.append_column("input_ids", rows.column(TOKENS)), TOKEN_ROWS)
        if "megatron" in self._options.formats:
            self._write_runs(rows)
        if self._packed is not None:
            self._pending.append(rows.select([TOKENS, "num_tokens", *_PIECES.values()]))

    def end_piece(self) -> None:
        """Packs what was written since the last piece ended."""
        if self._packed is None or self._options.sequence_length is None or not self._pending:
            return
        rows = pa.concat_tables(self._pending)
        self._pending = []
        wide = rows.column(TOKENS).cast(pa.large_list(rows.schema.field(TOKENS).type.value_type))
        tokens = wide.combine_chunks()
        lengths = rows.column("num_tokens").to_numpy()
        packing = _PACKERS[self._options.packing](lengths, self._options.sequence_length)
        about = {name: rows.column(of).combine_chunks() for name, of in _PIECES.items()}
        for first in range(0, packing.num_sequences, _SEQUENCES):
            part = packing.part(first, min(first + _SEQUENCES, packing.num_sequences))
            columns = {
                "input_ids": tokens_of(part, tokens),
                "document_lengths": pa.ListArray.from_arrays(
                    part.offsets.astype(np.int32), part.lengths.astype(np.int32)
                ),
                **{name: of_pieces(part, values) for name, values in about.items()},
            }
            _write(self._packed, pa.table(columns), PACKED)

    def _write_runs(self, rows: pa.Table) -> None:
        for name in rows.column("dataset").unique().to_pylist():
            own = rows.filter(pc.equal(rows.column("dataset"), name))
            if name not in self._datasets:
                run = _Run(self._root, name, self._name, own.schema.field(TOKENS).type)
                self._datasets[name] = self.enter_context(run)
            self._datasets[name].write(own)

    def entries(self) -> list[FileEntry]:
        """The finished files; runs are not among them, as they are joined and deleted."""
        writers = [w for w in (self._parquet, self._packed) if w is not None]
        return [entry for writer in writers for entry in writer.entries]


def read_tiers(root: str, plan_path: str) -> Tiers:
    """The tiers of the plan of a run."""
    rows = read_table(f"{root}/{plan_path}", ["category", "label", "tier"]).to_pylist()
    return {(row["category"], row["label"]): row["tier"] for row in rows}


def _write(writer: TableWriter, rows: pa.Table, schema: pa.Schema) -> None:
    for batch in rows.select(schema.names).cast(schema).combine_chunks().to_batches():
        writer.write(batch)


class _Run(ExitStack):
    """The documents of one shard that go into one dataset."""

    def __init__(self, root: str, dataset: str, shard: str, tokens: pa.DataType) -> None:
        super().__init__()
        folder = f"{temporary_folder('', FOLDER).lstrip('/')}/{_RUNS}/{dataset}"
        dtype = np.dtype(str(tokens.value_type))
        self._tokens = IndexedDatasetWriter(root, f"{folder}/{shard}", dtype)
        self._rows = TableWriter(root, f"{folder}/{shard}.documents.parquet", TOKEN_DOCUMENTS)

    def __enter__(self) -> Self:
        self.enter_context(self._tokens)
        self.enter_context(self._rows)
        return self

    def write(self, rows: pa.Table) -> None:
        self._tokens.append(rows.column(TOKENS))
        _write(self._rows, rows, TOKEN_DOCUMENTS)


def runs_of(root: str) -> dict[str, list[str]]:
    """Prefixes of the runs of each dataset, relative to the output, in the order of the shards."""
    folder = f"{temporary_folder(root, FOLDER)}/{_RUNS}"
    try:
        found = sorted(file.path for file in storage.match(f"{storage.escape(folder)}/**.idx"))
    except LookupError:
        return {}
    runs: dict[str, list[str]] = {}
    for path in found:
        prefix = path.removesuffix(".idx").removeprefix(f"{root}/")
        runs.setdefault(prefix.split("/")[-2], []).append(prefix)
    return runs


class JoinDatasets:
    """Joins the runs of a dataset: work on numbers of datasets instead of units."""

    def __init__(self, root: str, names: Sequence[str]) -> None:
        """Takes the output directory and the names of the datasets."""
        self._root = root
        self._names = list(names)

    def setup(self) -> None:
        """Finds the runs."""
        self._runs = runs_of(self._root)

    def __call__(self, ordinal: int) -> str:
        """Joins a dataset and the table of its documents; gives the path of the record."""
        name = self._names[ordinal]
        runs = self._runs[name]
        entries = join_runs(self._root, runs, dataset_prefix(name))
        with TableWriter(self._root, documents_path(name), TOKEN_DOCUMENTS) as writer:
            for run in runs:
                for batch in read_batches(f"{self._root}/{run}.documents.parquet"):
                    writer.write(batch)
        return write_record(self._root, FOLDER, f"dataset-{name}", [*entries, *writer.entries])
