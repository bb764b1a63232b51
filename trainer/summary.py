"""What a finished run has come to, for a person: a table by tier, and one by label."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from glotmill.trainer.metrics import METRICS


def print_summary(out: Path, console: Console) -> None:
    """Print bits per byte on the validation split, first and last, by tier and by label.

    Args:
        out: folder of the run.
        console: to print on.
    """
    lines = [json.loads(line) for line in (out / METRICS).read_text().splitlines()]
    validations = [line for line in lines if line["kind"] == "validation"]
    parts = [line for line in lines if line["kind"] == "train_parts"]
    if validations and parts:
        for view in ("tier", "label"):
            console.print(_table(view, validations[0][view], validations[-1][view], parts[-1]))


def _table(view: str, first: dict[str, Any], last: dict[str, Any], parts: dict[str, Any]) -> Table:
    table = Table("" + view, title=f"validation, by {view}", title_justify="left")
    headings = ["bits/byte before", "after", "loss before", "after"]
    headings += ["tokens seen", "of plan"] if view == "label" else []
    for heading in headings:
        table.add_column(heading, justify="right")
    for name, now in last.items():
        before = first.get(name, {})
        row = [_number(each, "bits_per_byte") for each in (before, now)]
        row += [_number(each, "loss") for each in (before, now)]
        table.add_row(name, *row, *(_seen(name, parts) if view == "label" else ()))
    return table


def _number(part: dict[str, Any], key: str) -> str:
    return f"{part[key]:.3f}" if key in part else "-"


def _seen(label: str, parts: dict[str, Any]) -> tuple[str, str]:
    seen, planned = parts["seen"].get(label, 0), parts["planned"].get(label, 0)
    return f"{seen:,}", f"{seen / planned:.0%}" if planned else "-"
