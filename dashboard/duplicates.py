"""Duplicates: how large clusters are, and the largest of them with samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from glotmill.dashboard.amounts import kind_of
from glotmill.dashboard.samples import readable, rows_at
from glotmill.schemas.manifest import Manifest
from glotmill.schemas.tables import CLUSTER_SIZES
from glotmill.transforms.cluster_sizes import PATH as SIZES_PATH
from glotmill.transforms.tables import read_batches, read_table
from glotmill.transforms.unit_index import removals_path

OVERSIZED_PATH = "deduplicate/oversized.parquet"

#: Clusters of a kind that are shown with samples.
MAX_CLUSTERS = 20
_MAX_TEXTS = 3
# Bounds of what is read where thousands of clusters are equally large, or one has millions.
_MAX_LOOKED_AT = 1_000
_MAX_MEMBERS = 200_000
_COLUMNS = ("row", "removed", "reason", "cluster", "cluster_size")


@dataclass(frozen=True)
class SizeRow:
    """Clusters of one size: a document without duplicates is a cluster of one.

    Attributes:
        num_clusters: of which one document stays each.
        num_documents: that ingest kept, those that were removed included.
    """

    size: int
    num_clusters: int
    num_documents: int


@dataclass(frozen=True)
class Cluster:
    """A cluster of equal or nearly equal documents.

    Attributes:
        label: of the document that stays.
        reason: why the others were removed.
        texts: of the one that stays, and of some that differ from it; cut short.
    """

    size: int
    label: str
    source: str
    reason: str
    texts: Sequence[str]


@dataclass(frozen=True)
class Oversized:
    """A cluster of near duplicates that is too large to be believed."""

    num_documents: int
    num_texts: int
    label: str
    label_share: float
    samples: Sequence[str]


@dataclass(frozen=True)
class Duplicates:
    """What the page shows of duplicates of one kind, documents or pairs.

    Attributes:
        sizes: the smallest first.
        clusters: the largest first.
        oversized: the largest first.
    """

    sizes: Sequence[SizeRow]
    clusters: Sequence[Cluster]
    oversized: Sequence[Oversized]


def duplicates(root: str, manifest: Manifest, units: Mapping[str, str], kind: str) -> Duplicates:
    """Reads what deduplication wrote of the units of one kind.

    Args:
        root: the output directory.
        manifest: of the stage `deduplicate`.
        units: the category of each unit's source, by key of the unit.
        kind: `documents` or `pairs`.
    """
    sizes = _sizes_table(root, manifest, kind)
    keys = [key for key, category in units.items() if kind_of(category) == kind]
    return Duplicates(
        sizes=size_rows(sizes),
        clusters=_clusters(root, manifest, keys, least_size(sizes)),
        oversized=_oversized(root, manifest) if kind == "documents" else [],
    )


def _listed(manifest: Manifest, path: str) -> bool:
    return any(entry.path == path for entry in manifest.files)


def _sizes_table(root: str, manifest: Manifest, kind: str) -> pa.Table:
    if not _listed(manifest, SIZES_PATH):
        return CLUSTER_SIZES.empty_table()
    table = read_table(f"{root}/{SIZES_PATH}")
    wanted = [kind_of(category) == kind for category in table.column("category").to_pylist()]
    return table.filter(pa.array(wanted, pa.bool_()))


def size_rows(sizes: pa.Table) -> list[SizeRow]:
    """Clusters by size, the smallest first.

    Args:
        sizes: in the schema CLUSTER_SIZES.
    """
    summed = sizes.group_by("cluster_size").aggregate(
        [("num_documents", "sum"), ("num_kept", "sum")]
    )
    ordered = summed.sort_by("cluster_size")
    names = ("cluster_size", "num_documents_sum", "num_kept_sum")
    columns = (ordered.column(name).to_pylist() for name in names)
    return [SizeRow(*row) for row in zip(*columns, strict=True)]


def least_size(sizes: pa.Table) -> int:
    """The size from which on clusters are looked at: about `MAX_CLUSTERS` are as large."""
    num_clusters, least = 0, 0
    for row in reversed(size_rows(sizes)):
        num_clusters += row.num_clusters
        if row.size < 2 or (least and num_clusters > _MAX_LOOKED_AT):
            break
        least = row.size
        if num_clusters >= MAX_CLUSTERS:
            break
    return least or 2


def _clusters(root: str, manifest: Manifest, keys: Sequence[str], least: int) -> list[Cluster]:
    """The largest clusters with their texts."""
    stays: list[_Member] = []
    others: dict[int, list[_Member]] = {}
    for member in _members(root, manifest, keys, least):
        if member.removed:
            of_cluster = others.setdefault(member.cluster, [])
            of_cluster += [member] * (len(of_cluster) < _MAX_TEXTS - 1)
        else:
            stays.append(member)
    stays.sort(key=lambda each: (-each.size, each.cluster))
    shown = {each: others.get(each.cluster, []) for each in stays[:MAX_CLUSTERS]}
    places = [member.place for each, rest in shown.items() for member in (each, *rest)]
    rows = rows_at(places, ["text", "label", "source"])
    return [_cluster(each, rest, rows) for each, rest in shown.items()]


class _Member(NamedTuple):
    """A document of a cluster, and where its text stands."""

    place: tuple[str, int]
    removed: bool
    reason: str
    cluster: int
    size: int


def _members(root: str, manifest: Manifest, keys: Sequence[str], least: int) -> Iterator[_Member]:
    """Documents in clusters of at least a size, a bounded number of them."""
    listed = {entry.path for entry in manifest.files}
    num_found = 0
    for key in keys:
        if (path := removals_path(key)) not in listed:
            continue
        for batch in read_batches(f"{root}/{path}", batch_rows=50_000):
            found = batch.filter(pc.greater_equal(batch.column("cluster_size"), least))
            documents = f"{root}/ingest/documents/{key}.parquet"
            for row, *member in zip(*(found.column(n).to_pylist() for n in _COLUMNS), strict=True):
                yield _Member((documents, row), *member)
            num_found += found.num_rows
            if num_found > _MAX_MEMBERS:
                return


def _cluster(
    stays: _Member,
    others: Sequence[_Member],
    rows: Mapping[tuple[str, int], Mapping[str, str]],
) -> Cluster:
    texts = dict.fromkeys(readable(rows[each.place]["text"]) for each in (stays, *others))
    row = rows[stays.place]
    return Cluster(
        size=stays.size,
        label=row["label"],
        source=row["source"],
        reason=others[0].reason if others else stays.reason,
        texts=list(texts),
    )


def _oversized(root: str, manifest: Manifest) -> list[Oversized]:
    if not _listed(manifest, OVERSIZED_PATH):
        return []
    names = ("num_documents", "num_texts", "label", "label_share", "samples")
    rows = read_table(f"{root}/{OVERSIZED_PATH}", names).to_pylist()
    found = [
        Oversized(**{**row, "samples": [readable(text) for text in row["samples"]]}) for row in rows
    ]
    return sorted(found, key=lambda each: (-each.num_documents, each.label))
