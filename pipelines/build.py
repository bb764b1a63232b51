"""Recipe to Beam graph: one small pipeline a stage; this is where they are wired."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import apache_beam as beam

from glotmill.schemas.lock import Lock, Unit
from glotmill.transforms.deduplicate import RemoveExactDuplicates
from glotmill.transforms.ingest import IngestUnits
from glotmill.transforms.mix import WriteShards
from glotmill.transforms.plan import Group
from glotmill.transforms.split import FindThresholds


def ingest(pipeline: beam.Pipeline, lock: Lock, units: Iterable[Unit], root: str) -> object:
    """Units to documents, dropped documents, rejected records and statistics."""
    return (
        pipeline
        | "Units" >> beam.Create([unit.model_dump_json() for unit in units], reshuffle=False)
        | "Spread" >> beam.Reshuffle()
        | "Ingest" >> IngestUnits(lock.recipe, root)
    )


def deduplicate(pipeline: beam.Pipeline, lock: Lock, root: str) -> object:
    """Content hashes to removal lists."""
    return (
        pipeline
        | _ordinals(lock)
        | "Spread" >> beam.Reshuffle()
        | "Deduplicate" >> RemoveExactDuplicates(root, lock.recipe.deduplicate.scope)
    )


def split(pipeline: beam.Pipeline, lock: Lock, root: str, wanted: Mapping[Group, int]) -> object:
    """Content hashes to the thresholds of the validation split."""
    return (
        pipeline
        | _ordinals(lock)
        | "Spread" >> beam.Reshuffle()
        | "Split" >> FindThresholds(root, wanted, lock.recipe.seed)
    )


def mix(pipeline: beam.Pipeline, lock: Lock, root: str) -> object:
    """Documents and plan to shards."""
    return (
        pipeline
        | _ordinals(lock)
        | "Spread" >> beam.Reshuffle()
        | "Mix" >> WriteShards(root, lock.recipe.output.parquet, lock.recipe.seed)
    )


def _ordinals(lock: Lock) -> beam.PTransform:
    return "Units" >> beam.Create(range(len(lock.units)), reshuffle=False)
