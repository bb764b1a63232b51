"""Stage `mix`: counts to a plan, the plan to exact rates, the rates to shards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from glotmill.pipelines import build
from glotmill.pipelines.plan import mean_weights_of, refuse_infeasible
from glotmill.pipelines.progress import State
from glotmill.pipelines.stages.base import Job, Manifests, Written, statistics_of
from glotmill.pipelines.stages.compose import included_units
from glotmill.pipelines.stages.training import (
    delete_training,
    refuse_many_datasets,
    write_training,
)
from glotmill.pipelines.unit_keys import fingerprint
from glotmill.schemas.manifest import FileEntry
from glotmill.schemas.mixture import EVERY_DOMAIN
from glotmill.schemas.tables import RATES
from glotmill.schemas.wording import counted
from glotmill.transforms import storage
from glotmill.transforms.cluster_sizes import PATH as CLUSTER_SIZES_PATH
from glotmill.transforms.compose import AVAILABLE_PATH
from glotmill.transforms.directions import FOLDER as DIRECTIONS_FOLDER
from glotmill.transforms.findings import FINDINGS_PATH, findings_json, some_of
from glotmill.transforms.fit import (
    RATES_PATH,
    WriteEvents,
    WriteHistograms,
    histograms,
    read_look,
    settled_rates,
    targets_of,
    write_brackets,
)
from glotmill.transforms.mix import CountDirections
from glotmill.transforms.plan import PLAN_CSV_PATH, PLAN_PATH, MixturePlan, plan_csv, plan_mixture
from glotmill.transforms.realised import FOLDER as DRAWN_FOLDER
from glotmill.transforms.realised import PATH as REALISED_PATH
from glotmill.transforms.realised import findings_of_drawn, merge_drawn, realised
from glotmill.transforms.records import read_records, records_folder
from glotmill.transforms.rehydrate import PATH as REHYDRATION_PATH
from glotmill.transforms.rehydrate import rehydration
from glotmill.transforms.shards import num_shards, shard_path, write_shard
from glotmill.transforms.split import read_splitter
from glotmill.transforms.tables import read_table, write_file, write_table
from glotmill.transforms.token_shards import JoinDatasets, runs_of
from glotmill.transforms.unit_index import UnitIndex

#: Raised by one whenever the stage gives other output for the same recipe and input.
VERSION = 10
# What one worker reads, draws and writes in the time another takes to start.
_TEXT_BYTES_PER_WORKER = 256 * 2**20
# Documents at whose draws one worker looks in that time.
_DRAWS_PER_WORKER = 20_000_000
# Text, and tokens, of a piece of a shard: what is sorted in memory at a time.
_PIECE_BYTES = 128 * 2**20
# Tokens that one worker joins in the time another takes to start.
_JOINED_PER_WORKER = 2**30


class MixStage:
    """Draws documents by the plan and writes them shuffled into shards."""

    name: ClassVar[str] = "mix"
    folders: ClassVar[Sequence[str]] = (
        "mix/statistics",
        DRAWN_FOLDER,
        DIRECTIONS_FOLDER,
        "shards",
        "tokens",
    )

    def key(self, job: Job, before: str) -> str:
        """Options, what the sources add to each row, and what files for training say."""
        recipe = job.lock.recipe
        options = recipe.model_dump(mode="json", include={"mix", "output", "seed"})
        if recipe.output.tokens is not None:
            options["output"]["tokens"].pop("tokenizer")  # `compose` knows it by its content
            options["name"] = recipe.name
        sources = [(s.name, s.category, s.domain, s.licence) for s in recipe.sources]
        return fingerprint([VERSION, before, options, sources])

    def work(self, job: Job, before: Manifests) -> Written:
        """Makes the plan, then the shards."""
        output = job.lock.recipe.output
        total = num_shards(output.parquet)
        look = _Look(job.root, self.name)
        job.progress.started(self.name, total=total, unit="shards", look=look)
        delete_training(job.root)
        files, plan = self._plan(job, before)
        pieces = _num_pieces(job, plan)
        num_bytes = before["ingest"].counts["text_bytes"]
        ordinals = included_units(job)
        workers = job.workers_for(len(ordinals), num_bytes, _TEXT_BYTES_PER_WORKER)
        job.run(lambda p: build.mix(p, job.lock, job.root, ordinals, pieces), workers)
        _count_left_out(job, before)
        _join(job, before)
        files += read_records(job.root, self.name)
        there = {entry.path for entry in files}
        for number in range(total):  # into some nothing may have been drawn
            if shard_path(output.parquet, number) not in there:
                files += write_shard(job.root, output, number, ())
        drawn = _drawn(job.root, files)
        mix = job.lock.recipe.mix
        rates = _realised_rates(read_table(f"{job.root}/{RATES_PATH}"), drawn, mix.counted)
        counts = realised(plan.plan, drawn, mix.count_by)
        findings = [*plan.findings, *findings_of_drawn(counts, rates, plan.budget, mix)]
        files += [
            write_table(job.root, RATES_PATH, rates),
            write_table(job.root, REALISED_PATH, counts),
            write_file(job.root, FINDINGS_PATH, findings_json(findings), len(findings)),
        ]
        files += write_training(job.root, job.lock.recipe, files, plan.plan, drawn)
        files = sorted(files, key=lambda entry: entry.path)
        return files, {split: _rows(files, split) for split in ("train", "validation")}

    def _plan(self, job: Job, before: Manifests) -> tuple[list[FileEntry], MixturePlan]:
        """The plan and the exact rates, written."""
        recipe = job.lock.recipe
        files = _rehydrate(job)
        plan = plan_mixture(
            read_table(f"{job.root}/{AVAILABLE_PATH}"),
            recipe.mix,
            mean_weights_of(job.root, recipe.mix),
            read_splitter(job.root).thresholds,
        )
        refuse_infeasible(plan, recipe.mix, job.position, _all_dropped(job, before))
        refuse_many_datasets(recipe, plan.plan)
        rates = _exact_rates(job, plan.rates)
        write_table(job.root, RATES_PATH, rates)
        files += [
            write_table(job.root, PLAN_PATH, plan.plan),
            write_file(job.root, PLAN_CSV_PATH, plan_csv(plan.plan), plan.plan.num_rows),
        ]
        return files, plan


def _all_dropped(job: Job, before: Manifests) -> str:
    """What ingest dropped texts for, as a sentence, where it kept none; empty where it kept some.

    Where it dropped none there was nothing to read, or no record was readable.
    """
    counts = before["ingest"].counts
    if counts["kept"] or not counts["dropped"]:
        return ""
    statistics = statistics_of(job.root, "ingest", before["ingest"].files)
    dropped = statistics.filter(pc.equal(statistics.column("outcome"), "dropped"))
    sums = dropped.group_by("reason").aggregate([("num_documents", "sum")])
    sums = sums.sort_by([("num_documents_sum", "descending"), ("reason", "ascending")])
    reasons = [f"{row['reason']} {row['num_documents_sum']:,}" for row in sums.to_pylist()]
    told = f"{counted(counts['dropped'], 'text was', 'texts were')} dropped ({some_of(reasons)})"
    return f"no text is left: {told}; 'glotmill inspect {job.root} --reason REASON' shows some"


def _rehydrate(job: Job) -> list[FileEntry]:
    """Writes the weights by size of cluster."""
    storage.delete([f"{job.root}/{REHYDRATION_PATH}"])
    mix = job.lock.recipe.mix
    if mix.rehydrate is None:
        return []
    sizes = read_table(f"{job.root}/{CLUSTER_SIZES_PATH}")
    return [write_table(job.root, REHYDRATION_PATH, rehydration(mix.rehydrate, sizes, mix.exclude))]


def _exact_rates(job: Job, planned: pa.Table) -> pa.Table:
    """The rates at which what is drawn meets its targets; looks at all documents twice."""
    write_table(job.root, RATES_PATH, planned)  # which the looks read
    targets = targets_of(planned)
    column = job.lock.recipe.mix.counted
    ordinals = included_units(job)
    available = read_table(f"{job.root}/{AVAILABLE_PATH}", ["num_documents"])
    num_documents = sum(available.column("num_documents").to_pylist())
    look = (ordinals, num_documents, _DRAWS_PER_WORKER)
    job.each_unit(WriteHistograms(job.root, column), *look)
    found = histograms(read_look(job.root, "histogram"))
    write_brackets(job.root, targets, found)
    job.each_unit(WriteEvents(job.root, column), *look)
    settled = settled_rates(targets, found, read_look(job.root, "events"))
    rows = planned.to_pylist()
    for row in rows:
        label = (row["category"], row["label"])
        row["rate"], _ = settled.get((*label, row["domain"])) or settled[(*label, EVERY_DOMAIN)]
    return pa.Table.from_pylist(rows, schema=RATES)


def _realised_rates(rates: pa.Table, drawn: pa.Table, column: str) -> pa.Table:
    """The rates with what was drawn at them."""
    train = drawn.filter(pc.equal(drawn.column("split"), "train"))
    sums: dict[tuple[str, str, str], int] = {}
    for row in train.select(["category", "label", "domain", column]).to_pylist():
        group = (row["category"], row["label"], row["domain"])
        sums[group] = sums.get(group, 0) + row[column]
    rows = rates.to_pylist()
    for row in rows:
        row["realised"] = sums.get((row["category"], row["label"], row["domain"]), 0)
    return pa.Table.from_pylist(rows, schema=RATES)


def _num_pieces(job: Job, plan: MixturePlan) -> int:
    """Pieces of a shard, so that one of them fits into memory with all that sorting it takes."""
    output = job.lock.recipe.output
    width = 0 if output.tokens is None else 4
    num_bytes = sum(
        row["epochs"] * (row["num_bytes"] + width * (row["num_tokens"] or 0))
        for row in plan.plan.to_pylist()
    )
    return max(1, math.ceil(num_bytes / output.parquet.shards / _PIECE_BYTES))


def _count_left_out(job: Job, before: Manifests) -> None:
    """Counts the pairs by direction that the mixture leaves out: they are there all the same."""
    if "bitext" in job.lock.recipe.mix.exclude:
        index = UnitIndex(job.root, before["deduplicate"])
        units = [unit for unit in index.units if unit.category == "bitext"]
        num_pairs = sum(unit.num_rows for unit in units)
        ordinals = [unit.ordinal for unit in units]
        job.each_unit(CountDirections(job.root), ordinals, num_pairs, _DRAWS_PER_WORKER)


def _join(job: Job, before: Manifests) -> None:
    """Joins what the shards left of each dataset in Megatron's format."""
    tokens = job.lock.recipe.output.tokens
    if tokens is None or "megatron" not in tokens.formats:
        return
    names = sorted(runs_of(job.root))
    work = JoinDatasets(job.root, names)
    job.each_unit(work, range(len(names)), before["compose"].counts["tokens"], _JOINED_PER_WORKER)


def _drawn(root: str, files: Sequence[FileEntry]) -> pa.Table:
    """Sums over the rows of all shards."""
    paths = [file.path for file in files if file.path.startswith(f"{DRAWN_FOLDER}/")]
    return merge_drawn(read_table(f"{root}/{path}") for path in paths)


def _rows(files: Sequence[FileEntry], split: str) -> int:
    return sum(file.num_rows for file in files if file.path.startswith(f"shards/{split}-"))


class _Look:
    """Counts finished shards."""

    def __init__(self, root: str, stage: str) -> None:
        # Records of shards are named by their number.
        self._pattern = f"{storage.escape(records_folder(root, stage))}/[0-9]*.json"

    def __call__(self) -> State:
        try:
            return State(len(storage.match(self._pattern)), 0)
        except LookupError:
            return State(0, 0)
