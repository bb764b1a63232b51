"""Recipe to Beam graph: one small pipeline a stage; this is where they are wired."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import apache_beam as beam

from glotmill.schemas import recipe
from glotmill.schemas.lock import Lock
from glotmill.transforms.deduplicate import RemoveDuplicates, WriteDuplicateEdges
from glotmill.transforms.each_unit import EachUnit, UnitWork
from glotmill.transforms.edge_files import EdgeFiles
from glotmill.transforms.held_out import CollectHeldOut
from glotmill.transforms.ingest import IngestUnits
from glotmill.transforms.leaks import FindLeaks
from glotmill.transforms.lock_units import ReadUnits
from glotmill.transforms.mix import WriteShards
from glotmill.transforms.ordinals import CreateOrdinals
from glotmill.transforms.plan import Group
from glotmill.transforms.shadows import CountShadows, WriteShadowEdges
from glotmill.transforms.split import SplitRule
from glotmill.transforms.split_thresholds import FindThresholds
from glotmill.transforms.spread import spread


def ingest(
    pipeline: beam.Pipeline, lock: Lock, units: str, ordinals: Iterable[int], root: str
) -> object:
    """Units to documents, dropped documents, rejected records and statistics.

    `units` is the path of the table in which workers look up the lock's units.
    """
    return (
        _spread(pipeline, ordinals)
        | "ReadUnits" >> ReadUnits(units)
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
    units = _spread(pipeline, ordinals)
    return units | "Deduplicate" >> RemoveDuplicates(
        root, options, by_label, num_documents, connected, pair_ordinals
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
    units = _spread(pipeline, ordinals)
    return units | "FindDuplicates" >> WriteDuplicateEdges(root, options, num_documents, folder)


def count_shadows(
    pipeline: beam.Pipeline,
    options: recipe.Deduplicate,
    root: str,
    ordinals: Iterable[int],
    num_documents: int,
    connected: EdgeFiles | None = None,
) -> object:
    """Removal lists and dropped documents to removal lists whose sizes count these too."""
    units = _spread(pipeline, ordinals)
    return units | "CountShadows" >> CountShadows(root, options, num_documents, connected)


def shadow_edges(
    pipeline: beam.Pipeline,
    options: recipe.Deduplicate,
    root: str,
    ordinals: Iterable[int],
    num_documents: int,
    folder: str,
) -> object:
    """The same to files of edges, for corpora too large for one worker."""
    units = _spread(pipeline, ordinals)
    return units | "FindShadows" >> WriteShadowEdges(root, options, num_documents, folder)


def split(
    pipeline: beam.Pipeline, lock: Lock, root: str, wanted: Mapping[Group, int], rule: SplitRule
) -> object:
    """Content hashes, and sides of pairs, to the thresholds of the validation split."""
    most = lock.recipe.mix.validation.max_documents
    units = _spread(pipeline, range(len(lock.units)))
    return units | "Split" >> FindThresholds(root, wanted, rule, max_zero_shot=most)


def held_out(pipeline: beam.Pipeline, lock: Lock, root: str) -> object:
    """Thresholds to a table of what is held out."""
    units = _spread(pipeline, range(len(lock.units)))
    return units | "HeldOut" >> CollectHeldOut(
        root, lock.recipe.deduplicate.near, folds=_folds(lock)
    )


def leaks(pipeline: beam.Pipeline, lock: Lock, root: str) -> object:
    """What is held out to the lists of training rows that tell of it."""
    units = _spread(pipeline, range(len(lock.units)))
    return units | "Leaks" >> FindLeaks(root, lock.recipe.deduplicate.near, folds=_folds(lock))


def _folds(lock: Lock) -> bool:
    """Whether documents are held against the sides of pairs: where there are any."""
    return any(source.is_bitext for source in lock.recipe.sources)


def each_unit(pipeline: beam.Pipeline, work: UnitWork, ordinals: Iterable[int]) -> object:
    """Ordinals to what a piece of work leaves of each."""
    return _spread(pipeline, ordinals) | "EachUnit" >> EachUnit(work)


def mix(
    pipeline: beam.Pipeline, lock: Lock, root: str, ordinals: Iterable[int], pieces: int
) -> object:
    """Documents and rates to shards."""
    return _spread(pipeline, ordinals) | "Mix" >> WriteShards(root, lock.recipe, pieces)


def _spread(pipeline: beam.Pipeline, ordinals: Iterable[int]) -> beam.PCollection[int]:
    """Ordinals of units, each to be worked on wherever there is room."""
    return spread(pipeline | "Units" >> CreateOrdinals(ordinals))
