"""Sizes of clusters: how many documents of each label stand for clusters of which size."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from glotmill.schemas.tables import CLUSTER_SIZES, COUNTS
from glotmill.transforms import storage
from glotmill.transforms.records import temporary_folder
from glotmill.transforms.tables import read_table, write_table

PATH = "deduplicate/cluster_sizes.parquet"
_KEYS = ("category", "label", "cluster_size")
_SUMS = tuple(name for name in CLUSTER_SIZES.names if name not in _KEYS)


def count_kept(
    documents: pa.Table,
    sizes: npt.NDArray[np.int64],
    stays: npt.NDArray[np.bool_],
    category: str,
) -> pa.Table:
    """Sums of some documents that ingest kept, in the schema CLUSTER_SIZES.

    Args:
        documents: n rows with the columns label and COUNTS.
        sizes: int64[n], of their clusters.
        stays: bool[n], which of them deduplication leaves.
        category: of their source.
    """
    columns = {
        "category": pa.repeat(category, len(sizes)),
        "label": documents.column("label"),
        "cluster_size": pa.array(sizes),
        "num_documents": pa.array(stays.astype(np.int64)),
        **{name: pc.multiply(documents.column(name), stays.astype(np.int64)) for name in COUNTS},
        "num_kept": pa.repeat(1, len(sizes)),
        "num_dropped": pa.nulls(len(sizes), pa.int64()),
    }
    return merge_sizes([pa.table(columns).cast(CLUSTER_SIZES)])


def count_dropped(labels: pa.Array, sizes: npt.NDArray[np.int64], category: str) -> pa.Table:
    """Sums of some documents that the filters dropped, in the schema CLUSTER_SIZES."""
    zeros = pa.repeat(0, len(sizes))
    columns = dict.fromkeys(_SUMS, zeros) | {
        "category": pa.repeat(category, len(sizes)),
        "label": labels,
        "cluster_size": pa.array(sizes),
        "num_dropped": pa.repeat(1, len(sizes)),
    }
    return merge_sizes([pa.table(columns).select(CLUSTER_SIZES.names).cast(CLUSTER_SIZES)])


def merge_sizes(tables: Iterable[pa.Table]) -> pa.Table:
    """The tables' groups added up, in the order of their keys."""
    both = pa.concat_tables([CLUSTER_SIZES.empty_table(), *tables])
    summed = both.group_by(list(_KEYS)).aggregate([(name, "sum") for name in _SUMS])
    summed = summed.rename_columns([name.removesuffix("_sum") for name in summed.schema.names])
    ordered = summed.sort_by([(name, "ascending") for name in _KEYS])
    return ordered.select(CLUSTER_SIZES.names).cast(CLUSTER_SIZES)


def complete_sizes(
    clusters: pa.Table, left: pa.Table, kept: pa.Table, dropped: pa.Table | None
) -> pa.Table:
    """Sums of all documents, those without a cluster under size 1, in the schema CLUSTER_SIZES.

    Args:
        clusters: sums of the documents that are in clusters.
        left: `plan.available` of what deduplication leaves.
        kept: the same of what ingest kept.
        dropped: the same of what the filters dropped; None where it took no part.
    """
    counted = dropped is not None
    totals = [
        _total(left, {name: left.column(name) for name in ("num_documents", *COUNTS)}, counted),
        _total(kept, {"num_kept": kept.column("num_documents")}, counted),
    ]
    if dropped is not None:
        totals.append(_total(dropped, {"num_dropped": dropped.column("num_documents")}, counted))
    columns = {name: clusters.column(name) for name in clusters.schema.names}
    columns["cluster_size"] = pa.repeat(1, clusters.num_rows)
    columns |= {name: pc.negate(columns[name]) for name in _SUMS}
    taken = pa.table(columns).cast(CLUSTER_SIZES)
    merged = merge_sizes([*totals, taken, clusters])
    if counted:
        place = merged.schema.get_field_index("num_dropped")
        filled = pc.fill_null(merged.column(place), 0)
        merged = merged.set_column(place, CLUSTER_SIZES.field(place), filled)
    there = pc.add(merged.column("num_kept"), pc.fill_null(merged.column("num_dropped"), 0))
    return merged.filter(pc.greater(there, 0))


def _total(groups: pa.Table, sums: dict[str, pa.ChunkedArray], counted: bool) -> pa.Table:
    """Sums of categories and labels as rows of size 1."""
    num_rows = groups.num_rows
    columns = dict.fromkeys(_SUMS, pa.repeat(0, num_rows))
    columns["num_dropped"] = pa.array([0 if counted else None] * num_rows, pa.int64())
    columns |= {"category": groups.column("category"), "label": groups.column("label")}
    columns |= {"cluster_size": pa.repeat(1, num_rows), **sums}
    return pa.table(columns).select(CLUSTER_SIZES.names).cast(CLUSTER_SIZES)


def _folder(root: str) -> str:
    return f"{temporary_folder(root, 'deduplicate')}/sizes"


def write_sizes(root: str, ordinal: int, sizes: pa.Table) -> None:
    """Leaves the sums of one unit's documents in clusters, or of its dropped ones."""
    write_table(_folder(root), f"{ordinal}.parquet", sizes)


def read_sizes(root: str) -> pa.Table:
    """The sums of all documents in clusters."""
    try:
        files = storage.match(f"{storage.escape(_folder(root))}/*.parquet")
    except LookupError:
        files = []
    return merge_sizes(read_table(file.path) for file in files)
