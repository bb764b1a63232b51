"""Realised: what was drawn, counted, and held against the plan."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from glotmill.schemas.tables import COUNTS, DRAWN_SUMS, REALISED

#: Where each shard leaves its sums.
FOLDER = "mix/drawn"
PATH = "mix/realised.parquet"

_SUMS = ("num_documents", *COUNTS, "num_tokens")
_KEYS = [name for name in DRAWN_SUMS.names if name not in _SUMS]


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
