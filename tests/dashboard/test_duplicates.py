"""Duplicates: sizes of clusters, the largest of them, and the texts that show what they are."""

import pyarrow as pa
import pytest
from run_writer import RunWriter, row

from glotmill.dashboard.duplicates import Cluster, SizeRow, least_size, size_rows
from glotmill.dashboard.statistics import gather
from glotmill.schemas.tables import CLUSTER_SIZES, REMOVALS

TEXTS = ["one", "one", "two", "Two!", "two.", "three", "four", "four"]
REMOVED = [  # row, removed, reason, cluster, size
    (0, False, "exact_duplicate", 0, 2), (1, True, "exact_duplicate", 0, 2),
    (2, False, "near_duplicate", 2, 3), (3, True, "near_duplicate", 2, 3),
    (4, True, "near_duplicate", 2, 3),
    (6, False, "exact_duplicate", 6, 2), (7, True, "exact_duplicate", 6, 2),
]  # fmt: skip


def sizes(*rows):
    """Documents that stay, and those that ingest kept, by size of cluster."""
    zeros = dict.fromkeys((f.name for f in CLUSTER_SIZES if f.name.startswith("num_")), 0)
    keys = {"category": "monolingual", "label": "eng_Latn"}
    return pa.Table.from_pylist(
        [
            {**zeros, **keys, "cluster_size": size, "num_documents": left, "num_kept": kept}
            for size, left, kept in rows
        ],
        CLUSTER_SIZES,
    )


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    source = {"name": "web", "path": "web.jsonl"}
    recipe = {"glotmill": 1, "name": "clusters", "sources": [source], "mix": {}}
    run = RunWriter(tmp_path_factory.mktemp("clusters"), recipe)
    documents = pa.table(
        {
            "text": TEXTS, "label": ["eng_Latn"] * 8, "source": ["web"] * 8,
            "content_hash": pa.array([bytes(15) + bytes([i]) for i in range(8)], pa.binary(16)),
        }
    )  # fmt: skip
    key = run.units["web"]
    run.table("ingest", f"ingest/documents/{key}.parquet", documents)
    run.statistics("ingest", [row("ingest", "kept", "", "web", "eng_Latn", (8, 30, 8))])
    names = ("row", "removed", "reason", "cluster", "cluster_size")
    removals = [dict(zip(names, values, strict=True)) for values in REMOVED]
    run.table("deduplicate", f"deduplicate/removals/{key}.parquet",
              pa.Table.from_pylist(removals, REMOVALS))  # fmt: skip
    run.table("deduplicate", "deduplicate/cluster_sizes.parquet",
              sizes((1, 1, 1), (2, 2, 4), (3, 1, 3)))  # fmt: skip
    root = run.finish([], {"ingest": {}, "deduplicate": {}, "mix": {}})
    return gather(root).duplicates["documents"]


def test_sizes(found):
    assert found.sizes == [SizeRow(1, 1, 1), SizeRow(2, 2, 4), SizeRow(3, 1, 3)]


def test_largest_clusters_come_first_with_texts_that_differ(found):
    assert found.clusters == [
        Cluster(3, "eng_Latn", "web", "near_duplicate", ["two", "Two!", "two."]),
        Cluster(2, "eng_Latn", "web", "exact_duplicate", ["one"]),
        Cluster(2, "eng_Latn", "web", "exact_duplicate", ["four"]),
    ]
    assert found.oversized == []


@pytest.mark.parametrize(
    ("rows", "least"),
    [
        ([], 2),
        ([(1, 50, 50)], 2),
        ([(1, 50, 50), (2, 3, 6), (9, 1, 9)], 2),  # few: all of them
        ([(2, 30, 60), (3, 19, 57), (9, 1, 9)], 3),  # enough from here on
        ([(2, 1_000_000, 2_000_000), (9, 3, 27)], 9),  # not a million for the sake of a few
        ([(2, 1_000_000, 2_000_000)], 2),
    ],
)
def test_clusters_are_looked_at_from_a_size_on(rows, least):
    assert least_size(sizes(*rows)) == least


def test_sizes_of_labels_are_added_up():
    both = pa.concat_tables([sizes((2, 3, 6)), sizes((2, 1, 2), (1, 5, 5))])
    assert size_rows(both) == [SizeRow(1, 5, 5), SizeRow(2, 4, 8)]
