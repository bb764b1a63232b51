"""The table at the end of a run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.table import Table

from glotmill.dashboard.report import PAGE, SUMMARY_PATH
from glotmill.pipelines.planning.printing import print_findings
from glotmill.pipelines.stages.base import Manifests, statistics_of
from glotmill.pipelines.undrawn import undrawn
from glotmill.schemas.recipe import Recipe
from glotmill.schemas.wording import counted
from glotmill.transforms import storage
from glotmill.transforms.directions import FOLDER as DIRECTIONS_FOLDER
from glotmill.transforms.directions import merge_directions
from glotmill.transforms.findings import FINDINGS_PATH, findings_of_json, some_of
from glotmill.transforms.plan import PLAN_CSV_PATH, PLAN_PATH
from glotmill.transforms.realised import PATH as REALISED_PATH
from glotmill.transforms.tables import read_table

_STAGES = ("ingest", "deduplicate", "compose", "mix")

#: Documents, or pairs, by stage, outcome and reason.
Counts = Mapping[tuple[str, str, str], int]


def print_summary(console: Console, recipe: Recipe, root: str, manifests: Manifests) -> None:
    """Prints what became of all records, and where the result lies.

    Texts in one language are counted in documents, parallel text in pairs: every row of the table
    counts the same, so that what is read is what is rejected, dropped, removed, drawn and left.

    Args:
        console: to print to.
        recipe: that was run.
        root: the output directory.
        manifests: of the stages.
    """
    counts = counts_by_kind(recipe, root, manifests)
    titled = len(counts) > 1
    title = "Documents and pairs" if titled else "".join(counts).capitalize()
    table = Table(title=title, title_justify="left", show_header=titled)
    table.add_column()
    for kind in counts:
        table.add_column(kind, justify="right")
    for name, values in summary_rows(list(counts.values())):
        table.add_row(name, *(f"{value:,}" for value in values))
    console.print(table)
    _print_shards(console, root, manifests)
    if "pairs" in counts:
        _print_pairs(console, root, manifests)
    if manifests["ingest"].counts["rejected"]:
        console.print(f"rejected records with their reasons: {root}/ingest/rejected", markup=False)
    print_findings(console, findings_of_json(storage.read_bytes(f"{root}/{FINDINGS_PATH}")))
    _print_failed(console, root)


def counts_by_kind(recipe: Recipe, root: str, manifests: Manifests) -> Mapping[str, Counts]:
    """Sums of the statistics of `documents` and of `pairs`, those that the recipe has."""
    kind_of = {
        source.name: "pairs" if source.category == "bitext" else "documents"
        for source in recipe.sources
    }
    counts: dict[str, dict[tuple[str, str, str], int]] = {
        kind: {} for kind in ("documents", "pairs") if kind in kind_of.values()
    }
    for stage in _STAGES:
        statistics = statistics_of(root, stage, manifests[stage].files)
        names = ["source", "outcome", "reason", "num_documents"]
        for row in statistics.select(names).to_pylist():
            of_kind, key = counts[kind_of[row["source"]]], (stage, row["outcome"], row["reason"])
            of_kind[key] = of_kind.get(key, 0) + row["num_documents"]
    return counts


def summary_rows(counts: Iterable[Counts]) -> list[tuple[str, list[int]]]:
    """The table: a title, and a number for each of the counts.

    >>> kept, drawn = ("ingest", "kept", ""), ("mix", "train", "")
    >>> summary_rows([{kept: 5, drawn: 2}])[2:]
    [('left to draw from', [5]), ('drawn for training', [2]), ('held out for validation', [0]), \
('not drawn', [3]), ('drawn again for training', [0])]
    """
    counts = list(counts)
    read = [_sum(each, "ingest") for each in counts]
    rejected = [_sum(each, "ingest", "rejected") for each in counts]
    left = [
        _sum(each, "ingest", "kept")
        - _sum(each, "deduplicate", "dropped")
        - _sum(each, "compose", "excluded")
        for each in counts
    ]
    train = [each.get(("mix", "train", ""), 0) for each in counts]
    validation = [each.get(("mix", "validation", ""), 0) for each in counts]
    again = [_sum(each, "mix", "train") - first for each, first in zip(counts, train, strict=True)]
    unseen = [a - b - c for a, b, c in zip(left, train, validation, strict=True)]
    return [
        ("read", read),
        ("rejected (unreadable records)", rejected),
        *_reasons(counts, "ingest", "dropped"),
        *_reasons(counts, "deduplicate", "removed"),
        *_reasons(counts, "compose", "kept out of training", "excluded"),
        ("left to draw from", left),
        ("drawn for training", train),
        ("held out for validation", validation),
        ("not drawn", unseen),
        ("drawn again for training", again),
    ]


def _sum(counts: Counts, stage: str, outcome: str | None = None) -> int:
    return sum(
        count
        for (of_stage, of_outcome, _), count in counts.items()
        if of_stage == stage and outcome in (None, of_outcome)
    )


def _reasons(
    counts: list[Counts], stage: str, what: str, outcome: str = "dropped"
) -> list[tuple[str, list[int]]]:
    """Drop reasons of a stage, the most frequent first."""
    keys = {key for each in counts for key in each if key[:2] == (stage, outcome)}
    rows = [(key[2], [each.get(key, 0) for each in counts]) for key in keys]
    rows.sort(key=lambda row: (-sum(row[1]), row[0]))
    return [(f"{what}: {reason.replace('_', ' ')}", values) for reason, values in rows]


def _print_shards(console: Console, root: str, manifests: Manifests) -> None:
    plan = read_table(f"{root}/{PLAN_PATH}", ["label", "tier", "binding", "planned_count"])
    shards = manifests["mix"].under("shards")
    num_bytes = sum(file.num_bytes for file in shards)
    labels = counted(len(set(plan.column("label").to_pylist())), "label")
    size = f"{counted(len(shards), 'shard')}, {num_bytes / 1e6:,.1f} MB"
    console.print(f"{labels} in {size}, under {root}/shards", markup=False)
    if silent := undrawn(plan.to_pylist()):
        console.print(
            f"{silent}: see 'mix' of the recipe, and {root}/{PLAN_CSV_PATH}", markup=False
        )
    _print_tokens(console, root, manifests)


def _print_tokens(console: Console, root: str, manifests: Manifests) -> None:
    files = manifests["mix"].under("tokens")
    if files:
        realised = read_table(f"{root}/{REALISED_PATH}", ["num_tokens"])
        num_bytes = sum(file.num_bytes for file in files)
        console.print(
            f"{_total(realised, 'num_tokens'):,} tokens to train on, "
            f"{num_bytes / 1e6:,.1f} MB, under {root}/tokens",
            markup=False,
        )


def _print_pairs(console: Console, root: str, manifests: Manifests) -> None:
    entries = manifests["mix"].under(DIRECTIONS_FOLDER)
    directions = merge_directions(read_table(f"{root}/{entry.path}") for entry in entries)
    for split, name in (("train", "training"), ("validation", "validation")):
        rows = directions.filter(pc.equal(directions.column("outcome"), split))
        if rows.num_rows:
            documents = counted(_total(rows, "num_documents"), "pseudo-document")
            pairs = counted(_total(rows, "num_pairs"), "pair")
            console.print(f"{name}: {documents} of {pairs}, repeats included")


def _print_failed(console: Console, root: str) -> None:
    """Says which checks of the report fail."""
    summary = json.loads(storage.read_bytes(f"{root}/{SUMMARY_PATH}"))
    if failed := summary["failed_checks"]:
        console.print(
            f"the numbers do not add up: {len(failed)} of {summary['num_checks']} checks fail "
            f"({some_of(failed)}); see Conservation in {root}/{PAGE}",
            markup=False,
            emoji=False,
        )


def _total(table: pa.Table, column: str) -> int:
    return int(pc.sum(table.column(column)).as_py() or 0)  # the sum of no rows is none
