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
# Units whose hashes one worker reads in the time another takes to start.
UNITS_PER_WORKER = 8


class DeduplicateStage:
    """Removes documents of equal text."""

    name: ClassVar[str] = "deduplicate"
    folders: ClassVar[Sequence[str]] = ("deduplicate/removals", "deduplicate/statistics")

    def key(self, job: Job, before: str) -> str:
        """Options, and what decides which of equals stays: the order of units, priorities."""
        recipe = job.lock.recipe
        sources = [(s.name, s.priority, s.category) for s in recipe.sources]
        return fingerprint(
            [VERSION, before, recipe.deduplicate.model_dump(mode="json"), sources]
        )

    def work(self, job: Job, before: Manifests) -> Written:
        """Writes a removal list for each unit that has equals elsewhere."""
        num_units = len(job.lock.units)
        job.progress.started(self.name, total=num_units, unit="units")
        if job.lock.recipe.deduplicate.exact:
            workers = job.workers_for(num_units // UNITS_PER_WORKER)
            job.run(lambda p: build.deduplicate(p, job.lock, job.root), workers)
        files = read_records(job.root, self.name)
        removed = statistics_of(job.root, self.name, files)
        return files, {"removed": sum(removed.column("num_documents").to_pylist())}
