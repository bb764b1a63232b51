"""Draws: nested samples, expected sizes, ranges of equal width."""

import math
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from glotmill.transforms.draws import (
    DRAWS,
    order_draw,
    partition_of,
    sample_draw,
    split_draw,
)

HASHES = [number.to_bytes(16, "little") for number in range(4_000)]
SEEDS = st.integers(0, 2**63 - 1)
CONTENT = st.binary(min_size=16, max_size=16)


def within(observed, expected, trials):
    """Whether a count lies within five standard deviations of its expectation."""
    share = expected / trials
    return abs(observed - expected) <= 5 * math.sqrt(trials * share * (1 - share)) + 1e-9


@settings(deadline=None)
@given(SEEDS, CONTENT, st.integers(0, 1000))
def test_draws_are_signed_integers_of_64_bits(seed, content, copy):
    assert 0 <= split_draw(seed, content) < DRAWS == 2**63
    assert 0 <= order_draw(seed, content, copy) < DRAWS


def test_seeds_draw_independently():
    one, other = ({h for h in HASHES if sample_draw(seed, h) < DRAWS // 2} for seed in (1, 2))
    assert within(len(one & other), len(HASHES) / 4, len(HASHES))


def test_what_is_held_out_tells_nothing_of_what_is_drawn_or_where_it_stands():
    held_out = [h for h in HASHES if split_draw(7, h) < DRAWS // 2]
    drawn = sum(sample_draw(7, h) < DRAWS // 2 for h in held_out)
    assert within(drawn, len(held_out) / 2, len(held_out))
    early = sum(order_draw(7, h, 0) < DRAWS // 2 for h in held_out)
    assert within(early, len(held_out) / 2, len(held_out))


def test_copies_stand_in_places_of_their_own():
    places = {order_draw(7, h, copy) for h in HASHES[:100] for copy in range(10)}
    assert len(places) == 1000


@settings(deadline=None)
@given(st.integers(0, DRAWS - 1), st.integers(1, 100_000))
def test_a_partition_is_the_range_a_draw_falls_into(draw, num_partitions):
    assert partition_of(draw, num_partitions) == draw * num_partitions // DRAWS
    assert 0 <= partition_of(draw, num_partitions) < num_partitions


@settings(deadline=None)
@given(st.integers(0, DRAWS - 2), st.integers(1, 1000))
def test_partitions_are_in_the_order_of_draws(draw, num_partitions):
    assert partition_of(draw, num_partitions) <= partition_of(draw + 1, num_partitions)


def test_partitions_are_filled_evenly():
    filled = Counter(partition_of(order_draw(7, h, 0), 8) for h in HASHES)
    assert len(filled) == 8
    assert all(within(size, len(HASHES) / 8, len(HASHES)) for size in filled.values())


def test_draws_of_today_are_draws_of_tomorrow():
    """A corpus would be drawn anew if these numbers changed."""
    content = bytes(range(16))
    assert split_draw(42, content) == 3580717547031808036
    assert order_draw(42, content, 0) == 825206478091557248
    assert order_draw(42, content, 1) == 1870105954384696555
