"""Spikes: losses that lie far above those of the steps before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from glotmill.trainer.config import Spikes

# The standard deviation of a normal distribution, in units of its median absolute deviation.
_SIGMA = 1.4826
# Losses that hardly differ would make any step a spike: a deviation counts as this much at least.
_FLOOR = 0.02


def spike_limit(losses: Sequence[float], options: Spikes) -> float:
    """The loss above which a step is a spike; infinite before half of the window is there.

    Args:
        losses: of the steps before; the last `options.window` of them count.
        options: window, and how many deviations from its median are too many.

    >>> spike_limit([3.0, 3.0, 3.5, 3.0], Spikes(window=8)), spike_limit([3.0], Spikes(window=8))
    (3.16, inf)
    """
    window = losses[-options.window :]
    if 2 * len(window) < options.window:
        return math.inf
    middle = median(window)
    spread = _SIGMA * median(abs(loss - middle) for loss in window)
    return middle + options.deviations * max(spread, _FLOOR)
