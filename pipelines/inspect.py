"""Look into a finished ingest: where labels may be wrong, what was dropped, single documents."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.segment import Segment, Segments
from rich.table import Table
from rich.text import Text

from glotmill.dashboard.definitions import verdict_title
from glotmill.dashboard.formats import number, percent
from glotmill.dashboard.samples import MAX_SAMPLES, find_samples, printable, readable
from glotmill.dashboard.statistics import parts_of, read_lock
from glotmill.dashboard.triage import KEYS, Cell, triage
from glotmill.pipelines.errors import UserError
from glotmill.pipelines.inspect_documents import (
    LABELS,
    Choice,
    Document,
    Pattern,
    Sort,
    choose_documents,
)
from glotmill.schemas.manifest import Manifest
from glotmill.transforms.statistics import merge
from glotmill.transforms.unit_index import read_manifest

_DROPPED_KEYS = ("reason", "source", "label")
_DROPPED_TITLES = ("source", "label", "reason", "documents", "words")
_CELL_TITLES = (*KEYS, "documents", "share_of_declared", "words", "dropped")
_DOCUMENT_TITLES = (
    "source", "label", "outcome", "score", "characters", "path", "offset", "external_id"
)  # fmt: skip
_MOST_NAMES = 12


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be shown; None where all are.

    Attributes:
        label: declared or identified; of dropped documents the label they were given.
        reason: of dropped documents, which are shown in place of the triage.
        source: its name.
        limit: most rows.
        sort: order of single documents; with it, or one of the next two, they are what is shown.
        match: regular expression that is found in their text.
        kept: only those that ingest kept.
    """

    label: str | None = None
    reason: str | None = None
    source: str | None = None
    limit: int = 20
    sort: Sort | None = None
    match: str | None = None
    kept: bool = False


@dataclass(frozen=True)
class Row:
    """One row: its fields for programs, and the same in three columns for people."""

    fields: Sequence[str]
    what: Sequence[str]
    numbers: Sequence[str]
    examples: Sequence[str]


@dataclass(frozen=True)
class Rows:
    """The first rows, the names of their fields, and how many there are in all.

    Attributes:
        num_examples: most examples of a row.
        match: compiled pattern of what is highlighted in examples.
    """

    name: str
    titles: Sequence[str]
    shown: Sequence[Row]
    num_all: int
    num_examples: int = MAX_SAMPLES
    match: Any = None


@dataclass(frozen=True)
class _Ingest:
    """A finished ingest: its files, and the statistics of each unit."""

    root: str
    manifest: Manifest
    units: Mapping[str, pa.Table]


def inspect(root: str, wanted: Wanted) -> Rows:
    """The worst cells of the triage, the dropped documents of a reason, or single documents.

    Args:
        root: the output directory.
        wanted: what of it.

    Raises:
        UserError: ingest is not finished, a source, label or reason does not occur, or what is
            wanted does not go together.
    """
    manifest = read_manifest(root, "ingest")
    if manifest is None:
        raise UserError(
            f"no finished ingest in {root}; 'glotmill run RECIPE --out {root}' makes one"
        )
    ingest = _Ingest(root, manifest, parts_of(root, manifest))
    if wanted.sort or wanted.match is not None or wanted.kept:
        return _documents(ingest, wanted)
    return _cells(ingest, wanted) if wanted.reason is None else _dropped(ingest, wanted)


# ---------------------------------------------------------------- triage


def _cells(ingest: _Ingest, wanted: Wanted) -> Rows:
    cells = triage(merge(ingest.units.values()))
    if wanted.source is not None:
        _check("source", wanted.source, (cell.source for cell in cells), "")
        cells = [cell for cell in cells if cell.source == wanted.source]
    if wanted.label is not None:
        labels = (each for cell in cells for each in (cell.declared_label, cell.identified_label))
        _check("label", wanted.label, labels, _within(wanted.source))
        cells = [c for c in cells if wanted.label in (c.declared_label, c.identified_label)]
    shown = cells[: wanted.limit]
    keys = [cell.key for cell in shown]
    texts = find_samples(ingest.root, ingest.manifest, ingest.units, KEYS, keys)
    rows = [_cell_row(cell, texts.get(cell.key, ())) for cell in shown]
    return Rows("cells", _CELL_TITLES, rows, len(cells))


