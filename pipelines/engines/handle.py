"""Handles: a job that was submitted, asked after, waited for and ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import grpc

from glotmill.pipelines.engines.environments import LOOPBACK_HOSTS
from glotmill.pipelines.engines.flink_rest import ENDED as FLINK_ENDED
from glotmill.pipelines.engines.flink_rest import FlinkRest
from glotmill.pipelines.engines.job_note import JobNote
from glotmill.pipelines.engines.job_service import ENDED, JobGone, JobService, worker_error
from glotmill.pipelines.engines.target import Target
from glotmill.pipelines.errors import RunError

_POLL_SECONDS = 0.5
#: How long an engine may be away before a job is given up.
_AWAY_SECONDS = 60.0
_CANCEL_SECONDS = 60.0
#: What Flink calls a state, in Beam's words.
_STATE_OF = {"FINISHED": "DONE", "FAILED": "FAILED", "CANCELED": "CANCELLED", "SUSPENDED": "FAILED"}


@dataclass
class Handle:
    """A job that was submitted: asks after it, ends it.

    Attributes:
        note: what is known of it.
        target: where it runs.
        service: the job server.
    """

    note: JobNote
    target: Target
    service: JobService

    def state(self) -> str:
        """The state in Beam's words, after the job server and, where there is one, the cluster.

        A job outlives the job server, which keeps what it knows in memory; and what the server
        shows as cancelled it may have submitted since.

        Raises:
            JobGone: neither knows the job.
            OSError: nobody can be asked.
        """
        told, silence = self._told_by_server()
        if told in ENDED and told != "CANCELLED":
            return told
        job = self.target.rest.job_named(self.note.job_name) if self.target.rest else None
        if job is not None:
            return _STATE_OF.get(job.state, "RUNNING")
        if told is not None:
            return told
        if silence:
            raise OSError(silence)
        raise JobGone(self.note.job_id)

    def _told_by_server(self) -> tuple[str | None, str]:
        """The state, None where the server does not know the job; why it does not answer.

        One that is gone submits nothing any more: what the cluster does not have is gone with it.
        """
        try:
            return self.service.state(self.note.job_id), ""
        except JobGone:
            return None, ""
        except grpc.RpcError as error:
            is_gone = error.code() == grpc.StatusCode.UNAVAILABLE and self.target.rest is not None
            return None, "" if is_gone else f"{self.target.job_server}: {error.details()}"

    def tasks(self) -> dict[str, int]:
        """Tasks of the job by state, where the engine tells them."""
        try:
            job = self.target.rest.job_named(self.note.job_name) if self.target.rest else None
        except OSError:
            return {}
        return job.tasks if job else {}

    def wait(self, look: Callable[[str], None]) -> str:
        """Waits for the job's end; gives the state in which it ended.

        Args:
            look: called again and again with the state, `UNKNOWN` while nobody can be asked.

        Raises:
            RunError: the engine does not know the job any more, or is away for too long.
        """
        seen = time.monotonic()
        while True:
            try:
                state, seen = self.state(), time.monotonic()
            except JobGone:
                told = f"the engine does not know job {self.note.job_name} any more"
                raise RunError(f"{told}; run again to go on") from None
            except OSError as error:
                if time.monotonic() - seen > _AWAY_SECONDS:
                    told = f"the engine has been away for {_AWAY_SECONDS:.0f} s: {error}"
                    raise RunError(f"{told}\nonce it is back, run again to go on") from None
                state = "UNKNOWN"
            if state in ENDED:
                return state
            look(state)
            time.sleep(_POLL_SECONDS)

    def cancel(self) -> bool:
        """Ends the job; gives whether it has ended."""
        deadline = time.monotonic() + _CANCEL_SECONDS
        try:
            if self.target.rest is not None:
                self._cancel_on_flink(self.target.rest, deadline)
            with suppress(grpc.RpcError):
                self.service.cancel(self.note.job_id)
            while not self._has_ended() and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
            return self._has_ended()
        except JobGone:
            return self.target.rest is None
        except OSError:
            return self.engine_is_gone()

    def _has_ended(self) -> bool:
        """Whether the job has ended; one after which nobody can be asked now has not."""
        try:
            return self.state() in ENDED
        except OSError:
            return self.engine_is_gone()

    def engine_is_gone(self) -> bool:
        """Whether the engine was on this machine and is not there: its jobs are gone with it."""
        engine = self.target.rest.endpoint if self.target.rest else self.target.job_server
        return engine.host in LOOPBACK_HOSTS and engine.refusal(1.0) is not None

    def _cancel_on_flink(self, rest: FlinkRest, deadline: float) -> None:
        """Waits until the cluster has the job: a server goes on with one that it is submitting."""
        while (job := rest.job_named(self.note.job_name)) is None:
            if self.state() in ENDED or time.monotonic() > deadline:
                return
            time.sleep(_POLL_SECONDS)
        if job.state not in FLINK_ENDED:
            rest.cancel(job.id)

    def failure(self) -> str:
        """Why the job failed: a worker's traceback where anybody tells it."""
        told = self.service.error(self.note.job_id)
        if not told and self.target.rest is not None:
            job = self.target.rest.job_named(self.note.job_name)
            told = self.target.rest.failure(job.id) if job else ""
        return worker_error(told)
