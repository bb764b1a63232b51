"""Stage `mix`: counts to a plan, the plan to shards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import pyarrow.compute as pc

from glotmill.pipelines import build
from glotmill.pipelines.progress import State
from glotmill.pipelines.stages.base import Job, Manifests, Written, statistics_of
from glotmill.pipelines.stages.deduplicate import hash_workers
from glotmill.pipelines.units import fingerprint
from glotmill.schemas.manifest import FileEntry
from glotmill.transforms import storage
from glotmill.transforms.cluster_sizes import PATH as SIZES_PATH
from glotmill.transforms.directions import FOLDER as DIRECTIONS_FOLDER
from glotmill.transforms.mix import PLAN_PATH, num_partitions, shard_path, write_shard
from glotmill.transforms.plan import Group, available, held_out_counts, make_plan, plan_csv
from glotmill.transforms.pseudo_documents import plan_of_pairs
from glotmill.transforms.records import read_records, records_folder
from glotmill.transforms.rehydrate import PATH as REHYDRATION_PATH
from glotmill.transforms.rehydrate import Weights, mean_weights, rehydration
from glotmill.transforms.split import read_thresholds
from glotmill.transforms.tables import read_table, write_table

#: Raised by one whenever the stage gives other output for the same recipe and input.
VERSION = 3
# What one worker reads, draws and writes in the time another takes to start.
_TEXT_BYTES_PER_WORKER = 256 * 2**20


class MixStage:
    """Draws documents by tier and writes them shuffled into shards."""

    name: ClassVar[str] = "mix"
    folders: ClassVar[Sequence[str]] = ("mix/statistics", DIRECTIONS_FOLDER, "shards")

    def key(self, job: Job, before: str) -> str:
        """Options, and what the sources add to each row."""
        recipe = job.lock.recipe
        parts = {"mix", "output", "seed"}
        if any(source.category == "bitext" for source in recipe.sources):
            parts.add("bitext")
        options = recipe.model_dump(mode="json", include=parts)
        sources = [(s.name, s.category, s.domain, s.licence) for s in recipe.sources]
        return fingerprint([VERSION, before, options, sources])

    def work(self, job: Job, before: Manifests) -> Written:
        """Makes the plan, then the shards."""
        output = job.lock.recipe.output.parquet
        num_shards = num_partitions(output)
        look = _Look(job.root, self.name)
        job.progress.started(self.name, total=num_shards, unit="shards", look=look)
        files = self._plan(job, before)
        num_bytes = before["ingest"].counts["text_bytes"]
        workers = job.workers_for(len(job.lock.units), num_bytes, _TEXT_BYTES_PER_WORKER)
        job.run(lambda p: build.mix(p, job.lock, job.root), workers)
        files += read_records(job.root, self.name)
        there = {entry.path for entry in files}
        for partition in range(num_shards):  # into some nothing may have been drawn
            if shard_path(output, partition) not in there:
                files += write_shard(job.root, output, partition, None)
        files = sorted(files, key=lambda entry: entry.path)
        return files, {split: _rows(files, split) for split in ("train", "validation")}

    def _plan(self, job: Job, before: Manifests) -> list[FileEntry]:
        recipe = job.lock.recipe
        category_of = {source.name: source.category for source in recipe.sources}
        ingested = statistics_of(job.root, "ingest", before["ingest"].files)
        kept = ingested.filter(pc.equal(ingested.column("outcome"), "kept"))
        removed = statistics_of(job.root, "deduplicate", before["deduplicate"].files)
        counts = available(kept, removed, category_of)
        wanted = held_out_counts(counts, recipe.mix)
        thresholds = {}
        if any(wanted.values()):
            workers = hash_workers(job, before)
            job.run(lambda p: build.split(p, job.lock, job.root, wanted), workers)
            thresholds = read_thresholds(job.root)
        files, weights = _rehydrate(job)
        plan = plan_of_pairs(make_plan(counts, thresholds, recipe.mix, weights), recipe.bitext)
        csv, path = plan_csv(plan), PLAN_PATH.replace(".parquet", ".csv")
        sha256 = storage.write_atomically(f"{job.root}/{path}", csv)
        return [
            *files,
            write_table(job.root, PLAN_PATH, plan),
            FileEntry(path=path, num_rows=plan.num_rows, num_bytes=len(csv), sha256=sha256),
        ]


def _rehydrate(job: Job) -> tuple[list[FileEntry], dict[Group, float]]:
    """Writes the weights by size of cluster; gives the mean of each category and label."""
    storage.delete([f"{job.root}/{REHYDRATION_PATH}"])
    mix = job.lock.recipe.mix
    if mix.rehydrate is None:
        return [], {}
    sizes = read_table(f"{job.root}/{SIZES_PATH}")
    table = rehydration(mix.rehydrate, sizes, mix.exclude)
    weights = mean_weights(sizes, Weights.read(table), f"num_{mix.count_by}")
    return [write_table(job.root, REHYDRATION_PATH, table)], weights


def _rows(files: Sequence[FileEntry], split: str) -> int:
    return sum(file.num_rows for file in files if file.path.startswith(f"shards/{split}-"))


class _Look:
    """Counts finished shards."""

    def __init__(self, root: str, stage: str) -> None:
        # Records of shards are named by their number.
        self._pattern = f"{records_folder(root, stage)}/[0-9]*.json"

    def __call__(self) -> State:
        try:
            return State(len(storage.match(self._pattern)), 0)
        except LookupError:
            return State(0, 0)
