"""Gathering: what the report needs of a finished run, read from what its manifests list."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import yaml

from glotmill.dashboard.amounts import kind_of
from glotmill.dashboard.costs import StageTime, stage_times, unit_records
from glotmill.dashboard.duplicates import Duplicates, duplicates
from glotmill.dashboard.examples import Dropped, dropped_examples, rejected_groups
from glotmill.dashboard.pair_profiles import PairProfile, pair_profiles
from glotmill.dashboard.profiles import Profile, profiles
from glotmill.dashboard.triage import Cell, triage, with_samples
from glotmill.schemas.lock import Lock, parse_lock
from glotmill.schemas.manifest import Manifest, UnitRecord
from glotmill.schemas.tables import DIRECTIONS, PLAN, STATISTICS
from glotmill.transforms import storage
from glotmill.transforms.directions import FOLDER as DIRECTIONS_FOLDER
from glotmill.transforms.directions import merge_directions
from glotmill.transforms.findings import FINDINGS_PATH, Finding, findings_of_json
from glotmill.transforms.plan import PLAN_PATH
from glotmill.transforms.sketches import Sketches, merge_table
from glotmill.transforms.statistics import merge
from glotmill.transforms.tables import read_table
from glotmill.transforms.unit_index import read_manifest

LOCK = "recipe.lock.yaml"
STAGES = ("ingest", "deduplicate", "mix")
# Of outputs of earlier versions it is absent.
COMPOSE = "compose"
AVAILABLE_PATH = "compose/available.parquet"
FERTILITY_PATH = "compose/fertility.parquet"
RATES_PATH = "mix/rates.parquet"
# Written by ingest: a file a unit, in the schema `sketches.SKETCHES`.
SKETCHES_FOLDER = "ingest/sketches"

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
        root: the output directory.
        goes_on: whether the run is not finished, so that stages and units may be missing.
        manifests: of the stages STAGES, and of COMPOSE where there is one.
        documents: in the schema DOCUMENTS.
        rejected: in the schema `examples.REJECTED_GROUPS`.
        plan: the mixture, in the schema PLAN.
        findings: what of the mixture cannot be had, and what else should be known; empty where the
            stage wrote none.
        rates: what is drawn by domain, in the schema RATES; None where the stage wrote none.
        available: what may be drawn, in the schema AVAILABLE; None likewise.
        fertility: tokens of the sides of pairs, in the schema FERTILITY; None likewise.
        directions: pairs by the order of their languages, in the schema `tables.DIRECTIONS`.
        dropped: an example of each reason to drop.
        cells: declared × identified × script by source, the worst first.
        rows: rows of the files under `ingest/`, by table and source, as the manifest lists them.
        duplicates: of the kinds that the recipe has, `documents` and `pairs`.
        profiles: of the texts of each label, source, ...; empty where ingest left no sketches.
        pair_profiles: of pairs by source and label, and by label alone; likewise.
        records: of the units that ingest finished.
        times: of the stages, where somebody took them.
    """

    lock: Lock
    root: str
    goes_on: bool
    manifests: Mapping[str, Manifest]
    documents: pa.Table
    rejected: pa.Table
    plan: pa.Table
    findings: Sequence[Finding]
    rates: pa.Table | None
    available: pa.Table | None
    fertility: pa.Table | None
    directions: pa.Table
    dropped: Sequence[Dropped]
    cells: Sequence[Cell]
    rows: Mapping[tuple[str, str], int]
    duplicates: Mapping[str, Duplicates]
    profiles: Sequence[Profile]
    pair_profiles: Sequence[PairProfile]
    records: Sequence[UnitRecord]
    times: Sequence[StageTime]


def gather(root: str, finished: Collection[str] | None = None) -> Gathered:
    """Reads an output directory.

    Args:
        root: the output directory.
        finished: of a run that goes on, the stages that are done; of the others only what ingest
            has finished so far is read. None where all has to be there.

    Raises:
        IncompleteRun: a stage is missing, or the lock is of another run.
    """
    lock = read_lock(root)
    records = unit_records(root, lock)
    goes_on = finished is not None
    manifests = _so_far(root, records, finished) if finished is not None else _manifests(root)
    parts = {stage: parts_of(root, manifest) for stage, manifest in manifests.items()}
    statistics = merge(table for of_stage in parts.values() for table in of_stage.values())
    ingest, mix = manifests["ingest"], manifests["mix"]
    planned = not goes_on or bool(mix.files)
    of_documents, of_pairs = _profiles(root, ingest, lock)
    return Gathered(
        lock=lock,
        root=root,
        goes_on=goes_on,
        manifests=manifests,
        documents=described(statistics, lock),
        rejected=rejected_groups(_paths(root, ingest, "ingest/rejected")),
        plan=read_table(f"{root}/{_listed(mix, PLAN_PATH)}") if planned else PLAN.empty_table(),
        findings=_findings(root, mix),
        rates=_if_listed(root, mix, RATES_PATH),
        available=_if_listed(root, manifests.get(COMPOSE), AVAILABLE_PATH),
        fertility=_if_listed(root, manifests.get(COMPOSE), FERTILITY_PATH),
        directions=_directions(root, mix, lock) if planned else DIRECTIONS.empty_table(),
        dropped=dropped_examples(_paths(root, ingest, "ingest/dropped")),
        cells=with_samples(triage(statistics), root, ingest, parts["ingest"]),
        rows=rows_by_source(ingest, lock),
        duplicates=_duplicates(root, manifests["deduplicate"], lock),
        profiles=of_documents,
        pair_profiles=of_pairs,
        records=records,
        times=stage_times(root),
    )


