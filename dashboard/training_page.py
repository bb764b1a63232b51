"""What the page shows of runs of the trainer: its data for scripts, and rows for its template."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import fmean, median
from typing import Any

from glotmill.dashboard.definitions import TERMS, TRAINING_TERMS
from glotmill.dashboard.overview import Report
from glotmill.dashboard.shares import six_digits
from glotmill.dashboard.training import TrainedLabel, TrainingReport
from glotmill.dashboard.training_log import Part, Spike, StepLine
from glotmill.dashboard.training_run import TrainingRun

#: What is measured at each step: its name in `metrics.jsonl`, and its term.
MEASURES = (
    ("learning_rate", "learning rate"),
    ("gradient_norm", "gradient norm"),
    ("tokens_per_second", "throughput"),
    ("mfu", "MFU"),
    ("memory_bytes", "memory"),
    ("waiting_for_data", "waiting for data"),
)
#: How curves of losses are told apart.
CURVES = ("all", "tier", "category")
#: Points of a curve; of more lines each point is a mean.
MAX_POINTS = 400
#: Points of the small curve of a label.
_MAX_COURSE = 24
#: Spikes on the page; all of them are in `statistics/training_spikes.parquet`.
MAX_SPIKES = 200
_MAX_NAMES, _MAX_HASHES = 6, 3


@dataclass(frozen=True)
class SpikeRow:
    """A spike as the page shows it.

    Attributes:
        step: number of the step that leapt, the first being 1.
        labels: of the documents, the most frequent first; `sources` likewise.
        hashes: of the first documents, in hexadecimal, for `glotmill trace`.
    """

    run: str
    step: int
    seen: int
    spike: Spike
    labels: Sequence[tuple[str, int]]
    sources: Sequence[tuple[str, int]]
    hashes: Sequence[str]


def spike_rows(training: TrainingReport) -> list[SpikeRow]:
    """The last spikes of each run."""
    return [row for run in training.runs for row in _spikes_of(run)]


def _spikes_of(run: TrainingRun) -> list[SpikeRow]:
    return [_spike_row(run, spike) for spike in run.spikes.read[-MAX_SPIKES:]]


def _spike_row(run: TrainingRun, spike: Spike) -> SpikeRow:
    documents = spike.documents
    step = spike.step + 1
    return SpikeRow(
        run=run.name,
        step=step,
        seen=run.tokens_at([step])[0],
        spike=spike,
        labels=Counter(each.label or "" for each in documents).most_common(_MAX_NAMES),
        sources=Counter(each.source or "" for each in documents).most_common(_MAX_NAMES),
        hashes=[each.content_hash for each in documents if each.content_hash][:_MAX_HASHES],
    )


def lines_a_point(run: TrainingRun) -> int:
    """How many lines each point of the run's curves is the mean of."""
    return max(1, ceil(len(run.log.steps) / MAX_POINTS))


def measured(training: TrainingReport) -> list[tuple[str, str]]:
    """Those of MEASURES that some run tells."""
    return [
        (name, term)
        for name, term in MEASURES
        if any(getattr(line, name) is not None for run in training.runs for line in run.log.steps)
    ]


def middle(run: TrainingRun, name: str) -> float | None:
    """Median over the lines of a run; None where it tells none."""
    values = [getattr(line, name) for line in run.log.steps]
    told = [value for value in values if value is not None]
    return median(told) if told else None


def training_context(training: TrainingReport | None) -> dict[str, Any]:
    """What the templates need; `training` is None on a page without it."""
    if training is None:
        return {"training": None}
    return {
        "training": training,
        "terms": {**TERMS, **TRAINING_TERMS},
        "spikes": spike_rows(training),
        "max_spikes": MAX_SPIKES,
        "measures": measured(training),
        "lines_a_point": lines_a_point,
        "middle": middle,
    }


# -------------------------------------------------------- for scripts


def with_training(
    data: Mapping[str, Any], report: Report, training: TrainingReport
) -> dict[str, Any]:
    """What the scripts draw from, training included.

    Args:
        data: without it.
        report: that it is of.
        training: to add.
    """
    return {
        **data,
        "terms": {**data["terms"], **TRAINING_TERMS},
        "languages": {**data["languages"], **_language_columns(report, training)},
        "training": {
            "runs": [_run_data(run) for run in training.runs],
            "measures": measured(training),
            "labels": _label_columns(training.labels),
        },
    }


def _language_columns(report: Report, training: TrainingReport) -> dict[str, list[Any]]:
    """What the first run tells of each row of the report's languages."""
    first = training.runs[0].name
    found = {row.label: row for row in training.labels if row.run == first}
    rows = [found.get(row.label) for row in report.languages]
    return {
        "tokens_seen": [row.seen if row else None for row in rows],
        "bits_per_byte": [_six(row.losses.bits_after) if row else None for row in rows],
    }


