"""Realised: what was drawn, counted, and held against the plan."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from glotmill.schemas import recipe
from glotmill.schemas.mixture import text_key
from glotmill.schemas.tables import COUNTS, DRAWN_SUMS, REALISED
from glotmill.transforms.allocate import TOLERANCE
from glotmill.transforms.findings import Finding, amount, counted, some_of

#: Where each shard leaves its sums.
FOLDER = "mix/drawn"
PATH = "mix/realised.parquet"

_SUMS = ("num_documents", *COUNTS, "num_tokens")
_KEYS = [name for name in DRAWN_SUMS.names if name not in _SUMS]
# Part of a plan by which what is drawn may differ from it without being told.
_MOST_MISSED = 0.02

_WHOLE = "documents are drawn whole"

_Row = Mapping[str, Any]
#: A name, what is planned of it, and what is drawn.
_Drawn = tuple[str, float, int]


def drawn_sums(rows: pa.Table, split: str) -> pa.Table:
    """Sums of the rows of a shard, in the schema DRAWN_SUMS.

    Args:
        rows: with the columns of CORPUS.
        split: train or validation.
    """
    columns = {name: rows.column(name) for name in rows.schema.names if name in DRAWN_SUMS.names}
    for name in ("domain", "licence"):
        columns[name] = pc.fill_null(columns[name], "")
    columns["num_tokens"] = pc.fill_null(columns["num_tokens"], 0)
    columns["split"] = pa.repeat(split, rows.num_rows)
    columns["num_documents"] = pa.repeat(pa.scalar(1, pa.int64()), rows.num_rows)
    table = pa.table({name: columns[name] for name in DRAWN_SUMS.names})
    return merge_drawn([table.cast(DRAWN_SUMS)])


def merge_drawn(tables: Iterable[pa.Table]) -> pa.Table:
    """Sums of several shards, in the order of their keys."""
    table = pa.concat_tables([DRAWN_SUMS.empty_table(), *tables])
    summed = table.group_by(_KEYS).aggregate([(name, "sum") for name in _SUMS])
    summed = summed.rename_columns([name.removesuffix("_sum") for name in summed.schema.names])
    ordered = summed.sort_by([(name, "ascending") for name in _KEYS])
    return ordered.select(DRAWN_SUMS.names).cast(DRAWN_SUMS)


def realised(plan: pa.Table, drawn: pa.Table, count_by: str) -> pa.Table:
    """The plan beside what was drawn for training, in the schema REALISED.

    Args:
        plan: in the schema PLAN.
        drawn: sums of all shards, in the schema DRAWN_SUMS.
        count_by: unit of the plan.
    """
    train = drawn.filter(pc.equal(drawn.column("split"), "train"))
    summed = train.group_by(["category", "label"]).aggregate([(name, "sum") for name in _SUMS])
    found = {(row["category"], row["label"]): row for row in summed.to_pylist()}
    rows = []
    for row in plan.select(["category", "label", "tier", "planned_count"]).to_pylist():
        sums = found.get((row["category"], row["label"]), {})
        rows.append(
            {
                **row,
                "realised_count": sums.get(f"num_{count_by}_sum", 0),
                **{name: sums.get(f"{name}_sum", 0) for name in _SUMS},
            }
        )
    return pa.Table.from_pylist(rows, schema=REALISED)


def findings_of_drawn(
    realised: pa.Table, rates: pa.Table, budget: float | None, options: recipe.Mix
) -> Iterator[Finding]:
    """Where what was drawn differs from the plan: in all, by category, and by domain.

    Args:
        realised: in the schema REALISED.
        rates: in the schema RATES, with what was drawn of each domain.
        budget: what was divided; None where rates alone decide.
        options: of the recipe.
    """
    rows, domains = realised.to_pylist(), rates.to_pylist()
    whole = _missed(("", row["planned_count"], row["realised_count"]) for row in rows)
    for _, planned, drawn in whole:
        met = budget is not None and math.isclose(planned, budget, rel_tol=TOLERANCE)
        told = f"{amount(drawn)} {options.unit} for a {'budget' if met else 'plan'} of "
        yield _finding("budget", f"drawn {told}{amount(planned)}", whole, rows, domains)
    for subject, parts in (
        ("categories", [(r["category"], r["planned_count"], r["realised_count"]) for r in rows]),
        ("domains", [(r["domain"], r["target"], r["realised"]) for r in domains]),
    ):
        missed = [each for each in _missed(parts) if each[0]]  # text of no domain has no name
        if missed and len({name for name, *_ in parts}) > 1:
            each = [f"{name} {amount(drawn)} for {amount(plan)}" for name, plan, drawn in missed]
            told = f"{options.unit} drawn of {subject} are not those planned ({some_of(each)})"
            yield _finding(subject, told, missed, rows, domains)


def _missed(parts: Iterable[_Drawn]) -> list[_Drawn]:
    """Sums by name that differ from their plan, those that differ most first."""
    by_name: dict[str, tuple[list[float], list[int]]] = {}
    for name, planned, drawn in parts:
        sums = by_name.setdefault(name, ([], []))
        sums[0].append(planned)
        sums[1].append(drawn)
    found = [(name, math.fsum(plan), sum(drawn)) for name, (plan, drawn) in by_name.items()]
    missed = [each for each in found if abs(each[2] - each[1]) > _MOST_MISSED * each[1]]
    return sorted(missed, key=lambda each: (-abs(each[2] - each[1]), each[0]))


def _finding(
    subject: str, told: str, missed: list[_Drawn], rows: list[_Row], domains: list[_Row]
) -> Finding:
    """What is said of a miss, with its cause."""
    wanted, drawn = math.fsum(each[1] for each in missed), sum(each[2] for each in missed)
    if drawn > wanted:
        found = [row for row in rows if _is_one_document(row)]
        labels = _names(sorted(found, key=lambda row: row["planned_count"] - row["realised_count"]))
        cause = f"{counted(len(labels))} {_have(labels)} one document larger than their target"
    else:
        labels = _names(row for row in domains if row["target"] and not row["realised"])
        cause = f"{counted(len(labels))} {_have(labels)} a domain of which nothing is drawn"
    advice = "raise what they are to have, or leave them out with a rate of 0"
    return Finding(
        kind="realised",
        subject=subject,
        wanted=wanted,
        possible=float(drawn),
        binding="documents",
        labels=labels,
        message=f"{told}, as {cause} ({some_of(labels)})" if labels else f"{told}, as {_WHOLE}",
        advice=advice if drawn > wanted and labels else "larger amounts are met more closely",
        stops=False,
    )


def _names(rows: Iterable[_Row]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text_key(row["category"], row["label"]) for row in rows))


def _have(labels: tuple[str, ...]) -> str:
    return "has" if len(labels) == 1 else "have"


def _is_one_document(row: _Row) -> bool:
    """Whether the first document of a label is more than is wanted of it.

    Where it has two directions two are drawn; nothing else is drawn twice as much as is wanted.
    """
    planned, drawn = row["planned_count"], row["realised_count"]
    return bool(drawn > planned and (row["num_documents"] == 1 or drawn > 2 * planned))
