"""Records of finished work: what a worker wrote, for the launcher to gather into the manifest."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import TypeAdapter

from glotmill.schemas.manifest import FileEntry
from glotmill.transforms import storage

_ENTRIES = TypeAdapter(tuple[FileEntry, ...])


def records_folder(root: str, stage: str) -> str:
    """Where a stage's workers leave their records while it runs."""
    return f"{temporary_folder(root, stage)}/records"


def temporary_folder(root: str, stage: str) -> str:
    """What a stage keeps while it runs; deleted when it begins and when it is complete."""
    return f"{root}/temporary/{stage}"


def write_record(root: str, stage: str, name: str, entries: Sequence[FileEntry]) -> str:
    """Leaves the record of one piece of work.

    Returns:
        The record's path.
    """
    path = f"{records_folder(root, stage)}/{name}.json"
    storage.write_atomically(path, _ENTRIES.dump_json(tuple(entries)))
    return path


def read_records(root: str, stage: str) -> list[FileEntry]:
    """All files that a stage's workers have recorded, sorted by path."""
    try:
        found = storage.match(f"{storage.escape(records_folder(root, stage))}/*.json")
    except LookupError:
        return []
    entries = [e for file in found for e in _ENTRIES.validate_json(storage.read_bytes(file.path))]
    return sorted(entries, key=lambda entry: entry.path)
