"""Parts of wholes."""

from __future__ import annotations


def share(part: float, whole: float) -> float:
    """A part of a whole; 0 where there is no whole.

    >>> share(1, 4), share(0, 0)
    (0.25, 0.0)
    """
    return part / whole if whole else 0.0


def six_digits(value: float) -> float:
    """A share as the page carries it.

    >>> six_digits(1 / 3)
    0.333333
    """
    return float(f"{value:.6g}")
