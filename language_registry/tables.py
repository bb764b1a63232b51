"""Reading the tables in ``data``."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

Row = dict[str, str]


@cache
def read_rows(name: str) -> tuple[Row, ...]:
    """Reads a tab-separated table whose first line names its columns.

    Args:
        name: The table's file name without ``.tsv``.

    Returns:
        One dictionary a row. Lines that start with ``#`` are left out.

    >>> read_rows("region_scripts")[0]
    {'language': 'aze', 'region': 'IQ', 'script': 'Arab'}
    """
    columns, *lines = read_lines(name)
    return tuple(dict(zip(columns, line, strict=True)) for line in lines)


def read_lines(name: str) -> list[list[str]]:
    """Reads a table as lists of fields, the column names first."""
    path = files("glotmill.language_registry") / "data" / f"{name}.tsv"
    text = path.read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines() if line and line[0] != "#"]


def overrides(kind: str) -> dict[str, str]:
    """Returns the hand-written decisions of one kind: what each subject is decided to be.

    >>> overrides("alias")["sr-el"]
    'srp-Latn'
    """
    return {row["subject"]: row["value"] for row in read_rows("overrides") if row["kind"] == kind}
