"""Jobs: runs each pipeline of a run as a job of a target, and sees to its end."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable

import apache_beam as beam
import grpc

from glotmill.pipelines.engine import Build
from glotmill.pipelines.engines.handle import Handle
from glotmill.pipelines.engines.interrupts import interrupts_deferred
from glotmill.pipelines.engines.job_note import JobNote, delete_note, write_note
from glotmill.pipelines.engines.job_service import JobService, Prepared
from glotmill.pipelines.engines.run_log import LoggedProgress, RunLog
from glotmill.pipelines.engines.target import Target
from glotmill.pipelines.engines.worker_report import ReportWorker, num_reports, reports_folder
from glotmill.pipelines.errors import RunError
from glotmill.pipelines.preflight import check_graph
from glotmill.pipelines.watchdog import Watchdog
from glotmill.transforms import storage

_LOG_SECONDS = 30.0


class Jobs:
    """Runs pipelines as jobs, one at a time.

    Attributes:
        target: where jobs go.
        current: the job that was submitted and not seen to end.
    """

    def __init__(
        self,
        target: Target,
        *,
        root: str,
        name: str,
        recipe: str,
        log: RunLog,
        progress: LoggedProgress,
        start_seconds: float,
    ) -> None:
        """Takes the target and what its jobs belong to.

        Args:
            target: where jobs go.
            root: the output directory.
            name: of the recipe.
            recipe: fingerprint of the lock.
            log: the run log.
            progress: knows which stage runs and how far it is.
            start_seconds: how long workers may take to start.
        """
        self.target, self._root, self._name, self._recipe = target, root, name, recipe
        self._log, self._progress, self._start_seconds = log, progress, start_seconds
        self._service = JobService(target.job_server)
        self.current: Handle | None = None

    def run(self, build: Build, _workers: int) -> None:
        """Runs a pipeline of the stage that is under way, and waits for it.

        Raises:
            RunError: no worker has started, the graph is too large, or the job was cancelled.
            RuntimeError: the job failed; its text is what the worker told.
        """
        self.submit(build, self._progress.stage)

    def submit(self, build: Build, stage: str, report: ReportWorker | None = None) -> None:
        """Runs a pipeline as a job of a stage, and waits for it.

        Args:
            build: adds the transforms.
            stage: its name, for notes and log.
            report: the branch by which workers report; without it they do so until the job ends.
        """
        plain = re.sub(r"[^a-z0-9]+", "-", f"glotmill-{self._name}-{stage}".lower())
        job_name = f"{plain}-{uuid.uuid4().hex[:8]}"
        branch = report or ReportWorker(self._root, f"{reports_folder(self._root)}/{job_name}")

        def build_with_report(pipeline: beam.Pipeline) -> object:
            return build(pipeline), pipeline | "ReportWorkers" >> branch

        with self.target.beam_options(job_name) as options:
            prepared = Prepared(build_with_report, options)
            check_graph(prepared.num_bytes, stage)
            handle = self._start(prepared, stage, job_name)
            self._see_to_end(handle, stage, branch.folder)

    def _start(self, prepared: Prepared, stage: str, job_name: str) -> Handle:
        began = time.monotonic()
        note = JobNote(
            engine=self.target.engine,
            job_server=str(self.target.job_server),
            flink_master=self.target.flink_master,
            job_name=job_name,
            stage=stage,
            recipe=self._recipe,
            dies_with_launcher=self.target.dies_with_launcher,
        )
        # Before the job is there: a launcher that dies in between leaves no job unknown.
        write_note(self._root, note)
        handle = self._submit(prepared, note)
        self._log.write(
            "job_started",
            stage=stage,
            job=handle.note.job_id,
            name=job_name,
            graph_bytes=prepared.num_bytes,
            seconds=round(time.monotonic() - began, 3),
        )
        return handle

    def _submit(self, prepared: Prepared, note: JobNote) -> Handle:
        """Submits a pipeline; what then runs is `current`, whenever Ctrl-C is pressed.

        Raises:
            RunError: the job server does not take it.
        """
        staged = None
        try:
            staged = self._service.stage(prepared)
            # Cut in two it might leave a job of which nobody knows the id.
            with interrupts_deferred():
                note = note.model_copy(update={"job_id": self._service.run(staged)})
                self.current = Handle(note, self.target, self._service)
                write_note(self._root, note)
                return self.current
        except grpc.RpcError as error:
            delete_note(self._root)
            raise RunError(
                f"the job server {self.target.job_server} did not take the pipeline of stage "
                f"'{note.stage}': {error.details()}"
            ) from None
        except KeyboardInterrupt:
            if staged is None:  # there is no job yet
                delete_note(self._root)
            raise

    def _see_to_end(self, handle: Handle, stage: str, reports: str) -> None:
        began = time.monotonic()
        try:
            state = handle.wait(self._looks(handle, stage, reports))
        except RunError:
            handle.cancel()
            self._forget(handle, stage, "CANCELLED", began)
            raise
        started = num_reports(reports) > 0
        self._forget(handle, stage, state, began)
        if state != "DONE":
            raise _error_of(handle, state, started)

    def _looks(self, handle: Handle, stage: str, reports: str) -> Callable[[str], None]:
        """What is done each time the state was asked for: the watchdog looks, the log is kept."""
        watchdog = Watchdog(
            seconds=self._start_seconds,
            num_reports=lambda: num_reports(reports),
            look=self._progress.look if stage == self._progress.stage else None,
            advice=self.target.environment.advice,
        )
        logged = time.monotonic()

        def look(state: str) -> None:
            nonlocal logged
            watchdog.check()
            if time.monotonic() - logged >= _LOG_SECONDS:
                logged = time.monotonic()
                self._log_progress(handle, stage, state)

        return look

    def _log_progress(self, handle: Handle, stage: str, state: str) -> None:
        look = self._progress.look
        try:
            seen = look() if look else None
        except OSError:  # files come and go while one looks
            seen = None
        self._log.write(
            "progress",
            stage=stage,
            job=handle.note.job_id,
            state=state,
            num_done=seen.num_done if seen else None,
            num_rows=seen.num_rows if seen else None,
            tasks=handle.tasks(),
            counters=self._counters(handle),
        )

    def _counters(self, handle: Handle) -> dict[str, int]:
        try:
            return self._service.counters(handle.note.job_id)
        except grpc.RpcError:
            return {}

    def _forget(self, handle: Handle, stage: str, state: str, began: float) -> None:
        self._log.write(
            "job_ended",
            stage=stage,
            job=handle.note.job_id,
            state=state,
            seconds=round(time.monotonic() - began, 3),
            counters=self._counters(handle) if state == "DONE" else {},
        )
        delete_note(self._root)
        storage.delete([reports_folder(self._root)])
        self.current = None

    def end_current(self) -> bool:
        """Ends the job that still runs; gives whether it has ended."""
        handle = self.current
        if handle is None or not handle.cancel():
            return False
        self._forget(handle, self._progress.stage, "CANCELLED", time.monotonic())
        return True

    def close(self) -> None:
        """Ends the connection to the job server."""
        self._service.close()


def _error_of(handle: Handle, state: str, started: bool) -> Exception:
    """What to raise for a job that did not end well; `started` says whether a worker reported."""
    if state == "CANCELLED":
        return RunError(f"job {handle.note.job_name} was cancelled; run again to go on")
    told = handle.failure() or f"job {handle.note.job_name} ended as {state}"
    if started or told.startswith("Traceback"):
        return RuntimeError(told)
    cause = told.splitlines()[-1].strip()
    return RunError(f"no worker has started: {cause}\n{handle.target.environment.advice}")
