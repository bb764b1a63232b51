"""Find, or rebuild, the report of an output directory."""

from __future__ import annotations

from pathlib import Path

from glotmill import dashboard
from glotmill.pipelines.errors import UserError
from glotmill.transforms.unit_index import read_manifest


def find_report(root: str, *, rebuild: bool) -> Path:
    """The page of a finished run.

    Raises:
        UserError: there is no finished run at `root`.
    """
    if read_manifest(root, "mix") is None:
        raise UserError(f"no finished run in {root}; 'glotmill run RECIPE --out {root}' makes one")
    page = Path(root) / "report.html"
    if rebuild or not page.is_file():
        try:
            dashboard.build_report(root)
        except dashboard.IncompleteRun as error:
            raise UserError(f"{error}; run the recipe again") from None
    return page
