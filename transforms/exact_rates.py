"""Exact rates: the rate of each group at which what is drawn comes closest to its target.

A document with draw u in [0, 1) and weight w has *events* e = (j + u) / w for j = 0, 1, 2, ... It
is drawn once for each event below the rate, up to the most epochs allowed, rounded up. The
amount drawn thus grows with the rate by one document at a time, and the exact rate is one of the
two between which the target lies: the nearer one, or the higher of two as near. Only where nothing
at all would be drawn of a label is its first document drawn however little of it is wanted.
Documents of equal events are drawn together or not at all, and count as one here. A document that
is drawn at one rate is drawn at every higher one.

Histograms of the draws leave a bracket of rates, and only the events inside it are looked at one by
one, so that no place needs to hold a whole label.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: Ranges of equal width that draws are counted in.
NUM_BINS = 1024
# Targets are products and sums in float64; one that misses a whole amount by less means it.
_TOLERANCE = 1e-9
# Bounds of a bracket are halved so often at most.
_HALVINGS = 60

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Target:
    """What is wanted of a group.

    Attributes:
        amount: to be drawn, in the unit of the plan.
        max_epochs: most copies of a document, rounded up; a fraction bounds `amount`, which can
            then be met whatever the draws are.
    """

    amount: float
    max_epochs: float = np.inf

    @property
    def reached_at(self) -> float:
        """The amount less what may be an error of rounding."""
        return self.amount * (1 - _TOLERANCE)


@dataclass(frozen=True)
class Documents:
    """Documents of one group: draws in [0, 1), weights, amounts; equally long arrays."""

    draws: Floats
    weights: Floats
    amounts: Ints

    def drawn(self, rate: float, max_epochs: float = np.inf) -> int:
        """The amount that is drawn at a rate.

        >>> some = Documents(np.array([0.25, 0.75]), np.ones(2), np.array([10, 20]))
        >>> some.drawn(0.5), some.drawn(1.0), some.drawn(1.5), some.drawn(9.0, max_epochs=2)
        (10, 30, 40, 60)
        """
        return int((self.amounts * num_copies(self.draws, self.weights, rate, max_epochs)).sum())

    def events(self, bracket: Bracket, max_epochs: float = np.inf) -> tuple[Floats, Ints]:
        """Events from the lower rate of a bracket up to its upper one, and their amounts."""
        first = num_copies(self.draws, self.weights, bracket.low, max_epochs)
        behind = num_copies(self.draws, self.weights, bracket.high, max_epochs)
        rows = np.repeat(np.arange(len(self.draws)), behind - first)
        starts = np.cumsum(behind - first) - (behind - first)
        copies = np.arange(len(rows)) - starts[rows] + first[rows]
        return (copies + self.draws[rows]) / self.weights[rows], self.amounts[rows]


@dataclass(frozen=True)
class Bracket:
    """Two rates between which the exact one lies: not enough is drawn at `low`."""

    low: float
    high: float


def num_copies(draws: Floats, weights: Floats, rate: float, max_epochs: float = np.inf) -> Ints:
    """How often documents are drawn at a rate: the number of their events below it.

    Args:
        draws: in [0, 1).
        weights: of the documents, 0 or more.
        rate: of their group.
        max_epochs: most copies of a document, rounded up.
    """
    copies = np.maximum(np.ceil(rate * weights - draws), 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Rounding may put the product on the other side of the rate than the quotient.
        copies -= (copies > 0) & ((copies - 1 + draws) / weights >= rate)
        copies += (weights > 0) & ((copies + draws) / weights < rate)
    if np.isfinite(max_epochs):
        copies = np.minimum(copies, np.ceil(max_epochs))
    return np.asarray(copies, np.int64)


class Histogram:
    """Amounts of one group by weight and range of draws."""

    def __init__(self) -> None:
        self._amounts: dict[float, Ints] = {}

    def add(self, weight: float, amounts: Ints) -> None:
        """Adds amounts by range of draws; int64[NUM_BINS]."""
        if weight > 0:
            there = self._amounts.setdefault(weight, np.zeros(NUM_BINS, np.int64))
            there += amounts

    @property
    def total(self) -> int:
        """The amount of every document once."""
        return sum(int(amounts.sum()) for amounts in self._amounts.values())

    def bracket(self, target: Target) -> Bracket | None:
        """Rates below and above the exact one; None where there is nothing to draw."""
        if not self.total:
            return None
        high = self.enough(target)
        low = self._search(target, 0.0, high, upper=True)[0]
        if self._bound(high, target.max_epochs, upper=False) >= target.reached_at:
            high = self._search(target, low, high, upper=False)[1]
        return Bracket(low, high)

    def enough(self, target: Target) -> float:
        """A rate at which the target is reached, or every document has all its copies."""
        copies = target.max_epochs
        if np.isinf(copies):
            copies = target.amount / max(self.total, 1)
        return (copies + 2) / min(self._amounts, default=1.0)

    def _search(
        self, target: Target, low: float, high: float, *, upper: bool
    ) -> tuple[float, float]:
        """Halves the range at whose lower end a bound of the amount misses the target."""
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if self._bound(middle, target.max_epochs, upper=upper) < target.reached_at:
                low = middle
            else:
                high = middle
        return low, high

    def _bound(self, rate: float, max_epochs: float, *, upper: bool) -> float:
        """The most, or the least, that may be drawn at a rate."""
        edges = (np.arange(NUM_BINS) + (0 if upper else 1)) / NUM_BINS
        # A little more, or less, as quotients are rounded.
        rate *= 1 + (1e-12 if upper else -1e-12)
        return sum(
            float(amounts @ num_copies(edges, np.full(NUM_BINS, weight), rate, max_epochs))
            for weight, amounts in self._amounts.items()
        )


def bins_of(draws: Floats) -> Ints:
    """The range that each draw falls into; in [0, NUM_BINS)."""
    return np.minimum((draws * NUM_BINS).astype(np.int64), NUM_BINS - 1)


def settle(
    target: Target, drawn_below: int, events: Floats, amounts: Ints, *, at_least_one: bool
) -> float | None:
    """The exact rate: just above the event that reaches the target, or at it.

    Args:
        target: of the group.
        drawn_below: amount that is drawn at the lower rate of the bracket.
        events: inside the bracket, in any order.
        amounts: of the documents of the events.
        at_least_one: whether the first document is drawn even where nothing is nearer the target.

    Returns:
        The rate, None where all events do not reach the target.

    >>> events, amounts = np.array([1.75, 1.25]), np.array([20, 10])
    >>> settle(Target(38.0), 30, events, amounts, at_least_one=False) > 1.25
    True
    >>> settle(Target(32.0), 30, events, amounts, at_least_one=False)
    1.25
    """
    order = np.argsort(events, kind="stable")
    events = events[order]
    drawn = drawn_below + np.concatenate([[0], np.cumsum(amounts[order])])
    place = int(np.searchsorted(drawn[1:], target.reached_at))
    if place == len(events):
        return None
    # Equal texts have equal events, and so has a document in both directions.
    event = events[place]
    without = drawn[np.searchsorted(events, event, side="left")]
    reached = drawn[np.searchsorted(events, event, side="right")]
    nothing_may_be = without > 0 or not at_least_one
    if nothing_may_be and target.amount - without < reached - target.amount:
        return float(event)
    return float(np.nextafter(event, np.inf))


def exact_rate(
    parts: Iterable[Documents], target: Target, *, at_least_one: bool = True
) -> tuple[float, int]:
    """The exact rate of a group all of whose documents are at hand, and what is drawn at it.

    Args:
        parts: documents of the group.
        target: of the group.
        at_least_one: whether the first document is drawn even where nothing is nearer the target:
            of a group that is all of its label.

    >>> some = Documents(np.array([0.25, 0.75]), np.ones(2), np.array([10, 20]))
    >>> rate, drawn = exact_rate([some], Target(36.0))
    >>> round(rate, 6), drawn
    (1.25, 40)
    """
    parts = list(parts)
    histogram = Histogram()
    for part in parts:
        for weight, amounts in histograms_of(part).items():
            histogram.add(weight, amounts)
    bracket = histogram.bracket(target) if target.amount > 0 else None
    if bracket is None:
        return 0.0, 0
    below = sum(part.drawn(bracket.low, target.max_epochs) for part in parts)
    found = [part.events(bracket, target.max_epochs) for part in parts]
    events, amounts = (np.concatenate(column) for column in zip(*found, strict=True))
    rate = settle(target, below, events, amounts, at_least_one=at_least_one)
    if rate is None:
        rate = histogram.enough(target)
    return rate, sum(part.drawn(rate, target.max_epochs) for part in parts)


def histograms_of(documents: Documents) -> Mapping[float, Ints]:
    """Amounts by range of draws, for each weight there is."""
    bins = bins_of(documents.draws)
    weights, kinds = np.unique(documents.weights, return_inverse=True)
    sums = np.zeros((len(weights), NUM_BINS), np.int64)
    np.add.at(sums, (kinds.reshape(-1), bins), documents.amounts)
    return {float(weight): row for weight, row in zip(weights, sums, strict=True)}
