"""Stage `compose`: what may be drawn, for which split, with how many tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from glotmill.pipelines import build
from glotmill.pipelines.errors import UserError
from glotmill.pipelines.progress import State
from glotmill.pipelines.stages.base import Job, Manifests, Written, statistics_of
from glotmill.pipelines.stages.deduplicate import hash_workers
from glotmill.pipelines.unit_keys import fingerprint
from glotmill.schemas.manifest import FileEntry
from glotmill.schemas.tables import AVAILABLE
from glotmill.transforms import storage
from glotmill.transforms.compose import (
    AVAILABLE_PATH,
    FOLDER,
    PARTS,
    PARTS_FOLDER,
    SIZES_PATH,
    ComposeUnits,
    merge_parts,
)
from glotmill.transforms.fertility import merge_fertility
from glotmill.transforms.plan import available, held_out_counts
from glotmill.transforms.records import read_records, records_folder
from glotmill.transforms.split import SplitRule, hub_ranks
from glotmill.transforms.tables import read_table, write_table
from glotmill.transforms.tokenizers.base import TokenizerError
from glotmill.transforms.tokenizers.load import sha256_of

#: Raised by one whenever the stage gives other output for the same recipe and input.
VERSION = 4
FERTILITY_PATH = "compose/fertility.parquet"
# Bytes of text that one worker tokenizes, or counts, in the time another takes to start.
_TOKENIZED_PER_WORKER = 32 * 2**20
_COUNTED_PER_WORKER = 2**30


class ComposeStage:
    """Splits, keeps training clear of what is held out, counts and tokenizes."""

    name: ClassVar[str] = FOLDER
    folders: ClassVar[Sequence[str]] = (
        "compose/drawables",
        "compose/excluded",
        "compose/parts",
        "compose/statistics",
    )

    def key(self, job: Job, before: str) -> str:
        """Options of the split and of the documents; the tokenizer by its content."""
        recipe = job.lock.recipe
        options = [recipe.seed, recipe.mix.validation.model_dump(mode="json"), recipe.mix.exclude]
        if any(source.is_bitext for source in recipe.sources):
            options.append(recipe.bitext.model_dump(mode="json"))
        sources = [(s.name, s.category, s.domain) for s in recipe.sources]
        return fingerprint([VERSION, before, options, sources, _tokens_key(job)])

    def work(self, job: Job, before: Manifests) -> Written:
        """Splits first, then composes every unit."""
        recipe = job.lock.recipe
        num_units = len(job.lock.units)
        look = _Look(job.root, self.name)
        job.progress.started(self.name, total=num_units, unit="units", look=look)
        self._split(job, before)
        tokens = recipe.output.tokens
        work = ComposeUnits(
            job.root,
            recipe.bitext.model_dump_json(),
            None if tokens is None else tokens.model_dump_json(),
            recipe.seed,
        )
        num_bytes = before["ingest"].counts["text_bytes"]
        per_worker = _COUNTED_PER_WORKER if tokens is None else _TOKENIZED_PER_WORKER
        job.each_unit(work, included_units(job), num_bytes, per_worker)
        files = read_records(job.root, self.name)
        files += _sums(job, files)
        return files, _counts(read_table(f"{job.root}/{AVAILABLE_PATH}"))

    def _split(self, job: Job, before: Manifests) -> None:
        """Finds what is held out, and what must then stay out of training."""
        recipe = job.lock.recipe
        counts = counts_left(job, before)
        # Of categories that the mixture leaves out too: another mixture of the same sources then
        # draws among the same documents.
        everything = recipe.mix.model_copy(update={"exclude": []})
        wanted = held_out_counts(counts, everything)
        rule = SplitRule(recipe.seed, hub_ranks(counts), recipe.bitext)
        workers = hash_workers(job, before)
        job.run(lambda p: build.split(p, job.lock, job.root, wanted, rule), workers)
        job.run(lambda p: build.held_out(p, job.lock, job.root), workers)
        job.run(lambda p: build.leaks(p, job.lock, job.root), workers)


def counts_left(job: Job, before: Manifests) -> pa.Table:
    """What each category and label has after deduplication."""
    category_of = {source.name: source.category for source in job.lock.recipe.sources}
    ingested = statistics_of(job.root, "ingest", before["ingest"].files)
    kept = ingested.filter(pc.equal(ingested.column("outcome"), "kept"))
    removed = statistics_of(job.root, "deduplicate", before["deduplicate"].files)
    return available(kept, removed, category_of)


def _tokens_key(job: Job) -> list[object] | None:
    options = job.lock.recipe.output.tokens
    if options is None:
        return None
    try:
        sha256 = sha256_of(options.tokenizer)
    except TokenizerError as error:
        raise UserError(f"output.tokens: {error}") from None
    dumped = options.model_dump(include={"encoding", "append_eos", "prepend_bos", "eos", "bos"})
    return [sha256, dumped]


def included_units(job: Job) -> list[int]:
    """Ordinals of the units that the mixture takes."""
    excluded = set(job.lock.recipe.mix.exclude)
    category_of = {source.name: source.category for source in job.lock.recipe.sources}
    units = enumerate(job.lock.units)
    return [ordinal for ordinal, unit in units if category_of[unit.source] not in excluded]


def _sums(job: Job, files: Sequence[FileEntry]) -> list[FileEntry]:
    """Adds up the sums of all units."""
    paths = {name: f"{PARTS_FOLDER}/{name}-" for name in (*PARTS, "fertility")}
    found = {
        name: [read_table(f"{job.root}/{f.path}") for f in files if f.path.startswith(prefix)]
        for name, prefix in paths.items()
    }
    there = [*found["available"], _excluded(job, files)]
    written = [
        write_table(job.root, AVAILABLE_PATH, merge_parts(there, AVAILABLE)),
        write_table(
            job.root, SIZES_PATH, merge_parts(found["cluster_sizes"], PARTS["cluster_sizes"])
        ),
    ]
    storage.delete([f"{job.root}/{FERTILITY_PATH}"])
    if found["fertility"]:
        table = merge_fertility(found["fertility"])
        written.append(write_table(job.root, FERTILITY_PATH, table))
    return written


def _excluded(job: Job, files: Sequence[FileEntry]) -> pa.Table:
    """What was left out of training, in the schema AVAILABLE; it was not tokenized."""
    sources = {source.name: source for source in job.lock.recipe.sources}
    rows = []
    for row in statistics_of(job.root, FOLDER, files).to_pylist():
        source = sources[row["source"]]
        if source.category not in job.lock.recipe.mix.exclude:
            own = {"category": source.category, "domain": source.domain or "", "split": "excluded"}
            tokens = {"again": False, "num_tokens": 0, "num_fallback_tokens": 0}
            rows.append({name: (row | own | tokens)[name] for name in AVAILABLE.names})
    return pa.Table.from_pylist(rows, schema=AVAILABLE)


def _counts(table: pa.Table) -> dict[str, int]:
    sums = {"validation": 0, "excluded": 0, "tokens": 0}
    for row in table.to_pylist():
        sums["tokens"] += row["num_tokens"]
        if row["split"] in sums and not row["again"]:
            sums[row["split"]] += row["num_documents"]
    return {"held_out": sums["validation"], "excluded": sums["excluded"], "tokens": sums["tokens"]}


class _Look:
    """Counts composed units."""

    def __init__(self, root: str, stage: str) -> None:
        # Records of units are named by their keys, of 32 hexadecimal digits.
        folder = storage.escape(records_folder(root, stage))
        self._pattern = f"{folder}/{'[0-9a-f]' * 32}.json"

    def __call__(self) -> State:
        try:
            return State(len(storage.match(self._pattern)), 0)
        except LookupError:
            return State(0, 0)
