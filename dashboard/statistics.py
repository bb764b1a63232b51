"""Gathering: what the report needs of a finished run, read from what its manifests list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from glotmill.dashboard.examples import Dropped, dropped_examples, rejected_groups
from glotmill.dashboard.triage import Cell, triage, with_samples
from glotmill.schemas.lock import Lock, parse_lock
from glotmill.schemas.manifest import Manifest
from glotmill.schemas.tables import STATISTICS
from glotmill.transforms import storage
from glotmill.transforms.directions import FOLDER as DIRECTIONS_FOLDER
from glotmill.transforms.directions import merge_directions
from glotmill.transforms.mix import PLAN_PATH
from glotmill.transforms.statistics import merge
from glotmill.transforms.tables import read_table
from glotmill.transforms.unit_index import read_manifest

LOCK = "recipe.lock.yaml"
STAGES = ("ingest", "deduplicate", "mix")

#: Merged statistics of all stages, and what the recipe says of each source.
DOCUMENTS = pa.schema(
    [
        *STATISTICS,
        pa.field("category", pa.string(), nullable=False),
        pa.field("domain", pa.string()),
        pa.field("licence", pa.string()),
    ]
)


class IncompleteRun(ValueError):  # noqa: N818 - said as the user sees it
    """An output directory that no report can be made of."""


@dataclass(frozen=True)
class Gathered:
    """All that a report is made of.

    Attributes:
        lock: the resolved recipe and its inputs.
        manifests: of the stages STAGES.
        documents: in the schema DOCUMENTS.
        rejected: in the schema `examples.REJECTED_GROUPS`.
        plan: the mixture, in the schema PLAN.
        directions: pairs by the order of their languages, in the schema `tables.DIRECTIONS`.
        dropped: an example of each reason to drop.
        cells: declared × identified × script by source, the worst first.
        rows: rows of the files under `ingest/`, by table and source, as the manifest lists them.
    """

    lock: Lock
    manifests: Mapping[str, Manifest]
    documents: pa.Table
    rejected: pa.Table
    plan: pa.Table
    directions: pa.Table
    dropped: Sequence[Dropped]
    cells: Sequence[Cell]
    rows: Mapping[tuple[str, str], int]


def gather(root: str) -> Gathered:
    """Reads a finished output directory.

    Raises:
        IncompleteRun: a stage is missing, or the lock is of another run.
    """
    lock = _lock(root)
    manifests = {stage: _manifest(root, stage) for stage in STAGES}
    parts = {stage: parts_of(root, manifest) for stage, manifest in manifests.items()}
    statistics = merge(table for of_stage in parts.values() for table in of_stage.values())
    ingest = manifests["ingest"]
    rejected = [f"{root}/{entry.path}" for entry in ingest.under("ingest/rejected")]
    dropped = [f"{root}/{entry.path}" for entry in ingest.under("ingest/dropped")]
    return Gathered(
        lock=lock,
        manifests=manifests,
        documents=described(statistics, lock),
        rejected=rejected_groups(rejected),
        plan=read_table(f"{root}/{_listed(manifests['mix'], PLAN_PATH)}"),
        directions=_directions(root, manifests["mix"], lock),
        dropped=dropped_examples(dropped),
        cells=with_samples(triage(statistics), root, ingest, parts["ingest"]),
        rows=rows_by_source(ingest, lock),
    )


def _directions(root: str, mix: Manifest, lock: Lock) -> pa.Table:
    entries = mix.under(DIRECTIONS_FOLDER)
    sources = [source.name for source in lock.recipe.sources if source.category == "bitext"]
    if not entries and any(unit.source in sources for unit in lock.units):
        raise IncompleteRun(
            f"stage 'mix' of {root} does not count pairs by direction: "
            "it was made by an earlier version; run its recipe again"
        )
    return merge_directions(read_table(f"{root}/{entry.path}") for entry in entries)


def parts_of(root: str, manifest: Manifest) -> dict[str, pa.Table]:
    """Statistics of a stage by the name of their part, which in ingest is the unit's key.

    Args:
        root: the output directory.
        manifest: of the stage.
    """
    entries = manifest.under(f"{manifest.stage}/statistics")
    names = [entry.path.rpartition("/")[2].removesuffix(".parquet") for entry in entries]
    tables = (read_table(f"{root}/{entry.path}") for entry in entries)
    return dict(zip(names, tables, strict=True))


def _lock(root: str) -> Lock:
    path = f"{root}/{LOCK}"
    if not storage.exists(path):
        raise IncompleteRun(f"no {LOCK} in {root}: it is not the output directory of a run")
    return parse_lock(storage.read_bytes(path))


def _manifest(root: str, stage: str) -> Manifest:
    manifest = read_manifest(root, stage)
    if manifest is None:
        raise IncompleteRun(
            f"stage '{stage}' is not finished in {root}; 'glotmill run' goes on where it stopped"
        )
    return manifest


def _listed(manifest: Manifest, path: str) -> str:
    if not any(entry.path == path for entry in manifest.files):
        raise IncompleteRun(f"the manifest of stage '{manifest.stage}' does not list {path}")
    return path


def described(statistics: pa.Table, lock: Lock) -> pa.Table:
    """The statistics with category, domain and licence of each row's source.

    Raises:
        IncompleteRun: the lock has no such source.
    """
    sources = {source.name: source for source in lock.recipe.sources}
    names = statistics.column("source").to_pylist()
    unknown = sorted(set(names) - set(sources))
    if unknown:
        raise IncompleteRun(
            f"{LOCK} has no source '{unknown[0]}', which the statistics count: "
            "the lock is of another run; run its recipe again"
        )
    for field in DOCUMENTS:
        if field.name not in statistics.schema.names:
            values = [getattr(sources[name], field.name) for name in names]
            statistics = statistics.append_column(field, pa.array(values, field.type))
    return statistics.cast(DOCUMENTS)


def rows_by_source(ingest: Manifest, lock: Lock) -> dict[tuple[str, str], int]:
    """Rows of the files that ingest lists, by table (`documents`, ...) and source."""
    source_of = {unit.key: unit.source for unit in lock.units}
    rows: dict[tuple[str, str], int] = {}
    for entry in ingest.under("ingest"):
        *_, table, name = entry.path.split("/")
        source = source_of.get(name.removesuffix(".parquet"))
        if source is not None:
            rows[table, source] = rows.get((table, source), 0) + entry.num_rows
    return rows
