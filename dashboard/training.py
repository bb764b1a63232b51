"""Training: what runs of the trainer on this corpus tell, beside what the corpus has of each label.

Labels are told apart without their categories, as the trainer counts them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from glotmill.dashboard.names import language_name, script_of
from glotmill.dashboard.overview import Report
from glotmill.dashboard.shares import share
from glotmill.dashboard.training_log import Number, Part
from glotmill.dashboard.training_run import TrainingRun, read_runs
from glotmill.schemas.training import Training

#: How losses are told apart, labels left out; `all` has one part.
VIEWS = ("all", "tier", "category", "source")


@dataclass(frozen=True)
class Losses:
    """Losses of one part of the text in one run; None where none was told.

    Attributes:
        train: since the last validation, or, of a part not met since, where it was last met.
        before: on the validation split, at the first validation.
        after: at the last one.
    """

    train: Part | None
    before: Part | None
    after: Part | None

    @property
    def bits_before(self) -> Number:
        """Bits per byte at the first validation."""
        return self.before.bits_per_byte if self.before else None

    @property
    def bits_after(self) -> Number:
        """Bits per byte at the last validation."""
        return self.after.bits_per_byte if self.after else None

    @property
    def change(self) -> float | None:
        """By how much bits per byte differ from before, as a share; below 0 is better."""
        if self.bits_before and self.bits_after is not None:
            return self.bits_after / self.bits_before - 1
        return None


@dataclass(frozen=True)
class PartRow:
    """A tier, category or source in one run, or all of it.

    Attributes:
        seen: tokens learned from, up to the last validation.
    """

    run: str
    view: str
    name: str
    seen: int
    losses: Losses


@dataclass(frozen=True)
class TrainedLabel:
    """One label in one run, over all its categories.

    Attributes:
        tier: its tiers, where it is in several categories.
        words: that the mixture could draw from.
        available: tokens that could be drawn for training, each document once.
        planned: tokens that the plan wants seen.
        seen: tokens learned from, up to the last validation.
        history: bits per byte at each validation.
    """

    run: str
    label: str
    name: str
    script: str
    tier: str
    words: int
    available: int
    planned: int
    seen: int
    losses: Losses
    history: Sequence[Number]

    @property
    def of_plan(self) -> float:
        """Seen as a share of what the plan wants."""
        return share(self.seen, self.planned)

    @property
    def epochs(self) -> float | None:
        """How often the text was seen; None where nothing could be drawn."""
        return self.seen / self.available if self.available else None


@dataclass(frozen=True)
class Forgotten:
    """A watched category in one run: loss on the validation split, in nats a token."""

    run: str
    category: str
    before: Part | None
    after: Part | None
    worse: Number


@dataclass(frozen=True)
class TrainingReport:
    """All numbers of the view.

    Attributes:
        runs: in the order in which they were given.
        planned: tokens that the plan wants seen, over all labels.
        parts: by view and name, so that runs stand beside each other.
        labels: of the first run, then of the next.
    """

    runs: Sequence[TrainingRun]
    planned: int
    parts: Sequence[PartRow]
    labels: Sequence[TrainedLabel]
    forgetting: Sequence[Forgotten]


def training_report(report: Report, folders: Sequence[str]) -> TrainingReport:
    """What runs tell, beside the corpus that a report is of.

    Args:
        report: of the corpus.
        folders: of the runs.

    Raises:
        TrainingRunError: a folder is no run, or one of another corpus.
    """
    training, runs = read_runs(report.gathered.root, folders)
    supply = _Supply(report, training)
    return TrainingReport(
        runs=runs,
        planned=sum(training.planned_tokens().values()),
        parts=sorted(
            (row for run in runs for row in part_rows(run)),
            key=lambda row: (VIEWS.index(row.view), row.name),
        ),
        labels=[row for run in runs for row in _label_rows(run, supply)],
        forgetting=[row for run in runs for row in forgotten(run)],
    )


def losses_of(run: TrainingRun, view: str, name: str) -> Losses:
    """The losses of a part.

    Args:
        run: that tells them.
        view: all, tier, category, source or label.
        name: of the part.
    """
    told = [line.of(view)[name] for line in run.log.stretches if name in line.of(view)]
    validations = run.log.validations
    first, last = (validations[0], validations[-1]) if validations else (None, None)
    return Losses(
        train=told[-1] if told else None,
        before=first.of(view).get(name) if first else None,
        after=last.of(view).get(name) if last else None,
    )


def part_rows(run: TrainingRun) -> Iterator[PartRow]:
    """All, then each tier, category and source that the run tells of."""
    lines = (*run.log.validations, *run.log.stretches)
    for view in VIEWS:
        seen: Counter[str] = Counter()
        for line in run.log.stretches:
            seen.update({name: part.num_tokens for name, part in line.of(view).items()})
        for name in dict.fromkeys(name for line in lines for name in line.of(view)):
            yield PartRow(run.name, view, name, seen[name], losses_of(run, view, name))


def forgotten(run: TrainingRun) -> Iterator[Forgotten]:
    """The watched categories, at the last validation against the first."""
    if run.log.validations:
        first, last = run.log.validations[0], run.log.validations[-1]
        for name, worse in last.forgetting.items():
            before, after = first.category.get(name), last.category.get(name)
            yield Forgotten(run.name, name, before, after, worse)


class _Supply:
    """What the corpus has of each label, over all categories."""

    def __init__(self, report: Report, training: Training) -> None:
        words = [(row.label, row.available.words) for row in report.languages]
        if report.parallel is not None:
            words += [(row.label, row.available.words) for row in report.parallel.pairs]
        self.words: Counter[str] = Counter()
        for label, num_words in words:
            self.words[label] += num_words
        self.planned = training.planned_tokens()
        self.available = _available_tokens(report)
        tiers: dict[str, dict[str, None]] = {}
        for each in training.labels:
            tiers.setdefault(each.label, {})[each.tier] = None
        self.tiers = {label: ", ".join(names) for label, names in tiers.items()}


def _available_tokens(report: Report) -> Mapping[str, int]:
    """Tokens by label that training could draw; pairs that are written both ways count once."""
    found: Counter[str] = Counter()
    table = report.gathered.available
    if table is not None:
        names = ("label", "split", "again", "num_tokens")
        columns = (table.column(name).to_pylist() for name in names)
        for label, split, again, num_tokens in zip(*columns, strict=True):
            if split == "train" and not again:
                found[label] += num_tokens
    return found


def _label_rows(run: TrainingRun, supply: _Supply) -> Iterator[TrainedLabel]:
    """The labels of the plan, then others that the run tells of."""
    told = (name for line in (*run.log.validations, *run.log.stretches) for name in line.label)
    for label in dict.fromkeys((*supply.planned, *told)):
        yield TrainedLabel(
            run=run.name,
            label=label,
            name=language_name(label),
            script=script_of(label),
            tier=supply.tiers.get(label, ""),
            words=supply.words[label],
            available=supply.available[label],
            planned=supply.planned.get(label, 0),
            seen=run.seen.get(label, 0),
            losses=losses_of(run, "label", label),
            history=[
                line.label[label].bits_per_byte if label in line.label else None
                for line in run.log.validations
            ],
        )