def _cell_row(cell: Cell, examples: Sequence[str]) -> Row:
    documents, words = cell.amount.documents, cell.amount.words
    labels = f"{cell.declared_label or '–'} → {cell.identified_label or '–'}"
    numbers = [f"{number(documents)} documents", f"{percent(cell.share)} of declared"]
    numbers.append(f"{number(words)} words")
    if cell.num_dropped:
        numbers.append(f"{number(cell.num_dropped)} dropped")
    return Row(
        fields=[*cell.key, *map(str, (documents, f"{cell.share:.6g}", words, cell.num_dropped))],
        what=[labels, verdict_title(cell.verdict), cell.script, cell.source],
        numbers=numbers,
        examples=examples,
    )


# --------------------------------------------------------------- dropped


def _dropped(ingest: _Ingest, wanted: Wanted) -> Rows:
    rows = _dropped_groups(merge(ingest.units.values()))
    rows = _narrowed(rows, "source", wanted.source, "")
    rows = _narrowed(rows, "label", wanted.label, _within(wanted.source))
    rows = _narrowed(rows, "reason", wanted.reason, _within(wanted.source, wanted.label))
    shown = rows[: wanted.limit]
    keys = [tuple(row[key] for key in _DROPPED_KEYS) for row in shown]
    texts = find_samples(
        ingest.root, ingest.manifest, ingest.units, _DROPPED_KEYS, keys, ["dropped"]
    )
    found = [_dropped_row(row, texts.get(key, ())) for row, key in zip(shown, keys, strict=True)]
    return Rows("groups", _DROPPED_TITLES, found, len(rows))


def _dropped_groups(statistics: pa.Table) -> list[dict[str, str]]:
    """Dropped documents by source, label and reason, the most first; numbers as texts."""
    sums = {"num_documents": "documents", "num_words": "words"}
    grouped = statistics.group_by(["outcome", *_DROPPED_KEYS])
    rows = grouped.aggregate([(name, "sum") for name in sums]).to_pylist()
    dropped = [row for row in rows if row["outcome"] == "dropped"]
    dropped.sort(key=lambda row: (-row["num_documents_sum"], *(row[key] for key in _DROPPED_KEYS)))
    return [
        {key: row[key] for key in _DROPPED_KEYS}
        | {name: str(row[f"{column}_sum"]) for column, name in sums.items()}
        for row in dropped
    ]


def _narrowed(
    rows: list[dict[str, str]], key: str, name: str | None, where: str
) -> list[dict[str, str]]:
    if name is None:
        return rows
    _check(key, name, (row[key] for row in rows), where, of="dropped documents")
    return [row for row in rows if row[key] == name]


def _dropped_row(row: Mapping[str, str], examples: Sequence[str]) -> Row:
    documents, words = (number(int(row[name])) for name in ("documents", "words"))
    return Row(
        fields=[row[title] for title in _DROPPED_TITLES],
        what=[row["label"] or "–", row["reason"], row["source"]],
        numbers=[f"{documents} documents", f"{words} words"],
        examples=examples,
    )


# ------------------------------------------------------------- documents


def _documents(ingest: _Ingest, wanted: Wanted) -> Rows:
    if wanted.kept and wanted.reason is not None:
        raise UserError("--kept and --reason do not go together: reasons are of dropped documents")
    _check_names(merge(ingest.units.values()), wanted)
    choice = Choice(
        sort=wanted.sort or "random",
        match=None if wanted.match is None else Pattern(wanted.match),
        kept=wanted.kept,
        label=wanted.label,
        reason=wanted.reason,
        source=wanted.source,
        limit=wanted.limit,
        seed=read_lock(ingest.root).recipe.seed,
    )
    documents, num_all = choose_documents(ingest.root, ingest.manifest, choice)
    match = choice.match.compiled if choice.match else None
    rows = [_document_row(document) for document in documents]
    return Rows("documents", _DOCUMENT_TITLES, rows, num_all, num_examples=1, match=match)


