"""Views: scripts, sources, tiers and losses, as pure functions on Arrow tables.

Tables named `documents` are in the schema `statistics.DOCUMENTS`, tables named `plan` in PLAN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, get_args

import pyarrow as pa
import pyarrow.compute as pc

from glotmill.dashboard.amounts import VALIDATION, Amount, Outcome, Sums, total
from glotmill.dashboard.flow import Flow
from glotmill.dashboard.languages import LanguageRow
from glotmill.dashboard.names import script_name
from glotmill.dashboard.shares import share
from glotmill.schemas.recipe import Category, Recipe, Source
from glotmill.schemas.tiers import Tier, tiers_of

_CATEGORIES = get_args(Category)


# --------------------------------------------------------------- scripts


@dataclass(frozen=True)
class ScriptRow:
    """One script, as recognised in the texts."""

    code: str
    name: str
    num_labels: int
    available: Amount
    sampled: Amount
    validation: Amount


def scripts(documents: pa.Table) -> list[ScriptRow]:
    """Scripts of the texts that deduplication left, the most words first."""
    sums = Sums(documents, ["script"])
    labels = Sums(documents, ["script", "label"])
    num_labels: dict[str, int] = {}
    for script, label in labels.groups:
        if labels.available((script, label)).documents:
            num_labels[script] = num_labels.get(script, 0) + 1
    rows = [
        ScriptRow(
            code=group[0],
            name=script_name(group[0]),
            num_labels=num_labels.get(group[0], 0),
            available=sums.available(group),
            sampled=sums.sampled(group),
            validation=sums.of(group, VALIDATION),
        )
        for group in sums.groups
        if group[0] and sums.surviving(group).documents
    ]
    return sorted(rows, key=lambda row: (-row.available.words, row.code))


# --------------------------------------------------------------- sources


@dataclass(frozen=True)
class SourceRow:
    """One source: what the recipe says of it, its input files, and what became of it."""

    source: Source
    num_files: int
    input_bytes: int
    flow: Flow


# ----------------------------------------------------------------- tiers


@dataclass(frozen=True)
class TierRow:
    """One tier; a tier without name stands for the categories that the mixture leaves out."""

    name: str
    at_least: float
    rate: float
    num_labels: int
    available: Amount
    sampled: Amount
    validation: Amount
    planned_count: float


class Planned(Protocol):
    """What the mixture plans and draws of one label in one category."""

    @property
    def category(self) -> str:
        """Of the recipe's."""

    @property
    def tier(self) -> str | None:
        """Its tier; None where the mixture leaves the category out."""

    @property
    def available(self) -> Amount:
        """What training can draw from."""

    @property
    def sampled(self) -> Amount:
        """What was drawn, repeats included."""

    @property
    def validation(self) -> Amount:
        """What is held out."""


def tiers(labels: Sequence[Planned], plan: pa.Table, recipe: Recipe) -> list[TierRow]:
    """The tiers of the recipe, largest first, and what is left out of the mixture, if anything.

    Where categories have tables of their own, the tiers carry the names of these.

    Args:
        labels: of some categories.
        plan: the rows of these.
        recipe: that was run.
    """
    tables: dict[tuple[Tier, ...], list[str]] = {}
    for category in sorted(set(plan.column("category").to_pylist()), key=_CATEGORIES.index):
        tables.setdefault(tiers_of(recipe.mix.tiers, category), []).append(category)
    planned = _planned_by_tier(plan)
    rows = []
    for table, categories in tables.items():
        of_table = [row for row in labels if row.category in categories]
        prefix = f"{', '.join(categories)}: " if len(tables) > 1 else ""
        for tier in table:
            count = sum(planned.get((category, tier.name), 0.0) for category in categories)
            rows.append(_tier(f"{prefix}{tier.name}", tier, of_table, count))
    if any(row.tier is None and row.available.documents for row in labels):
        rows.append(_tier("", None, labels, 0.0))
    return rows


def _planned_by_tier(plan: pa.Table) -> dict[tuple[str, str], float]:
    planned: dict[tuple[str, str], float] = {}
    columns = ("category", "tier", "planned_count")
    for category, name, count in zip(
        *(plan.column(each).to_pylist() for each in columns), strict=True
    ):
        planned[category, name] = planned.get((category, name), 0.0) + count
    return planned


def _tier(name: str, tier: Tier | None, labels: Sequence[Planned], planned: float) -> TierRow:
    of_tier = None if tier is None else tier.name
    rows = [row for row in labels if row.tier == of_tier and row.available.documents]
    return TierRow(
        name=name,
        at_least=tier.at_least if tier else 0.0,
        rate=tier.rate if tier else 0.0,
        num_labels=len(rows),
        available=total(row.available for row in rows),
        sampled=total(row.sampled for row in rows),
        validation=total(row.validation for row in rows),
        planned_count=planned,
    )


# --------------------------------------------------------------- dropped

_NUM_TOP_LABELS = 3


@dataclass(frozen=True)
class DropRow:
    """One reason to drop documents, and the labels with the most of them."""

    reason: str
    amount: Amount
    share_of_read: float
    top_labels: Sequence[tuple[str, int]]


def drop_reasons(documents: pa.Table, flow: Flow) -> list[DropRow]:
    """Reasons to drop documents, the most frequent first."""
    dropped = documents.filter(
        pc.and_(
            pc.equal(documents.column("stage"), "ingest"),
            pc.equal(documents.column("outcome"), "dropped"),
        )
    )
    sums = Sums(dropped, ["label"])
    rows = [
        DropRow(
            reason=reason,
            amount=amount,
            share_of_read=share(amount.documents, flow.read.documents),
            top_labels=_top_labels(sums, reason),
        )
        for reason, amount in flow.reasons.items()
    ]
    return sorted(rows, key=lambda row: (-row.amount.documents, row.reason))


def _top_labels(sums: Sums, reason: str) -> list[tuple[str, int]]:
    outcome = Outcome("ingest", "dropped", reason)
    counts = [(label, sums.of((label,), outcome).documents) for (label,) in sums.groups]
    found = [(label, count) for label, count in counts if count]
    return sorted(found, key=lambda each: (-each[1], each[0]))[:_NUM_TOP_LABELS]


# ----------------------------------------------------------- key figures


@dataclass(frozen=True)
class KeyFigures:
    """The finished corpus in numbers."""

    sampled: Amount
    repeated: Amount
    validation: Amount
    num_labels: int
    num_available_labels: int
    num_scripts: int


def key_figures(
    flow: Flow, languages: Sequence[LanguageRow], scripts: Sequence[ScriptRow]
) -> KeyFigures:
    """Totals of what was drawn; labels and scripts with a document in the training shards."""
    return KeyFigures(
        sampled=flow.sampled,
        repeated=flow.repeated,
        validation=flow.validation,
        num_labels=len({row.label for row in languages if row.sampled.documents}),
        num_available_labels=len({row.label for row in languages if row.available.documents}),
        num_scripts=sum(1 for row in scripts if row.sampled.documents),
    )
