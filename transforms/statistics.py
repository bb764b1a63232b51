"""Sums by group: what every stage says of the documents it saw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from glotmill.schemas.tables import COUNTS, STATISTICS, STATISTICS_KEYS

_SUMS = ("num_documents", *COUNTS)


def summarise(table: pa.Table | pa.RecordBatch, constants: Mapping[str, str]) -> pa.Table:
    """One row a group of the table's rows, in the schema STATISTICS.

    Args:
        table: rows with the columns COUNTS and some of STATISTICS_KEYS; null keys become "". A
            row counts as one document, or as many as a column `num_documents` says.
        constants: the keys that are the same on all rows, such as stage and outcome.
    """
    columns: dict[str, pa.Array] = {}
    for name in STATISTICS_KEYS:
        if name in constants or name not in table.schema.names:
            columns[name] = pa.repeat(constants.get(name, ""), table.num_rows)
        else:
            columns[name] = pc.fill_null(table.column(name), "")
    for name in COUNTS:
        columns[name] = table.column(name) if name in table.schema.names else _ones(table, 0)
    counted = "num_documents" in table.schema.names
    columns["num_documents"] = table.column("num_documents") if counted else _ones(table, 1)
    return merge([pa.table(columns).select(STATISTICS.names).cast(STATISTICS)])


def _ones(table: pa.Table | pa.RecordBatch, value: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, pa.int64()), table.num_rows)


def merge(tables: Iterable[pa.Table]) -> pa.Table:
    """The tables' groups added up, in the order of their keys."""
    tables = list(tables)
    if not tables:
        return STATISTICS.empty_table()
    grouped = pa.concat_tables(tables).group_by(list(STATISTICS_KEYS))
    summed = grouped.aggregate([(name, "sum") for name in _SUMS])
    summed = summed.rename_columns([name.removesuffix("_sum") for name in summed.schema.names])
    ordered = summed.sort_by([(name, "ascending") for name in STATISTICS_KEYS])
    return ordered.select(STATISTICS.names).cast(STATISTICS)
