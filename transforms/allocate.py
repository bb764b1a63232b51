"""Allocate: divide an amount by weights, with a least and a largest amount for each part.

One rule holds at every level of a mixture: amounts are `clip(level * weight, lower, upper)`, with
the one level at which they add up (*water-filling*). With equal weights and `upper` as so many
epochs of each language it is UniMax (Chung et al. 2023, arXiv 2304.09151).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Amounts that differ by less, relative to the larger one, are equal: they are sums in float64.
TOLERANCE = 1e-9


def fill(total: float, weights: Floats, lower: Floats, upper: Floats) -> Floats:
    """Divides an amount by weights, within bounds.

    A part of weight 0 has its lower bound. Where the bounds leave no room, this comes as near as it
    can: less than the lower bounds add up to is divided in proportion to them; of more than there
    is room for, every part of some weight has its upper bound.

    Args:
        total: to be divided.
        weights: of n parts, 0 or more; float64[n].
        lower: least amount of each part; float64[n].
        upper: largest amount of each part, infinite where there is none; float64[n].

    Returns:
        float64[n], which adds up to the total but for rounding.

    >>> fill(10.0, np.ones(3), np.zeros(3), np.array([1.0, 9.0, 9.0])).tolist()
    [1.0, 4.5, 4.5]
    """
    if total <= lower.sum():
        return lower * (total / lower.sum()) if lower.any() else np.zeros(len(lower))
    open_ = weights > 0
    amounts = np.where(open_, np.maximum(upper, lower), lower)
    if total < amounts.sum():
        room = total - lower[~open_].sum()
        amounts[open_] = _level_off(room, weights[open_], lower[open_], amounts[open_])
    return amounts


def _level_off(total: float, weights: Floats, lower: Floats, upper: Floats) -> Floats:
    """Amounts where the total lies between the sums of the bounds and all weights are positive.

    Between two neighbouring levels at which a part leaves its lower bound or reaches its upper one
    the sum is a straight line. Sums are made anew at each level that is looked at, instead of
    carried from one to the next, so that small parts keep their digits beside large ones.
    """
    weights = weights / weights.max()
    starts, ends = lower / weights, upper / weights
    levels = np.unique(np.concatenate([starts, ends[np.isfinite(ends)]]))
    low, high = 0, len(levels)  # the sum at levels[low] is not above the total, at levels[high] is
    while high - low > 1:
        middle = (low + high) // 2
        if np.clip(levels[middle] * weights, lower, upper).sum() <= total:
            low = middle
        else:
            high = middle
    moving = (starts <= levels[low]) & (ends > levels[low])
    fixed = np.where(ends <= levels[low], upper, lower)
    if not moving.any():
        return fixed
    rest = total - fixed[~moving].sum()
    amounts = np.where(moving, weights * (rest / weights[moving].sum()), fixed)
    return np.clip(amounts, lower, upper)


def most_under_caps(upper: Floats, caps: Floats) -> float:
    """The largest amount no part of which need be a larger share of it than its cap.

    It is the largest X with sum(min(upper, caps * X)) >= X: the left side is concave and starts at
    0, so the inequality holds up to some X and never again.

    Args:
        upper: largest amount of each part; float64[n].
        caps: largest share of each part, in (0, 1]; float64[n].

    >>> most_under_caps(np.array([90.0, 30.0]), np.array([0.25, 1.0]))
    40.0
    >>> most_under_caps(np.array([90.0]), np.array([0.25]))
    0.0
    """
    order = np.argsort(upper / caps)
    upper, caps = upper[order], caps[order]
    most = 0.0
    for place, full in enumerate((upper / caps).tolist()):
        room = upper[: place + 1].sum() + full * caps[place + 1 :].sum()
        if room < full * (1 - TOLERANCE):
            break
        most = upper[: place + 1].sum() / max(1 - caps[place + 1 :].sum(), TOLERANCE)
    return float(min(most, upper.sum()))


def fill_under_caps(total: float, weights: Floats, upper: Floats, caps: Floats) -> Floats:
    """Divides an amount by weights where no part may be a larger share of it than its cap.

    Args:
        total: at most what `most_under_caps` gives.
        weights: of the parts; float64[n].
        upper: largest amount of each part; float64[n].
        caps: largest share of each part; float64[n].

    >>> fill_under_caps(10.0, np.ones(2), np.array([9.0, 9.0]), np.array([0.25, 1.0])).tolist()
    [2.5, 7.5]
    """
    return fill(total, weights, np.zeros(len(weights)), np.minimum(upper, caps * total))


@dataclass(frozen=True)
class Leaf:
    """A part that is not divided further, with its bounds."""

    weight: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Branch:
    """A part that is divided among others by their weights; its bounds are the sums of theirs."""

    weight: float
    children: Sequence[Branch | Leaf]

    @cached_property
    def lower(self) -> float:
        """The least amount that its leaves add up to."""
        return math.fsum(child.lower for child in self.children)

    @cached_property
    def upper(self) -> float:
        """The largest amount that its leaves add up to; what has no weight has its least."""
        return math.fsum(each.upper if each.weight else each.lower for each in self.children)


def allocate(node: Branch | Leaf, total: float) -> Iterator[float]:
    """Divides an amount among the leaves of a tree, level by level.

    Returns:
        Amounts of the leaves, in their order.

    >>> leaves = [Leaf(1.0, 0.0, 9.0), Leaf(2.0, 0.0, 3.0)]
    >>> list(allocate(Branch(1.0, leaves), 6.0))
    [3.0, 3.0]
    """
    if isinstance(node, Leaf):
        yield total
        return
    rows = [(each.weight, each.lower, each.upper) for each in node.children]
    amounts = fill(total, *np.array(rows, np.float64).reshape(-1, 3).T)
    for child, amount in zip(node.children, amounts.tolist(), strict=True):
        yield from allocate(child, amount)
