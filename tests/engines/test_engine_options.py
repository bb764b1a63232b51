"""What the command line may ask of engines: every mistake is told before anything is submitted."""

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from glotmill.pipelines.engines.dataflow import dataflow_options
from glotmill.pipelines.engines.endpoints import Endpoint
from glotmill.pipelines.engines.environments import check_on_this_machine, environment_of
from glotmill.pipelines.engines.flink_rest import FlinkRest
from glotmill.pipelines.engines.prism import find_prism
from glotmill.pipelines.errors import UserError
from glotmill.pipelines.preflight import check_flink

PROCESS = ["--environment_type=PROCESS", '--environment_config={"command": "/bin/sh"}']


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


class _Rest(http.server.BaseHTTPRequestHandler):
    answer: object = {}

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(self.answer).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def rest() -> Iterator[FlinkRest]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Rest) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield FlinkRest(Endpoint("127.0.0.1", server.server_port))
        server.shutdown()


@pytest.mark.parametrize("text", ["localhost", "localhost:", ":80", "h:0", "h:70000", "http://h:8"])
def test_what_is_no_address_is_told(text: str) -> None:
    with pytest.raises(UserError, match="--job-server wants HOST:PORT"):
        Endpoint.parse(text, "--job-server")


def test_addresses_may_have_many_colons() -> None:
    assert Endpoint.parse("::1:8081", "--flink-master") == Endpoint("::1", 8081)


def test_a_cluster_has_no_default_for_its_workers() -> None:
    with pytest.raises(UserError, match=r"--environment_type=PROCESS .*\n.*DOCKER.*\n.*EXTERNAL"):
        environment_of([], None)
    assert environment_of([], "LOOPBACK").in_launcher
    assert environment_of(PROCESS, None).command == "/bin/sh"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--environment_type=PROCES"], "PROCES is none of LOOPBACK, PROCESS"),
        (["--environment_type=PROCESS"], "wants --environment_config"),
        (["--environment_type=PROCESS", "--environment_config=/bin/sh"], "and not '/bin/sh'"),
        (["--environment_type=DOCKER"], "DOCKER wants an --environment_config"),
        (["--environment_type=EXTERNAL"], "EXTERNAL wants an --environment_config"),
    ],
)
def test_an_environment_that_cannot_be_is_told(options: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        environment_of(options, None)


def test_a_worker_program_has_to_be_there(tmp_path: Path) -> None:
    check_on_this_machine(environment_of(PROCESS, None), 2)
    config = json.dumps({"command": str(tmp_path / "worker")})
    missing = ["--environment_type=PROCESS", f"--environment_config={config}"]
    with pytest.raises(UserError, match="is not here, or not executable"):
        check_on_this_machine(environment_of(missing, None), 2)


def test_one_pool_of_workers_for_two_task_managers_is_refused() -> None:
    pool = ["--environment_type=EXTERNAL", "--environment_config=localhost:50000"]
    check_on_this_machine(environment_of(pool, None), 1)
    with pytest.raises(UserError, match="2 TaskManagers, with which Beam hangs"):
        check_on_this_machine(environment_of(pool, None), 2)


def test_flink_says_its_version_and_slots(rest: FlinkRest, monkeypatch) -> None:
    told: list[str] = []
    answer = {"flink-version": "1.19.3", "taskmanagers": 2, "slots-total": 4, "slots-available": 3}
    monkeypatch.setattr(_Rest, "answer", answer)
    assert check_flink(rest, told.append).num_slots == 4
    assert told == [f"Flink 1.19.3 at {rest.endpoint}: 2 TaskManagers, 3 of 4 slots free"]
    monkeypatch.setattr(_Rest, "answer", answer | {"flink-version": "1.17.2"})
    check_flink(rest, told.append)
    assert told[1].startswith("Flink 1.17.2 has not been tried; 1.19 has")
    monkeypatch.setattr(_Rest, "answer", answer | {"slots-total": 0, "taskmanagers": 0})
    with pytest.raises(UserError, match="has no slot: 0 TaskManagers have registered"):
        check_flink(rest, told.append)


def test_what_is_not_flink_is_told(rest: FlinkRest, monkeypatch) -> None:
    monkeypatch.setattr(_Rest, "answer", {"hello": 1})
    with pytest.raises(UserError, match="does not answer as Flink's REST interface does"):
        check_flink(rest, print)


def test_the_newest_job_of_a_name_is_found(rest: FlinkRest, monkeypatch) -> None:
    jobs = [
        {"jid": jid, "name": name, "state": "RUNNING", "start-time": start,
         "tasks": {"total": 3, "running": 1, "finished": 2, "failed": 0}}
        for jid, name, start in [("1", "a", 5), ("2", "a", 9), ("3", "b", 20)]
    ]  # fmt: skip
    monkeypatch.setattr(_Rest, "answer", {"jobs": jobs})
    job = rest.job_named("a")
    assert job is not None
    assert (job.id, job.tasks) == ("2", {"RUNNING": 1, "FINISHED": 2})
    assert rest.job_named("c") is None


def test_prism_is_named_or_on_the_path_and_never_fetched(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"no prism on PATH\nbuild one: go install"):
        find_prism(None)
    with pytest.raises(UserError, match="is not here, or not executable"):
        find_prism(tmp_path / "other")
    binary = tmp_path / "prism"
    binary.write_text("#!/bin/sh\n")
    binary.chmod(0o755)
    assert find_prism(None) == binary
    assert find_prism(binary) == binary


def test_dataflow_options_are_those_of_beam() -> None:
    given = ["--project=p", "--region=r", "--temp_location=gs://b/t"]
    with pytest.raises(UserError, match="sdk_container_image"):
        dataflow_options(given, None)
    options = dataflow_options([*given, "--sdk_container_image=i", "--experiments=x"], 7)
    assert (options.project, options.image, options.max_workers) == ("p", "i", 7)
    assert options.more == ("--experiments=x",)


def slow(*values: object) -> object:
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--runner", "spark"], "spark"),
        (["--runner", "flink"], "--runner flink wants --flink-master"),
        slow(["--runner", "flink", "--flink-master", "here"], "--flink-master wants HOST:PORT"),
        slow(["--runner", "flink", "--flink-master", "localhost:1"], "workers of a cluster do not"),
        slow(["--", "--streaming"], "--runner local takes no options of Beam"),
        (["--runner", "dataflow"], "--runner dataflow: the following arguments are required"),
    ],
)
def test_the_command_tells_what_is_missing(glotmill, arguments: list[str], message: str) -> None:
    recipe = Path(__file__).parents[2] / "recipes" / "udhr.yaml"
    done = glotmill("run", recipe, *arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_a_job_server_that_is_not_there_is_told(glotmill, closed_port: int) -> None:
    recipe = Path(__file__).parents[2] / "recipes" / "udhr.yaml"
    options = ["--runner", "flink", "--flink-master", "[local]"]
    done = glotmill("run", recipe, *options, "--job-server", f"127.0.0.1:{closed_port}")
    assert done.returncode == 2
    assert f"no Beam job server can be reached at 127.0.0.1:{closed_port}" in done.stderr
    assert "start one: python deploy/flink/cluster.py start" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_a_server_that_never_answers_is_told_in_time(glotmill, silent_port: int) -> None:
    recipe = Path(__file__).parents[2] / "recipes" / "udhr.yaml"
    options = ["--runner", "flink", "--flink-master", "[local]"]
    done = glotmill("run", recipe, *options, "--job-server", f"127.0.0.1:{silent_port}")
    assert done.returncode == 2
    assert "does not answer as Beam's job server does" in done.stderr
