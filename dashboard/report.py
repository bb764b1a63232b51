"""The report of a finished run: statistics tables, a summary, and the page."""

from __future__ import annotations

from glotmill.dashboard.overview import Report, make_report, summary
from glotmill.dashboard.page import render
from glotmill.dashboard.pairs import pairs_table
from glotmill.dashboard.statistics import gather
from glotmill.dashboard.triage import triage_table
from glotmill.schemas.manifest import FileEntry
from glotmill.transforms import storage
from glotmill.transforms.tables import write_table

PAGE = "report.html"
FOLDER = "statistics"


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
        *_pairs(root, report),
        _write(root, f"{FOLDER}/summary.json", summary(report)),
        _write(root, PAGE, render(report).encode()),
    ]


def _pairs(root: str, report: Report) -> list[FileEntry]:
    """The table of pairs, where there is parallel text."""
    if report.parallel is None:
        return []
    table = pairs_table(report.gathered.directions)
    return [write_table(root, f"{FOLDER}/pairs.parquet", table)]


def _write(root: str, path: str, content: bytes) -> FileEntry:
    sha256 = storage.write_atomically(f"{root}/{path}", content)
    return FileEntry(path=path, num_rows=0, num_bytes=len(content), sha256=sha256)
