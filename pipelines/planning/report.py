"""A plan as tables: what is printed, written as JSON and shown on the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from glotmill.dashboard.plan_page import PlanReport
from glotmill.pipelines.engine import num_cores
from glotmill.pipelines.planning.assumptions import assumptions
from glotmill.pipelines.planning.figures import Amount, Figures
from glotmill.pipelines.planning.hours import Work, engine_hours, shuffled_bytes, stage_hours
from glotmill.pipelines.planning.outputs import drawn_of, written
from glotmill.pipelines.planning.sampling import SampledSource
from glotmill.schemas.estimates import ERROR
from glotmill.schemas.recipe import Recipe
from glotmill.transforms.plan import MixturePlan

_LABEL_COLUMNS = ("num_documents", "num_bytes", "num_words", "share")


def plan_report(
    recipe: Recipe,
    figures: Figures,
    mixture: MixturePlan,
    *,
    workers: int | None = None,
    core_hour: float | None = None,
) -> PlanReport:
    """All tables of a plan.

    Args:
        recipe: the whole of it.
        figures: what the mixture was planned from, and more.
        mixture: the plan.
        workers: processes, slots and machines that the user wants hours for.
        core_hour: what an hour of one core costs the user.
    """
    work = _work(recipe, figures, mixture)
    stages = stage_hours(work, figures.ingest_told_by)
    engines = engine_hours(
        stages,
        shuffled_bytes(work),
        num_cores=num_cores(),
        workers=workers,
        core_hour=core_hour,
    )
    num_tokens = _sum(figures.available, "num_tokens")
    return PlanReport(
        name=recipe.name,
        seed=recipe.seed,
        glotmill=version("glotmill"),
        unit=recipe.mix.unit,
        strategy=recipe.mix.strategy,
        told_by=figures.told_by,
        sources=list(_sources(figures)),
        losses=list(_losses(figures)),
        labels=list(_labels(figures)),
        mixture=list(_mixture(figures, mixture, recipe.mix.counted)),
        written=[asdict(each) for each in written(recipe, mixture, figures.stored, num_tokens)],
        stages=[{**asdict(each), "hours": each.hours} for each in stages],
        engines=[{**asdict(each), "wall_hours": each.wall_hours} for each in engines],
        assumptions=assumptions(figures, recipe),
        findings=[str(finding) for finding in mixture.findings],
    )


def _work(recipe: Recipe, figures: Figures, mixture: MixturePlan) -> Work:
    training, validation = drawn_of(mixture, recipe)
    drawn = training + validation
    seconds, error = figures.ingest_seconds or (None, None)
    return Work(
        ingest_seconds=seconds,
        ingest_error=error,
        num_documents=_sum(figures.available, "num_documents"),
        num_bytes=_sum(figures.available, "num_bytes"),
        token_seconds=figures.token_seconds,
        drawn_bytes=drawn.num_bytes,
        drawn_tokens=drawn.num_tokens if recipe.output.tokens is not None else 0.0,
        near=recipe.deduplicate.near is not None,
    )


def _sum(available: pa.Table, name: str) -> int:
    return pc.sum(available[name]).as_py() or 0


def _sources(figures: Figures) -> Iterator[dict[str, Any]]:
    rows = figures.rows("source")
    of_all = {(row["source"], row["outcome"]): row for row in rows if not row["reason"]}
    for each in figures.sampled:
        name = each.source.name
        read, kept = of_all[name, "read"], of_all[name, "kept"]
        yield _source_row(each, read, kept, figures.seconds[name])


def _source_row(
    sampled: SampledSource, read: Mapping[str, Any], kept: Mapping[str, Any], cpu: Amount
) -> dict[str, Any]:
    seconds, seconds_error = cpu
    return {
        "source": sampled.source.name,
        "category": sampled.source.category,
        "stored": sampled.drawn.num_bytes,
        "num_slices": len(sampled.slices),
        "num_slices_of_all": sampled.drawn.num_slices,
        "read": read["num_documents"],
        "read_error": read["num_documents" + ERROR],
        "kept": kept["num_documents"],
        "kept_error": kept["num_documents" + ERROR],
        "kept_share": kept["share"],
        "kept_share_error": kept["share" + ERROR],
        "kept_bytes": kept["num_bytes"],
        "kept_bytes_error": kept["num_bytes" + ERROR],
        "kept_words": kept["num_words"],
        "kept_words_error": kept["num_words" + ERROR],
        "seconds": seconds,
        "seconds_error": seconds_error,
    }


def _losses(figures: Figures) -> Iterator[dict[str, Any]]:
    names = ("source", "outcome", "reason", "num_documents", "share")
    for row in figures.rows("source"):
        if row["reason"]:
            yield _picked(row, names)


def _labels(figures: Figures) -> Iterator[dict[str, Any]]:
    for row in figures.rows("label"):
        if row["outcome"] == "kept":
            yield _picked(row, ("category", "label", *_LABEL_COLUMNS))


def _picked(row: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Columns of an estimate, those with errors beside them."""
    both = [name for each in names for name in (each, each + ERROR) if name in row]
    return {name: row[name] for name in [*both, "num_seen"]}


def _mixture(figures: Figures, mixture: MixturePlan, counted: str) -> Iterator[dict[str, Any]]:
    errors = figures.errors(counted) or {}
    for row in mixture.plan.to_pylist():
        yield {
            "category": row["category"],
            "label": row["label"],
            "tier": row["tier"],
            "available": row["available"],
            "available_error": errors.get((row["category"], row["label"])),
            "epochs": row["epochs"],
            "planned": row["planned_count"],
            "share": row["share"],
            "binding": row["binding"],
            "relaxed": row["relaxed"],
        }
