"""Stage `deduplicate`: content hashes and band keys to removal lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from glotmill.pipelines import build
from glotmill.pipelines.against import key_of_other
from glotmill.pipelines.errors import RunError
from glotmill.pipelines.stages.base import Job, Manifests, Written, statistics_of
from glotmill.pipelines.unit_keys import fingerprint
from glotmill.schemas.lock import row_of, unit_of
from glotmill.schemas.manifest import FileEntry
from glotmill.schemas.recipe import Near
from glotmill.schemas.tables import OVERSIZED
from glotmill.transforms import storage
from glotmill.transforms.cluster_sizes import PATH as SIZES_PATH
from glotmill.transforms.cluster_sizes import complete_sizes, read_sizes
from glotmill.transforms.components import fits_one_worker
from glotmill.transforms.decide import not_judged
from glotmill.transforms.edge_files import EdgeFiles
from glotmill.transforms.plan import available
from glotmill.transforms.records import read_records, temporary_folder
from glotmill.transforms.removals import Oversized, read_oversized
from glotmill.transforms.stars import connect_distributed
from glotmill.transforms.tables import write_table
from glotmill.transforms.unit_index import OVERSIZED_PATH, Corpora, UnitIndex

#: Raised by one whenever the stage gives other output for the same recipe and input.
VERSION = 5
# Documents whose hashes one worker reads in the time another takes to start.
_DOCUMENTS_PER_WORKER = 2_000_000
# The same where near duplicates are looked for too.
_COMPARED_PER_WORKER = 200_000
_EXCERPT_CHARACTERS = 200
_NUM_SHOWN = 3


class DeduplicateStage:
    """Removes documents of equal text, and near duplicates."""

    name: ClassVar[str] = "deduplicate"
    folders: ClassVar[Sequence[str]] = ("deduplicate/removals", "deduplicate/statistics")

    def key(self, job: Job, before: str) -> str:
        """Options, and what decides which of equals stays: the order of units, priorities."""
        recipe = job.lock.recipe
        sources = [(s.name, s.priority, s.category) for s in recipe.sources]
        options = recipe.deduplicate.model_dump(mode="json", exclude={"against"})
        others = [key_of_other(recipe, path) for path in recipe.deduplicate.against]
        return fingerprint([VERSION, before, options, sources, others, recipe.counts_shadows])

    def work(self, job: Job, before: Manifests) -> Written:
        """Writes a removal list for each unit that has duplicates elsewhere."""
        num_units = len(job.lock.units)
        job.progress.started(self.name, total=num_units, unit="units")
        storage.delete([f"{job.root}/{path}" for path in (OVERSIZED_PATH, SIZES_PATH)])
        options = job.lock.recipe.deduplicate
        has_pairs = any(source.category == "bitext" for source in job.lock.recipe.sources)
        caps = has_pairs and options.max_repeated_sides is not None
        looked = options.exact or options.near is not None or caps
        if looked:
            self._find(job, before)
        oversized = _judge_oversized(job)
        if job.lock.recipe.counts_shadows:
            self._count_shadows(job, before)
        files = [*read_records(job.root, self.name), *oversized]
        removed = statistics_of(job.root, self.name, files)
        if looked:
            files.append(write_table(job.root, SIZES_PATH, _cluster_sizes(job, before, removed)))
        return files, {"removed": sum(removed.column("num_documents").to_pylist())}

    def _find(self, job: Job, before: Manifests) -> None:
        options = job.lock.recipe.deduplicate
        workers = hash_workers(job, before, compared=options.near is not None)
        by_label = _documents_by_label(job, before)
        corpora = Corpora(job.root, options.against)
        ordinals = corpora.ordinals()
        num_documents = sum(corpora.unit(ordinal).num_rows for ordinal in ordinals)
        pairs = [unit.ordinal for unit in corpora.own_units() if unit.category == "bitext"]
        connected = None
        if options.near is not None and not fits_one_worker(num_documents):
            find = (options, job.root, ordinals, num_documents)
            connected = _connect(job, "own", build.duplicate_edges, find, workers)
        job.run(
            lambda p: build.deduplicate(
                p, options, job.root, ordinals, by_label, num_documents, connected, pairs
            ),
            workers,
        )

    def _count_shadows(self, job: Job, before: Manifests) -> None:
        options = job.lock.recipe.deduplicate
        workers = hash_workers(job, before, compared=options.near is not None)
        index = UnitIndex(job.root)
        units = index.units
        ordinals = [unit.ordinal for unit in units if unit.num_rows] + index.shadow_ordinals()
        num_documents = sum(unit.num_rows + unit.num_dropped for unit in units)
        find = (options, job.root, ordinals, num_documents)
        connected = None
        if not fits_one_worker(num_documents):
            connected = _connect(job, "shadows", build.shadow_edges, find, workers)
        job.run(lambda p: build.count_shadows(p, *find, connected), workers)


def _connect(
    job: Job, name: str, find: Callable[..., object], arguments: tuple[object, ...], workers: int
) -> EdgeFiles:
    """Stars of the edges that a pipeline finds, for corpora too large for one worker."""
    folder = f"{temporary_folder(job.root, DeduplicateStage.name)}/edges-{name}"
    job.run(lambda p: find(p, *arguments, f"{folder}/found"), workers)
    found = EdgeFiles.read(f"{folder}/found")
    return connect_distributed(lambda b: job.run(b, workers), folder, found)


def hash_workers(job: Job, before: Manifests, *, compared: bool = False) -> int:
    """Workers for a stage that reads a hash or a sketch of every document and no text."""
    num_documents = before["ingest"].counts["kept"]
    worth = _COMPARED_PER_WORKER if compared else _DOCUMENTS_PER_WORKER
    return job.workers_for(len(job.lock.units), num_documents, worth)


def _documents_by_label(job: Job, before: Manifests) -> dict[str, int]:
    statistics = statistics_of(job.root, "ingest", before["ingest"].files)
    kept = statistics.filter(pc.equal(statistics.column("outcome"), "kept"))
    sums = kept.group_by("label").aggregate([("num_documents", "sum")])
    pairs = zip(*(sums.column(n).to_pylist() for n in ("label", "num_documents_sum")), strict=True)
    return dict(sorted(pairs))


def _cluster_sizes(job: Job, before: Manifests, removed: pa.Table) -> pa.Table:
    """What there is of each size of cluster, in the schema CLUSTER_SIZES."""
    category_of = {source.name: source.category for source in job.lock.recipe.sources}
    ingested = statistics_of(job.root, "ingest", before["ingest"].files)
    kept = ingested.filter(pc.equal(ingested.column("outcome"), "kept"))
    none = ingested.schema.empty_table()
    dropped = None
    if job.lock.recipe.counts_shadows:
        judged = ingested.filter(pc.equal(ingested.column("outcome"), "dropped"))
        judged = judged.filter(pc.invert(not_judged(judged.column("reason"))))
        dropped = available(judged, none, category_of)
    return complete_sizes(
        read_sizes(job.root),
        left=available(kept, removed, category_of),
        kept=available(kept, none, category_of),
        dropped=dropped,
    )


def _judge_oversized(job: Job) -> list[FileEntry]:
    """Shows clusters that are too large to be believed.

    Raises:
        RunError: there are some, and the recipe says neither to keep nor to remove them.
    """
    found = read_oversized(job.root)
    if not found:
        return []
    corpora = Corpora(job.root, job.lock.recipe.deduplicate.against)
    samples = [_samples(corpora, cluster) for cluster in found]
    rows = [
        {
            "cluster": cluster.cluster,
            "num_documents": cluster.num_documents,
            "num_texts": cluster.num_texts,
            "label": cluster.label,
            "label_share": cluster.label_share,
            "samples": texts,
            "kept": cluster.kept,
        }
        for cluster, texts in zip(found, samples, strict=True)
    ]
    near = job.lock.recipe.deduplicate.near or Near()
    entry = write_table(job.root, OVERSIZED_PATH, pa.Table.from_pylist(rows, schema=OVERSIZED))
    if near.on_oversized == "stop":
        raise RunError(_oversized_message(found, samples, near, f"{job.root}/{OVERSIZED_PATH}"))
    return [entry]


def _samples(corpora: Corpora, cluster: Oversized) -> list[str]:
    texts = []
    for identity in cluster.samples:
        text = corpora.column(unit_of(identity), "text")[row_of(identity)].as_py()
        texts.append(text[:_EXCERPT_CHARACTERS])
    return texts


def _oversized_message(
    found: list[Oversized], samples: list[list[str]], near: Near, path: str
) -> str:
    lines = [
        f"{len(found)} cluster(s) of near duplicates are too large to be believed "
        f"(max_cluster {near.max_cluster:,}, max_label_share {near.max_label_share:g}); "
        "nothing was removed"
    ]
    for cluster, texts in list(zip(found, samples, strict=True))[:_NUM_SHOWN]:
        lines.append(
            f"{cluster.num_texts:,} different texts, {cluster.label_share:.1%} of "
            f"{cluster.label or 'another corpus'}, such as:"
        )
        lines += [f"  {' '.join(text.split())}" for text in texts]
    lines.append(
        f"all of them: {path}. To go on, set deduplicate.near.on_oversized to 'keep' (these texts "
        "stay) or 'remove' (one of each cluster stays), or raise the limits"
    )
    return "\n".join(lines)
