"""Spikes: losses that lie far above those of the steps before."""

from __future__ import annotations

import math
from collections import deque
from statistics import median

from glotmill.trainer.config import Spikes

# The standard deviation of a normal distribution, in units of its median absolute deviation.
_SIGMA = 1.4826
# Losses that hardly differ would make any step a spike: a deviation counts as this much at least.
_FLOOR = 0.02


class SpikeWatch:
    """The losses of the last steps, and whether a new one leaps out of them."""

    def __init__(self, options: Spikes, losses: list[float] | None = None) -> None:
        self._options = options
        self._losses = deque(losses or [], maxlen=options.window)

    @property
    def losses(self) -> list[float]:
        """The window, for a checkpoint."""
        return list(self._losses)

    def limit(self) -> float:
        """The loss above which a step is a spike."""
        if 2 * len(self._losses) < self._options.window:
            return math.inf
        middle = median(self._losses)
        spread = _SIGMA * median(abs(loss - middle) for loss in self._losses)
        return middle + self._options.deviations * max(spread, _FLOOR)

    def is_spike(self, loss: float) -> bool:
        """Whether a step's loss is a spike; if it is none, it joins the window.

        >>> watch = SpikeWatch(Spikes(window=8))
        >>> [watch.is_spike(loss) for loss in (3.0, 2.9, 3.1, 3.0, 9.0, math.nan, 2.9)]
        [False, False, False, False, True, True, False]
        """
        if not math.isfinite(loss) or loss > self.limit():
            return True
        self._losses.append(loss)
        return False
