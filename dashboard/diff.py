"""Differences of two runs: labels, amounts, settings and reasons, without the noise of the draw."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glotmill.dashboard.amounts import VALIDATION, Amount, Sums, kind_of
from glotmill.dashboard.languages import planned_by_group
from glotmill.dashboard.names import language_name
from glotmill.dashboard.overview import Kind, Report
from glotmill.dashboard.shares import share

#: Standard deviations from which on a change is no noise: 1 of 1,000 labels passes by chance.
SIGNIFICANT = 3.29
# Variance of a document's length over the square of its mean, where nobody measured it: that of
# lengths that are distributed exponentially.
_SPREAD = 1.0
_NOTHING = Amount()

_Group = tuple[str, ...]


@dataclass(frozen=True)
class Side:
    """What one run has of a label in one category."""

    available: Amount = _NOTHING
    sampled: Amount = _NOTHING
    validation: Amount = _NOTHING
    tier: str | None = None
    rate: float | None = None

    @property
    def variance(self) -> float:
        """Variance of the sampled words over draws with other seeds, in words squared.

        Of `n` documents drawn at a rate with the fraction `f`, each is drawn once more or not, as
        a coin with chance `f` falls: the words have the variance n f (1 - f) E[w²].
        """
        fraction = (self.rate or 0.0) % 1.0
        num = self.available.documents
        return num * fraction * (1 - fraction) * (1 + _SPREAD) * self._mean**2

    @property
    def held_out(self) -> float:
        """Words that training lacks, as the held out documents are longer than others on average.

        Another seed holds out others. Of one or two, one can be longer than all the rest, which no
        variance tells, but how long they are is known.
        """
        excess = self.validation.words - self.validation.documents * self._mean
        return (self.rate or 0.0) * excess

    @property
    def _mean(self) -> float:
        return share(self.available.words, self.available.documents)


@dataclass(frozen=True)
class LabelChange:
    """One label in one category, in the first run and in the second."""

    label: str
    name: str
    category: str
    before: Side
    after: Side

    @property
    def sampled(self) -> int:
        """Words that are sampled more in the second run."""
        return self.after.sampled.words - self.before.sampled.words

    @property
    def available(self) -> int:
        """Words that are available more in the second run."""
        return self.after.available.words - self.before.available.words

    @property
    def noise(self) -> float:
        """Standard deviation of `sampled`, were the same documents held out; in words."""
        return math.sqrt(self.before.variance + self.after.variance)

    @property
    def is_significant(self) -> bool:
        """Whether the change of what is sampled is more than the noise of the draw.

        What lengths of the held out documents account for is noise too.
        """
        change = self.sampled + self.after.held_out - self.before.held_out
        # Words are whole: less than one is an error of rounding.
        return abs(change) > max(0.5, SIGNIFICANT * self.noise)

    @property
    def ratio(self) -> float | None:
        """Sampled words of the second run over those of the first; None where it had none."""
        words = self.before.sampled.words
        return self.after.sampled.words / words if words else None


@dataclass(frozen=True)
class CountChange:
    """A count of documents or pairs in both runs.

    Attributes:
        kind: what is counted.
        what: a step of the funnel, or a reason to drop or remove.
    """

    kind: str
    what: str
    before: int
    after: int


@dataclass(frozen=True)
class SettingChange:
    """A setting of the recipe that differs; None where a recipe does not have it."""

    key: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Difference:
    """How a second run differs from a first.

    Attributes:
        names: of both, as they were called.
        gained: labels that only the second has available; `lost` only the first.
        changed: labels of both whose sampled words differ by more than noise, or whose tier, rate
            or available words differ; the largest change of sampled words first.
        num_noise: labels whose sampled words differ by no more than noise alone.
        num_equal: labels that are alike in all of this.
        totals: steps of the funnel, in order.
        reasons: why records were dropped and removed, where the counts differ.
        settings: of the recipes, in order of their keys.
    """

    names: tuple[str, str]
    gained: Sequence[LabelChange]
    lost: Sequence[LabelChange]
    changed: Sequence[LabelChange]
    num_noise: int
    num_equal: int
    totals: Sequence[CountChange]
    reasons: Sequence[CountChange]
    settings: Sequence[SettingChange]


def difference(before: Report, after: Report, names: tuple[str, str]) -> Difference:
    """Compares two runs.

    Args:
        before: the first.
        after: the second.
        names: what they are called in the result.
    """
    rows = _labels(before, after)
    both = [row for row in rows if row.before.available.documents and row.after.available.documents]
    changed = [row for row in both if _differs(row)]
    noisy = [row for row in both if row.sampled and not _differs(row)]
    return Difference(
        names=names,
        gained=_most([row for row in rows if not row.before.available.documents]),
        lost=_most([row for row in rows if not row.after.available.documents]),
        changed=_most(changed),
        num_noise=len(noisy),
        num_equal=len(both) - len(changed) - len(noisy),
        totals=list(_totals(before, after)),
        reasons=list(_reasons(before, after)),
        settings=settings(before, after),
    )


def _labels(before: Report, after: Report) -> list[LabelChange]:
    first, second = _sides(before), _sides(after)
    rows = [
        LabelChange(
            label=group[0],
            name=language_name(group[0]),
            category=group[1],
            before=first.get(group, Side()),
            after=second.get(group, Side()),
        )
        for group in sorted({*first, *second})
    ]
    return [r for r in rows if r.before.available.documents or r.after.available.documents]


def _sides(report: Report) -> dict[_Group, Side]:
    sums = Sums(report.gathered.documents, ["label", "category"])
    planned = planned_by_group(report.gathered.plan)
    return {
        group: Side(
            sums.surviving(group),
            sums.sampled(group),
            sums.of(group, VALIDATION),
            *planned.get(group, (None, None)),
        )
        for group in sums.groups
        if group[0]
    }


def _differs(row: LabelChange) -> bool:
    settled = (row.before.tier, row.before.rate) != (row.after.tier, row.after.rate)
    return bool(row.available) or settled or row.is_significant


def _most(rows: Iterable[LabelChange]) -> list[LabelChange]:
    return sorted(rows, key=lambda row: (-abs(row.sampled), -abs(row.available), row.label))


_STEPS = (
    "read", "rejected", "dropped", "kept", "duplicates", "surviving", "excluded", "unsampled",
    "validation", "train", "repeated", "sampled",
)  # fmt: skip


def _kinds(before: Report, after: Report) -> Iterator[tuple[str, Kind | None, Kind | None]]:
    for name in ("documents", "pairs"):
        found = (before.kind(name), after.kind(name))
        if any(found):
            yield name, *found


def _totals(before: Report, after: Report) -> Iterator[CountChange]:
    for name, *kinds in _kinds(before, after):
        for step in _STEPS:
            counts = [getattr(kind.flow, step).documents if kind else 0 for kind in kinds]
            if any(counts):
                yield CountChange(name, step.replace("unsampled", "not drawn"), *counts)


def _reasons(before: Report, after: Report) -> Iterator[CountChange]:
    first, second = _lost(before), _lost(after)
    rows = [CountChange(*key, first.get(key, 0), second.get(key, 0)) for key in {*first, *second}]
    changed = [row for row in rows if row.before != row.after]
    yield from sorted(changed, key=lambda row: (row.kind, -abs(row.after - row.before), row.what))


def _lost(report: Report) -> Mapping[tuple[str, str], int]:
    """Records dropped and removed, by kind and reason."""
    documents = report.gathered.documents
    sums = Sums(documents, ["category"])
    found: dict[tuple[str, str], int] = {}
    for group in sums.groups:
        for stage in ("ingest", "deduplicate"):
            for reason, amount in sums.reasons(group, stage, "dropped").items():
                key = (kind_of(group[0]), reason)
                found[key] = found.get(key, 0) + amount.documents
    return found


def settings(before: Report, after: Report) -> list[SettingChange]:
    """Settings of the recipes that differ, sources by their names."""
    first, second = (
        _flat(each.gathered.lock.recipe.model_dump(mode="json")) for each in (before, after)
    )
    return [
        SettingChange(key, first.get(key), second.get(key))
        for key in sorted({*first, *second})
        if first.get(key) != second.get(key)
    ]


def _flat(value: Any, key: str = "") -> dict[str, Any]:
    """Settings by dotted key.

    >>> _flat({"mix": {"tiers": [{"name": "low", "rate": 2}]}})
    {'mix.tiers.low.name': 'low', 'mix.tiers.low.rate': 2}
    """
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, list) and all(isinstance(v, dict) and "name" in v for v in value):
        parts = {each["name"]: each for each in value}.items()
    else:
        return {key: value}
    prefix = f"{key}." if key else ""
    return {k: v for name, part in parts for k, v in _flat(part, f"{prefix}{name}").items()}
