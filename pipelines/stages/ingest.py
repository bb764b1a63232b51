"""Stage `ingest`: units to documents; finished units stay finished."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import ClassVar

from glotmill.pipelines import build
from glotmill.pipelines.errors import RunError
from glotmill.pipelines.progress import State
from glotmill.pipelines.stages.base import Job, Manifests, Written, sizes_of
from glotmill.pipelines.unit_keys import fingerprint
from glotmill.schemas.lock import Lock
from glotmill.schemas.manifest import SUCCESS, UnitRecord
from glotmill.schemas.wording import counted
from glotmill.transforms import storage
from glotmill.transforms.lock_units import write_units
from glotmill.transforms.records import temporary_folder
from glotmill.transforms.tables import read_table
from glotmill.transforms.unit_index import write_index

_RECORDS = "ingest/units"
# What one worker ingests in the time another takes to start.
_INPUT_BYTES_PER_WORKER = 16 * 2**20


class IngestStage:
    """Reads, annotates and decides; resumes at the first unit that is not finished."""

    name: ClassVar[str] = "ingest"
    folders: ClassVar[Sequence[str]] = (
        "ingest/documents",
        "ingest/dropped",
        "ingest/rejected",
        "ingest/sketches",
        "ingest/statistics",
    )

    def key(self, job: Job, before: str) -> str:
        """The units' keys hold the recipe's part, the code version and the inputs' checksums."""
        return _fingerprint(job.lock)

    def records(self, job: Job) -> Sequence[str]:
        """Records of the units, which the index of the units is made of in every run."""
        return [f"{_RECORDS}/{unit.key}.json" for unit in job.lock.units]

    def work(self, job: Job, before: Manifests) -> Written:
        """Ingests the units that are not finished."""
        units = job.lock.units
        done = _finished(job)
        todo = left_to_do(job.lock, done)
        job.progress.started(self.name, total=len(units), unit="units", look=_Look(job, todo))
        if todo:
            size = sum(units[ordinal].num_bytes for ordinal in todo)
            workers = job.workers_for(len(todo), size, _INPUT_BYTES_PER_WORKER)
            table = units_path(job.root, job.lock)
            write_units(table, units)
            job.run(lambda p: build.ingest(p, job.lock, table, todo, job.root), workers)
            done = _finished(job)
        missing = [unit for unit in units if unit.key not in done]
        if missing:
            raise RunError(
                f"{len(missing)} of {len(units)} units were not written, the first reads "
                f"{missing[0].slices[0].path}; run again to go on with them"
            )
        records = [done[unit.key] for unit in units]
        _check_rejects(job.root, records)
        _delete_records_of_others(job)
        return [entry for record in records for entry in record.files], _sums(records)


def left_to_do(lock: Lock, done: Container[str]) -> list[int]:
    """Ordinals of the units that are not finished; `done` holds the keys of those that are."""
    return [ordinal for ordinal, unit in enumerate(lock.units) if unit.key not in done]


def units_path(root: str, lock: Lock) -> str:
    """Where the lock's units lie for workers to look up.

    Another lock's lie elsewhere: a job of it that nobody knows of any more does not find these.
    """
    folder = temporary_folder(root, IngestStage.name)
    return f"{folder}/units-{_fingerprint(lock)}.parquet"


def _fingerprint(lock: Lock) -> str:
    return fingerprint([unit.key for unit in lock.units])


def _check_rejects(root: str, records: Iterable[UnitRecord]) -> None:
    """Ends the run where nothing of a source could be used: that is no matter of bad records.

    Raises:
        RunError: every record of a source was rejected.
    """
    by_source: dict[str, list[UnitRecord]] = {}
    for record in records:
        by_source.setdefault(record.source, []).append(record)
    lost = [
        f"source '{source}': all {sum(r.num_rejected for r in of_source):,} records were rejected, "
        f"the first for {_first_reject(root, of_source)}"
        for source, of_source in by_source.items()
        if any(r.num_rejected for r in of_source)
        and not any(r.num_kept + r.num_dropped for r in of_source)
    ]
    if lost:
        raise RunError("\n".join(lost))


