"""Figures that a plan is made of besides the mixture: from a sample, from a run, from a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from glotmill.pipelines.planning import measured
from glotmill.pipelines.planning.extrapolate import (
    SourceAmounts,
    available_counts,
    estimates,
    known,
)
from glotmill.pipelines.planning.outputs import Stored
from glotmill.pipelines.planning.sampling import (
    Copies,
    SampledSource,
    Sampler,
    cpu_seconds,
    token_bytes_of,
    tokenizer_of,
)
from glotmill.pipelines.stages.ingest import unit_records
from glotmill.schemas.estimates import ERROR, ESTIMATES
from glotmill.schemas.recipe import Recipe
from glotmill.transforms.bounds import Group

#: What figures are from that know of duplicates.
FINISHED_RUN = "a finished run"
#: A value, and half the width of its interval, None where none can be given.
Amount = tuple[float, float | None]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a plan is made of.

    Attributes:
        told_by: what they are from.
        available: in the schema AVAILABLE.
        estimated: in the schema ESTIMATES; empty without a sample.
        stored: sizes of what lies between the stages.
        ingest_seconds: CPU of ingest and its error; None where nothing tells.
        ingest_told_by: where that is from.
        token_seconds: CPU to tokenize what may be drawn.
        sampled: what the slices gave; empty without a sample.
        seconds: CPU of ingest of each source, and its error.
        copies: equal texts within the sample.
    """

    told_by: str
    available: pa.Table
    stored: Stored
    ingest_seconds: Amount | None
    ingest_told_by: str
    token_seconds: float
    estimated: pa.Table = field(default_factory=ESTIMATES.empty_table)
    sampled: Sequence[SampledSource] = ()
    seconds: Mapping[str, Amount] = field(default_factory=dict)
    copies: Copies | None = None

    def errors(self, counted: str) -> Mapping[Group, float | None] | None:
        """Errors of what each category and label has; None without a sample.

        Args:
            counted: the column of the recipe's unit.
        """
        if not self.sampled:
            return None
        found: dict[Group, float | None] = {}
        there = self.available.group_by(["category", "label"]).aggregate([(counted, "sum")])
        amounts = {(r["category"], r["label"]): r[f"{counted}_sum"] for r in there.to_pylist()}
        for row in self.rows("label"):
            if row["outcome"] == "kept":
                group, error = (row["category"], row["label"]), row[counted + ERROR]
                # Pairs that are written both ways count twice, and so does their error.
                times = round(amounts.get(group, 0) / row[counted]) if row[counted] else 1
                found[group] = None if error is None else error * max(1, times)
        return found

    def rows(self, level: str) -> list[dict[str, Any]]:
        """Estimates of a level, as they stand in the table."""
        found: list[dict[str, Any]] = self.estimated.filter(
            pc.equal(self.estimated["level"], level)
        ).to_pylist()
        return found


def figures_of_sample(
    recipe: Recipe, sampled: Sequence[SampledSource], sampler: Sampler
) -> Figures:
    """Figures that are estimated from slices.

    Args:
        recipe: whose sources they are.
        sampled: what the slices gave.
        sampler: that read them.
    """
    amounts = [SourceAmounts(each) for each in sampled]
    estimated = estimates(amounts)
    seconds = {
        each.source.name: _amount(each.total([s.seconds for s in each.sampled.slices]))
        for each in amounts
    }
    stored = {name: _stored(amounts, name) for name in ("documents", "dropped")}
    share = measured.STORED_SHARE if sampler.shard_share is None else sampler.shard_share
    return Figures(
        told_by="a sample of the inputs",
        available=available_counts(estimated, recipe),
        stored=Stored(share, stored["documents"], stored["dropped"], sampler.token_bytes),
        ingest_seconds=_added(list(seconds.values())),
        ingest_told_by="measured on the sample",
        token_seconds=sum(
            each.total([s.token_seconds for s in each.sampled.slices])[0] for each in amounts
        ),
        estimated=estimated,
        sampled=sampled,
        seconds=seconds,
        copies=sampler.copies,
    )


def _stored(amounts: Sequence[SourceAmounts], name: str) -> float:
    return sum(each.total([s.stored[name] for s in each.sampled.slices])[0] for each in amounts)


def _amount(found: tuple[float, float]) -> Amount:
    return found[0], known(found[1])


def _added(amounts: Sequence[Amount]) -> Amount:
    """The sum of independent amounts, and its error."""
    errors = [error for _, error in amounts if error is not None]
    error = math.hypot(*errors) if len(errors) == len(amounts) else None
    return math.fsum(value for value, _ in amounts), error


def figures_of_counts(available: pa.Table, recipe: Recipe) -> Figures:
    """Figures of a table of counts: hours only where it has bytes."""
    num_bytes = _once(available, "num_bytes")
    seconds = num_bytes * measured.INGEST_SECONDS_PER_BYTE
    return Figures(
        told_by="a table of counts",
        available=available,
        stored=_stored_before(num_bytes, recipe),
        ingest_seconds=(seconds, None) if num_bytes else None,
        ingest_told_by="bytes of the table, at the speed of docs/performance.md",
        token_seconds=_token_seconds(available, recipe),
    )


def figures_of_run(root: str, available: pa.Table, recipe: Recipe) -> Figures:
    """Figures of a run whose stage `compose` is done: what a run from the start would take."""
    records = unit_records(root)
    seconds = math.fsum(map(cpu_seconds, records))
    files = dict.fromkeys(("documents", "dropped"), 0)
    for record in records:
        for name in files:
            entry = record.file(name)
            files[name] += entry.num_bytes if entry else 0
    num_bytes = _once(available, "num_bytes")
    stored = _stored_before(num_bytes, recipe)
    if files["documents"]:
        stored = Stored(stored.share, files["documents"], files["dropped"], stored.token_bytes)
    return Figures(
        told_by=FINISHED_RUN,
        available=available,
        stored=stored,
        ingest_seconds=(seconds, 0.0) if records else None,
        ingest_told_by="the run's own notes of CPU",
        token_seconds=_token_seconds(available, recipe),
    )


def _stored_before(num_bytes: int, recipe: Recipe) -> Stored:
    share = measured.STORED_SHARE
    return Stored(share, num_bytes * share, 0.0, token_bytes_of(tokenizer_of(recipe)))


def _token_seconds(available: pa.Table, recipe: Recipe) -> float:
    if recipe.output.tokens is None:
        return 0.0
    return _once(available, "num_tokens") * measured.COMPOSE_SECONDS_PER_TOKEN


def _once(available: pa.Table, name: str) -> int:
    """A sum over what may be drawn, pairs that are written both ways counted once."""
    once = available.filter(pc.invert(available["again"]))
    return pc.sum(once[name]).as_py() or 0
