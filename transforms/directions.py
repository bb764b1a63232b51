"""Directions: pairs counted by the order of their languages, in the data and as they are drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from glotmill.schemas.tables import COUNTS, DIRECTION_KEYS, DIRECTIONS, MANY_LANGUAGES

#: Where `mix` leaves its counts: a file a unit, and a file a shard that holds pairs.
FOLDER = "mix/directions"

_SUMS = ("num_documents", "num_pairs", *COUNTS)


def directions_of_pairs(rows: pa.RecordBatch, constants: Mapping[str, str]) -> pa.Table:
    """Pairs as the data has them, one row a direction, in the schema DIRECTIONS.

    Args:
        rows: pairs with the columns source, label, segment_labels and COUNTS.
        constants: the keys that are the same on all rows.
    """
    # The function knows no list whose values cannot be null.
    labels = rows.column("segment_labels").cast(pa.list_(pa.string()))
    direction = pc.binary_join(labels, ">")
    nothing = pa.repeat(pa.scalar(0, pa.int64()), rows.num_rows)
    ones = pa.repeat(pa.scalar(1, pa.int64()), rows.num_rows)
    return _summed(rows, constants, direction, num_documents=nothing, num_pairs=ones)


def directions_of_documents(rows: pa.Table, constants: Mapping[str, str]) -> pa.Table:
    """Pseudo-documents as they are drawn, one row a direction, in the schema DIRECTIONS.

    Args:
        rows: with the columns reason, source, label, original_code, num_pairs and COUNTS.
        constants: the keys that are the same on all rows.
    """
    ones = pa.repeat(pa.scalar(1, pa.int64()), rows.num_rows)
    return _summed(rows, constants, rows.column("original_code"), num_documents=ones)


def _summed(
    rows: pa.RecordBatch | pa.Table,
    constants: Mapping[str, str],
    direction: pa.Array,
    **numbers: pa.Array,
) -> pa.Table:
    # Texts in many languages have nearly as many directions as there are rows.
    label = rows.column("label")
    many = pc.equal(label, MANY_LANGUAGES)
    columns = {"label": label, "direction": pc.if_else(many, MANY_LANGUAGES, direction), **numbers}
    for name in DIRECTIONS.names:
        if name in constants:
            columns[name] = pa.repeat(constants[name], rows.num_rows)
        elif name not in columns:
            columns[name] = rows.column(name)
    return merge_directions([pa.table(columns).select(DIRECTIONS.names).cast(DIRECTIONS)])


def merge_directions(tables: Iterable[pa.Table]) -> pa.Table:
    """The tables' directions added up, in the order of their keys."""
    table = pa.concat_tables([DIRECTIONS.empty_table(), *tables])
    summed = table.group_by(list(DIRECTION_KEYS)).aggregate([(name, "sum") for name in _SUMS])
    summed = summed.rename_columns([name.removesuffix("_sum") for name in summed.schema.names])
    ordered = summed.sort_by([(name, "ascending") for name in DIRECTION_KEYS])
    return ordered.select(DIRECTIONS.names).cast(DIRECTIONS)
