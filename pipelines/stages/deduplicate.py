"""Stage `deduplicate`: content hashes to removal lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from glotmill.pipelines import build
from glotmill.pipelines.stages.base import Job, Manifests, Written, statistics_of
from glotmill.pipelines.units import fingerprint
from glotmill.transforms.records import read_records

#: Raised by one whenever the stage gives other output for the same recipe and input.
VERSION = 1
# Documents whose hashes one worker reads in the time another takes to start.
_DOCUMENTS_PER_WORKER = 2_000_000


class DeduplicateStage:
    """Removes documents of equal text."""

    name: ClassVar[str] = "deduplicate"
    folders: ClassVar[Sequence[str]] = ("deduplicate/removals", "deduplicate/statistics")

    def key(self, job: Job, before: str) -> str:
        """Options, and what decides which of equals stays: the order of units, priorities."""
        recipe = job.lock.recipe
        sources = [(s.name, s.priority, s.category) for s in recipe.sources]
        return fingerprint([VERSION, before, recipe.deduplicate.model_dump(mode="json"), sources])

    def work(self, job: Job, before: Manifests) -> Written:
        """Writes a removal list for each unit that has equals elsewhere."""
        num_units = len(job.lock.units)
        job.progress.started(self.name, total=num_units, unit="units")
        if job.lock.recipe.deduplicate.exact:
            job.run(lambda p: build.deduplicate(p, job.lock, job.root), hash_workers(job, before))
        files = read_records(job.root, self.name)
        removed = statistics_of(job.root, self.name, files)
        return files, {"removed": sum(removed.column("num_documents").to_pylist())}


def hash_workers(job: Job, before: Manifests) -> int:
    """Workers for a stage that reads the hash of every document and no text."""
    num_documents = before["ingest"].counts["kept"]
    return job.workers_for(len(job.lock.units), num_documents, _DOCUMENTS_PER_WORKER)
