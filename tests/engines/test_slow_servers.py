"""Job servers that are slow, away or have forgotten a job, and Ctrl-C while they work."""

import signal
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest
from apache_beam.portability.api import beam_job_api_pb2 as api
from apache_beam.portability.api import beam_job_api_pb2_grpc as api_grpc

from glotmill.pipelines.engines import handle as handles
from glotmill.pipelines.engines.endpoints import Endpoint
from glotmill.pipelines.engines.environments import WorkerEnvironment
from glotmill.pipelines.engines.flink_rest import FlinkJob, FlinkRest
from glotmill.pipelines.engines.handle import Handle
from glotmill.pipelines.engines.interrupts import interrupts_deferred
from glotmill.pipelines.engines.job_note import JobNote, read_note
from glotmill.pipelines.engines.job_service import JobGone, JobService
from glotmill.pipelines.engines.jobs import Jobs
from glotmill.pipelines.engines.run_log import LoggedProgress, RunLog
from glotmill.pipelines.engines.target import Target

CODE = grpc.StatusCode


class Server(api_grpc.JobServiceServicer):
    """Answers what a test wants, one after the other; the last again and again."""

    def __init__(self) -> None:
        self.answers: list[tuple[grpc.StatusCode, str] | str] = []

    def GetState(self, request: object, context: grpc.ServicerContext) -> object:  # noqa: N802
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not isinstance(answer, str):
            context.abort(*answer)
        return api.JobStateEvent(state=api.JobState.Enum.Value(answer))

    def Cancel(self, request: object, context: grpc.ServicerContext) -> object:  # noqa: N802
        return api.CancelJobResponse()


class Rest(FlinkRest):
    """A cluster that has one job or none."""

    job: FlinkJob | None = None

    def job_named(self, name: str) -> FlinkJob | None:
        return self.job


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def endpoint(server: Server) -> Iterator[Endpoint]:
    listening = grpc.server(futures.ThreadPoolExecutor(2))
    api_grpc.add_JobServiceServicer_to_server(server, listening)
    port = listening.add_insecure_port("127.0.0.1:0")
    listening.start()
    yield Endpoint("127.0.0.1", port)
    listening.stop(None)


def handle_of(endpoint: Endpoint, rest: FlinkRest | None = None) -> Handle:
    note = JobNote(
        engine="flink",
        job_server=str(endpoint),
        flink_master="",
        job_id="1",
        job_name="a",
        recipe="",
        dies_with_launcher=False,
    )
    target = Target(
        "flink", endpoint, rest, WorkerEnvironment("PROCESS", '{"command": "/bin/sh"}'), ()
    )
    return Handle(note, target, JobService(endpoint))


@pytest.fixture
def handle(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Handle:
    monkeypatch.setattr(handles, "_POLL_SECONDS", 0.01)
    return handle_of(endpoint)


def test_a_slow_server_has_forgotten_nothing(server: Server, handle: Handle) -> None:
    server.answers = [
        "RUNNING",
        *[(CODE.DEADLINE_EXCEEDED, "late")] * 3,
        (CODE.INTERNAL, ""),
        "DONE",
    ]
    states: list[str] = []
    assert handle.wait(states.append) == "DONE"
    assert states == ["RUNNING", *["UNKNOWN"] * 4]


@pytest.mark.parametrize(
    "answer", [(CODE.NOT_FOUND, ""), (CODE.UNKNOWN, "job with id 1 not found")]
)
def test_a_server_that_knows_no_such_job_says_so(
    server: Server, handle: Handle, answer: tuple[grpc.StatusCode, str]
) -> None:
    server.answers = [answer]
    with pytest.raises(JobGone):
        handle.state()


def test_what_a_slow_server_may_still_submit_is_not_gone(server: Server, handle: Handle) -> None:
    rest = Rest(handle.target.job_server)
    handle = handle_of(handle.target.job_server, rest)
    server.answers = [(CODE.DEADLINE_EXCEEDED, "late")]
    with pytest.raises(OSError, match="late"):
        handle.state()
    rest.job = FlinkJob("1", "a", "RUNNING", {})
    assert handle.state() == "RUNNING"


def test_what_neither_server_nor_cluster_has_is_gone(closed_port: int) -> None:
    closed = Endpoint("127.0.0.1", closed_port)
    with pytest.raises(JobGone):
        handle_of(closed, Rest(closed)).state()
    with pytest.raises(OSError, match=str(closed)):
        handle_of(closed).state()


def test_a_slow_server_is_asked_again_whether_it_cancelled(
    server: Server, handle: Handle, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers = [(CODE.DEADLINE_EXCEEDED, "late"), "CANCELLED"]
    assert handle.cancel()
    monkeypatch.setattr(handles, "_CANCEL_SECONDS", 0.1)
    server.answers = [(CODE.DEADLINE_EXCEEDED, "late")]
    assert not handle.cancel()


def test_ctrl_c_waits_for_what_must_not_be_cut_in_two() -> None:
    done = []

    def press(times: int) -> None:
        with interrupts_deferred():
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)
            done.append(times)

    press(0)
    with pytest.raises(KeyboardInterrupt):
        press(1)
    with pytest.raises(KeyboardInterrupt):
        press(2)  # it hangs
    assert done == [0, 1]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


class Submitting(JobService):
    """Ctrl-C is pressed while a pipeline is sent, or while its job begins."""

    pressed_while = ""

    def stage(self, prepared: object) -> str:
        return self._press("stage")

    def run(self, staged: str) -> str:
        return self._press("run")

    def _press(self, what: str) -> str:
        if self.pressed_while == what:
            signal.raise_signal(signal.SIGINT)
        return what


@pytest.fixture
def jobs(tmp_path: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    monkeypatch.setattr("glotmill.pipelines.engines.jobs.JobService", Submitting)
    log = RunLog(str(tmp_path), "flink")
    jobs = Jobs(
        handle_of(endpoint).target,
        root=str(tmp_path),
        name="a",
        recipe="",
        log=log,
        progress=LoggedProgress(log, str(tmp_path)),
        start_seconds=60,
    )
    yield jobs
    jobs.close()


@pytest.mark.parametrize("what", ["stage", "run"])
def test_a_job_that_begins_while_ctrl_c_is_pressed_is_known(
    tmp_path: Path,
    server: Server,
    jobs: Jobs,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    monkeypatch.setattr(Submitting, "pressed_while", what)
    build: Callable[[object], object] = lambda pipeline: None  # noqa: E731
    with pytest.raises(KeyboardInterrupt):
        jobs.submit(build, "ingest")
    note = read_note(str(tmp_path))
    if what == "stage":  # no job is there yet
        assert (jobs.current, note) == (None, None)
        return
    assert note is not None
    assert jobs.current is not None
    assert (note.job_id, jobs.current.note) == ("run", note)
    server.answers = ["CANCELLED"]
    assert jobs.end_current()
    assert read_note(str(tmp_path)) is None
