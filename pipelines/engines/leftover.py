"""Leftover jobs: what a launcher that died has left running, and writes into the same folder."""

from __future__ import annotations

from collections.abc import Callable

from glotmill.pipelines.engines.endpoints import Endpoint
from glotmill.pipelines.engines.environments import WorkerEnvironment
from glotmill.pipelines.engines.flink_rest import FlinkRest
from glotmill.pipelines.engines.handle import Handle
from glotmill.pipelines.engines.job_note import JobNote, delete_note, note_path, read_note
from glotmill.pipelines.engines.job_service import ENDED, JobGone, JobService
from glotmill.pipelines.engines.target import Target
from glotmill.pipelines.engines.worker_report import reports_folder
from glotmill.pipelines.errors import RunError
from glotmill.transforms import storage

Tell = Callable[[str], None]

# The stage that keeps what is done of it; it may be what a note does not tell.
_GOES_ON = frozenset({"ingest", ""})


def settle_leftover(root: str, recipe: str, tell: Tell) -> None:
    """Sees to the end of a job that an earlier launcher left.

    An ingest job of the same recipe is waited for: what it finishes need not be done again. Other
    stages begin anew whatever a job of theirs has done, so that one is cancelled, as is one whose
    workers died with its launcher. A job of another recipe is the user's to end.

    Args:
        root: the output directory, which this run has to itself: the job may be that of a launcher
            that is at work.
        recipe: fingerprint of the lock now.
        tell: shows a line to the person who watches.

    Raises:
        RunError: the job belongs to another recipe, or nobody knows whether it still runs.
    """
    note = read_note(root)
    if note is None:
        return
    service = JobService(Endpoint.parse(note.job_server, "job_server"))
    handle = Handle(note, _target(note), service)
    try:
        if _runs(handle, root):
            _wait_or_end(handle, recipe, tell)
    finally:
        service.close()
    storage.delete([reports_folder(root)])
    delete_note(root)


def _target(note: JobNote) -> Target:
    master = note.flink_master
    rest = FlinkRest(Endpoint.parse(master, "flink_master")) if master else None
    server = Endpoint.parse(note.job_server, "job_server")
    return Target(note.engine, server, rest, WorkerEnvironment("", ""), ())


def _runs(handle: Handle, root: str) -> bool:
    """Whether the job still runs."""
    try:
        return handle.state() not in ENDED
    except JobGone:
        return False
    except OSError as error:
        if handle.engine_is_gone():
            return False
        raise RunError(
            f"an earlier run left job {handle.note.job_name} writing into {root}, and nobody can "
            f"say whether it has ended: {error}\nstart the engine's servers again, or, if you know "
            f"that it has ended, delete {note_path(root)}"
        ) from None


def _wait_or_end(handle: Handle, recipe: str, tell: Tell) -> None:
    note = handle.note
    if note.dies_with_launcher:
        _end(handle, "whose workers died with its launcher", tell)
    elif note.recipe != recipe:
        raise RunError(
            f"job {note.job_name} of another recipe, or of other inputs, still writes into this "
            f"folder\nwait for it, or end it{_how_to_end(handle)}; or name another --out"
        )
    elif note.stage in _GOES_ON:
        tell(f"waiting for job {note.job_name}, which an earlier launcher left")
        tell(f"job {note.job_name} ended as {handle.wait(lambda state: None)}")
    else:
        _end(handle, f"which an earlier launcher left: {note.stage} begins anew", tell)


def _end(handle: Handle, why: str, tell: Tell) -> None:
    tell(f"ending job {handle.note.job_name}, {why}")
    if not handle.cancel():
        raise RunError(f"job {handle.note.job_name} does not end{_how_to_end(handle)}")


def _how_to_end(handle: Handle) -> str:
    rest = handle.target.rest
    job = rest.job_named(handle.note.job_name) if rest else None
    if rest is None or job is None:
        return ""
    return f": curl -X PATCH 'http://{rest.endpoint}/jobs/{job.id}?mode=cancel'"
