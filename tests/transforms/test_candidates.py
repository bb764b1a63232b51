"""Candidate pairs: all of them in small buckets, enough to connect large ones, in any order."""

import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glotmill.schemas.lock import doc_id, foreign_ordinal, is_foreign
from glotmill.transforms.candidates import candidate_pairs, unique_pairs

FOREIGN = doc_id(foreign_ordinal(0, 0), 0)
LAST_FOREIGN = doc_id(foreign_ordinal(125, 2**24 - 1), 2**32 - 1)
KEYS = st.sampled_from([0, 1, 2, 2**63, 2**64 - 1])
IDS = st.one_of(
    st.integers(0, 12),
    st.builds(doc_id, st.integers(0, 3), st.integers(0, 3)),
    st.integers(FOREIGN, FOREIGN + 5),
    st.just(LAST_FOREIGN),
)


def pairs_of(rows):
    keys = np.array([key for key, _ in rows], np.uint64)
    ids = np.array([identity for _, identity in rows], np.int64)
    return [tuple(pair) for pair in candidate_pairs(keys, ids).tolist()]


def buckets_of(rows):
    buckets = {}
    for key, identity in rows:
        buckets.setdefault(key, []).append(identity)
    return buckets.values()


def both_foreign(a, b):
    return a >= FOREIGN and b >= FOREIGN


def all_pairs(rows):
    """Pairs that share a key, by looking at all."""
    return sorted(
        {
            (min(a, b), max(a, b))
            for bucket in buckets_of(rows)
            for a, b in itertools.combinations(bucket, 2)
            if a != b and not both_foreign(a, b)
        }
    )


@st.composite
def small_buckets(draw):
    rows = draw(st.lists(st.tuples(st.integers(0, 2**64 - 1) | KEYS, IDS), max_size=40))
    return [row for bucket in (
        [(key, i) for k, i in rows if k == key][:8] for key in dict.fromkeys(k for k, _ in rows)
    ) for row in bucket]  # fmt: skip


@given(small_buckets())
def test_buckets_of_up_to_eight_give_all_pairs(rows):
    assert pairs_of(rows) == all_pairs(rows)


@pytest.mark.parametrize("size", range(2, 9))
def test_no_pair_of_a_small_bucket_is_left_out(size):
    assert pairs_of([(3, i) for i in range(size)]) == list(itertools.combinations(range(size), 2))


@given(st.integers(9, 60), st.integers(1, 4), st.data())
def test_documents_of_a_large_bucket_are_connected(size, num_keys, data):
    rows = [
        (key, identity)
        for key in range(num_keys)
        for identity in data.draw(
            st.lists(st.integers(0, 200), min_size=size, max_size=size, unique=True)
        )
    ]
    found = pairs_of(rows)
    assert set(found) <= set(all_pairs(rows))
    graph, true = nx.Graph(found), nx.Graph(all_pairs(rows))
    assert sorted(map(sorted, nx.connected_components(graph))) == sorted(
        map(sorted, nx.connected_components(true))
    )


@given(st.lists(IDS, min_size=9, max_size=60, unique=True))
def test_one_document_of_ours_is_paired_with_all_others_of_a_large_bucket(ids):
    found = set(pairs_of([(5, identity) for identity in ids]))
    assert not any(both_foreign(a, b) for a, b in found)
    ours = [identity for identity in ids if identity < FOREIGN]
    if ours:
        first = min(ours)
        assert {(first, other) for other in ids if other != first} <= found
    else:
        assert not found


@given(st.lists(st.tuples(KEYS, IDS), max_size=60), st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(rows, random):
    found = pairs_of(rows)
    random.shuffle(rows)
    assert pairs_of(rows) == found
    assert found == sorted(set(found))
    assert all(a < b for a, b in found)


@given(st.lists(st.tuples(IDS, IDS).map(sorted), max_size=30))
def test_unique_pairs(rows):
    found = unique_pairs(np.array(rows, np.int64).reshape(-1, 2))
    expected = {(a, b) for a, b in rows if a != b and not both_foreign(a, b)}
    assert [tuple(pair) for pair in found.tolist()] == sorted(expected)


def test_only_identities_of_other_corpora_are_foreign():
    ids = np.array([0, doc_id(2**24 - 1, 2**32 - 1), FOREIGN, LAST_FOREIGN], np.int64)
    assert is_foreign(ids).tolist() == [False, False, True, True]


@pytest.mark.parametrize("ids", [[], [3], [3, 3]])
def test_nothing_to_pair(ids):
    found = pairs_of([(1, identity) for identity in ids])
    assert found == []


@pytest.mark.parametrize("size", [8, 9, 1_000, 100_000])
def test_a_bucket_costs_its_size_not_the_square_of_it(size):
    keys = np.full(size, 7, np.uint64)
    found = candidate_pairs(keys, np.arange(size)[::-1])
    assert len(found) <= 5 * size
    assert len(np.unique(found)) == size
    assert [0, size - 1] in found[found[:, 0] == 0].tolist()
