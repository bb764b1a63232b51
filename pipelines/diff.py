"""Two runs compared, in the terminal and as a page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields

from rich.console import Console, JustifyMethod
from rich.segment import Segment, Segments
from rich.table import Table
from rich.text import Text

from glotmill import dashboard
from glotmill.dashboard.count_changes import CountChange, ReasonChange, SourceChange, SourceCounts
from glotmill.dashboard.definitions import reason_title
from glotmill.dashboard.diff import Difference, LabelChange
from glotmill.dashboard.formats import compact, times
from glotmill.dashboard.samples import printable
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
    """Prints the largest differences of each sort to a terminal; to anything else all of them.

    To anything else a line is a value that differs, with tabs between the fields of COLUMNS.
    """
    if not console.is_terminal:
        _print_plain(console, found)
        return
    console.print(f"{found.names[0]} -> {found.names[1]}", markup=False)
    _print_counts(console, _differing(found.totals))
    _print_sources(console, found.sources)
    _print_labels(console, "Labels that changed", found.changed)
    _print_labels(console, "Labels gained", found.gained)
    _print_labels(console, "Labels lost", found.lost)
    _print_reasons(console, found.reasons)
    _print_settings(console, found)


def summary(found: Difference) -> str:
    """How many labels are in no table."""
    return (
        f"{found.num_noise:,} labels differ by no more than the noise of the draw, "
        f"{found.num_equal:,} are alike"
    )


def _differing(totals: Iterable[CountChange]) -> list[CountChange]:
    return [row for row in totals if row.before != row.after]


# ----------------------------------------------------------- to a terminal


def _print_labels(console: Console, title: str, rows: Sequence[LabelChange]) -> None:
    columns = ("label", "language", "category", "epochs", "available words", "sampled words")
    cells = [
        (
            row.label,
            row.name,
            row.category,
            _both(_epochs(row.before.rate), _epochs(row.after.rate)),
            _both(compact(row.before.available.words), compact(row.after.available.words)),
            _both(compact(row.before.sampled.words), compact(row.after.sampled.words)),
        )
        for row in rows
    ]
    _print_table(console, f"{title}: {len(rows):,}", columns, cells, 3)


def _epochs(rate: float | None) -> str:
    return "-" if rate is None else times(rate)


def _both(before: str, after: str) -> str:
    """Two values, or one where they are equal.

    >>> _both("1", "2"), _both("1", "1")
    ('1 -> 2', '1')
    """
    return before if before == after else f"{before} -> {after}"


def _print_counts(console: Console, rows: Sequence[CountChange]) -> None:
    cells = [(row.what, row.kind, *_counts(row.before, row.after)) for row in rows]
    _print_table(console, "Totals", ("", "counted in", "first", "second", "change"), cells, 2)


def _print_reasons(console: Console, rows: Sequence[ReasonChange]) -> None:
    columns = ("reason", "outcome", "counted in", "first", "second", "change")
    cells = [
        (reason_title(row.what), row.outcome, row.kind, *_counts(row.before, row.after))
        for row in rows
    ]
    _print_table(console, "Reasons to reject, drop, remove and exclude", columns, cells, 3)


def _counts(before: int, after: int) -> tuple[str, str, str]:
    return f"{before:,}", f"{after:,}", f"{after - before:+,}"


def _print_sources(console: Console, rows: Sequence[SourceChange]) -> None:
    cells = []
    for row in rows:
        steps = (_both(f"{before:,}", f"{after:,}") for _, before, after in _steps(row))
        cells.append((row.name, row.kind, *steps))
    _print_table(console, "Sources", ("source", "counted in", *_STEPS), cells, 2)


_STEPS = tuple(field.name for field in fields(SourceCounts))


def _steps(row: SourceChange) -> Iterator[tuple[str, int, int]]:
    for name in _STEPS:
        yield name, getattr(row.before, name), getattr(row.after, name)


def _print_settings(console: Console, found: Difference) -> None:
    cells = [
        (row.key, *("-" if v is None else str(v) for v in (row.before, row.after)))
        for row in found.settings
    ]
    _print_table(console, "Settings", ("setting", "first", "second"), cells, 3)


def _print_table(
    console: Console,
    title: str,
    columns: Iterable[str],
    rows: Sequence[Sequence[str]],
    num_texts: int,
) -> None:
    """Prints the first rows, each in full however narrow the terminal is; nothing of no rows."""
    if not rows:
        return
    table = Table(title=title, title_justify="left")
    for place, column in enumerate(columns):
        justify: JustifyMethod = "left" if place < num_texts else "right"
        table.add_column(column, justify=justify, overflow="fold")
    for row in rows[:_MOST_ROWS]:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console.print(table, soft_wrap=False)
    if len(rows) > _MOST_ROWS:
        rest = len(rows) - _MOST_ROWS
        console.print(f"and {rest:,} more: 'glotmill diff --page' shows them all")


# -------------------------------------------------------- to anything else

#: Fields of a line; `of` is what is counted or a category, `what` the value that differs.
COLUMNS = ("part", "name", "of", "what", "first", "second")
_Line = tuple[str, str, str, str, object, object]


def _print_plain(console: Console, found: Difference) -> None:
    lines = [COLUMNS, *_lines(found)]
    texts = [
        "\t".join("" if each is None else printable(str(each)) for each in line) for line in lines
    ]
    # As segments: of anything else rich expands tabs and the names of emoji.
    segments = Segments([Segment(f"{text}\n") for text in texts])
    console.print(segments, soft_wrap=True, end="")


def _lines(found: Difference) -> Iterator[_Line]:
    for total in _differing(found.totals):
        yield "total", total.what, total.kind, "count", total.before, total.after
    for source in found.sources:
        for name, before, after in _steps(source):
            if before != after:
                yield "source", source.name, source.kind, name, before, after
    parts = {"changed": found.changed, "gained": found.gained, "lost": found.lost}
    for part, labels in parts.items():
        for label in labels:
            for what, first, second in _values(label):
                if first != second:
                    yield part, label.label, label.category, what, first, second
    for reason in found.reasons:
        yield "reason", reason.what, reason.kind, reason.outcome, reason.before, reason.after
    for setting in found.settings:
        yield "setting", setting.key, "", "", _json(setting.before), _json(setting.after)


def _values(row: LabelChange) -> Iterator[tuple[str, object, object]]:
    before, after = row.before, row.after
    yield "tier", before.tier, after.tier
    yield "rate", before.rate, after.rate
    yield "available words", before.available.words, after.available.words
    yield "sampled words", before.sampled.words, after.sampled.words


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)
