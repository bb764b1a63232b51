"""Plan: counts per label to tiers, rates and the size of the validation split."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from glotmill.schemas import recipe
from glotmill.schemas.tables import COUNTS, PLAN
from glotmill.schemas.tiers import tier_of, tiers_of

#: A category and a label: what the mixture is made of.
Group = tuple[str, str]

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


def make_plan(
    counts: pa.Table,
    thresholds: Mapping[Group, int],
    options: recipe.Mix,
    mean_weights: Mapping[Group, float] | None = None,
) -> pa.Table:
    """The mixture, one row a category and label, in the schema PLAN.

    Args:
        counts: what `available` gives.
        thresholds: the largest split draw that is held out, per group; none is held out where
            it is absent.
        options: of the recipe.
        mean_weights: what rehydration multiplies the rate of each group by, on average; 1 where
            it is absent.
    """
    rows = []
    for row in _included(counts, options):
        group = (row["category"], row["label"])
        count = row[f"num_{options.count_by}"]
        tier = tier_of(count, tiers_of(options.tiers, row["category"]))
        held_out = num_held_out(row["num_documents"], options.validation)
        weight = (mean_weights or {}).get(group, 1.0)
        training_share = 1 - held_out / row["num_documents"]
        rows.append(
            {
                **row,
                "tier": tier.name,
                "num_validation_documents": held_out,
                "validation_threshold": thresholds.get(group, -1),
                "rate": tier.rate,
                "weight": weight,
                "planned_count": tier.rate * weight * count * training_share,
            }
        )
    return pa.Table.from_pylist(rows, schema=PLAN)


def plan_csv(plan: pa.Table) -> bytes:
    """The plan for a spreadsheet."""
    sink = io.BytesIO()
    pa_csv.write_csv(plan.drop_columns(["validation_threshold"]), sink)
    return sink.getvalue()
