"""Two runs compared, in the terminal and as a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from glotmill import dashboard
from glotmill.dashboard.diff import CountChange, Difference, LabelChange
from glotmill.dashboard.formats import compact, times
from glotmill.pipelines.errors import UserError
from glotmill.transforms import storage

_MOST_ROWS = 20


def compare_runs(before: str, after: str) -> Difference:
    """How a second run differs from a first.

    Raises:
        UserError: one of them is no finished run.
    """
    try:
        return dashboard.compare(before, after)
    except dashboard.IncompleteRun as error:
        raise UserError(f"{error}; two finished runs can be compared") from None


def write_page(path: str, found: Difference) -> None:
    """Writes the differences as one self-contained page."""
    storage.write_atomically(path, dashboard.render_difference(found).encode())


def print_difference(console: Console, found: Difference) -> None:
    """Prints the differences, the largest of each sort."""
    console.print(f"{found.names[0]} -> {found.names[1]}", markup=False)
    _print_counts(console, "Totals", [row for row in found.totals if row.before != row.after])
    _print_labels(console, "Labels that changed", found.changed)
    _print_labels(console, "Labels gained", found.gained)
    _print_labels(console, "Labels lost", found.lost)
    _print_counts(console, "Reasons to drop and to remove", found.reasons)
    _print_settings(console, found)
    console.print(
        f"{found.num_noise:,} labels differ by no more than the noise of the draw, "
        f"{found.num_equal:,} are alike"
    )


def _table(title: str, columns: Iterable[str], num_texts: int) -> Table:
    table = Table(title=title, title_justify="left")
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place < num_texts else "right")
    return table


def _print_labels(console: Console, title: str, rows: Sequence[LabelChange]) -> None:
    if not rows:
        return
    columns = ("label", "language", "category", "epochs", "available words", "sampled words")
    table = _table(f"{title}: {len(rows):,}", columns, 3)
    for row in rows[:_MOST_ROWS]:
        table.add_row(
            row.label,
            escape(row.name),
            row.category,
            _both(_epochs(row.before.rate), _epochs(row.after.rate)),
            _both(compact(row.before.available.words), compact(row.after.available.words)),
            _both(compact(row.before.sampled.words), compact(row.after.sampled.words)),
        )
    console.print(table)
    _print_rest(console, len(rows))


def _epochs(rate: float | None) -> str:
    return "-" if rate is None else times(rate)


def _both(before: str, after: str) -> str:
    """Two values, or one where they are equal.

    >>> _both("1", "2"), _both("1", "1")
    ('1 -> 2', '1')
    """
    return before if before == after else f"{before} -> {after}"


def _print_counts(console: Console, title: str, rows: Sequence[CountChange]) -> None:
    if not rows:
        return
    table = _table(title, ("", "counted in", "first", "second", "change"), 2)
    for row in rows[:_MOST_ROWS]:
        counts = (f"{row.before:,}", f"{row.after:,}", f"{row.after - row.before:+,}")
        table.add_row(escape(row.what.replace("_", " ")), row.kind, *counts)
    console.print(table)
    _print_rest(console, len(rows))


def _print_settings(console: Console, found: Difference) -> None:
    if not found.settings:
        return
    table = _table("Settings", ("setting", "first", "second"), 3)
    for row in found.settings[:_MOST_ROWS]:
        values = ("-" if v is None else escape(str(v)) for v in (row.before, row.after))
        table.add_row(escape(row.key), *values)
    console.print(table)
    _print_rest(console, len(found.settings))


def _print_rest(console: Console, num_rows: int) -> None:
    if num_rows > _MOST_ROWS:
        console.print(f"and {num_rows - _MOST_ROWS:,} more: 'glotmill diff --page' shows them all")
