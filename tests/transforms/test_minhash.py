"""MinHash: signatures against datasketch, band keys and sketches against what they stand for."""

import numpy as np
import pytest
from datasketch import MinHash
from hypothesis import given
from hypothesis import strategies as st

from glotmill.transforms.minhash import band_keys, signatures, similarities, sketches

HASHES = st.one_of(st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 2**31, 2**32 - 1]))
SETS = st.lists(st.lists(HASHES, min_size=1, max_size=20), min_size=1, max_size=6)


def signatures_of(sets, num_permutations):
    shingles = np.array([value for each in sets for value in each], np.uint32)
    sizes = np.array([len(each) for each in sets], np.int64)
    return signatures(shingles, np.cumsum(sizes) - sizes, num_permutations)


def by_datasketch(values, num_permutations):
    found = MinHash(num_perm=num_permutations, scheme="affine32", hashfunc=int)
    found.update_batch(values)
    return found.hashvalues


@given(SETS, st.sampled_from([1, 2, 16, 100, 128, 257]))
def test_signatures_are_those_of_datasketch_bit_for_bit(sets, num_permutations):
    found = signatures_of(sets, num_permutations)
    assert found.shape == (num_permutations, len(sets))
    assert found.dtype == np.uint32
    for column, values in zip(found.T, sets, strict=True):
        assert (column == by_datasketch(values, num_permutations)).all()


@given(st.lists(HASHES, min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_neither_order_nor_repeats_change_a_signature(values, random):
    again = [*values, *random.choices(values, k=5)]
    random.shuffle(again)
    found = signatures_of([values, again], 16)
    assert (found[:, 0] == found[:, 1]).all()


def test_no_set_has_no_signature():
    found = signatures(np.zeros(0, np.uint32), np.zeros(0, np.int64), 12)
    assert found.shape == (12, 0)
    keys, bytes_kept = band_keys(found, 4, 3), sketches(found)
    assert (keys.shape, keys.dtype) == ((0, 4), np.uint64)
    assert (bytes_kept.shape, bytes_kept.dtype) == ((0, 12), np.uint8)
    assert similarities(bytes_kept, bytes_kept).shape == (0,)


@given(st.data(), st.integers(1, 6), st.integers(1, 5), st.integers(1, 8))
def test_keys_are_equal_if_and_only_if_all_rows_of_the_band_are(data, bands, rows, num_documents):
    size = bands * rows * num_documents
    few = st.sampled_from([0, 1, 2**31, 2**32 - 1])  # so that bands are equal now and then
    values = data.draw(st.lists(few, min_size=size, max_size=size))
    found = np.array(values, np.uint32).reshape(bands * rows, num_documents)
    keys = band_keys(found, bands, rows)
    assert keys.shape == (num_documents, bands)
    known = {}
    for document in range(num_documents):
        for band in range(bands):
            part = (band, *found[band * rows : (band + 1) * rows, document].tolist())
            assert known.setdefault(part, keys[document, band]) == keys[document, band]
    assert len(set(known.values())) == len(known)


def test_keys_of_bands_differ_though_their_values_do_not():
    keys = band_keys(np.full((256, 1), 7, np.uint32), 256, 1)
    assert len(np.unique(keys)) == 256


def test_rows_of_a_band_are_in_order():
    found = np.array([[1, 2], [2, 1]], np.uint32)
    keys = band_keys(found, 1, 2)
    assert keys[0, 0] != keys[1, 0]


@given(SETS)
def test_a_sketch_is_the_lowest_byte_of_each_value(sets):
    found = signatures_of(sets, 8)
    kept = sketches(found)
    assert kept.tolist() == [[value & 0xFF for value in column] for column in found.T.tolist()]


@given(st.integers(1, 300), st.data())
def test_similarity_is_the_share_of_equal_bytes_less_what_chance_gives(num_values, data):
    agreeing = data.draw(st.integers(0, num_values))
    left = np.zeros((1, num_values), np.uint8)
    right = np.ones((1, num_values), np.uint8)
    right[0, :agreeing] = 0
    found = similarities(left, right)[0]
    assert found == pytest.approx(max(0.0, (agreeing / num_values * 256 - 1) / 255))
    assert (found == 1) == (agreeing == num_values)


@pytest.mark.parametrize("shared", [0, 100, 700, 850, 1_000])
def test_estimates_are_unbiased_and_as_exact_as_is_said(shared):
    num_pairs, size, num_values = 400, 1_000, 100
    draw = np.random.default_rng(shared)
    sets = []
    for _ in range(num_pairs):
        values = draw.choice(2**32, 2 * size - shared, replace=False)
        sets += [values[:size], values[size - shared :]]
    kept = sketches(signatures_of(sets, num_values))
    found = similarities(kept[::2], kept[1::2])
    true = shared / (2 * size - shared)
    error = np.sqrt(true * (1 - true) / num_values)
    # Without the lower bound of zero; at a similarity of 0 it lifts what chance leaves below.
    slack = 0.004 if shared == 0 else 0.0
    assert abs(found.mean() - true) <= 4 * error / np.sqrt(num_pairs) + slack
    assert found.std() <= 1.25 * error + 2 * slack


@pytest.mark.parametrize(("bands", "rows"), [(20, 5), (14, 7), (50, 2)])
def test_as_many_pairs_share_a_band_as_theory_says(bands, rows):
    num_pairs, size, shared = 300, 200, 150
    draw = np.random.default_rng(bands)
    sets = []
    for _ in range(num_pairs):
        values = draw.choice(2**32, 2 * size - shared, replace=False)
        sets += [values[:size], values[size - shared :]]
    keys = band_keys(signatures_of(sets, bands * rows), bands, rows)
    met = (keys[::2] == keys[1::2]).any(axis=1).mean()
    similarity = shared / (2 * size - shared)
    expected = 1 - (1 - similarity**rows) ** bands
    assert abs(met - expected) <= 4 * np.sqrt(expected * (1 - expected) / num_pairs)
