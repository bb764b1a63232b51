"""What runs of the trainer told, as tables under `statistics/`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from glotmill.dashboard.training import VIEWS, Losses, TrainingReport
from glotmill.dashboard.training_log import Parts, StepLine
from glotmill.dashboard.training_run import TrainingRun

_RUN = pa.field("run", pa.string(), nullable=False)
_STEP = pa.field("step", pa.int64(), nullable=False)
# All that were learned from, up to the step.
_SEEN = pa.field("num_tokens_seen", pa.int64(), nullable=False)
_MEASURES = ("learning_rate", "gradient_norm", "tokens_per_second", "mfu", "memory_bytes",
             "waiting_for_data")  # fmt: skip

#: One row a line of kind `train`; written to `statistics/training.parquet`.
STEPS = pa.schema(
    [
        *(_RUN, _STEP, _SEEN),
        pa.field("position", pa.int64(), nullable=False),
        pa.field("loss", pa.float64()),
        *(pa.field(name, pa.float64()) for name in _MEASURES),
    ]
)

#: One row a part of a line of any kind; written to `statistics/training_parts.parquet`.
PARTS = pa.schema(
    [
        *(_RUN, _STEP, _SEEN),
        # step: of one step; stretch: since the last validation; validation.
        pa.field("of", pa.string(), nullable=False),
        # all | tier | category | source | label.
        pa.field("view", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("num_tokens", pa.int64(), nullable=False),
        pa.field("loss", pa.float64()),
        pa.field("bits_per_byte", pa.float64()),
    ]
)

#: One row a label and run, as the page shows it; `statistics/training_labels.parquet`.
LABELS = pa.schema(
    [
        _RUN,
        *(pa.field(name, pa.string(), nullable=False) for name in ("label", "name", "tier")),
        *(
            pa.field(f"num_{name}", pa.int64(), nullable=False)
            for name in ("words", "available_tokens", "planned_tokens", "seen_tokens")
        ),
        *(
            pa.field(name, pa.float64())
            for name in ("train_loss", "loss_before", "loss_after", "bits_before", "bits_after")
        ),
    ]
)

#: One row a spike; written to `statistics/training_spikes.parquet`.
SPIKES = pa.schema(
    [
        *(_RUN, _STEP, _SEEN),
        pa.field("position", pa.int64(), nullable=False),
        pa.field("loss", pa.float64()),
        pa.field("limit", pa.float64()),
        pa.field(
            "documents",
            pa.list_(
                pa.struct(
                    {
                        name: pa.string()
                        for name in ("dataset", "category", "label", "source", "content_hash")
                    }
                )
            ),
            nullable=False,
        ),
    ]
)


def training_tables(training: TrainingReport) -> Mapping[str, pa.Table]:
    """The tables by the names of their files, without `.parquet`."""
    rows = {
        "training": (_step_rows, STEPS),
        "training_parts": (_part_rows, PARTS),
        "training_spikes": (_spike_rows, SPIKES),
    }
    tables = {
        name: pa.Table.from_pylist([row for run in training.runs for row in make(run)], schema)
        for name, (make, schema) in rows.items()
    }
    labels = [_label_row(row, row.losses) for row in training.labels]
    return {**tables, "training_labels": pa.Table.from_pylist(labels, LABELS)}


def _step_rows(run: TrainingRun) -> Iterator[dict[str, Any]]:
    for line in run.log.steps:
        values = {name: getattr(line, name) for name in (*_MEASURES, "step", "position", "loss")}
        yield {"run": run.name, "num_tokens_seen": line.num_tokens, **values}


def _part_rows(run: TrainingRun) -> Iterator[dict[str, Any]]:
    for line in run.log.steps:
        yield from _parts(run, line.step, "step", _views_of_step(line))
    for of, lines in (("stretch", run.log.stretches), ("validation", run.log.validations)):
        for each in lines:
            views = {view: each.of(view) for view in (*VIEWS, "label")}
            yield from _parts(run, each.step, of, views)


def _views_of_step(line: StepLine) -> Mapping[str, Parts]:
    return {"tier": line.tier, "category": line.category}


def _parts(
    run: TrainingRun, step: int, of: str, views: Mapping[str, Parts]
) -> Iterator[dict[str, Any]]:
    (seen,) = run.tokens_at([step])
    where = {"run": run.name, "step": step, "num_tokens_seen": seen, "of": of}
    for view, parts in views.items():
        for name, part in parts.items():
            yield {**where, "view": view, "name": name, **part.model_dump()}


def _spike_rows(run: TrainingRun) -> Iterator[dict[str, Any]]:
    for spike in run.spikes.read:
        (seen,) = run.tokens_at([spike.step])
        yield {"run": run.name, "num_tokens_seen": seen, **spike.model_dump()}


def _label_row(row: Any, losses: Losses) -> dict[str, Any]:
    return {
        **{name: getattr(row, name) for name in ("run", "label", "name", "tier")},
        "num_words": row.words,
        "num_available_tokens": row.available,
        "num_planned_tokens": row.planned,
        "num_seen_tokens": row.seen,
        "train_loss": losses.train.loss if losses.train else None,
        "loss_before": losses.before.loss if losses.before else None,
        "loss_after": losses.after.loss if losses.after else None,
        "bits_before": losses.bits_before,
        "bits_after": losses.bits_after,
    }
