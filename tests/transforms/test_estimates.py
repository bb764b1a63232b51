"""Estimates: by hand, against the truth of populations, and where no error can be given."""

import math
import statistics

import numpy as np
import pytest

from glotmill.transforms.estimates import Stratum, share, student_quantile, totals


def test_a_total_by_hand():
    # 3 of 10 slices, 60 of 200 bytes: 12 documents are 40. R = 0.2, residuals 4-2, 2-4, 6-6.
    stratum = Stratum(np.array([10.0, 20.0, 30.0]), 200.0, 10)
    found = totals(stratum, np.array([[4.0], [2.0], [6.0]]))
    assert found.values.tolist() == [40.0]
    expected = (1 - 3 / 10) * (200 / 60) ** 2 * (3 / 2) * (4 + 4 + 0)
    assert found.variances[0] == pytest.approx(expected)
    assert found.errors()[0] == pytest.approx(4.3027 * math.sqrt(expected), rel=1e-4)


def test_what_is_read_whole_has_no_error():
    found = totals(Stratum(np.array([1.0, 5.0]), 6.0, 2), np.array([[3.0, 0.0], [4.0, 7.0]]))
    assert found.values.tolist() == [7.0, 7.0]
    assert found.errors().tolist() == [0.0, 0.0]


def test_of_one_slice_no_error_can_be_given():
    stratum = Stratum(np.ones(3), 9.0, 9)
    seen = totals(stratum, np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]))
    assert seen.num_seen.tolist() == [1, 2, 0]
    lone, twice, never = seen.errors().tolist()
    assert math.isnan(lone)
    assert twice > 0
    assert never == 0
    assert math.isnan(totals(Stratum(np.ones(1), 9.0, 9), np.ones((1, 1))).errors()[0])
    # A source that was read whole adds no slice that chance chose.
    whole = totals(Stratum(np.ones(2), 2.0, 2), np.ones((2, 3)))
    assert math.isnan((seen + whole).errors()[0])
    assert (seen + whole).values.tolist() == [5.0, 8.0, 2.0]


def test_strata_add_up_with_the_freedom_of_satterthwaite():
    values = np.array([[1.0], [3.0], [2.0], [6.0]])
    one = totals(Stratum(np.ones(4), 8.0, 8), values)
    both = one + one
    assert both.variances[0] == pytest.approx(2 * one.variances[0])
    # Two equal variances with 3 degrees of freedom each have 6.
    expected = student_quantile(0.975, 6) * math.sqrt(2 * one.variances[0])
    assert both.errors()[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (10, 2.2281), (30, 2.0423)],
)
def test_quantiles_of_student(freedom, quantile):
    assert student_quantile(0.975, freedom) == pytest.approx(quantile, rel=0.005)
    assert student_quantile(0.975, math.inf) == pytest.approx(1.95996, rel=1e-4)


def population(size, seed):
    """Slices of uneven sizes with documents, kept ones, and a label in a tenth of the slices."""
    draw = np.random.default_rng(seed)
    sizes = draw.integers(50, 150, size).astype(float)
    read = np.round(sizes * draw.normal(0.2, 0.03, size).clip(0.05))
    kept = np.round(read * draw.beta(8, 2, size))
    rare = np.where(draw.random(size) < 0.1, np.round(kept / 3), 0.0)
    return sizes, np.column_stack([read, kept, rare])


def test_intervals_hold_the_truth_as_often_as_they_say():
    sizes, values = population(600, 3)
    draw = np.random.default_rng(5)
    held, share_held = [], 0
    for _ in range(1_000):
        taken = draw.permutation(600)[:60]
        stratum = Stratum(sizes[taken], sizes.sum(), 600)
        found = totals(stratum, values[taken])
        held.append(np.abs(found.values - values.sum(axis=0)) <= found.errors())
        part, error = share([stratum], [values[taken, 1]], [values[taken, 0]])
        share_held += abs(part - values[:, 1].sum() / values[:, 0].sum()) <= error
    read, kept, rare = np.mean(held, axis=0).tolist()
    assert 0.93 <= read <= 0.97
    assert 0.93 <= kept <= 0.97
    assert 0.88 <= rare <= 0.98  # seen in about six slices: skewed
    assert 0.93 <= share_held / 1_000 <= 0.97


def test_estimates_are_right_on_average():
    sizes, values = population(200, 7)
    draw = np.random.default_rng(1)
    taken = [draw.permutation(200)[:20] for _ in range(2_000)]
    found = [totals(Stratum(sizes[t], sizes.sum(), 200), values[t]).values for t in taken]
    assert np.mean(found, axis=0) == pytest.approx(values.sum(axis=0), rel=0.02)
    spread = [statistics.stdev(column) for column in np.transpose(found).tolist()]
    told = np.mean(
        [totals(Stratum(sizes[t], sizes.sum(), 200), values[t]).variances for t in taken], axis=0
    )
    assert np.sqrt(told) == pytest.approx(spread, rel=0.05)
