"""Each unit: one piece of work on every unit, which leaves its results in files.

Most looks at a corpus are of this shape. Where there is little to look at, the launcher does it
itself: to start a pipeline takes longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import apache_beam as beam
from apache_beam import typehints


class UnitWork(Protocol):
    """What is done with a unit; pickled into the graph, so it holds options and paths only."""

    def setup(self) -> None:
        """Reads what all units need."""

    def __call__(self, ordinal: int) -> str:
        """Does the work of the unit of this ordinal; gives the path of what it wrote."""


@typehints.with_input_types(int)
@typehints.with_output_types(str)
class _DoWork(beam.DoFn):
    def __init__(self, work: UnitWork) -> None:
        self._work = work

    def setup(self) -> None:
        self._work.setup()

    def process(self, ordinal: int) -> Iterator[str]:
        yield self._work(ordinal)


@typehints.with_input_types(int)
@typehints.with_output_types(str)
class EachUnit(beam.PTransform):
    """Ordinals of units to the paths of what the work on each wrote."""

    def __init__(self, work: UnitWork) -> None:
        """Takes the work."""
        super().__init__()
        self._work = work

    def expand(self, ordinals: beam.PCollection) -> beam.PCollection:
        """One step."""
        return ordinals | "Work" >> beam.ParDo(_DoWork(self._work))


def do_directly(work: UnitWork, ordinals: Iterable[int]) -> None:
    """The same in this process, without an engine."""
    work.setup()
    for ordinal in ordinals:
        work(ordinal)
