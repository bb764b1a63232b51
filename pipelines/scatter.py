"""Hashes of numbers in a sequence, many at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def scattered(seeds: Any, numbers: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """The outputs of SplitMix64 with these numbers (Steele et al., OOPSLA 2014).

    Args:
        seeds: of the sequences, a uint64 or one for each number.
        numbers: of outputs in their sequences; that of the seed itself is 0.
    """
    with np.errstate(over="ignore"):
        mixed = seeds + numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(mixed ^ (mixed >> np.uint64(31)), np.uint64)
