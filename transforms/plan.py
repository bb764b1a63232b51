"""Plan: what there is of each label to what is drawn of it, and the size of validation splits."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from glotmill.schemas import recipe
from glotmill.schemas.tables import COUNTS, PLAN, RATES
from glotmill.transforms.allocate import TOLERANCE, fill_under_caps
from glotmill.transforms.bounds import Group as Group
from glotmill.transforms.bounds import LabelBounds, bounds_of, row_of
from glotmill.transforms.findings import Finding, findings_of_labels, held_back
from glotmill.transforms.parts import findings_of_parts, largest_budget, whole_of

#: Where the plan of a run is, relative to its output, and the same for spreadsheets.
PLAN_PATH = "mix/plan.parquet"
PLAN_CSV_PATH = "mix/plan.csv"
#: What keeps a label from more, or from less; "" where nothing but the strategy decides.
BINDINGS = (
    "",
    "max_epochs",  # it is repeated as often as it may be
    "max_rate",  # so it is, without a cap of its own
    "max",
    "min",
    "domain_cap",  # one of its domains would become too large a share
    "rate",  # of 0: its tier, or the recipe's entry, leaves it out
    "no_text",  # none of it is for training
    "no_share",  # its category or tier has none, or one of 0
)

_SUMS = ("num_documents", *COUNTS)
# A label too small to spare a document for validation has fewer than this many per held-out one.
_TRAIN_PER_VALIDATION = 10


def available(kept: pa.Table, removed: pa.Table, category_of: Mapping[str, str]) -> pa.Table:
    """What each category and label has after deduplication.

    Args:
        kept: statistics of the documents that ingest kept.
        removed: statistics of those that deduplication removed.
        category_of: category of each source.

    Returns:
        Columns category, label and the sums, sorted by category and label.
    """
    both = pa.concat_tables([_signed(kept, category_of, 1), _signed(removed, category_of, -1)])
    summed = both.group_by(["category", "label"]).aggregate([(name, "sum") for name in _SUMS])
    summed = summed.rename_columns([name.removesuffix("_sum") for name in summed.schema.names])
    summed = summed.filter(pc.greater(summed.column("num_documents"), 0))
    return summed.sort_by([("category", "ascending"), ("label", "ascending")])


def _signed(statistics: pa.Table, category_of: Mapping[str, str], sign: int) -> pa.Table:
    sources = statistics.column("source").to_pylist()
    columns = {
        "category": pa.array([category_of[source] for source in sources], pa.string()),
        "label": statistics.column("label"),
    }
    columns |= {name: pc.multiply(statistics.column(name), sign) for name in _SUMS}
    return pa.table(columns)


def num_held_out(num_documents: int, options: recipe.Validation) -> int:
    """Size of a label's validation split, in documents.

    >>> num_held_out(5_000, recipe.Validation(share=0.01, max_documents=200, min_documents=1))
    50
    """
    wanted = max(options.min_documents, round(options.share * num_documents))
    if options.share == 0:
        return 0
    return min(wanted, options.max_documents, num_documents // _TRAIN_PER_VALIDATION)


def held_out_counts(counts: pa.Table, options: recipe.Mix) -> dict[Group, int]:
    """Size of the validation split of every category and label that the mixture takes."""
    return {
        (row["category"], row["label"]): num_held_out(row["num_documents"], options.validation)
        for row in _included(counts, options)
    }


def _included(counts: pa.Table, options: recipe.Mix) -> Iterator[dict[str, Any]]:
    for row in counts.to_pylist():
        if row["category"] not in options.exclude:
            yield row


@dataclass(frozen=True)
class MixturePlan:
    """What is to be drawn, and what of the recipe cannot be had.

    Attributes:
        plan: one row a category and label, in the schema PLAN.
        rates: one row a category, label and domain that has text for training, in the schema
            RATES; their targets add up to those of the plan.
        findings: what cannot be had, and what else should be known.
        budget: what was divided, in the unit of the plan; None where rates alone decide.
    """

    plan: pa.Table
    rates: pa.Table
    findings: tuple[Finding, ...]
    budget: float | None

    @property
    def infeasible(self) -> tuple[Finding, ...]:
        """What cannot be had; the plan comes as near as possible."""
        return tuple(finding for finding in self.findings if finding.stops)


def plan_mixture(
    available: pa.Table,
    options: recipe.Mix,
    mean_weights: Mapping[Group, float] | None = None,
    thresholds: Mapping[Group, int] | None = None,
) -> MixturePlan:
    """Solves the mixture: how much is drawn of every category, label and domain.

    Where the recipe cannot be met the plan comes as near as possible, as findings say.

    Args:
        available: what there is, in the schema AVAILABLE.
        options: of the recipe.
        mean_weights: what rehydration multiplies the rate of each group by, on average; 1 where
            it is absent.
        thresholds: the largest split draw that is held out, per group; none is held out where
            it is absent.
    """
    labels = bounds_of(available, options, mean_weights or {})
    whole = whole_of(labels, options)
    budget = options.budget
    if budget is None and options.strategy == "shares":
        budget = largest_budget(whole)
        budget = budget if math.isfinite(budget) else 0.0
    findings = list(findings_of_labels(labels, options))
    if budget is None:
        amounts = {each.name: _by_rate(each) for each in labels}
    else:
        findings += findings_of_parts(whole, labels, budget, options)
        amounts = whole.amounts(budget)
    rows = [_row(each, amounts.get(each.name), thresholds or {}) for each in labels]
    capped = [
        label for label, row in zip(labels, rows, strict=True) if row["binding"] == "domain_cap"
    ]
    return MixturePlan(
        plan=_plan_table(rows),
        rates=_rates_table(labels, amounts),
        findings=(*findings, *held_back(capped, options)),
        budget=budget,
    )


def _by_rate(label: LabelBounds) -> float:
    """What a label's rate alone gives, within its bounds."""
    return min(max(label.weight("rates", 1.0), label.lower), label.upper)


