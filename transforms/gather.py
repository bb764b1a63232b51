"""Gather: elements to one list."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apache_beam as beam


class ToList(beam.CombineFn):
    """Gathers elements, in no order; an empty list where there is none.

    Its subclasses say of which type they are, which every step inside takes from there.
    """

    def create_accumulator(self) -> list[Any]:
        """An empty list."""
        return []

    def add_input(self, accumulator: list[Any], element: object) -> list[Any]:
        """Appends."""
        accumulator.append(element)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[list[Any]]) -> list[Any]:
        """Puts lists together."""
        return [element for each in accumulators for element in each]

    def extract_output(self, accumulator: list[Any]) -> list[Any]:
        """The list."""
        return accumulator
