"""Costs: what ingest spent its time on, and how long the stages took."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from glotmill.dashboard.shares import share
from glotmill.schemas.lock import Lock
from glotmill.schemas.manifest import UnitRecord
from glotmill.transforms import storage

#: Wall-clock times of the stages, written by whoever runs them; absent for older runs.
TIMES_PATH = "times.json"


@dataclass(frozen=True)
class SourceCost:
    """What ingesting one source cost.

    Attributes:
        steps: CPU seconds by step, the most first.
    """

    source: str
    num_units: int
    num_text_bytes: int
    steps: Mapping[str, float]

    @property
    def seconds(self) -> float:
        """CPU seconds of all steps."""
        return sum(self.steps.values())

    @property
    def bytes_per_second(self) -> float:
        """Bytes of text a CPU second."""
        return share(self.num_text_bytes, self.seconds)


@dataclass(frozen=True)
class StageTime:
    """When a stage last did its work, and for how long.

    Attributes:
        started: ISO 8601, UTC.
        seconds: on the wall clock, workers started included.
    """

    stage: str
    started: str
    seconds: float


def source_costs(records: Iterable[UnitRecord], sources: Sequence[str]) -> list[SourceCost]:
    """Costs of each source, in the order given, then of all together under an empty name.

    Args:
        records: of finished units.
        sources: their names.
    """
    of_source: dict[str, list[UnitRecord]] = {name: [] for name in sources}
    for record in records:
        of_source[record.source].append(record)
    rows = [_cost(name, of_source[name]) for name in sources]
    everything = [record for some in of_source.values() for record in some]
    return [*rows, _cost("", everything)] if everything else []


def _cost(source: str, records: Sequence[UnitRecord]) -> SourceCost:
    steps: dict[str, float] = {}
    for record in records:
        for step, seconds in record.profile.items():
            steps[step] = steps.get(step, 0.0) + seconds
    ordered = sorted(steps.items(), key=lambda each: (-each[1], each[0]))
    num_bytes = sum(record.num_text_bytes for record in records)
    return SourceCost(source, len(records), num_bytes, dict(ordered))


def unit_records(root: str, lock: Lock) -> list[UnitRecord]:
    """Records of the units of a lock that are finished; those of other versions are left out."""
    keys = {unit.key for unit in lock.units}
    try:
        files = storage.match(f"{storage.escape(root)}/ingest/units/*.json")
    except LookupError:
        return []
    wanted = [f for f in files if f.path.rpartition("/")[2].removesuffix(".json") in keys]
    records = (_record(file.path) for file in wanted)
    return [record for record in records if record is not None]


def _record(path: str) -> UnitRecord | None:
    try:
        return UnitRecord.model_validate_json(storage.read_bytes(path))
    except ValueError:
        return None


def stage_times(root: str) -> list[StageTime]:
    """Times of the stages in the order in which they ran; empty where nobody took them."""
    path = f"{root}/{TIMES_PATH}"
    if not storage.exists(path):
        return []
    content = json.loads(storage.read_bytes(path))
    return [StageTime(stage=stage, **times) for stage, times in content.items()]