def _row(
    label: LabelBounds, planned: float | None, thresholds: Mapping[Group, int]
) -> dict[str, Any]:
    count = planned or 0.0
    return {
        **row_of(label),
        "validation_threshold": thresholds.get((label.category, label.label), -1),
        "rate": _rate(label, count, label.available),
        "planned_count": count,
        "epochs": count / label.available if label.available else 0.0,
        "binding": _binding(label, planned),
        "relaxed": ",".join(_relaxed(label, count)),
    }


def _rate(label: LabelBounds, count: float, there: float) -> float:
    """Epochs before rehydration; those of the tier to the last digit where they are drawn."""
    weighted = there * label.mean_weight
    if not weighted:
        return 0.0
    return label.rate if count == label.rate * weighted else count / weighted


def _binding(label: LabelBounds, planned: float | None) -> str:
    if label.limit == "no_text":
        return "no_text"
    if not label.rate and not label.wanted:
        return "rate"
    if not planned and label.upper:
        return "no_share"
    if label.rate and (planned or 0.0) >= label.upper * (1 - TOLERANCE):
        return label.limit
    return "min" if label.wanted and (planned or 0.0) <= label.wanted * (1 + TOLERANCE) else ""


def _relaxed(label: LabelBounds, count: float) -> Iterator[str]:
    if label.lifted:
        yield "domain_cap"
    if count < label.wanted * (1 - TOLERANCE):
        yield "min"


def _plan_table(rows: list[dict[str, Any]]) -> pa.Table:
    total = math.fsum(row["planned_count"] for row in rows)
    shares = [{"share": row["planned_count"] / total if total else 0.0} for row in rows]
    full = [row | share for row, share in zip(rows, shares, strict=True)]
    return pa.Table.from_pylist(full, schema=PLAN)


def _rates_table(labels: list[LabelBounds], amounts: Mapping[str, float]) -> pa.Table:
    rows = [row for each in labels for row in _domain_rows(each, amounts.get(each.name, 0.0))]
    return pa.Table.from_pylist(rows, schema=RATES)


def _domain_rows(label: LabelBounds, count: float) -> Iterator[dict[str, Any]]:
    targets = fill_under_caps(count, label.amounts, label.most_of_domains, label.caps)
    columns = (label.domains, label.amounts.tolist(), targets.tolist(), label.caps.tolist())
    for domain, there, target, cap in zip(*columns, strict=True):
        yield {
            "category": label.category,
            "label": label.label,
            "domain": domain,
            "available": int(there),
            "target": target,
            "max_epochs": label.max_epochs,
            "max_share": cap if cap < 1 else None,
            "rate": _rate(label, target, there),
        }


def plan_csv(plan: pa.Table) -> bytes:
    """The plan for a spreadsheet."""
    sink = io.BytesIO()
    pa_csv.write_csv(plan.drop_columns(["validation_threshold"]), sink)
    return sink.getvalue()
