"""Differences of two runs: labels, counts, sources and settings, without the noise of the draw."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from glotmill.dashboard.amounts import VALIDATION, Amount, Sums
from glotmill.dashboard.count_changes import (
    CountChange,
    ReasonChange,
    SourceChange,
    reason_changes,
    source_changes,
    total_changes,
)
from glotmill.dashboard.languages import planned_by_group
from glotmill.dashboard.names import language_name
from glotmill.dashboard.overview import Report
from glotmill.dashboard.setting_changes import SettingChange, setting_changes
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

    surviving: Amount = _NOTHING
    excluded: Amount = _NOTHING
    sampled: Amount = _NOTHING
    validation: Amount = _NOTHING
    tier: str | None = None
    rate: float | None = None

    @property
    def available(self) -> Amount:
        """What training can draw from."""
        return self.surviving - self.validation - self.excluded

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
        # Over all that another seed might hold out.
        return share(self.surviving.words, self.surviving.documents)


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
class Difference:
    """How a second run differs from a first.

    Attributes:
        names: of both, as they were called.
        gained: labels that only the second has available; `lost` only the first.
        changed: labels of both whose sampled words differ by more than noise, or whose tier, rate
            or surviving words differ; the largest change of sampled words first.
        num_noise: labels whose sampled and available words differ by no more than noise alone.
        num_equal: labels that are alike in all of this.
        totals: steps of the funnel, in order.
        sources: what was read, kept, removed and drawn of each, where that differs.
        reasons: why records were rejected, dropped, removed and excluded, where the counts differ.
        settings: of the recipes, in order of their keys.
    """

    names: tuple[str, str]
    gained: Sequence[LabelChange]
    lost: Sequence[LabelChange]
    changed: Sequence[LabelChange]
    num_noise: int
    num_equal: int
    totals: Sequence[CountChange]
    sources: Sequence[SourceChange]
    reasons: Sequence[ReasonChange]
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
    noisy = [row for row in both if (row.sampled or row.available) and not _differs(row)]
    return Difference(
        names=names,
        gained=_most([row for row in rows if not row.before.available.documents]),
        lost=_most([row for row in rows if not row.after.available.documents]),
        changed=_most(changed),
        num_noise=len(noisy),
        num_equal=len(both) - len(changed) - len(noisy),
        totals=list(total_changes(before, after)),
        sources=source_changes(before, after),
        reasons=reason_changes(before, after),
        settings=setting_changes(_recipe(before), _recipe(after)),
    )


def _recipe(report: Report) -> dict[str, Any]:
    return report.gathered.lock.recipe.model_dump(mode="json")


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
            sums.all_of(group, "compose", "excluded"),
            sums.sampled(group),
            sums.of(group, VALIDATION),
            *planned.get(group, (None, None)),
        )
        for group in sums.groups
        if group[0]
    }


def _differs(row: LabelChange) -> bool:
    settled = (row.before.tier, row.before.rate) != (row.after.tier, row.after.rate)
    # Not `available`: with another seed documents of other lengths are held out.
    surviving = row.before.surviving.words != row.after.surviving.words
    return surviving or settled or row.is_significant


def _most(rows: Iterable[LabelChange]) -> list[LabelChange]:
    return sorted(rows, key=lambda row: (-abs(row.sampled), -abs(row.available), row.label))
