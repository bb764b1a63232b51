"""Counts of two runs compared: steps of the funnel, sources, reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from glotmill.dashboard.amounts import Sums, kind_of
from glotmill.dashboard.flow import Flow
from glotmill.dashboard.overview import Kind, Report

_STEPS = (
    "read", "rejected", "dropped", "kept", "duplicates", "surviving", "excluded", "unsampled",
    "validation", "train", "repeated", "sampled",
)  # fmt: skip

#: Stage and outcome of records that have a reason, and what that is called.
_LOSSES = (
    ("ingest", "rejected", "rejected"),
    ("ingest", "dropped", "dropped"),
    ("deduplicate", "dropped", "removed"),
    ("compose", "excluded", "excluded"),
)


@dataclass(frozen=True)
class CountChange:
    """A step of the funnel in both runs; `kind` is what is counted."""

    kind: str
    what: str
    before: int
    after: int


@dataclass(frozen=True)
class ReasonChange:
    """Records that were lost for a reason, in both runs.

    Attributes:
        kind: what is counted.
        outcome: `rejected`, `dropped`, `removed` as duplicates, or `excluded` from training.
        what: the reason.
    """

    kind: str
    outcome: str
    what: str
    before: int
    after: int


@dataclass(frozen=True)
class SourceCounts:
    """What one run has of a source; `drawn` are first copies."""

    read: int = 0
    kept: int = 0
    removed: int = 0
    drawn: int = 0


@dataclass(frozen=True)
class SourceChange:
    """A source in both runs, all 0 where a run does not have it; `kind` is what is counted."""

    kind: str
    name: str
    before: SourceCounts
    after: SourceCounts


def total_changes(before: Report, after: Report) -> Iterator[CountChange]:
    """Steps of the funnel in order, equal ones too; documents before pairs."""
    for name in ("documents", "pairs"):
        kinds = before.kind(name), after.kind(name)
        for step in _STEPS:
            counts = [_count(kind, step) for kind in kinds]
            if any(counts):
                yield CountChange(name, step.replace("unsampled", "not drawn"), *counts)


def _count(kind: Kind | None, step: str) -> int:
    count: int = getattr(kind.flow, step).documents if kind else 0
    return count


def reason_changes(before: Report, after: Report) -> list[ReasonChange]:
    """Reasons whose counts differ, the largest change first."""
    first, second = _lost(before), _lost(after)
    rows = [ReasonChange(*key, first.get(key, 0), second.get(key, 0)) for key in {*first, *second}]
    changed = [row for row in rows if row.before != row.after]
    return sorted(
        changed, key=lambda row: (row.kind, -abs(row.after - row.before), row.what, row.outcome)
    )


def _lost(report: Report) -> Mapping[tuple[str, str, str], int]:
    """Records by kind, by how they were lost, and why."""
    sums = Sums(report.gathered.documents, ["category"])
    found: dict[tuple[str, str, str], int] = {}
    for group in sums.groups:
        for stage, outcome, called in _LOSSES:
            for reason, amount in sums.reasons(group, stage, outcome).items():
                key = (kind_of(group[0]), called, reason)
                found[key] = found.get(key, 0) + amount.documents
    return found


def source_changes(before: Report, after: Report) -> list[SourceChange]:
    """Sources whose counts differ, in the order of the recipes, the second's own last."""
    first, second = _by_source(before), _by_source(after)
    rows = [
        SourceChange(*key, first.get(key, SourceCounts()), second.get(key, SourceCounts()))
        for key in dict.fromkeys([*first, *second])
    ]
    return [row for row in rows if row.before != row.after]


def _by_source(report: Report) -> dict[tuple[str, str], SourceCounts]:
    return {
        (kind.name, row.source.name): _counts_of(row.flow)
        for kind in report.kinds
        for row in kind.sources
    }


def _counts_of(flow: Flow) -> SourceCounts:
    steps = (flow.read, flow.kept, flow.duplicates, flow.train)
    return SourceCounts(*(amount.documents for amount in steps))
