"""What the command line may ask of engines: every mistake is told before anything is submitted."""

import http.server
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from glotmill.pipelines.dataflow import DataflowOptions
from glotmill.pipelines.engines.beam_options import check_beam_options
from glotmill.pipelines.engines.dataflow import dataflow_options
from glotmill.pipelines.engines.endpoints import Endpoint
from glotmill.pipelines.engines.environments import check_on_this_machine, environment_of
from glotmill.pipelines.engines.flink_rest import FlinkRest
from glotmill.pipelines.engines.prism import find_prism, prism_target
from glotmill.pipelines.engines.session import EngineOptions, open_engine
from glotmill.pipelines.errors import RunError, UserError
from glotmill.pipelines.preflight import check_flink

# Prism, as far as it is waited for.
LISTEN = """
import socket, sys, time
port = next(each for each in sys.argv if each.startswith("--job_port=")).split("=")[1]
with socket.create_server(("127.0.0.1", int(port))):
    time.sleep(60)
"""
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


def test_prism_may_lie_in_the_current_folder(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prism").touch(mode=0o755)
    assert find_prism(Path("./prism")) == tmp_path / "prism"
    monkeypatch.chdir("/")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_prism(Path("prism")) == tmp_path / "prism"


@pytest.mark.parametrize(
    ("script", "told"),
    [("echo no such flag >&2; exit 3", "code 3: no such flag"), ("exit 0", "0: it said nothing")],
)
def test_a_prism_that_ends_at_once_is_told_at_once(tmp_path: Path, script: str, told: str) -> None:
    binary = tmp_path / "prism"
    binary.write_text(f"#!/bin/sh\n{script}\n")
    binary.chmod(0o755)
    began = time.monotonic()
    with pytest.raises(RunError, match=f"Prism ended at once with exit .*{told}"):
        prism_target(binary, []).__enter__()
    assert time.monotonic() - began < 10


def test_prism_ends_with_its_context(tmp_path: Path) -> None:
    binary = tmp_path / "prism"
    binary.write_text(f"#!{sys.executable}\n{LISTEN}")
    binary.chmod(0o755)
    with prism_target(binary, []) as target:
        assert target.job_server.refusal(1.0) is None
    assert target.job_server.refusal(1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--num_wrkers=3"], "neither Beam nor the engine knows --num_wrkers"),
        (["--bogus", "x", "-f"], "neither Beam nor the engine knows --bogus, -f"),
        (["--environment-type=PROCESS"], "knows --environment-type"),
        (["faster_copy"], "'faster_copy' is no option of Beam's: write it as --name=value"),
        (["--runner=DirectRunner"], "--runner is not passed through"),
        (["--max_num_workers=many"], "behind --: argument --max_num_workers: invalid int"),
    ],
)
def test_what_nobody_knows_is_told(tmp_path: Path, options: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_beam_options(options, ["faster_copy"])
    with pytest.raises(UserError, match=message):
        prism_target(tmp_path / "prism", options).__enter__()


def test_what_somebody_knows_is_taken() -> None:
    check_beam_options([*PROCESS, "--subnetwork", "x", "--no_use_public_ips", "--experiment=a"])
    check_beam_options(["--faster_copy", "true", "--faster_copy"], ["faster_copy"])


GIVEN = [
    *("--project=p", "--region=r", "--temp_location=gs://b/t", "--sdk_container_image=i"),
]


def test_dataflow_options_are_those_of_beam() -> None:
    with pytest.raises(UserError, match="sdk_container_image"):
        dataflow_options(GIVEN[:3], None)
    options = dataflow_options([*GIVEN, "--experiments=x"], 7)
    assert (options.project, options.image, options.max_workers) == ("p", "i", 7)
    assert options.more == ("--experiments=x",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--num_wrkers=3"], "neither Beam nor the engine knows --num_wrkers"),
        (["foo"], "'foo' is no option of Beam's"),
        (["--job_name=My Job"], "--job_name 'My Job': small letters"),
        (["--runner=FlinkRunner"], "--runner is not passed through"),
        (["--max_num_workers=-3"], "--max_num_workers is to be 1 or more, not -3"),
    ],
)
def test_options_that_dataflow_would_pass_over_are_told(options: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        dataflow_options([*GIVEN, *options], None)


def test_jobs_on_dataflow_have_names_of_their_own_that_begin_as_wanted(monkeypatch) -> None:
    options = dataflow_options([*GIVEN, "--job_name=mine"], None)
    assert options.more == ()
    names = []
    for now in ("1121-120000", "1121-120001"):
        monkeypatch.setattr("time.strftime", lambda _, now=now: now)
        names += [flag for flag in options.arguments() if flag.startswith("--job_name")]
    assert names == ["--job_name=mine-1121-120000", "--job_name=mine-1121-120001"]


def test_a_program_that_makes_its_options_is_told_too() -> None:
    with pytest.raises(UserError, match="neither Beam nor the engine knows --num_wrkers"):
        DataflowOptions(
            project="p", region="r", temp_location="gs://b/t", image="i", more=("--num_wrkers=3",)
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"flink_master": "a:1"},
            "--flink-master is nothing to --runner local: add --runner flink",
        ),
        ({"job_server": "a:1", "runner": "prism"}, "--job-server is nothing to --runner prism"),
        (
            {"prism": Path("prism"), "runner": "flink"},
            "--prism is nothing .*add --runner prism, or",
        ),
        (
            {"on_stop": "leave"},
            "--on-stop is .*: add --runner flink or --runner dataflow, or leave",
        ),
        ({"on_stop": "leave", "runner": "prism"}, "--on-stop is nothing to --runner prism"),
        ({"start_seconds": 5.0, "runner": "dataflow"}, "--start-timeout is nothing to --runner da"),
    ],
)
def test_options_of_another_engine_are_told(options: dict[str, object], message: str) -> None:
    engine = open_engine(EngineOptions(**options), print)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=message):
        engine.__enter__()


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
