"""Sketches: near the exact numbers, the same however batches are cut, mergeable."""

import math
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from glotmill.transforms.sketches import (
    SKETCHES,
    merge_sketches,
    ngrams,
    sketches_table,
    update,
)

SCHEMA = pa.schema(
    [
        ("label", pa.string()), ("text", pa.string()), ("url", pa.string()),
        ("content_hash", pa.binary(16)), ("num_characters", pa.int64()),
        ("identified_score", pa.float32()), ("script_share", pa.float32()),
    ]
)  # fmt: skip


def documents(count, start=0, label="eng_Latn"):
    numbers = range(start, start + count)
    return pa.RecordBatch.from_pylist(
        [
            {
                "label": label, "text": f"the same three words {i}",
                "url": f"https://user@Host{i % 50 if i % 3 else 0}.example:80/{i}",
                "content_hash": i.to_bytes(16, "big"), "num_characters": i,
                "identified_score": None if i % 2 else 0.5, "script_share": i % 100 / 100,
            }
            for i in numbers
        ],
        schema=SCHEMA,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole():
    sketches = {}
    update(sketches, documents(10_000))
    return sketches


def test_quantiles(whole):
    found = whole["eng_Latn"].quantiles("lengths", [0.01, 0.1, 0.5, 0.9, 0.99])
    exact = np.quantile(np.arange(10_000), [0.01, 0.1, 0.5, 0.9, 0.99])
    assert np.abs(found - exact).max() < 100  # 1% of rank
    assert whole["eng_Latn"].quantiles("confidence", [0.5]) == [0.5]
    assert whole["eng_Latn"].quantiles("script_share", [0.1])[0] == pytest.approx(0.1, abs=0.01)


def test_distinct_and_frequent_hosts(whole):
    sketches = whole["eng_Latn"]
    assert sketches.num_distinct("hosts") == pytest.approx(50, rel=0.05)
    exact = Counter(f"host{i % 50 if i % 3 else 0}.example" for i in range(10_000))
    assert sketches.most_frequent("hosts", 1) == exact.most_common(1)


def test_frequent_ngrams_of_the_sample(whole):
    top = whole["eng_Latn"].most_frequent("ngrams", 2)
    sampled = sum(1 for i in range(10_000) if i % 256 % 32 == 0)
    assert [value for value, _ in top] == ["same three words", "the same three"]
    assert {count for _, count in top} == {sampled}


def test_merging_parts_is_near_the_whole(whole):
    tables = []
    for start in range(0, 10_000, 2_500):
        part = {}
        update(part, documents(2_500, start))
        tables.append(sketches_table(part))
    merged = merge_sketches(tables)["eng_Latn"]
    one = whole["eng_Latn"]
    assert merged.quantiles("lengths", [0.5])[0] == pytest.approx(5_000, abs=200)
    assert merged.num_distinct("hosts") == pytest.approx(one.num_distinct("hosts"), rel=0.02)
    assert merged.most_frequent("hosts", 1) == one.most_frequent("hosts", 1)


def test_same_documents_same_bytes(whole):
    again = {}
    for start in range(0, 10_000, 100):
        update(again, documents(100, start))
    table = sketches_table(again)
    assert table.schema.equals(SKETCHES)
    assert table.equals(sketches_table(whole))
    assert table.column("sketch").to_pylist() == [
        "confidence", "distinct hosts", "lengths", "script_share", "top hosts", "top ngrams",
    ]  # fmt: skip


def test_labels_are_kept_apart():
    sketches = {}
    mixed = pa.Table.from_batches([documents(9), documents(5, 100, "swh_Latn"), documents(1, 9)])
    (batch,) = mixed.combine_chunks().to_batches()
    update(sketches, batch)
    assert sorted(sketches) == ["eng_Latn", "swh_Latn"]
    assert sketches["eng_Latn"].quantiles("lengths", [1.0]) == [9]
    assert sketches["swh_Latn"].quantiles("lengths", [0.0]) == [100]


def test_nothing_gives_nothing():
    assert sketches_table({}).num_rows == 0
    sketches = {}
    update(sketches, documents(0))
    assert sketches == merge_sketches([]) == {}
    update(sketches, documents(1, 1))
    assert math.isnan(sketches["eng_Latn"].quantiles("confidence", [0.5])[0])


def test_ngrams_of_scripts_without_spaces():
    assert list(ngrams("人人有权享有生命自由和人身安全都是这样的"))[:2] == [
        "人人有权享有",
        "人有权享有生",
    ]
    assert list(ngrams("two words")) == []
    assert list(ngrams("")) == []
