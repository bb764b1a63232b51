"""Packing: every token once, nothing cut that fits, and few tokens of padding."""

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmill.transforms.packing import best_fit, concatenate, of_pieces, tokens_of

METHODS = pytest.mark.parametrize("pack", [concatenate, best_fit])
LENGTHS = st.lists(st.integers(0, 40), max_size=60)


def sequences(packing):
    """Of each sequence its pieces: (document, start, length)."""
    pieces = zip(
        packing.documents.tolist(), packing.starts.tolist(), packing.lengths.tolist(), strict=True
    )
    pieces = list(pieces)
    return [pieces[a:b] for a, b in itertools.pairwise(packing.offsets.tolist())]


@METHODS
@given(lengths=LENGTHS, sequence_length=st.integers(1, 50))
def test_every_token_is_in_one_sequence_and_none_is_too_long(pack, lengths, sequence_length):
    packing = pack(lengths, sequence_length)
    seen = [
        (document, token)
        for pieces in sequences(packing)
        for document, start, length in pieces
        for token in range(start, start + length)
    ]
    assert sorted(seen) == [(d, t) for d, length in enumerate(lengths) for t in range(length)]
    filled = [sum(length for _, _, length in pieces) for pieces in sequences(packing)]
    assert all(0 < count <= sequence_length for count in filled)
    assert packing.num_sequences == len(filled)
    assert packing.num_tokens == sum(lengths)
    assert packing.num_padding == sum(sequence_length - count for count in filled)
    cut = {d for d in range(len(lengths)) if sum(d == piece for piece in packing.documents) > 1}
    assert packing.num_cut_documents == len(cut)
    assert all(length > 0 for length in packing.lengths)


@given(lengths=LENGTHS, sequence_length=st.integers(1, 50))
def test_concatenated_sequences_are_full_but_for_the_last(lengths, sequence_length):
    packing = concatenate(lengths, sequence_length)
    assert packing.num_sequences == -(-sum(lengths) // sequence_length)
    assert packing.num_padding < sequence_length
    order = [(d, s) for pieces in sequences(packing) for d, s, _ in pieces]
    assert order == sorted(order)


@given(lengths=LENGTHS, sequence_length=st.integers(1, 50))
def test_best_fit_cuts_only_what_is_too_long(lengths, sequence_length):
    packing = best_fit(lengths, sequence_length)
    counts = np.bincount(packing.documents, minlength=len(lengths))
    assert counts.tolist() == [-(-length // sequence_length) for length in lengths]
    # The pieces of a cut document are full but for its last.
    last = packing.starts + packing.lengths == np.array([*lengths, 0])[packing.documents]
    assert (packing.lengths[~last] == sequence_length).all()


def one_by_one(lengths, sequence_length):
    """Best-fit decreasing as textbooks have it; the rooms that are left."""
    rooms = []
    pieces = [(length - 1) % sequence_length + 1 for length in lengths if length]
    rooms += [0 for length in lengths for _ in range((length - 1) // sequence_length)]
    for size in sorted(pieces, reverse=True):
        fitting = [i for i, room in enumerate(rooms) if room >= size]
        if fitting:
            rooms[min(fitting, key=rooms.__getitem__)] -= size
        else:
            rooms.append(sequence_length - size)
    return sorted(rooms)


@settings(max_examples=300)
@given(lengths=st.lists(st.integers(1, 90), max_size=80), sequence_length=st.integers(1, 40))
def test_placing_equal_sizes_together_is_placing_them_one_by_one(lengths, sequence_length):
    packing = best_fit(lengths, sequence_length)
    filled = np.add.reduceat(packing.lengths, packing.offsets[:-1]) if lengths else np.array([])
    assert sorted((sequence_length - filled).tolist()) == one_by_one(lengths, sequence_length)


def fewest(sizes, room):
    """The fewest sequences that hold the sizes, by trying all ways."""

    def fits(sizes, rooms):
        if not sizes:
            return True
        for i in {room: i for i, room in enumerate(rooms) if room >= sizes[0]}.values():
            if fits(sizes[1:], [*rooms[:i], rooms[i] - sizes[0], *rooms[i + 1 :]]):
                return True
        return False

    sizes = sorted(sizes, reverse=True)
    return next(n for n in itertools.count() if fits(sizes, [room] * n))


@settings(max_examples=60)
@given(sizes=st.lists(st.integers(1, 20), max_size=9))
def test_best_fit_is_near_the_optimum(sizes):
    # Simchi-Levi 1994: best-fit decreasing takes at most 3/2 of the optimum.
    optimum = fewest(sizes, 20)
    assert optimum <= best_fit(sizes, 20).num_sequences <= 3 / 2 * optimum


@pytest.fixture(scope="module")
def texts():
    """Lengths like those of a web corpus, in tokens."""
    drawn = np.random.default_rng(7).lognormal(5.5, 1.3, 50_000)
    return np.maximum(1, drawn).astype(int)


def test_little_padding_on_lengths_of_texts(texts):
    packing = best_fit(texts, 2048)
    fewest_possible = -(-texts.sum() // 2048)
    assert packing.num_sequences <= 1.001 * fewest_possible
    assert packing.num_padding < 0.001 * texts.sum()
    assert packing.num_cut_documents == np.count_nonzero(texts > 2048)
    assert concatenate(texts, 2048).num_cut_documents > 3 * packing.num_cut_documents


def test_the_order_of_sequences_tells_nothing_of_their_documents(texts):
    packing = best_fit(texts, 2048)
    places = np.arange(packing.num_sequences)
    longest = np.maximum.reduceat(packing.lengths, packing.offsets[:-1])
    for measure in (np.diff(packing.offsets), longest):
        # Of n places, a chance correlation is below 4 / sqrt(n) but for once in 10,000.
        assert abs(np.corrcoef(places, measure)[0, 1]) < 4 / len(places) ** 0.5


@METHODS
def test_the_same_lengths_give_the_same_packing(texts, pack):
    first, second = pack(texts, 4096), pack(texts.copy(), 4096)
    for name in ("documents", "starts", "lengths", "offsets"):
        assert np.array_equal(getattr(first, name), getattr(second, name))


@METHODS
@given(lengths=LENGTHS, sequence_length=st.integers(1, 50), data=st.data())
def test_columns_follow_the_pieces(pack, lengths, sequence_length, data):
    packing = pack(lengths, sequence_length)
    documents = [[100 * d + t for t in range(length)] for d, length in enumerate(lengths)]
    tokens = pa.array([[9], *documents], pa.list_(pa.uint16())).slice(1)
    labels = pa.array([f"l{d}" for d in range(len(lengths))], pa.string())
    first = data.draw(st.integers(0, packing.num_sequences))
    last = data.draw(st.integers(first, packing.num_sequences))
    part = packing.part(first, last)
    wanted = sequences(packing)[first:last]
    assert sequences(part) == wanted
    taken = tokens_of(part, tokens)
    assert taken.type == pa.list_(pa.int32())
    assert taken.to_pylist() == [
        [token for d, start, length in pieces for token in documents[d][start : start + length]]
        for pieces in wanted
    ]
    assert of_pieces(part, labels).to_pylist() == [[f"l{d}" for d, _, _ in p] for p in wanted]


@METHODS
def test_lengths_that_cannot_be(pack):
    with pytest.raises(ValueError, match="a sequence has 1 token or more, not 0"):
        pack([1], 0)
    with pytest.raises(ValueError, match="document 1 has -2 tokens"):
        pack([1, -2], 8)
