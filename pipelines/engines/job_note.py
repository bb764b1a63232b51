"""A note of the job that runs now, by which a later launcher finds it: `OUT/temporary/job.json`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from glotmill.transforms import storage


class JobNote(BaseModel):
    """A job that was submitted and not seen to end.

    Attributes:
        engine: name of the engine.
        job_server: address of Beam's job server.
        flink_master: address of the cluster's REST interface; empty where there is none.
        job_id: the job server's id of it; empty until it has told.
        job_name: its name on the engine.
        stage: that it is a part of; notes of earlier versions do not tell.
        recipe: fingerprint of the lock it was made from.
        dies_with_launcher: whether its workers ran in the launcher, or its engine ends with it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    engine: str
    job_server: str
    flink_master: str
    job_id: str = ""
    job_name: str
    stage: str = ""
    recipe: str
    dies_with_launcher: bool


def note_path(root: str) -> str:
    """Where the note lies."""
    return f"{root}/temporary/job.json"


def write_note(root: str, note: JobNote) -> None:
    """Keeps a note, in the place of an earlier one."""
    storage.write_atomically(note_path(root), note.model_dump_json(indent=2).encode())


def read_note(root: str) -> JobNote | None:
    """The note of a job that was not seen to end, if there is one."""
    path = note_path(root)
    return JobNote.model_validate_json(storage.read_bytes(path)) if storage.exists(path) else None


def delete_note(root: str) -> None:
    """Forgets the job: it has ended."""
    storage.delete([note_path(root)])