def _manifests(root: str) -> dict[str, Manifest]:
    found = {stage: _manifest(root, stage) for stage in STAGES}
    composed = read_manifest(root, COMPOSE)
    if composed is None:
        return found
    return {**{stage: found[stage] for stage in STAGES[:2]}, COMPOSE: composed, "mix": found["mix"]}


def _so_far(
    root: str, records: Sequence[UnitRecord], finished: Collection[str]
) -> dict[str, Manifest]:
    """Manifests of the stages that are done, and of what ingest has done; the rest are empty."""
    version = read_lock(root).glotmill
    files = tuple(file for record in records for file in record.files)
    begun = Manifest(stage="ingest", key="", glotmill=version, files=files, counts={})
    nothing = begun.model_copy(update={"files": ()})
    found = {}
    for stage in (*STAGES[:2], COMPOSE, "mix"):
        done = read_manifest(root, stage) if stage in finished else None
        otherwise = begun if stage == "ingest" else nothing.model_copy(update={"stage": stage})
        found[stage] = otherwise if done is None else done
    return found


def _paths(root: str, manifest: Manifest, folder: str) -> list[str]:
    return [f"{root}/{entry.path}" for entry in manifest.under(folder)]


def _profiles(root: str, ingest: Manifest, lock: Lock) -> tuple[list[Profile], list[PairProfile]]:
    """Of documents, and of pairs by source and label, and by label alone."""
    sources = {unit.key: unit.source for unit in lock.units}
    parallel = {source.name for source in lock.recipe.sources if source.is_bitext}
    of_documents: dict[str, Sketches] = {}
    of_pairs: dict[str | None, Sketches] = {None: {}}
    for name, table in tables_of(root, ingest, SKETCHES_FOLDER):
        if sources[name] not in parallel:
            merge_table(of_documents.setdefault(sources[name], {}), table)
            continue
        for source in (sources[name], None):
            merge_table(of_pairs.setdefault(source, {}), table)
    return profiles(of_documents, lock.recipe.sources), pair_profiles(of_pairs.items())


def _findings(root: str, mix: Manifest) -> list[Finding]:
    if all(entry.path != FINDINGS_PATH for entry in mix.files):
        return []
    return findings_of_json(storage.read_bytes(f"{root}/{FINDINGS_PATH}"))


def _if_listed(root: str, manifest: Manifest | None, path: str) -> pa.Table | None:
    if manifest is None or all(entry.path != path for entry in manifest.files):
        return None
    return read_table(f"{root}/{path}")


def _duplicates(root: str, manifest: Manifest, lock: Lock) -> dict[str, Duplicates]:
    categories = {source.name: source.category for source in lock.recipe.sources}
    units = {unit.key: categories[unit.source] for unit in lock.units}
    kinds = {kind_of(category) for category in categories.values()}
    return {kind: duplicates(root, manifest, units, kind) for kind in sorted(kinds)}


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
    return dict(tables_of(root, manifest, f"{manifest.stage}/statistics"))


def tables_of(root: str, manifest: Manifest, folder: str) -> Iterator[tuple[str, pa.Table]]:
    """The tables of a folder that a manifest lists, by the names of their files."""
    for entry in manifest.under(folder):
        name = entry.path.rpartition("/")[2].removesuffix(".parquet")
        yield name, read_table(f"{root}/{entry.path}")


def read_lock(root: str) -> Lock:
    """The lock of an output directory.

    Raises:
        IncompleteRun: there is none, or none that this version can read.
    """
    path = f"{root}/{LOCK}"
    if not storage.exists(path):
        raise IncompleteRun(f"no {LOCK} in {root}: it is not the output directory of a run")
    try:
        return parse_lock(storage.read_bytes(path))
    except (ValueError, yaml.YAMLError):
        message = "is damaged, or another version of glotmill made it"
        raise IncompleteRun(f"{path} {message}") from None


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