def _first_reject(root: str, records: Iterable[UnitRecord]) -> str:
    entry = next(entry for r in records if (entry := r.file("rejected")) is not None)
    row = read_table(f"{root}/{entry.path}").slice(0, 1).to_pylist()[0]
    return f"'{row['reason']}' in {row['path']} at {row['offset']}: {row['detail']}"


def index_units(job: Job, records: Iterable[UnitRecord]) -> None:
    """Writes the index that later stages read; in every run, as it holds domains and licences.

    Raises:
        RunError: a record is damaged; the stage is to be done again for its unit.
    """
    by_key = {record.key: record for record in records}
    damaged = [unit.key for unit in job.lock.units if unit.key not in by_key]
    if damaged:
        storage.delete([f"{job.root}/{IngestStage.name}/{SUCCESS}"])
        raise RunError(
            f"{counted(len(damaged), 'record')} of units cannot be read, the first is "
            f"{_record_path(job.root, damaged[0])}; run again to ingest what it stands for"
        )
    write_index(job.root, job.lock, [by_key[unit.key] for unit in job.lock.units])


def unit_records(root: str) -> list[UnitRecord]:
    """Records of all finished units under an output directory, of this recipe or another."""
    try:
        found = storage.match(_record_path(storage.escape(root), "*"))
    except LookupError:
        return []
    return [record for file in found if (record := _record(file.path)) is not None]


def _record(path: str) -> UnitRecord | None:
    """The record, or None where another version wrote it: that unit is ingested again."""
    try:
        return UnitRecord.model_validate_json(storage.read_bytes(path))
    except ValueError:
        return None


def _finished(job: Job) -> dict[str, UnitRecord]:
    """Records of this lock's units whose files are all there in their size."""
    wanted = {unit.key for unit in job.lock.units}
    records = [record for record in unit_records(job.root) if record.key in wanted]
    sizes = sizes_of(job.root, (entry.path for record in records for entry in record.files))
    return {record.key: record for record in records if _is_whole(record, sizes)}


def _is_whole(record: UnitRecord, sizes: Mapping[str, int]) -> bool:
    return all(sizes.get(entry.path) == entry.num_bytes for entry in record.files)


def _delete_records_of_others(job: Job) -> None:
    """Deletes the records of units that another recipe or other inputs gave."""
    wanted = {_record_path(job.root, unit.key) for unit in job.lock.units}
    found = storage.match(_record_path(storage.escape(job.root), "*"))
    storage.delete([file.path for file in found if file.path not in wanted])


def _record_path(root: str, key: str) -> str:
    return f"{root}/{_RECORDS}/{key}.json"


class _Look:
    """Counts finished units and their rows; reads each record once.

    Records of other inputs, or of another recipe, may lie beside them.
    """

    def __init__(self, job: Job, todo: Sequence[int]) -> None:
        units = job.lock.units
        self._root = job.root
        self._awaited = {_record_path(job.root, units[ordinal].key) for ordinal in todo}
        self._state = State(len(units) - len(todo), 0)

    def __call__(self) -> State:
        if not self._awaited:
            return self._state
        try:
            found = storage.match(_record_path(storage.escape(self._root), "*"))
        except LookupError:
            return self._state
        for file in found:
            if file.path in self._awaited:
                self._awaited.remove(file.path)
                record = _record(file.path)
                rows = record.num_read if record else 0
                self._state = State(self._state.num_done + 1, self._state.num_rows + rows)
        return self._state


def _sums(records: Iterable[UnitRecord]) -> dict[str, int]:
    counts = {"read": 0, "kept": 0, "dropped": 0, "rejected": 0, "text_bytes": 0}
    for record in records:
        for name in counts:
            counts[name] += getattr(record, f"num_{name}")
    return counts
