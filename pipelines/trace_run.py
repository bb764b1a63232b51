"""A run, opened to look things up in it: its lock, its manifests, its draws."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from glotmill.dashboard.statistics import read_lock
from glotmill.pipelines.errors import UserError
from glotmill.pipelines.trace_model import Origin
from glotmill.schemas.lock import Lock
from glotmill.schemas.manifest import Manifest
from glotmill.schemas.output import TokenOutput
from glotmill.schemas.training import TRAINING, Training, TrainingFileError, load_training
from glotmill.transforms import storage
from glotmill.transforms.curriculum import Curriculum, read_curriculum
from glotmill.transforms.draws import DRAWS
from glotmill.transforms.mix import Drawer, Shuffle, read_rates
from glotmill.transforms.plan import PLAN_PATH
from glotmill.transforms.rehydrate import read_weights
from glotmill.transforms.token_shards import Naming, read_tiers
from glotmill.transforms.tokenize import TextTokenizer
from glotmill.transforms.tokenizers.base import Tokenizer, TokenizerError
from glotmill.transforms.tokenizers.load import load_tokenizer
from glotmill.transforms.unit_index import UnitIndex, read_manifest

STAGES = ("ingest", "deduplicate", "compose", "mix")


class Run:
    """A run whose ingest, at least, is finished.

    Attributes:
        root: the output directory.
        lock: the recipe and its inputs.
        manifests: of the stages that are finished, up to the first that is not.
        index: of the units.
    """

    def __init__(self, root: str) -> None:
        """Opens a run.

        Raises:
            UserError: there is no finished ingest.
        """
        self.root = root
        self.manifests: dict[str, Manifest] = {}
        for stage in STAGES:
            manifest = read_manifest(root, stage)
            if manifest is None:
                break
            self.manifests[stage] = manifest
        if "ingest" not in self.manifests:
            hint = f"'glotmill run RECIPE --out {root}' makes one"
            raise UserError(f"no finished ingest in {root}; {hint}")
        self.lock: Lock = read_lock(root)
        self.index = UnitIndex(root, self.manifests.get("deduplicate"))

    def has(self, stage: str) -> bool:
        """Whether a stage is finished, and all before it."""
        return stage in self.manifests

    @cached_property
    def unfinished(self) -> str:
        """The first stage that is not finished; "" where all are."""
        return next((stage for stage in STAGES if stage not in self.manifests), "")

    @cached_property
    def files(self) -> dict[str, int]:
        """Rows of every file of the finished stages, by path."""
        return {f.path: f.num_rows for m in self.manifests.values() for f in m.files}

    def origin(self, row: Mapping[str, Any]) -> Origin:
        """Where a record stood, from a row with the columns of RECORDS."""
        path, input_format = self._inputs.get((row["source"], row["path"]), (None, ""))
        counted = {"parquet": "rows", "messages": "messages"}.get(input_format, "bytes")
        optional = {name: row.get(name) for name in ("external_id", "url", "original_code")}
        return Origin(
            **optional,
            source=row["source"],
            path=row["path"],
            offset=row["offset"],
            input=path,
            licence=self._licences.get(row["source"]),
            counted_in=counted,  # type: ignore[arg-type]
        )

    @cached_property
    def _inputs(self) -> dict[tuple[str, str], tuple[str, str]]:
        return {(each.source, each.name): (each.path, each.format) for each in self.lock.inputs}

    @cached_property
    def _licences(self) -> dict[str, str | None]:
        return {source.name: source.licence for source in self.lock.recipe.sources}

    @cached_property
    def curriculum(self) -> Curriculum:
        """Where the copies of each category go."""
        return read_curriculum(self.root, self.lock.recipe.mix.stages)

    @cached_property
    def rates(self) -> Mapping[tuple[str, str, str], tuple[float, float]]:
        """Rate and most epochs of each category, label and domain."""
        return read_rates(self.root)

    @cached_property
    def drawer(self) -> Drawer:
        """Draws again what the mixture has drawn; a partition is a shard."""
        output = self.lock.recipe.output.parquet
        shuffle = Shuffle(output.shards, output.validation_shards)
        weights = read_weights(self.root)
        return Drawer(self.rates, shuffle, self.lock.recipe.seed, weights, self.curriculum)

    def naming(self, split: str) -> Naming | None:
        """Which dataset a document goes to; None where no datasets were written."""
        tokens = self.lock.recipe.output.tokens
        if tokens is None or "megatron" not in tokens.formats:
            return None
        stages = [stage.name for stage in self.lock.recipe.mix.stages]
        return Naming(split, tokens.datasets, self._tiers, stages, self.curriculum)

    @cached_property
    def _tiers(self) -> Mapping[tuple[str, str], str]:
        return read_tiers(self.root, PLAN_PATH)

    def fraction(self, order: int, split: str) -> float:
        """About how far into a dataset a place in the corpus is, in [0, 1)."""
        place = order / DRAWS
        if split == "train" and self.lock.recipe.mix.stages:
            starts = self.curriculum.starts
            stage = int(self.curriculum.stage_of(np.array([order]))[0])
            place = (place - starts[stage]) / (starts[stage + 1] - starts[stage])
        return place

    @cached_property
    def training(self) -> Training:
        """The token files.

        Raises:
            UserError: there are none, or they are not on this machine.
        """
        if self.lock.recipe.output.tokens is None:
            raise UserError(f"{self.root} holds no tokens: its recipe has no 'output.tokens'")
        if not storage.is_local(self.root):
            raise UserError(f"token files are mapped into memory; copy {self.root} here first")
        try:
            return load_training(f"{self.root}/{TRAINING}")
        except TrainingFileError as error:
            raise UserError(str(error)) from None

    @cached_property
    def decoder(self) -> Tokenizer:
        """The tokenizer that lies beside the tokens, to turn them into text.

        Raises:
            UserError: it cannot be loaded.
        """
        options = self._local_tokenizer
        try:
            # The other back ends are faster at encoding, and are tried out before they are used.
            return load_tokenizer(options.tokenizer, backend="reference", encoding=options.encoding)
        except TokenizerError as error:
            raise UserError(str(error)) from None

    @cached_property
    def tokenizer(self) -> TextTokenizer:
        """The same, to tokenize texts as the run did."""
        try:
            return TextTokenizer(self._local_tokenizer)
        except TokenizerError as error:
            raise UserError(str(error)) from None

    @property
    def _local_tokenizer(self) -> TokenOutput:
        path = f"{self.root}/{self.training.tokenizer.path}"
        options = self.lock.recipe.output.tokens or TokenOutput(tokenizer=path)
        return options.model_copy(update={"tokenizer": path})


def find_row(path: str, wanted: Mapping[str, object], fraction: float) -> int | None:
    """The number of the first row found with some values; None where there is none.

    Row groups are looked at from the nearest to where it should be, so that of a large file one or
    two are read.

    Args:
        path: of a Parquet file.
        wanted: column to value.
        fraction: where in the file it should be, in [0, 1).
    """
    if not storage.exists(path):
        return None
    with storage.open_input(path) as source:
        file = pq.ParquetFile(source)
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        ends = np.cumsum(sizes)
        nearest = int(np.searchsorted(ends, int(fraction * sum(sizes)), side="right"))
        for number in sorted(range(len(sizes)), key=lambda each: abs(each - nearest)):
            table = file.read_row_group(number, columns=list(wanted))
            rows = np.flatnonzero(_matches(table, wanted))
            if len(rows):
                return int(ends[number]) - sizes[number] + int(rows[0])
    return None


def _matches(table: pa.Table, wanted: Mapping[str, object]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    found = np.ones(table.num_rows, bool)
    for name, value in wanted.items():
        column = table.column(name).combine_chunks()
        values = pa.array([value], column.type)
        found &= np.asarray(pa.compute.is_in(column, value_set=values))
    return found
