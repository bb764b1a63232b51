"""What `glotmill plan` prints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from glotmill.dashboard.formats import compact, duration, percent, size
from glotmill.dashboard.plan_page import PlanReport
from glotmill.pipelines.undrawn import undrawn
from glotmill.schemas import recipe
from glotmill.schemas.mixture import text_key
from glotmill.transforms.bounds import Group
from glotmill.transforms.findings import Finding
from glotmill.transforms.plan import MixturePlan

#: Half widths of intervals of what each category and label has; None where none can be given.
Errors = Mapping[Group, float | None]

_MOST_ROWS = 20
# Columns of the printed tables.
_NAMES = ("category", "label", "tier", "source", "what", "stage", "engine", "told by", "on")
_AMOUNTS = ("available", "epochs", "drawn", "share")


def print_mixture(
    console: Console, mixture: MixturePlan, mix: recipe.Mix, errors: Errors | None = None
) -> None:
    """Prints totals, the largest and the most repeated labels, and the findings.

    Args:
        console: to print to.
        mixture: the plan.
        mix: the recipe's section.
        errors: of what is available, where it is an estimate.
    """
    rows = mixture.plan.to_pylist()
    drawn = [row for row in rows if row["planned_count"]]
    console.print(_totals(rows, mix))
    for title, shown in _shown(drawn):
        console.print(_labels(title, shown, errors))
    if len(drawn) > _MOST_ROWS:
        console.print(f"{len(drawn):,} labels are drawn; the files list them all")
    if silent := undrawn(rows):
        told = f"{silent}: see 'mix' of the recipe, and 'binding' in the files"
        console.print(told, markup=False, emoji=False)
    print_findings(console, mixture.findings)


def print_findings(console: Console, findings: Iterable[Finding]) -> None:
    """Prints what of a recipe cannot be had, and what else should be known."""
    for finding in findings:
        console.print(finding.told, markup=False, emoji=False)


def _shown(rows: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Titles and rows of the tables of labels: all of them, or those at two ends."""
    largest = sorted(rows, key=lambda row: -row["planned_count"])
    if len(rows) <= _MOST_ROWS:
        yield "Labels", largest
        return
    repeated = sorted(largest, key=lambda row: -row["epochs"])
    yield f"The {_MOST_ROWS // 2} largest labels", largest[: _MOST_ROWS // 2]
    yield f"The {_MOST_ROWS // 2} most repeated labels", repeated[: _MOST_ROWS // 2]


def _totals(rows: Sequence[Mapping[str, Any]], mix: recipe.Mix) -> Table:
    title = f"Mixture by {mix.strategy}, in {mix.unit}"
    table = _table(title, "category", "tier", "labels", *_AMOUNTS)
    for category in dict.fromkeys(row["category"] for row in rows):
        inside = [row for row in rows if row["category"] == category]
        tiers = dict.fromkeys(row["tier"] for row in _by_size(inside))
        if len(tiers) > 1:
            for tier in tiers:
                _add(table, [category, tier], [row for row in inside if row["tier"] == tier])
        _add(table, [category, "all" if len(tiers) > 1 else next(iter(tiers))], inside)
    _add(table, ["all", ""], rows)
    return table


def _by_size(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(rows, key=lambda row: -row["available"])


def _add(table: Table, names: list[str], rows: Sequence[Mapping[str, Any]]) -> None:
    total = {name: sum(row[name] for row in rows) for name in ("available", "planned_count")}
    total["share"] = sum(row["share"] for row in rows)
    num_drawn = sum(1 for row in rows if row["planned_count"])
    table.add_row(*map(escape, names), f"{num_drawn:,} of {len(rows):,}", *_amounts(total))


def _amounts(row: Mapping[str, Any]) -> list[str]:
    there, drawn = row["available"], row["planned_count"]
    epochs = f"{drawn / there:.2f}" if there else "-"
    return [compact(there), epochs, compact(drawn), percent(row["share"])]


def _labels(title: str, rows: Sequence[Mapping[str, Any]], errors: Errors | None) -> Table:
    names = ["label", "rate", *_AMOUNTS]
    if errors is not None:
        names.insert(names.index("available") + 1, "± 95%")
    table = _table(title, *names)
    table.add_column("binding")
    for row in rows:
        binding = ", ".join(filter(None, [row["binding"], row["relaxed"] and "relaxed"]))
        name = text_key(row["category"], row["label"])
        available, *others = _amounts(row)
        if errors is not None:
            others.insert(0, amount_or_dash(errors.get((row["category"], row["label"]))))
        table.add_row(escape(name), f"{row['rate']:.3g}", available, *others, binding)
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None)
    for name in columns:
        table.add_column(name, justify="left" if name in _NAMES else "right")
    return table


def amount_or_dash(value: float | None) -> str:
    """An amount as a person reads it, a dash where there is none.

    >>> amount_or_dash(1234.5), amount_or_dash(None)
    ('1.23 k', '–')
    """
    return "–" if value is None else compact(round(value))


def print_sources(console: Console, report: PlanReport) -> None:
    """Prints the estimates of sources, where there was a sample."""
    if report.sources:
        console.print(_sources(report))


def print_report(console: Console, report: PlanReport) -> None:
    """Prints what will be written, hours and prices, and what all of it rests on."""
    console.print(_written(report))
    if report.stages:
        console.print(_stages(report))
        console.print(_engines(report))
    for text in report.assumptions:
        console.print(f"- {text}", markup=False, emoji=False, soft_wrap=False)


def _sources(report: PlanReport) -> Table:
    table = _table("Estimates from a sample", "source", "read", "records", "± 95%", "kept")
    for name in ("± 95%", "share", "± 95%", "CPU s"):
        table.add_column(name, justify="right")
    for row in report.sources:
        table.add_row(
            row["source"],
            percent(row["num_slices"] / row["num_slices_of_all"]),
            compact(round(row["read"])),
            amount_or_dash(row["read_error"]),
            compact(round(row["kept"])),
            amount_or_dash(row["kept_error"]),
            percent(row["kept_share"]),
            "–" if row["kept_share_error"] is None else percent(row["kept_share_error"]),
            _digits(row["seconds"]),
        )
    return table


def _written(report: PlanReport) -> Table:
    table = _table("Expected output", "what", "files", "documents", "bytes")
    for row in report.written:
        num_files = "by units" if row["num_files"] is None else f"{row['num_files']:,}"
        rows, num_bytes = amount_or_dash(row["num_rows"]), size(round(row["num_bytes"]))
        table.add_row(row["name"], num_files, rows, num_bytes)
    return table


def _digits(value: float) -> str:
    return f"{value:,.3g}"


def _stages(report: PlanReport) -> Table:
    table = _table("Worker hours", "stage", "CPU s", "± 95%", "of one core", "told by")
    for row in report.stages:
        error = "–" if row["error"] is None else _digits(row["error"])
        table.add_row(
            row["name"], _digits(row["seconds"]), error, duration(row["seconds"]), row["told_by"]
        )
    return table


def _engines(report: PlanReport) -> Table:
    table = _table("From start to end", "engine", "on", "time", "price")
    for row in report.engines:
        price = "–" if row["price"] is None else f"{row['price']:,.2f}"
        size_of_it = f"{row['size']:,} {row['unit']}"
        table.add_row(row["engine"], size_of_it, duration(3600 * row["wall_hours"]), price)
    return table