def _check_names(statistics: pa.Table, wanted: Wanted) -> None:
    """Refuses names that no document has; of several names the first that is none."""
    columns = {"source": ("source",), "label": LABELS, "reason": ("reason",)}
    # Of rejected records there is no document to show.
    documents = statistics.filter(pc.is_in(statistics["outcome"], pa.array(["kept", "dropped"])))
    for kind, of_kind in columns.items():
        name = getattr(wanted, kind)
        if name is not None:
            names = (each for column in of_kind for each in documents.column(column).to_pylist())
            _check(kind, name, names, "")


def _document_row(document: Document) -> Row:
    about = document.about
    score = about["identified_score"]
    fields = [
        about["source"], about["label"], document.outcome, "" if score is None else f"{score:.6g}",
        about["num_characters"], about["path"], about["offset"], about["external_id"] or "",
    ]  # fmt: skip
    score_shown = "no score" if score is None else f"score {score:.3f}"
    return Row(
        fields=list(map(str, fields)),
        what=[about["label"], about["external_id"] or "", about["source"]],
        numbers=[
            document.outcome.replace("_", " "),
            score_shown,
            f"{number(about['num_characters'])} characters",
        ],
        examples=[document.text],
    )


# ---------------------------------------------------------------- errors


def _within(source: str | None, label: str | None = None) -> str:
    """Where something was looked for, as words."""
    return (f" with label '{label}'" if label else "") + (
        f" in source '{source}'" if source else ""
    )


def _check(kind: str, name: str, names: Iterable[str], where: str, of: str = "documents") -> None:
    """Refuses a name that no document has."""
    check_name(kind, name, names, f"no {of} of {kind} '{name}'{where}")


def check_name(kind: str, name: str, names: Iterable[str], told: str) -> None:
    """Refuses a name that is none of those that occur.

    Args:
        kind: of the name, for the list of those that occur.
        name: to be found.
        names: that occur.
        told: what is wrong otherwise.

    Raises:
        UserError: naming the nearest, and some of those that occur.
    """
    occurring = sorted(set(names) - {""})
    if name in occurring:
        return
    near = difflib.get_close_matches(name, occurring, 1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    message = f"{told}{hint}\n{_listing(kind, occurring)}"
    raise UserError("\n".join(map(printable, message.splitlines())))


def _listing(kind: str, names: Sequence[str]) -> str:
    if not names:
        return f"there are no {kind}s"
    rest = len(names) - _MOST_NAMES
    more = f" and {rest:,} more" if rest > 0 else ""
    return f"{kind}s there: {', '.join(names[:_MOST_NAMES])}{more}"


# -------------------------------------------------------------- printing


def print_rows(console: Console, rows: Rows) -> None:
    """Prints a table to a terminal; to anything else one line a row, tabs between the fields."""
    if not console.is_terminal:
        _print_plain(console, rows)
        return
    table = Table(show_lines=True)
    first = "declared → identified" if rows.name == "cells" else "label"
    table.add_column(first, max_width=30, overflow="fold")
    table.add_column("how many", justify="right", no_wrap=True)
    table.add_column("examples", ratio=1)
    for row in rows.shown:
        examples = Text("\n".join(f"• {readable(each) or '(empty)'}" for each in row.examples))
        if rows.match is not None:
            examples.highlight_regex(rows.match, "bold reverse")
        table.add_row(_lines(filter(None, row.what)), _lines(row.numbers), examples)
    console.print(table, soft_wrap=False)
    rest = rows.num_all - len(rows.shown)
    more = f"; --limit {rows.num_all} shows the other {rest:,}" if rest else ""
    console.print(f"{len(rows.shown):,} of {rows.num_all:,} {rows.name}{more}")


def _lines(texts: Iterable[str]) -> Text:
    """Lines of text in which nothing is markup and nothing moves the cursor."""
    return Text("\n".join(map(readable, texts)))


def _print_plain(console: Console, rows: Rows) -> None:
    lines = [[*rows.titles, *(f"example_{i + 1}" for i in range(rows.num_examples))]]
    for row in rows.shown:
        absent = [""] * (rows.num_examples - len(row.examples))
        lines.append([*map(printable, row.fields), *map(readable, row.examples), *absent])
    # As segments: of anything else rich expands tabs and the names of emoji.
    segments = Segments([Segment("\t".join(line) + "\n") for line in lines])
    console.print(segments, soft_wrap=True, end="")
