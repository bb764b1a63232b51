"""The triage on the page: as many cells as a browser shows at once, and no more."""

from __future__ import annotations

from typing import Any

from glotmill.dashboard.definitions import verdict_title
from glotmill.dashboard.names import language_name, locale_of
from glotmill.dashboard.overview import Report
from glotmill.dashboard.shares import six_digits
from glotmill.dashboard.triage import Cell, worst_of_each_verdict

#: Cells of a verdict on the page; all of them are in `statistics/triage.parquet`.
MAX_CELLS = 150


def triage_data(report: Report) -> dict[str, Any]:
    """Verdicts by source for the chart, and the worst cells by column."""
    cells = cells_shown(report)
    ranks = {cell.key: rank for rank, cell in enumerate(report.gathered.cells, start=1)}
    return {
        "sources": [
            {
                "name": source,
                "fates": {name: amount.as_list() for name, amount in of_source.items()},
            }
            for source, of_source in report.verdicts.items()
        ],
        "cells": {
            "rank": [ranks[cell.key] for cell in cells],
            "source": [cell.source for cell in cells],
            "declared": [cell.declared_label for cell in cells],
            "declared_name": [_name(cell.declared_label) for cell in cells],
            "identified": [cell.identified_label for cell in cells],
            "identified_name": [_name(cell.identified_label) for cell in cells],
            "script": [cell.script for cell in cells],
            "verdict": [verdict_title(cell.verdict) for cell in cells],
            "documents": [cell.amount.documents for cell in cells],
            "share": [six_digits(cell.share) for cell in cells],
            "words": [cell.amount.words for cell in cells],
            "dropped": [cell.num_dropped for cell in cells],
            "samples": [list(cell.samples) for cell in cells],
            "locale": [_locale(cell) for cell in cells],
        },
    }


def cells_shown(report: Report) -> list[Cell]:
    """The cells that the page carries, the worst first."""
    return worst_of_each_verdict(report.gathered.cells, MAX_CELLS)


def _name(label: str) -> str:
    return language_name(label) if label else ""


def _locale(cell: Cell) -> str:
    """The language of a cell's texts, as far as it is known."""
    if cell.verdict == "contradicted":
        return locale_of(cell.identified_label)
    return locale_of(cell.declared_label or cell.identified_label)
