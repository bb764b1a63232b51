"""Stage `report`: statistics of all stages to one page, and what goes with the corpus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from glotmill import dashboard
from glotmill.pipelines.stages.base import Job, Manifests, Written
from glotmill.pipelines.unit_keys import fingerprint
from glotmill.transforms.hand_over import write_hand_over

#: Raised by one whenever the stage gives other output for the same recipe and input.
VERSION = 9


class ReportStage:
    """Writes the dashboard, the dataset card, its metadata and the table of licences."""

    name: ClassVar[str] = "report"
    folders: ClassVar[Sequence[str]] = ("statistics",)

    def key(self, job: Job, before: str) -> str:
        """The page shows the whole recipe."""
        return fingerprint([VERSION, before, job.lock.recipe.model_dump(mode="json")])

    def work(self, job: Job, before: Manifests) -> Written:
        """Builds the page."""
        job.progress.started(self.name, total=1, unit="page")
        files = dashboard.build_report(job.root)
        return [*files, *write_hand_over(job.root, job.lock, before)], {}
