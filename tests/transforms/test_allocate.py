"""Allocate: water-filling within bounds, against linear programs and the published algorithm."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import linprog

from glotmill.transforms.allocate import (
    Branch,
    Leaf,
    allocate,
    fill,
    fill_under_caps,
    most_under_caps,
)


@st.composite
def parts(draw, max_size=12):
    """Weights and bounds of parts, over many orders of magnitude."""
    size = draw(st.integers(1, max_size))
    amounts = st.integers(0, 10**12).map(float)
    weights = draw(st.lists(st.integers(0, 10**9).map(float), min_size=size, max_size=size))
    bounds = draw(st.lists(st.tuples(amounts, amounts).map(sorted), min_size=size, max_size=size))
    lower, upper = np.array(bounds).T
    return np.array(weights), lower, upper


def largest(weights, lower, upper):
    return math.fsum(np.where(weights > 0, upper, lower))


@given(parts(), st.floats(0, 1))
def test_bounds_hold_and_the_total_is_met(given_parts, place):
    weights, lower, upper = given_parts
    least, most = lower.sum(), largest(*given_parts)
    total = least + place * (most - least)
    amounts = fill(total, *given_parts)
    assert (amounts >= lower * (1 - 1e-12)).all()
    assert (amounts <= upper).all()
    assert math.fsum(amounts) == pytest.approx(total, rel=1e-9)
    # Between their bounds amounts are proportional to weights: they share one level.
    free = (amounts > lower) & (amounts < upper)
    levels = amounts[free] / weights[free]
    assert levels == pytest.approx(levels.mean() if free.any() else 0.0, rel=1e-6)
    # Whoever is at its least would be below the level, whoever is at its most above it.
    if free.any():
        level = levels.mean() * (1 + 1e-6)
        open_ = weights > 0
        assert (amounts[open_] >= np.minimum(upper, level * (1 - 3e-6) * weights)[open_]).all()
        assert (amounts[open_] <= np.maximum(lower, level * weights)[open_]).all()


@given(parts(), st.floats(0, 2), st.floats(0, 1))
def test_a_larger_total_takes_from_nobody(given_parts, place, more):
    most = largest(*given_parts)
    total = place * most
    before, after = fill(total, *given_parts), fill(total + more * most, *given_parts)
    assert (after >= before - 1e-9 * np.maximum(before, 1)).all()


@given(parts(), st.floats(0, 1), st.randoms())
def test_the_order_of_parts_does_not_matter(given_parts, place, random):
    total = place * largest(*given_parts)
    order = list(range(len(given_parts[0])))
    random.shuffle(order)
    shuffled = fill(total, *(each[order] for each in given_parts))
    assert shuffled == pytest.approx(fill(total, *given_parts)[order], rel=1e-9, abs=1e-3)


@given(parts(), st.floats(0, 1), st.sampled_from([1e-6, 0.3, 7.0, 1e9]))
def test_units_do_not_matter(given_parts, place, scale):
    weights, lower, upper = given_parts
    total = place * largest(*given_parts)
    scaled = fill(total * scale, weights * 3, lower * scale, upper * scale)
    assert scaled == pytest.approx(
        fill(total, *given_parts) * scale, rel=1e-9, abs=1e-12 * scale * total
    )


def test_totals_that_leave_no_room_are_come_near():
    weights, lower, upper = np.array([1.0, 1.0, 0.0]), np.array([2.0, 6, 1]), np.array([4.0, 8, 9])
    assert fill(3.0, weights, lower, upper).tolist() == [2 / 3, 2, 1 / 3]
    assert fill(99.0, weights, lower, upper).tolist() == [4, 8, 1]
    assert fill(0.0, weights, np.zeros(3), upper).tolist() == [0, 0, 0]
    assert fill(5.0, np.ones(2), np.zeros(2), np.full(2, math.inf)).tolist() == [2.5, 2.5]


def test_small_parts_keep_their_digits_beside_large_ones():
    weights = np.array([1e15, 1e15, 1.0, 3.0])
    amounts = fill(2e15 + 4, weights, np.zeros(4), np.full(4, 1e18))
    assert amounts[2:].tolist() == [pytest.approx(1, rel=1e-12), pytest.approx(3, rel=1e-12)]


@given(parts(6), st.floats(0.01, 0.99))
def test_no_other_division_is_fairer(given_parts, place):
    """Water-filling is lexicographic max-min of amount by weight: a linear program finds no better.

    The least served part that is not at its upper bound cannot be given more, whoever else pays.
    """
    weights, lower, upper = given_parts
    assume((weights > 0).all() and (upper > lower).all())
    # The solver takes coefficients of 1e-9 and less for nought.
    weights = np.maximum(weights, 1e-6 * weights.max())
    total = lower.sum() + place * (upper.sum() - lower.sum())
    scale = total or 1.0
    served = fill(total, weights, lower, upper) / scale
    # maximise t where x_i >= min(t w_i, upper_i): for the parts that are not full at our level.
    open_ = served < upper / scale * (1 - 1e-9)
    assume(open_.any())
    level = (served / weights)[open_].min()
    size = len(weights)
    rows = [np.append(-np.eye(size)[i], weights[i] / weights.max()) for i in np.flatnonzero(open_)]
    limits = (lower / scale, upper / scale)
    bounds = [(u if not o else low, u) for low, u, o in zip(*limits, open_, strict=True)]
    found = linprog(
        np.append(np.zeros(size), -1.0),
        A_ub=np.array(rows), b_ub=np.zeros(len(rows)),
        A_eq=np.append(np.ones(size), 0.0)[None], b_eq=[1.0],
        bounds=[*bounds, (0, None)],
    )  # fmt: skip
    assert found.status == 0
    assert -found.fun == pytest.approx(level * weights.max(), rel=1e-5, abs=1e-7)


def unimax(counts, budget, max_epochs):
    """Algorithm 1 of arXiv 2304.09151, as it is written: U_l, from the smallest language up."""
    remaining = budget
    found = {}
    order = sorted(range(len(counts)), key=lambda i: counts[i])
    for place, i in enumerate(order):
        fair = remaining / (len(counts) - place)
        found[i] = counts[i] * max_epochs if fair / counts[i] > max_epochs else fair
        remaining -= found[i]
    return [found[i] for i in range(len(counts))]


@given(
    st.lists(st.integers(1, 10**10), min_size=1, max_size=60),
    st.floats(0.001, 0.999),
    st.sampled_from([1.0, 4.0, 10.0, 20.0]),
)
def test_unimax_is_water_filling_with_equal_weights(counts, place, max_epochs):
    upper = np.array(counts) * max_epochs
    budget = place * upper.sum()
    ours = fill(budget, np.ones(len(counts)), np.zeros(len(counts)), upper)
    assert ours == pytest.approx(unimax(counts, budget, max_epochs), rel=1e-9)


@st.composite
def domains(draw):
    size = draw(st.integers(1, 6))
    upper = draw(st.lists(st.integers(0, 10**9).map(float), min_size=size, max_size=size))
    caps = draw(st.lists(st.floats(0.01, 1.0), min_size=size, max_size=size))
    return np.array(upper), np.array(caps)


@given(domains())
def test_the_most_under_caps_is_what_a_linear_program_finds(given_domains):
    upper, caps = given_domains
    size, scale = len(upper), max(upper.max(), 1.0)
    found = linprog(
        -np.ones(size),
        A_ub=np.eye(size) - caps[:, None],  # x_d <= cap_d * sum(x)
        b_ub=np.zeros(size),
        bounds=[(0, u) for u in upper / scale],
    )
    # Caps that add up to 1 within the solver's precision are either way.
    assume(abs(caps.sum() - 1) > 1e-4)
    assert most_under_caps(upper, caps) / scale == pytest.approx(-found.fun, rel=1e-5, abs=1e-6)


@given(domains(), st.floats(0, 1))
def test_domains_stay_under_their_caps(given_domains, place):
    upper, caps = given_domains
    total = place * most_under_caps(upper, caps)
    amounts = fill_under_caps(total, upper, upper, caps)
    assert math.fsum(amounts) == pytest.approx(total, rel=1e-8, abs=1e-6)
    assert (amounts <= upper).all()
    assert (amounts <= caps * total * (1 + 1e-12)).all()


@given(domains(), st.floats(0, 1), st.floats(0, 1))
def test_no_domain_shrinks_while_its_label_grows(given_domains, less, more):
    upper, caps = given_domains
    less, more = sorted((less * most_under_caps(upper, caps), more * most_under_caps(upper, caps)))
    before, after = (fill_under_caps(total, upper, upper, caps) for total in (less, more))
    assert (after >= before - 1e-6 * np.maximum(before, 1)).all()


@pytest.mark.parametrize(
    ("upper", "caps", "most"),
    [
        ([100.0], [1.0], 100.0),
        ([100.0], [0.99], 0.0),
        ([100.0, 100.0, 100.0], [1 / 3, 1 / 3, 1 / 3], 300.0),
        ([100.0, 100.0, 50.0], [1 / 3, 1 / 3, 1 / 3], 150.0),
        ([100.0, 100.0], [0.5, 0.4], 0.0),
        ([90.0, 30.0], [0.25, 1.0], 40.0),
        ([5.0, 30.0], [0.25, 1.0], 35.0),
        ([0.0, 30.0], [0.25, 1.0], 30.0),
    ],
)
def test_the_most_under_caps_by_hand(upper, caps, most):
    assert most_under_caps(np.array(upper), np.array(caps)) == pytest.approx(most, rel=1e-9)


def test_a_tree_is_divided_level_by_level():
    short = Branch(3.0, [Leaf(1.0, 0.0, 2.0), Leaf(1.0, 0.0, 4.0)])
    long = Branch(1.0, [Leaf(1.0, 0.0, 100.0), Leaf(3.0, 5.0, 100.0), Leaf(0.0, 0.0, 100.0)])
    tree = Branch(1.0, [short, long])
    assert (tree.lower, tree.upper) == (5.0, 206.0)
    assert list(allocate(tree, 8.0)) == [1.5, 1.5, 0.0, 5.0, 0.0]
    # What the first part cannot take goes to the second.
    assert list(allocate(tree, 26.0)) == [2.0, 4.0, 5.0, 15.0, 0.0]
    assert list(allocate(Branch(1.0, []), 5.0)) == []


@given(parts(), parts(), st.floats(0, 1), st.floats(0, 1), st.integers(1, 9))
def test_a_larger_total_takes_from_nobody_in_a_tree(one, other, place, more, weight):
    def branch(share, arrays):
        return Branch(share, [Leaf(*row) for row in zip(*map(list, arrays), strict=True)])

    tree = Branch(1.0, [branch(1.0, one), branch(float(weight), other)])
    before = np.array(list(allocate(tree, place * tree.upper)))
    after = np.array(list(allocate(tree, (place + more) * tree.upper)))
    assert (after >= before - 1e-6 * np.maximum(before, 1)).all()
    wanted = min(max(place * tree.upper, 0), tree.upper)
    assert math.fsum(before) == pytest.approx(wanted, rel=1e-9, abs=1e-9)
