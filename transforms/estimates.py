"""Estimates: totals of a population from sampled clusters, with their errors.

A source is a stratum, a slice of its files a cluster, and the stored bytes of the slice are its
size. Slices are drawn without replacement, each as likely as any other. What a source holds of
something is estimated by ratio to size, `Y = X * sum(y) / sum(x)`, with the variance

    v(Y) = (1 - n/N) * (X / sum(x))**2 * n / (n - 1) * sum((y_i - R * x_i)**2),  R = sum(y) / sum(x)

for n of N slices (Cochran, Sampling Techniques, 3rd ed., Wiley 1977, sections 6.3 and 6.4; ratio to
size of clusters: chapter 9A). Totals of sources add up, and so do their variances (separate ratio
estimates, section 6.10). Of a ratio of two such totals the residuals take the place of y, as in
section 6.11.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Share of intervals that hold the truth, were the sample drawn again and again.
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Stratum:
    """The slices of a source that were read.

    Attributes:
        sizes: of the n slices that were read; float64[n].
        total_size: of all slices.
        num_clusters: how many there are (N).
    """

    sizes: Floats
    total_size: float
    num_clusters: int

    @property
    def is_whole(self) -> bool:
        """Whether every slice was read, so that nothing is left to estimate."""
        return len(self.sizes) >= self.num_clusters

    @property
    def factor(self) -> float:
        """What sums over the sample are multiplied by."""
        if self.is_whole:
            return 1.0
        read = float(self.sizes.sum())
        return self.total_size / read if read else 0.0


@dataclass(frozen=True)
class Totals:
    """Estimated totals of m quantities.

    Attributes:
        values: float64[m].
        variances: of the values; NaN where only one slice of several was read; float64[m].
        squares: sum over strata of variance squared over degrees of freedom; float64[m].
        num_seen: slices in which there is any of it; int64[m].
        num_drawn: the same of strata that were not read whole; int64[m].
    """

    values: Floats
    variances: Floats
    squares: Floats
    num_seen: Ints
    num_drawn: Ints

    def __add__(self, other: Totals) -> Totals:
        """The totals of two strata together."""
        return Totals(
            self.values + other.values,
            self.variances + other.variances,
            self.squares + other.squares,
            self.num_seen + other.num_seen,
            self.num_drawn + other.num_drawn,
        )

    def errors(self, confidence: float = CONFIDENCE) -> Floats:
        """Half widths of the intervals; NaN where no error can be given, 0 where all was read.

        None can be given of what stands in one slice only of all that were drawn.
        Degrees of freedom of several strata are those of Satterthwaite (Cochran, section 5.4).
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            freedom = np.where(self.squares > 0, self.variances**2 / self.squares, np.inf)
        quantiles = [student_quantile((1 + confidence) / 2, each) for each in freedom.tolist()]
        halves = np.array(quantiles) * np.sqrt(self.variances)
        return np.where(self.num_drawn == 1, np.nan, halves)


def totals(stratum: Stratum, values: Floats) -> Totals:
    """Estimates totals over a stratum.

    Args:
        stratum: of n slices.
        values: amounts of m quantities in each; float64[n, m].

    >>> half = totals(Stratum(np.ones(2), 4.0, 4), np.array([[1.0], [3.0]]))
    >>> half.values.tolist(), half.variances.tolist()
    ([8.0], [8.0])
    """
    num_seen = np.count_nonzero(values, axis=0)
    sums = values.sum(axis=0)
    num_read = len(values)
    if stratum.is_whole:
        nothing = np.zeros(values.shape[1])
        return Totals(sums, nothing, nothing, num_seen, np.zeros_like(num_seen))
    if num_read < 2:
        unknown = np.where(num_seen > 0, np.nan, 0.0)
        return Totals(sums * stratum.factor, unknown, unknown, num_seen, num_seen)
    residuals = values - np.outer(stratum.sizes / stratum.sizes.sum(), sums)
    spread = (residuals**2).sum(axis=0) * num_read / (num_read - 1)
    variances = (1 - num_read / stratum.num_clusters) * stratum.factor**2 * spread
    squares = variances**2 / (num_read - 1)
    return Totals(sums * stratum.factor, variances, squares, num_seen, num_seen)


def share(
    strata: Sequence[Stratum], parts: Sequence[Floats], wholes: Sequence[Floats]
) -> tuple[float, float]:
    """Estimates what share one amount is of another, over several strata.

    Args:
        strata: k of them.
        parts: amounts in the slices of each stratum; float64[n] each.
        wholes: of which the parts are parts; float64[n] each.

    Returns:
        The share, and half the width of its interval; NaN where it is not known.

    >>> share([Stratum(np.ones(2), 2.0, 2)], [np.array([1.0, 2.0])], [np.array([2.0, 4.0])])
    (0.5, 0.0)
    """
    amounts = [_total(*each) for each in zip(strata, wholes, strict=True)]
    whole = math.fsum(amounts)
    if not whole:
        return 0.0, math.nan
    found = math.fsum(_total(*each) for each in zip(strata, parts, strict=True)) / whole
    found_residuals = [
        totals(stratum, (part - found * all_of_it)[:, None])
        for stratum, part, all_of_it in zip(strata, parts, wholes, strict=True)
        if np.any(all_of_it)
    ]
    joined = sum(found_residuals[1:], start=found_residuals[0])
    return found, float(joined.errors()[0]) / whole


def _total(stratum: Stratum, values: Floats) -> float:
    return float(values.sum()) * stratum.factor


def student_quantile(probability: float, freedom: float) -> float:
    """Quantile of Student's t distribution.

    Exact for 1 and 2 degrees of freedom and in the limit; between them the expansion of
    Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5, right within 0.5% for
    probabilities to 0.975.

    Args:
        probability: between 0 and 1.
        freedom: degrees of freedom, 1 or more; less counts as 1.

    >>> [round(student_quantile(0.975, freedom), 2) for freedom in (1, 2, 5, 60, math.inf)]
    [12.71, 4.3, 2.57, 2.0, 1.96]
    """
    if freedom < 1.5 or math.isnan(freedom):
        return math.tan(math.pi * (probability - 0.5))
    if freedom < 2.5:
        room = 4 * probability * (1 - probability)
        return (2 * probability - 1) * math.sqrt(2 / room)
    z = NormalDist().inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, start=1))
