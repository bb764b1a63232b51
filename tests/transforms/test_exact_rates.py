"""Exact rates: the target met to within a document, nested samples, any cut into units."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmill.transforms.exact_rates import Documents, Target, exact_rate, num_copies

UNIT = st.floats(0, 1, exclude_max=True)
DOCUMENTS = st.lists(
    st.tuples(UNIT, st.sampled_from([0.0, 0.5, 1.0, 1.0, 3.0, 3.7]), st.integers(0, 40)),
    max_size=40,
)
CAPS = st.sampled_from([np.inf, 1.0, 2.0, 2.5, 7.0])


def documents(rows):
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    draws, weights, amounts = columns
    return Documents(np.array(draws, float), np.array(weights, float), np.array(amounts, np.int64))


def events_by_hand(draw, weight, rate, cap):
    """The events of a document below a rate, listed one by one."""
    found, copy = 0, 0
    while weight > 0 and (copy + draw) / weight < rate and copy < np.ceil(cap):
        found, copy = found + 1, copy + 1
    return found


@given(UNIT, st.sampled_from([0.0, 0.3, 1.0, 3.7]), st.floats(0, 60), CAPS)
def test_copies_are_the_events_below_the_rate(draw, weight, rate, cap):
    found = num_copies(np.array([draw]), np.array([weight]), rate, cap)
    assert found.tolist() == [events_by_hand(draw, weight, rate, cap)]


@given(UNIT, st.sampled_from([0.3, 1.0, 3.7]), st.integers(0, 50))
def test_an_event_at_the_rate_is_not_below_it(draw, weight, copy):
    event = (copy + draw) / weight
    at = [
        int(num_copies(np.array([draw]), np.array([weight]), rate)[0])
        for rate in (event, np.nextafter(event, np.inf))
    ]
    assert at == [copy, copy + 1]


@given(DOCUMENTS, st.floats(0, 3000), CAPS, st.booleans())
def test_the_rate_that_comes_nearest_to_the_target(rows, amount, cap, at_least_one):
    some = documents(rows)
    rate, drawn = exact_rate([some], Target(amount, cap), at_least_one=at_least_one)
    assert drawn == some.drawn(rate, cap)
    useful = [row for row in rows if row[1] > 0 and row[2] > 0]
    if amount == 0 or not useful:
        assert (rate, drawn) == (0.0, 0)
        return
    most = np.inf if np.isinf(cap) else some.drawn(1e9, cap)
    if most < amount * (1 - 1e-9):
        assert drawn == most
        return
    # One event less, or one more, is farther away; but of a label nothing at all is never drawn.
    less, more = (some.drawn(other, cap) for other in neighbours(some, rate))
    assert drawn > 0 or not at_least_one
    assert (at_least_one and less == 0) or abs(drawn - amount) <= abs(less - amount) + 1e-6
    assert abs(drawn - amount) <= abs(more - amount) + 1e-6 or drawn > amount


def neighbours(some, rate):
    """The rates that draw one event less, and one more, than a rate does."""
    events = sorted(
        {
            (copy + draw) / weight
            for draw, weight, amount in zip(some.draws, some.weights, some.amounts, strict=True)
            for copy in range(int(rate * weight) + 3)
            if weight > 0 and amount > 0
        }
    )
    below = [event for event in events if event < rate]
    above = [event for event in events if event >= rate]
    return (below[-1] if below else 0.0), np.nextafter(above[0], np.inf)


@given(DOCUMENTS, st.floats(0, 2000), st.floats(0, 2000), CAPS)
def test_a_larger_target_draws_what_a_smaller_one_draws(rows, one, other, cap):
    some = documents(rows)
    rates = [exact_rate([some], Target(amount, cap))[0] for amount in sorted((one, other))]
    low, high = (num_copies(some.draws, some.weights, rate, cap) for rate in rates)
    assert (low <= high).all()


@pytest.mark.parametrize(
    ("amount", "drawn"), [(9.9, (20, 0)), (10, (20, 20)), (29, (20, 20)), (36, (50, 50))]
)
def test_only_the_first_document_of_a_label_is_drawn_whatever_is_wanted(amount, drawn):
    some = documents([(0.5, 1.0, 20), (0.75, 1.0, 30)])
    rates = [exact_rate([some], Target(amount), at_least_one=each) for each in (True, False)]
    assert tuple(amount for _, amount in rates) == drawn


@pytest.mark.parametrize(("amount", "drawn"), [(24.9, 10), (25.1, 40), (40, 40), (54, 40)])
def test_documents_of_equal_draws_are_drawn_together_in_any_order(amount, drawn):
    """Both directions of pairs have one draw."""
    rows = [(0.25, 1.0, 10), (0.5, 1.0, 12), (0.5, 1.0, 18), (0.75, 1.0, 30)]
    found = {exact_rate([documents(each)], Target(amount)) for each in (rows, rows[::-1])}
    assert [each for _, each in found] == [drawn]


@given(DOCUMENTS, st.floats(0, 2000), CAPS, st.integers(1, 5), st.randoms())
def test_neither_order_nor_parts_matter(rows, amount, cap, num_parts, shuffled):
    whole = exact_rate([documents(rows)], Target(amount, cap))
    shuffled.shuffle(rows)
    parts = [documents(rows[n::num_parts]) for n in range(num_parts)]
    assert exact_rate(parts, Target(amount, cap)) == whole


def test_whole_epochs_draw_every_document_as_often():
    draws = np.random.RandomState(1).random_sample(1000)
    some = Documents(draws, np.ones(1000), np.arange(1000))
    for epochs in (1, 2, 7):
        rate, drawn = exact_rate([some], Target(float(epochs * some.amounts.sum())))
        assert drawn == epochs * some.amounts.sum()
        assert set(num_copies(draws, some.weights, rate)[1:].tolist()) == {epochs}


def test_targets_of_many_small_groups_are_met_together():
    """What is drawn too much of one group is drawn too little of another."""
    random = np.random.RandomState(4)
    wanted = drawn = 0.0
    for _ in range(400):
        some = Documents(random.random_sample(30), np.ones(30), random.randint(40, 80, 30))
        target = Target(float(random.randint(100, 900)))
        wanted, drawn = wanted + target.amount, drawn + exact_rate([some], target)[1]
    assert drawn == pytest.approx(wanted, rel=0.01)


def test_the_target_of_a_large_group_is_met_among_few_events(monkeypatch):
    """What is sorted is a thousandth of the documents, however often they are drawn."""
    random = np.random.RandomState(2)
    some = Documents(
        random.random_sample(200_000), np.ones(200_000), random.randint(1, 900, 200_000)
    )
    seen = []
    settle = Documents.events
    monkeypatch.setattr(Documents, "events", lambda *args: seen.append(settle(*args)) or seen[-1])
    target = Target(37.123 * some.amounts.sum(), 50.0)
    _, drawn = exact_rate([some], target)
    assert abs(target.amount - drawn) <= 450
    assert sum(len(events) for events, _ in seen) < 1_000


@settings(max_examples=20)
@given(st.integers(1, 30), st.sampled_from([0.5, 1.5, 2.25]))
def test_a_cap_with_a_fraction_can_be_met_whatever_the_draws(seed, cap):
    random = np.random.RandomState(seed)
    some = Documents(random.random_sample(300), np.ones(300), np.full(300, 20))
    rate, drawn = exact_rate([some], Target(cap * 6_000, cap))
    assert abs(drawn - cap * 6_000) <= 20
    assert num_copies(some.draws, some.weights, rate, cap).max() == np.ceil(cap)
