"""Recipe to Beam graph: one small pipeline a stage; this is where they are wired."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import apache_beam as beam

from glotmill.schemas import recipe
from glotmill.schemas.lock import Lock, Unit
from glotmill.transforms.deduplicate import RemoveDuplicates, WriteDuplicateEdges
from glotmill.transforms.ingest import IngestUnits
from glotmill.transforms.mix import WriteShards
from glotmill.transforms.plan import Group
from glotmill.transforms.shadows import CountShadows, WriteShadowEdges
from glotmill.transforms.split import FindThresholds
from glotmill.transforms.stars import EdgeFiles


def ingest(pipeline: beam.Pipeline, lock: Lock, units: Iterable[Unit], root: str) -> object:
    """Units to documents, dropped documents, rejected records and statistics."""
    return (
        pipeline
        | "Units" >> beam.Create([unit.model_dump_json() for unit in units], reshuffle=False)
        | "Spread" >> beam.Reshuffle()
        | "Ingest" >> IngestUnits(lock.recipe, root)
    )


def deduplicate(
    pipeline: beam.Pipeline,
    options: recipe.Deduplicate,
    root: str,
    ordinals: Iterable[int],
    by_label: Mapping[str, int],
    num_documents: int,
    connected: EdgeFiles | None = None,
    pair_ordinals: Iterable[int] = (),
) -> object:
    """Content hashes and band keys to removal lists."""
    return (
        pipeline
        | "Units" >> beam.Create(ordinals, reshuffle=False)
        | "Spread" >> beam.Reshuffle()
        | "Deduplicate"
        >> RemoveDuplicates(root, options, by_label, num_documents, connected, pair_ordinals)
    )


def duplicate_edges(
    pipeline: beam.Pipeline,
    options: recipe.Deduplicate,
    root: str,
    ordinals: Iterable[int],
    num_documents: int,
    folder: str,
) -> object:
    """Content hashes and band keys to files of edges, for corpora too large for one worker."""
    return (
        pipeline
        | "Units" >> beam.Create(ordinals, reshuffle=False)
        | "Spread" >> beam.Reshuffle()
        | "FindDuplicates" >> WriteDuplicateEdges(root, options, num_documents, folder)
    )


def count_shadows(
    pipeline: beam.Pipeline,
    options: recipe.Deduplicate,
    root: str,
    ordinals: Iterable[int],
    num_documents: int,
    connected: EdgeFiles | None = None,
) -> object:
    """Removal lists and dropped documents to removal lists whose sizes count these too."""
    return (
        pipeline
        | "Units" >> beam.Create(ordinals, reshuffle=False)
        | "Spread" >> beam.Reshuffle()
        | "CountShadows" >> CountShadows(root, options, num_documents, connected)
    )


def shadow_edges(
    pipeline: beam.Pipeline,
    options: recipe.Deduplicate,
    root: str,
    ordinals: Iterable[int],
    num_documents: int,
    folder: str,
) -> object:
    """The same to files of edges, for corpora too large for one worker."""
    return (
        pipeline
        | "Units" >> beam.Create(ordinals, reshuffle=False)
        | "Spread" >> beam.Reshuffle()
        | "FindShadows" >> WriteShadowEdges(root, options, num_documents, folder)
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
    rehydrated = lock.recipe.mix.rehydrate is not None
    output, seed = lock.recipe.output.parquet, lock.recipe.seed
    return (
        pipeline
        | _ordinals(lock)
        | "Spread" >> beam.Reshuffle()
        | "Mix" >> WriteShards(root, output, seed, rehydrated=rehydrated, bitext=lock.recipe.bitext)
    )


def _ordinals(lock: Lock) -> beam.PTransform:
    return "Units" >> beam.Create(range(len(lock.units)), reshuffle=False)
