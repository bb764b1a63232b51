"""Ordinals of units as the elements of a pipeline: in its graph they are ranges.

A graph that held each ordinal would grow with the corpus; of most stages all units are one range.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
from apache_beam import typehints

Range = tuple[int, int]


class Ordinals:
    """A set of ordinals, in order, which takes as much room as it has gaps.

    >>> ordinals = Ordinals([3, 0, 1, 7, 2])
    >>> ordinals.ranges
    ((0, 4), (7, 8))
    >>> list(ordinals), len(ordinals), 3 in ordinals, 5 in ordinals
    ([0, 1, 2, 3, 7], 5, True, False)
    """

    def __init__(self, ordinals: Iterable[int]) -> None:
        """Takes them in any order."""
        found = np.unique(np.fromiter(ordinals, np.int64))
        runs = np.split(found, np.flatnonzero(np.diff(found) > 1) + 1)
        #: The first of each range, and what follows on its last.
        self.ranges: tuple[Range, ...] = tuple(
            (int(run[0]), int(run[-1]) + 1) for run in runs if len(run)
        )

    def __iter__(self) -> Iterator[int]:
        for first, end in self.ranges:
            yield from range(first, end)

    def __len__(self) -> int:
        return sum(end - first for first, end in self.ranges)

    def __contains__(self, ordinal: int) -> bool:
        place = bisect_left(self.ranges, (ordinal + 1, 0)) - 1
        return place >= 0 and ordinal < self.ranges[place][1]


@typehints.with_output_types(int)
class CreateOrdinals(beam.PTransform):
    """A pipeline's beginning to the ordinals of the units that it works on.

    All of them come out in one place: where the work on a unit is more than to look it up, `spread`
    has to follow.
    """

    def __init__(self, ordinals: Iterable[int]) -> None:
        """Takes them in any order."""
        super().__init__()
        self._ranges = Ordinals(ordinals).ranges

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[int]:
        """Creates ranges, and makes ordinals of them."""
        ranges = beam.Create(self._ranges, reshuffle=False).with_output_types(Range)
        return begin | "Ranges" >> ranges | "Each" >> beam.FlatMap(_each).with_output_types(int)


def _each(ordinals: Range) -> range:
    return range(*ordinals)
