"""Amounts of text, and sums of them by group."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa

#: What an amount is shown in; the fields of `Amount`.
UNITS = ("documents", "bytes", "words")
COLUMNS = tuple(f"num_{unit}" for unit in UNITS)


@dataclass(frozen=True)
class Amount:
    """Documents with their UTF-8 bytes and their words.

    >>> Amount(3, 30, 6) - Amount(1, 10, 2)
    Amount(documents=2, bytes=20, words=4)
    """

    documents: int = 0
    bytes: int = 0
    words: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(
            self.documents + other.documents, self.bytes + other.bytes, self.words + other.words
        )

    def __sub__(self, other: Amount) -> Amount:
        return Amount(
            self.documents - other.documents, self.bytes - other.bytes, self.words - other.words
        )

    def as_list(self) -> list[int]:
        """The numbers in the order of `UNITS`."""
        return [self.documents, self.bytes, self.words]


def total(amounts: Iterable[Amount]) -> Amount:
    """Sum of amounts."""
    return sum(amounts, Amount())


class Outcome(NamedTuple):
    """What happened to documents, and where."""

    stage: str
    outcome: str
    reason: str


#: Documents that ingest kept, those removed as duplicates, and those drawn.
KEPT = Outcome("ingest", "kept", "")
TRAIN = Outcome("mix", "train", "")
REPEATED = Outcome("mix", "train", "repeated")
VALIDATION = Outcome("mix", "validation", "")

#: The category of sources with parallel text; what they hold is counted in pairs.
BITEXT = "bitext"


def kind_of(category: str) -> str:
    """What a category is counted in.

    >>> kind_of("bitext"), kind_of("code")
    ('pairs', 'documents')
    """
    return "pairs" if category == BITEXT else "documents"


class Sums:
    """Amounts by outcome and by any further keys of the statistics."""

    def __init__(self, statistics: pa.Table, keys: Sequence[str]) -> None:
        """Adds up.

        Args:
            statistics: rows in the schema of `statistics/documents.parquet`.
            keys: columns that make the groups, in order.
        """
        columns = [*Outcome._fields, *keys]
        grouped = statistics.group_by(columns).aggregate([(name, "sum") for name in COLUMNS])
        lists = [grouped.column(name).to_pylist() for name in columns]
        numbers = [grouped.column(f"{name}_sum").to_pylist() for name in COLUMNS]
        self._amounts: dict[tuple[str, ...], dict[Outcome, Amount]] = {}
        for row in zip(*lists, *numbers, strict=True):
            stage, outcome, reason, *key = row[: len(columns)]
            group = self._amounts.setdefault(tuple(key), {})
            group[Outcome(stage, outcome, reason)] = Amount(*row[len(columns) :])

    @property
    def groups(self) -> list[tuple[str, ...]]:
        """All groups, sorted."""
        return sorted(self._amounts)

    def of(self, group: tuple[str, ...], outcome: Outcome) -> Amount:
        """The amount of a group and an outcome."""
        return self._amounts.get(group, {}).get(outcome, Amount())

    def reasons(self, group: tuple[str, ...], stage: str, outcome: str) -> dict[str, Amount]:
        """The amounts of an outcome by reason, sorted by reason."""
        found = self._amounts.get(group, {})
        return {
            each.reason: found[each]
            for each in sorted(found)
            if (each.stage, each.outcome) == (stage, outcome)
        }

    def all_of(self, group: tuple[str, ...], stage: str, outcome: str) -> Amount:
        """The amount of an outcome, whatever the reason."""
        return total(self.reasons(group, stage, outcome).values())

    def surviving(self, group: tuple[str, ...]) -> Amount:
        """What ingest kept less what deduplication removed."""
        removed = self.all_of(group, "deduplicate", "dropped")
        return self.all_of(group, "ingest", "kept") - removed

    def available(self, group: tuple[str, ...]) -> Amount:
        """What training can draw from: what survives, less what is held out and excluded."""
        excluded = self.all_of(group, "compose", "excluded")
        return self.surviving(group) - self.of(group, VALIDATION) - excluded

    def sampled(self, group: tuple[str, ...]) -> Amount:
        """What was drawn for training, repeats included."""
        return self.all_of(group, "mix", "train")
