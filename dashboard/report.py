"""The report of a finished run: statistics tables, a summary, and the page; two runs compared."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pyarrow as pa

from glotmill.dashboard.diff import Difference, difference
from glotmill.dashboard.exports import languages_table, metrics, mixture_table
from glotmill.dashboard.overview import Report, make_report, summary
from glotmill.dashboard.page import render
from glotmill.dashboard.pair_profiles import pair_profiles_table
from glotmill.dashboard.pairs import pairs_table
from glotmill.dashboard.profiles import profiles_table
from glotmill.dashboard.statistics import gather
from glotmill.dashboard.training import training_report
from glotmill.dashboard.training_tables import training_tables
from glotmill.dashboard.triage import triage_table
from glotmill.schemas.manifest import FileEntry
from glotmill.transforms.tables import write_file, write_table

PAGE = "report.html"
#: The page with training: beside the other, whose bytes the corpus's manifests promise.
TRAINING_PAGE = "report-training.html"
FOLDER = "statistics"
#: The totals for programs.
SUMMARY_PATH = f"{FOLDER}/summary.json"


def build_report(root: str) -> list[FileEntry]:
    """Writes the report of a finished output directory.

    Args:
        root: the output directory.

    Returns:
        The files written, those under `statistics/` first.

    Raises:
        IncompleteRun: a stage is missing, or the lock is of another run.
    """
    gathered = gather(root)
    report = make_report(gathered)
    return [
        write_table(root, f"{FOLDER}/documents.parquet", gathered.documents),
        write_table(root, f"{FOLDER}/rejected.parquet", gathered.rejected),
        write_table(root, f"{FOLDER}/triage.parquet", triage_table(gathered.cells)),
        write_table(root, f"{FOLDER}/languages.parquet", languages_table(report)),
        write_table(root, f"{FOLDER}/mixture.parquet", mixture_table(report.mixture)),
        *_pairs(root, report),
        *_profiles(root, "profiles", profiles_table(gathered.profiles)),
        *_profiles(root, "pair_profiles", pair_profiles_table(gathered.pair_profiles)),
        write_file(root, SUMMARY_PATH, summary(report)),
        write_file(root, f"{FOLDER}/metrics.prom", metrics(report)),
        write_file(root, PAGE, render(report).encode()),
    ]


def build_training_report(root: str, runs: Sequence[str]) -> list[FileEntry]:
    """Writes the report of a finished output directory with what was trained on it.

    Args:
        root: the output directory.
        runs: `out` of each run of the trainer; they may go on.

    Returns:
        The files written, the page last; none of them is in a manifest.

    Raises:
        IncompleteRun: a stage is missing, or the lock is of another run.
        TrainingRunError: a folder is no run, or one of another corpus.
    """
    report = make_report(gather(root))
    training = training_report(report, runs)
    return [
        *(
            write_table(root, f"{FOLDER}/{name}.parquet", table)
            for name, table in training_tables(training).items()
        ),
        write_file(root, TRAINING_PAGE, render(report, training=training).encode()),
    ]


def growing_report(root: str, finished: Collection[str], about: str) -> tuple[bytes, bytes]:
    """The page of a run that goes on, and its metrics; nothing is written.

    Args:
        root: the output directory, with the lock of the run.
        finished: stages that are done.
        about: what the run is at, for people.

    Raises:
        IncompleteRun: there is no lock, or not of this run.
    """
    report = make_report(gather(root, finished))
    return render(report, unfinished=about).encode(), metrics(report)


def compare(before: str, after: str) -> Difference:
    """How a second finished output directory differs from a first.

    Raises:
        IncompleteRun: one of them is not finished.
    """
    first, second = (make_report(gather(root)) for root in (before, after))
    return difference(first, second, (before, after))


def _pairs(root: str, report: Report) -> list[FileEntry]:
    """The table of pairs, where there is parallel text."""
    if report.parallel is None:
        return []
    table = pairs_table(report.gathered.directions)
    return [write_table(root, f"{FOLDER}/pairs.parquet", table)]


def _profiles(root: str, name: str, table: pa.Table) -> list[FileEntry]:
    """A table of profiles, where ingest left sketches."""
    return [write_table(root, f"{FOLDER}/{name}.parquet", table)] if table.num_rows else []
