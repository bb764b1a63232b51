"""Which document of a cluster stays, and which clusters are not believed: against plain Python."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmill.schemas.lock import doc_id, foreign_ordinal, unit_of
from glotmill.schemas.recipe import Near
from glotmill.transforms import removals
from glotmill.transforms.removals import (
    PRIORITY_OF_OTHERS,
    RANKED,
    REMOVAL,
    ClusterJudge,
    units_of,
)

OTHERS = foreign_ordinal(0, 0)
LABELS = {"aaa_Latn": 40, "bbb_Latn": 1_000, "ccc_Cyrl": 5}


def is_other(identity):
    return unit_of(identity) >= OTHERS


@st.composite
def clusters(draw, least_texts=1):
    """Rows (root, id, text, priority, length, label): of equal text, all but the id is equal."""
    rows, number = [], 0
    for _ in range(draw(st.integers(0, 3))):
        texts = []
        for _ in range(draw(st.integers(least_texts, 6))):
            length, label = draw(st.integers(1, 3)), draw(st.integers(-1, 2))
            members = []
            for _ in range(draw(st.sampled_from([1, 1, 2, 3]))):
                other = draw(st.sampled_from([False, False, False, True]))
                identity = doc_id(number % 3 + (OTHERS if other else 0), number)
                priority = PRIORITY_OF_OTHERS if other else draw(st.integers(-1, 1))
                members.append((priority, identity))
                number += 1
            text = max(members, key=lambda m: (m[0], -m[1]))[1]
            texts += [(identity, text, priority, length, label) for priority, identity in members]
        root = min(row[0] for row in texts)
        rows += [(root, *row) for row in texts]
    return rows


def by_hand(rows, near, totals):
    """What `choose` should say: (removed, exact, cluster, size) by id, and oversized clusters."""
    found, oversized = {}, []
    for root in sorted({row[0] for row in rows}):
        cluster = [row for row in rows if row[0] == root]
        stays = min(cluster, key=lambda row: (-row[3], -row[4], row[1]))[1]
        texts = [row for row in cluster if row[1] == row[2]]
        ours = [row for row in texts if not is_other(row[1])]
        labels = Counter(row[5] for row in ours) or {-1: 0}
        label = min(labels, key=lambda number: (-labels[number], number))
        share = labels[label] / totals[label] if label >= 0 else 0
        many = len(texts) > near.max_cluster
        much = len(ours) >= removals._LEAST_TEXTS and share > near.max_label_share
        if many or much:
            name = sorted(LABELS)[label] if label >= 0 else ""
            oversized.append((stays, len(cluster), len(texts), name, share))
        equals = Counter(row[2] for row in cluster)
        for _, identity, text, *_ in cluster:
            if is_other(identity):
                continue
            if (many or much) and near.on_oversized == "keep":
                if equals[text] > 1:
                    found[identity] = (identity != text, True, text, equals[text])
            elif len(cluster) > 1:
                exact = identity != text or len(texts) == 1
                found[identity] = (identity != stays, exact, stays, len(cluster))
    return found, oversized


def choose(rows, near):
    found, oversized = ClusterJudge(near, LABELS).choose(np.array(rows, RANKED))
    assert found.dtype == REMOVAL
    assert len(np.unique(found["id"])) == len(found)
    by_id = {
        int(row["id"]): (
            bool(row["removed"]), bool(row["exact"]), int(row["cluster"]), int(row["size"])
        )
        for row in found
    }  # fmt: skip
    return by_id, oversized


NEARS = st.builds(
    Near,
    max_cluster=st.integers(2, 6),
    max_label_share=st.sampled_from([0.0, 0.02, 0.1, 0.5, 1.0]),
    on_oversized=st.sampled_from(["stop", "keep", "remove"]),
)


@settings(max_examples=300)
@given(clusters(), NEARS, st.integers(1, 6), st.randoms(use_true_random=False))
def test_choice_is_that_of_plain_python_in_any_order(rows, near, least_texts, random):
    totals = [LABELS[label] for label in sorted(LABELS)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(removals, "_LEAST_TEXTS", least_texts)
        expected, expected_oversized = by_hand(rows, near, totals)
        random.shuffle(rows)
        found, oversized = choose(rows, near)
    assert found == expected
    assert [
        (o.cluster, o.num_documents, o.num_texts, o.label, o.label_share) for o in oversized
    ] == expected_oversized
    for each in oversized:
        texts = {row[1] for row in rows if row[1] == row[2]}
        assert set(each.samples) <= texts
        assert len(set(each.samples)) == len(each.samples) == min(5, each.num_texts)
        assert each.samples[0] == each.cluster


def chosen(rows, **options):
    """Of one cluster of different texts: (id, priority, length)."""
    ranked = [(rows[0][0], i, i, priority, length, 1) for i, priority, length in rows]
    found, oversized = choose(ranked, Near(**options))
    return {i for i, (removed, *_) in found.items() if not removed}, found, oversized


def test_priority_decides_then_length_then_the_smallest_id():
    assert chosen([(1, 0, 5), (2, 1, 1), (3, 1, 1)])[0] == {2}
    assert chosen([(1, 0, 5), (2, 0, 9), (3, 0, 9)])[0] == {2}
    assert chosen([(3, 0, 5), (2, 0, 5), (1, 0, 5)])[0] == {1}
    assert chosen([(1, -5, 9), (2, -4, 1)])[0] == {2}
    assert chosen([(1, 2**31 - 2, 1), (2, -(2**31) + 1, 2**40)])[0] == {1}


def test_a_document_of_another_corpus_stays_and_is_not_listed():
    other = doc_id(OTHERS, 3)
    stay, found, _ = chosen([(1, 9, 100), (2, 0, 1), (other, PRIORITY_OF_OTHERS, 1)])
    assert stay == set()
    assert found == {1: (True, False, other, 3), 2: (True, False, other, 3)}


def test_no_cluster_and_clusters_of_one():
    assert choose([], Near()) == ({}, [])
    assert choose([(1, 1, 1, 0, 5, 0), (2, 2, 2, 0, 5, 0)], Near()) == ({}, [])


def texts(count, label=1, root=0):
    return [(root, root + i, root + i, 0, 5, label) for i in range(count)]


@pytest.mark.parametrize("on_oversized", ["stop", "remove"])
def test_a_cluster_of_more_texts_than_wanted_is_named(on_oversized):
    near = Near(max_cluster=50, max_label_share=1, on_oversized=on_oversized)
    assert choose(texts(50), near)[1] == []
    found, (oversized,) = choose(texts(51), near)
    assert (oversized.num_texts, oversized.label, oversized.label_share) == (51, "bbb_Latn", 0.051)
    assert sum(removed for removed, *_ in found.values()) == 50


def test_copies_of_one_text_are_one_text():
    copies = [(0, i, 0, 0, 5, 1) for i in range(5_000)]
    found, oversized = choose(copies, Near(max_cluster=2, max_label_share=0))
    assert oversized == []
    assert all(exact for _, exact, _, _ in found.values())
    assert sum(removed for removed, *_ in found.values()) == 4_999


def test_a_share_counts_from_a_hundred_texts_on():
    near = Near(max_label_share=0.09)
    assert choose(texts(99), near)[1] == []
    assert [o.num_texts for o in choose(texts(100), near)[1]] == [100]
    assert choose(texts(100), Near(max_label_share=0.1))[1] == []
    # Where the limit of a cluster is lower, fewer texts are looked at, and their share is not.
    assert choose(texts(40, label=0), Near(max_cluster=40, max_label_share=0.1))[1] == []


def test_texts_of_no_label_of_ours_are_no_share():
    (oversized,) = choose(texts(3, label=-1), Near(max_cluster=2))[1]
    assert (oversized.label, oversized.label_share) == ("", 0)


def test_keep_leaves_the_texts_of_an_oversized_cluster_alone():
    near = Near(max_cluster=3, on_oversized="keep")
    equal = [(0, 4, 1, 0, 5, 1), (0, 5, 1, -3, 5, 1)]
    small = texts(2, root=100)
    found, oversized = choose([*texts(4), *equal, *small], near)
    assert [o.num_documents for o in oversized] == [6]
    assert found == {
        1: (False, True, 1, 3), 4: (True, True, 1, 3), 5: (True, True, 1, 3),
        100: (False, False, 100, 2), 101: (True, False, 100, 2),
    }  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), unique=True, max_size=20))
def test_records_by_unit(places):
    found = np.zeros(len(places), REMOVAL)
    found["id"] = [doc_id(unit, row) for unit, row in places]
    parts = {
        ordinal: np.frombuffer(packed, REMOVAL)["id"].tolist()
        for ordinal, packed in units_of(found)
    }
    expected = {}
    for unit, row in sorted(places):
        expected.setdefault(unit, []).append(doc_id(unit, row))
    assert parts == expected
