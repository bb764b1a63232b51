"""The table at the end of a run."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from glotmill.pipelines.stages.base import Manifests, statistics_of
from glotmill.transforms.mix import PLAN_PATH
from glotmill.transforms.tables import read_table


def print_summary(console: Console, root: str, manifests: Manifests) -> None:
    """Prints what became of all records, and where the result lies."""
    ingest = manifests["ingest"].counts
    removed = manifests["deduplicate"].counts["removed"]
    mix = manifests["mix"]
    table = Table(title="Documents", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("read", f"{ingest['read']:,}")
    table.add_row("rejected (unreadable records)", f"{ingest['rejected']:,}")
    for stage, what in (("ingest", "dropped"), ("deduplicate", "removed")):
        for reason, count in _reasons(root, stage, manifests):
            table.add_row(f"{what}: {reason.replace('_', ' ')}", f"{count:,}")
    table.add_row("left to draw from", f"{ingest['kept'] - removed:,}")
    table.add_row("drawn for training (with repeats)", f"{mix.counts['train']:,}")
    table.add_row("held out for validation", f"{mix.counts['validation']:,}")
    console.print(table)
    plan = read_table(f"{root}/{PLAN_PATH}", ["label", "tier"])
    shards = mix.under("shards")
    num_bytes = sum(file.num_bytes for file in shards)
    console.print(
        f"{len(set(plan.column('label').to_pylist()))} labels in "
        f"{len(shards)} shards, {num_bytes / 1e6:,.1f} MB, under {root}/shards"
    )
    if ingest["rejected"]:
        console.print(f"rejected records with their reasons: {root}/ingest/rejected")


def _reasons(root: str, stage: str, manifests: Manifests) -> list[tuple[str, int]]:
    """Drop reasons of a stage, the most frequent first."""
    counts: dict[str, int] = {}
    statistics = statistics_of(root, stage, manifests[stage].files)
    for row in statistics.select(["outcome", "reason", "num_documents"]).to_pylist():
        if row["outcome"] == "dropped":
            counts[row["reason"]] = counts.get(row["reason"], 0) + row["num_documents"]
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
