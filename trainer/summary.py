"""What a finished run has come to, for a person: tables by label and by tier, and a verdict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from glotmill.trainer.metrics import METRICS, read_metrics

# Losses of a part of the text, as a line of metrics has them.
_Parts = dict[str, dict[str, Any]]


def print_summary(out: Path, console: Console) -> None:
    """Print bits per byte on the validation split, first and last, by label and by tier.

    Args:
        out: folder of the run.
        console: to print on.
    """
    lines = read_metrics(out / METRICS)
    validations = [line for line in lines if line["kind"] == "validation"]
    parts = [line for line in lines if line["kind"] == "train_parts"]
    if validations and parts:
        first, last = validations[0], validations[-1]
        console.print(_table("label", first["label"], last["label"], parts[-1]))
        # Below the long table, where it is seen.
        tiers = ({**line["tier"], **line["all"]} for line in (first, last))
        console.print(_table("tier", *tiers))
        console.print(_verdict(first["tier"], last["tier"]))
    config = json.loads((out / "train.json").read_bytes())
    corpus = Path(config["data"]).parent.resolve()
    command = f"glotmill report {corpus} --training {out.resolve()}"
    console.print(f"next: {command}", markup=False, highlight=False, soft_wrap=True)


def _table(view: str, first: _Parts, last: _Parts, seen: dict[str, Any] | None = None) -> Table:
    table = Table(view, title=f"validation, by {view}", title_justify="left")
    headings = ["bits/byte before", "after", "change"]
    # Losses of labels do not compare, as their tokens are of unlike size.
    headings += ["tokens seen", "of plan"] if seen else ["loss before", "after"]
    for heading in headings:
        table.add_column(heading, justify="right")
    for name, now in last.items():
        before = first.get(name, {})
        change = _change(before, now)
        row = _numbers(before, now, "bits_per_byte")
        row.append("-" if change is None else f"{change:+.1%}")
        row += _seen(name, seen) if seen else _numbers(before, now, "loss")
        table.add_row(escape(name or "none"), *row)
    return table


def _numbers(before: dict[str, Any], now: dict[str, Any], key: str) -> list[str]:
    values = (part.get(key) for part in (before, now))
    return ["-" if value is None else f"{value:.3f}" for value in values]


def _change(before: dict[str, Any], now: dict[str, Any]) -> float | None:
    """By how much bits per byte differ from before, as a share; None where one is missing.

    >>> _change({"bits_per_byte": 4.0}, {"bits_per_byte": 3.0})
    -0.25
    """
    was, found = before.get("bits_per_byte"), now.get("bits_per_byte")
    return found / was - 1 if was and found is not None else None


def _verdict(first: _Parts, last: _Parts) -> str:
    """Whether bits per byte have fallen for every tier.

    >>> _verdict({"low": {"bits_per_byte": 4.0}}, {"low": {"bits_per_byte": 3.0}})
    'bits per byte have fallen for every tier'
    """
    changes = {name: _change(first.get(name, {}), now) for name, now in last.items()}
    others = [name for name, change in changes.items() if change is None or change >= 0]
    if not others:
        return "bits per byte have fallen for every tier" if changes else "nothing was held out"
    return escape(f"bits per byte have not fallen for these tiers: {', '.join(others)}")


def _seen(label: str, parts: dict[str, Any]) -> list[str]:
    seen, planned = parts["seen"].get(label, 0), parts["planned"].get(label, 0)
    return [f"{seen:,}", f"{seen / planned:.0%}" if planned else "-"]
