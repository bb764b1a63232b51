"""Manifests: what a stage, or one unit of it, has written. They are written last."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

MANIFEST = "manifest.json"
SUCCESS = "_SUCCESS"


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileEntry(_Frozen):
    """A file that was written; `path` is relative to the output directory."""

    path: str
    num_rows: int
    num_bytes: int
    sha256: str


class UnitRecord(_Frozen):
    """What ingesting one unit gave: `num_read` is the sum of the other three counts."""

    key: str
    source: str
    num_read: int
    num_kept: int
    num_dropped: int
    num_rejected: int
    num_input_bytes: int
    num_text_bytes: int
    files: tuple[FileEntry, ...]
    # CPU seconds by step; the only field that differs between two runs.
    profile: dict[str, float]

    def file(self, table: str) -> FileEntry | None:
        """The unit's file of a table (`documents`, `dropped`, ...), if it has rows of it."""
        return next((f for f in self.files if f"/{table}/" in f"/{f.path}"), None)


class Manifest(_Frozen):
    """What a stage has written, and from what: readers trust nothing else."""

    stage: str
    # Hash of the stage's part of the recipe, its code version, its inputs and the keys before it.
    key: str
    glotmill: str
    files: tuple[FileEntry, ...]
    counts: dict[str, int]

    def under(self, folder: str) -> list[FileEntry]:
        """Files of a folder, in the order they were listed."""
        return [file for file in self.files if file.path.startswith(folder + "/")]


def dump_manifest(manifest: Manifest | UnitRecord) -> bytes:
    """The manifest as JSON."""
    return (manifest.model_dump_json(indent=2) + "\n").encode()
