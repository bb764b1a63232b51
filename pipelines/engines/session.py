"""Sessions: an engine made ready for one run, watched, logged, and left in order."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from glotmill.pipelines import build
from glotmill.pipelines.dataflow import DataflowOptions, RunningJob, check_paths, run_on_dataflow
from glotmill.pipelines.engine import Build, run_locally
from glotmill.pipelines.engines.dataflow import dataflow_options
from glotmill.pipelines.engines.flink import flink_target
from glotmill.pipelines.engines.job_service import Prepared
from glotmill.pipelines.engines.jobs import Jobs
from glotmill.pipelines.engines.leftover import settle_leftover
from glotmill.pipelines.engines.prism import find_prism, prism_target
from glotmill.pipelines.engines.run_log import LoggedProgress, RunLog
from glotmill.pipelines.engines.target import Target
from glotmill.pipelines.errors import UserError
from glotmill.pipelines.lock_directory import HeldDirectory, hold_directory
from glotmill.pipelines.preflight import check_disk, check_graph, check_workers
from glotmill.pipelines.stages.base import Progress
from glotmill.pipelines.stages.ingest import left_to_do, unit_records, units_path
from glotmill.pipelines.unit_keys import fingerprint
from glotmill.schemas.lock import Lock
from glotmill.schemas.wording import counted
from glotmill.transforms import storage

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """Which engine, and what the command line says of it.

    Attributes:
        runner: `local`, `prism`, `flink` or `dataflow`.
        workers: how many work side by side; None leaves it to the engine.
        prism: the binary, for Prism.
        flink_master: `[local]`, or address of the cluster's REST interface, for Flink.
        job_server: address of Beam's job server, for Flink.
        start_seconds: how long workers may take to start.
        on_stop: what becomes of a remote job when the run is stopped.
        beam: options passed through to Beam.
    """

    runner: str = "local"
    workers: int | None = None
    prism: Path | None = None
    flink_master: str | None = None
    job_server: str | None = None
    start_seconds: float = 300.0
    on_stop: Literal["ask", "cancel", "leave"] = "ask"
    beam: Sequence[str] = ()

    def check(self) -> None:
        """Checks that each option is one of the engine that was named.

        Raises:
            UserError: an option is another engine's, and would be passed over.
        """
        for name, runners in _RUNNERS_OF.items():
            if getattr(self, name) != getattr(EngineOptions, name) and self.runner not in runners:
                option = _SPELLED.get(name, name).replace("_", "-")
                others = " or ".join(f"--runner {each}" for each in runners)
                told = f"--{option} is nothing to --runner {self.runner}"
                raise UserError(f"{told}: add {others}, or leave it out")


#: Whose an option is. What Prism does ends with the run, and Dataflow starts workers itself.
_RUNNERS_OF = {
    "prism": ("prism",),
    "flink_master": ("flink",),
    "job_server": ("flink",),
    "start_seconds": ("flink", "prism"),
    "on_stop": ("flink", "dataflow"),
}
_SPELLED = {"start_seconds": "start_timeout"}


@contextmanager
def open_engine(options: EngineOptions, tell: Tell) -> Iterator[Engine]:
    """Checks what was asked for and reaches the engine; nothing is submitted.

    Raises:
        UserError: something is missing, cannot be reached, or does not fit together.
    """
    options.check()
    if options.runner == "local":
        if options.beam:
            raise UserError(f"{options.beam[0]}: --runner local takes no options of Beam")
        yield Engine(options, None)
    elif options.runner == "dataflow":
        yield Engine(options, dataflow_options(options.beam, options.workers))
    elif options.runner == "prism":
        with prism_target(find_prism(options.prism), options.beam) as target:
            yield Engine(options, target)
    else:
        master, server = options.flink_master, options.job_server
        yield Engine(options, flink_target(master, server, options.beam, options.workers, tell))


@dataclass(frozen=True)
class Engine:
    """An engine that was reached.

    Attributes:
        options: of the command line.
        target: where jobs go; None where pipelines run on this machine alone.
    """

    options: EngineOptions
    target: Target | DataflowOptions | None

    def resolve(self, root: str) -> str:
        """The output directory as workers elsewhere have to spell it."""
        if isinstance(self.target, Target) and storage.is_local(root):
            return os.path.abspath(root)
        return root

    @contextmanager
    def session(self, lock: Lock, root: str, tell: Tell) -> Iterator[Session]:
        """Makes ready for one run, and tidies up behind it; keeps other runs out meanwhile.

        Args:
            lock: what is run.
            root: the output directory.
            tell: shows a line to the person who watches.

        Raises:
            RunError: another run is at work there, a worker does not see what this process sees, or
                an earlier job is in the way.
            UserError: the output does not fit on the disk.
        """
        # Before the first line of the log and the first job, which are the other run's.
        with hold_directory(root) as held, self._logged(lock, root, tell, held) as session:
            yield session

    @contextmanager
    def _logged(self, lock: Lock, root: str, tell: Tell, held: HeldDirectory) -> Iterator[Session]:
        log = RunLog(root, self.options.runner)
        began = time.monotonic()
        log.write(
            "run_started",
            recipe=lock.recipe.name,
            glotmill=version("glotmill"),
            num_units=len(lock.units),
            options=list(self.options.beam),
        )
        session = Session(self, lock, root, log, tell, held)
        try:
            session.prepare()
            yield session
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                session.stop()
            lines = str(error).strip().splitlines()
            told = {"error": type(error).__name__, "message": lines[-1] if lines else ""}
            log.write("run_failed", seconds=_since(began), **told)
            raise
        finally:
            session.close()
        log.write("run_finished", seconds=_since(began))


class Session:
    """An engine at work on one run.

    Attributes:
        held: the output directory, which this run has to itself.
    """

    def __init__(
        self,
        engine: Engine,
        lock: Lock,
        root: str,
        log: RunLog,
        tell: Tell,
        held: HeldDirectory | None = None,
    ) -> None:
        """Takes what belongs to the run."""
        self.held = held
        self._options, self._target = engine.options, engine.target
        self._lock, self._root, self._log, self._tell = lock, root, log, tell
        self._recipe = fingerprint(
            [lock.recipe.model_dump(mode="json"), [u.key for u in lock.units]]
        )
        self._progress = LoggedProgress(log, root)
        self._jobs = self._make_jobs(self._target) if isinstance(self._target, Target) else None

    def _make_jobs(self, target: Target) -> Jobs:
        return Jobs(
            target,
            root=self._root,
            name=self._lock.recipe.name,
            recipe=self._recipe,
            log=self._log,
            progress=self._progress,
            start_seconds=self._options.start_seconds,
        )

    def prepare(self) -> None:
        """Waits for what an earlier launcher left, and checks all that needs the lock.

        Raises:
            RunError: a worker does not see what this process sees, or an earlier job is in the way.
            UserError: the output does not fit on the disk.
        """
        settle_leftover(self._root, self._recipe, self._tell)
        todo = left_to_do(self._lock, {record.key for record in unit_records(self._root)})
        check_disk([self._lock.units[ordinal] for ordinal in todo], self._root)
        if isinstance(self._target, DataflowOptions):
            check_paths(self._lock, self._root)
        if self._target is not None:
            self._check_graph(todo)
        if self._jobs is not None and not self._jobs.target.environment.in_launcher:
            self._check_workers(self._jobs)

    def _check_graph(self, todo: Sequence[int]) -> None:
        units = units_path(self._root, self._lock)
        prepared = Prepared(lambda p: build.ingest(p, self._lock, units, todo, self._root), [])
        check_graph(prepared.num_bytes, "ingest")

    def _check_workers(self, jobs: Jobs) -> None:
        began = time.monotonic()
        self._tell("asking workers what they see")
        reports = check_workers(jobs.submit, self._lock, self._root, jobs.target.parallelism or 1)
        hosts = sorted({report.host for report in reports})
        self._log.write(
            "workers_reported",
            seconds=_since(began),
            workers=[report.model_dump(mode="json", exclude={"token"}) for report in reports],
        )
        workers = f"{counted(len(reports), 'worker')} on {', '.join(hosts)}"
        self._tell(f"inputs and output are seen by {workers}")

    def watch(self, progress: Progress) -> Progress:
        """Progress that also goes into the run log."""
        self._progress.tell(progress)
        return self._progress

    def run(self, build: Build, workers: int) -> None:
        """Runs a pipeline of the stage that is under way, and waits for it.

        Raises:
            RunError: the engine did not do it, for a reason that is known.
            RuntimeError: a transform failed in a worker, with what the worker told as its text.
        """
        if self._jobs is not None:
            self._jobs.run(build, workers)
        elif isinstance(self._target, DataflowOptions):
            stop = partial(self.stop_on_dataflow, region=self._target.region)
            run_on_dataflow(build, self._target, workers=workers, stop=stop)
        else:
            run_locally(build, workers)

    def stop(self) -> None:
        """Does with a job that still runs what the user wants."""
        job = self._jobs.current if self._jobs else None
        if job is None:
            return
        if not job.note.dies_with_launcher and not self._wants_end(job.note.job_name):
            self._tell(f"job {job.note.job_name} goes on; the same command will wait for it")
        elif self._jobs and self._jobs.end_current():
            self._tell(f"job {job.note.job_name} was cancelled")
        else:
            self._tell(f"job {job.note.job_name} does not end; look at the engine")

    def stop_on_dataflow(self, job: RunningJob, region: str) -> None:
        """Does with a job on Dataflow what the user wants, and says what becomes of it."""
        name = job.job_id()
        if self._wants_end(name):
            job.cancel()
            self._tell(f"Dataflow was asked to cancel job {name}")
        else:
            end = f"gcloud dataflow jobs cancel {name} --region={region}"
            self._tell(f"job {name} goes on, and no later run will wait for it; '{end}' ends it")

    def _wants_end(self, name: str) -> bool:
        if self._options.on_stop != "ask" or not sys.stdin.isatty():
            return self._options.on_stop != "leave"
        self._tell(f"job {name} runs on the engine: cancel it? [Y/n]")
        try:
            return not sys.stdin.readline().strip().lower().startswith("n")
        except KeyboardInterrupt:
            return False

    def close(self) -> None:
        """Ends connections."""
        if self._jobs is not None:
            self._jobs.close()


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)