def _run_data(run: TrainingRun) -> dict[str, Any]:
    steps, every = run.log.steps, lines_a_point(run)
    validations = run.log.validations
    return {
        "name": run.name,
        "tokens": [group[-1].num_tokens for group in _grouped(steps, every)],
        "measures": {
            name: _means([getattr(line, name) for line in steps], every) for name, _ in MEASURES
        },
        "train": {
            view: _curves([_parts_of_step(line, view) for line in steps], every) for view in CURVES
        },
        "seen": run.tokens_at([line.step for line in validations]),
        "validation": {view: _curves([line.of(view) for line in validations]) for view in CURVES},
        "forgetting": _forgetting(run),
        "spikes": [_spike_data(row) for row in _spikes_of(run)],
    }


def _spike_data(row: SpikeRow) -> list[float | None]:
    """What its mark on the curves says: tokens, step, loss, limit and number of documents."""
    spike = row.spike
    return [row.seen, row.step, _six(spike.loss), _six(spike.limit), len(spike.documents)]


def _grouped(values: Sequence[Any], every: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), every):
        yield values[start : start + every]


def _means(values: Sequence[float | None], every: int = 1) -> list[float | None]:
    """The mean of so many values each, of those that there are.

    >>> _means([1.0, None, 4.0, 2.0, None], 2)
    [1.0, 3.0, None]
    """
    groups = ([v for v in group if v is not None] for group in _grouped(values, every))
    return [six_digits(fmean(group)) if group else None for group in groups]


def _curves(lines: Sequence[Mapping[str, Part]], every: int = 1) -> dict[str, Any]:
    """Loss and bits per byte of each part, along the lines."""
    names = dict.fromkeys(name for line in lines for name in line)
    return {
        name: {
            key: _means([_value(line.get(name), attribute) for line in lines], every)
            for key, attribute in (("loss", "loss"), ("bits", "bits_per_byte"))
        }
        for name in names
    }


def _value(part: Part | None, name: str) -> float | None:
    return getattr(part, name) if part else None


def _parts_of_step(line: StepLine, view: str) -> Mapping[str, Part]:
    if view == "all":
        return {"all": Part(loss=line.loss, num_tokens=0, bits_per_byte=_bits_of_all(line))}
    return line.tier if view == "tier" else line.category


def _bits_of_all(line: StepLine) -> float | None:
    """Bits per byte of a step: of its categories, each by its bytes."""
    bits = num_bytes = 0.0
    for part in line.category.values():
        if part.loss is None or not part.bits_per_byte:
            return None
        bits += part.loss * part.num_tokens
        num_bytes += part.loss * part.num_tokens / part.bits_per_byte
    return bits / num_bytes if num_bytes else None


def _forgetting(run: TrainingRun) -> dict[str, list[float | None]]:
    lines = [line.forgetting for line in run.log.validations]
    names = dict.fromkeys(name for line in lines for name in line)
    return {name: _means([line.get(name) for line in lines]) for name in names}


def _label_columns(rows: Sequence[TrainedLabel]) -> dict[str, list[Any]]:
    columns: dict[str, Callable[[TrainedLabel], Any]] = {
        **{key: _attribute(key) for key in ("run", "label", "name", "script", "tier", "words")},
        **{key: _attribute(key) for key in ("available", "planned", "seen")},
        "of_plan": lambda row: six_digits(row.of_plan) if row.planned else None,
        "epochs": lambda row: _six(row.epochs),
        "train_loss": lambda row: _six(_value(row.losses.train, "loss")),
        "before": lambda row: _six(row.losses.bits_before),
        "after": lambda row: _six(row.losses.bits_after),
        "change": lambda row: _six(row.losses.change),
        "loss_before": lambda row: _six(_value(row.losses.before, "loss")),
        "loss_after": lambda row: _six(_value(row.losses.after, "loss")),
        "course": lambda row: _course(row.history),
    }
    return {key: [value_of(row) for row in rows] for key, value_of in columns.items()}


def _attribute(name: str) -> Callable[[TrainedLabel], Any]:
    return lambda row: getattr(row, name)


def _course(history: Sequence[float | None]) -> list[float | None]:
    """Values as shares of the first, evenly spaced where there are many.

    >>> _course([2.0, 1.0, None])
    [1.0, 0.5, None]
    """
    if not history or not history[0]:
        return []
    last = len(history) - 1
    count = min(last, _MAX_COURSE - 1)
    places = [round(number * last / count) for number in range(count + 1)] if count else [0]
    values = ((history[place], history[0]) for place in places)
    return [None if value is None else six_digits(value / first) for value, first in values]


def _six(value: float | None) -> float | None:
    return None if value is None else six_digits(value)
