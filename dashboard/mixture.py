"""Mixture: what was planned of each label, against what was drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from glotmill.dashboard.names import language_name
from glotmill.dashboard.shares import share

_Group = tuple[str, str]


@dataclass(frozen=True)
class PlannedRow:
    """One label in one category; amounts are in the unit that the recipe counts by.

    Attributes:
        available: what training can draw from.
        realised: what stands in the training shards, repeats included.
        planned_share: of what is planned of all labels; `realised_share` likewise.
        binding: what keeps the label from more, or from less; empty where nothing does.
        relaxed: wishes of the recipe that are not kept; empty where all are.
    """

    category: str
    label: str
    name: str
    tier: str
    rate: float
    available: float
    planned: float
    realised: int
    planned_share: float
    realised_share: float
    binding: str
    relaxed: str

    @property
    def epochs(self) -> float:
        """How often what is available was drawn."""
        return share(self.realised, self.available)

    @property
    def deviation(self) -> float | None:
        """How much more was drawn than planned, as a share; None where nothing was planned."""
        return self.realised / self.planned - 1 if self.planned else None


@dataclass(frozen=True)
class CategoryShare:
    """One category: what is planned of it, and what was drawn."""

    name: str
    num_labels: int
    available: float
    planned: float
    realised: int
    planned_share: float
    realised_share: float


@dataclass(frozen=True)
class Mixture:
    """The plan against what became of it.

    Attributes:
        unit: what amounts are counted in, such as words.
        labels: in the order of the plan.
        categories: of labels, in the order in which they come.
    """

    unit: str
    labels: Sequence[PlannedRow]
    categories: Sequence[CategoryShare]

    @property
    def relaxed(self) -> Sequence[PlannedRow]:
        """Labels for which a wish of the recipe is not kept."""
        return [row for row in self.labels if row.relaxed]


def mixture(plan: pa.Table, rates: pa.Table | None, documents: pa.Table, unit: str) -> Mixture:
    """The plan with what was drawn beside it.

    Args:
        plan: in the schema PLAN.
        rates: in the schema RATES; None where the stage wrote none.
        documents: in the schema `statistics.DOCUMENTS`.
        unit: the recipe's `mix.count_by`.
    """
    realised = _drawn(documents, unit)
    if rates is not None:
        realised |= _realised(rates)
    rows = plan.to_pylist()
    planned_total = sum(row["planned_count"] for row in rows)
    groups = {(row["category"], row["label"]) for row in rows}
    drawn_total = sum(count for group, count in realised.items() if group in groups)
    labels = [_row(row, unit, realised, planned_total, drawn_total) for row in rows]
    return Mixture(unit=unit, labels=labels, categories=_categories(labels))


def _row(
    row: Mapping[str, Any],
    unit: str,
    realised: Mapping[_Group, int],
    planned_total: float,
    drawn_total: int,
) -> PlannedRow:
    drawn = realised.get((row["category"], row["label"]), 0)
    available = row.get("available")
    return PlannedRow(
        category=row["category"],
        label=row["label"],
        name=language_name(row["label"]),
        tier=row["tier"],
        rate=row["rate"],
        available=row[f"num_{unit}"] if available is None else available,
        planned=row["planned_count"],
        realised=drawn,
        planned_share=share(row["planned_count"], planned_total),
        realised_share=share(drawn, drawn_total),
        binding=row.get("binding") or "",
        relaxed=row.get("relaxed") or "",
    )


def _drawn(documents: pa.Table, unit: str) -> dict[_Group, int]:
    """What stands in the training shards by category and label; nothing where it is not counted."""
    column = f"num_{unit}"
    if column not in documents.schema.names:
        return {}
    wanted = pc.and_(
        pc.equal(documents.column("stage"), "mix"), pc.equal(documents.column("outcome"), "train")
    )
    return _sums(documents.filter(wanted), column)


def _realised(rates: pa.Table) -> dict[_Group, int]:
    return _sums(rates.filter(pc.is_valid(rates.column("realised"))), "realised")


def _sums(table: pa.Table, column: str) -> dict[_Group, int]:
    summed = table.group_by(["category", "label"]).aggregate([(column, "sum")])
    names = ("category", "label", f"{column}_sum")
    rows = zip(*(summed.column(name).to_pylist() for name in names), strict=True)
    return {(category, label): count for category, label, count in rows}


def _categories(labels: Iterable[PlannedRow]) -> list[CategoryShare]:
    found: dict[str, list[PlannedRow]] = {}
    for row in labels:
        found.setdefault(row.category, []).append(row)
    return [
        CategoryShare(
            name=name,
            num_labels=sum(1 for row in rows if row.available),
            available=sum(row.available for row in rows),
            planned=sum(row.planned for row in rows),
            realised=sum(row.realised for row in rows),
            planned_share=sum(row.planned_share for row in rows),
            realised_share=sum(row.realised_share for row in rows),
        )
        for name, rows in found.items()
    ]
