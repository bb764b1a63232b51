"""Jobs that an earlier launcher left, and the run log."""

import json
import socket
from pathlib import Path

import pytest

from glotmill.pipelines.engines.job_note import JobNote, note_path, read_note, write_note
from glotmill.pipelines.engines.leftover import settle_leftover
from glotmill.pipelines.engines.run_log import RUN_LOG, LoggedProgress, RunLog
from glotmill.pipelines.engines.session import Engine, EngineOptions, Session
from glotmill.pipelines.engines.worker_report import versions
from glotmill.pipelines.errors import RunError
from glotmill.pipelines.lock_directory import LOCK_FILE, hold_directory
from glotmill.pipelines.preflight import check_disk, check_graph, check_workers
from glotmill.pipelines.unit_keys import fingerprint
from glotmill.schemas.lock import Lock
from glotmill.schemas.manifest import Manifest
from glotmill.schemas.recipe import Recipe


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def note(**fields: object) -> JobNote:
    known = {
        "engine": "flink",
        "job_server": f"127.0.0.1:{closed_port()}",
        "flink_master": "",
        "job_id": "job-1",
        "job_name": "glotmill-x",
        "recipe": fingerprint("x"),
        "dies_with_launcher": False,
    }
    return JobNote.model_validate(known | fields)


def test_no_note_is_no_matter(tmp_path: Path) -> None:
    settle_leftover(str(tmp_path), "", print)
    assert not Path(note_path(str(tmp_path))).exists()


def test_an_engine_of_this_machine_that_is_gone_took_its_jobs_along(tmp_path: Path) -> None:
    write_note(str(tmp_path), note())
    settle_leftover(str(tmp_path), fingerprint("x"), print)
    assert read_note(str(tmp_path)) is None


def test_a_job_of_which_nobody_knows_is_not_forgotten(tmp_path: Path) -> None:
    root = str(tmp_path)
    write_note(root, note(job_server="engine.invalid:8099"))
    with pytest.raises(RunError, match="nobody can say whether it has ended") as told:
        settle_leftover(root, fingerprint("x"), print)
    assert note_path(root) in str(told.value)
    assert read_note(root) is not None


LOCK = Lock(
    glotmill="0",
    recipe=Recipe(glotmill=1, name="a", sources=[{"name": "s", "path": "-"}]),  # type: ignore[list-item]
    inputs=(),
    units=(),
    ingest_version=0,
)


def test_a_launcher_that_is_at_work_is_not_disturbed(tmp_path: Path) -> None:
    root = str(tmp_path)
    write_note(root, note(stage="mix"))
    second = Engine(EngineOptions(), None).session(LOCK, root, print)
    with hold_directory(root), pytest.raises(RunError, match="is in use by a run on"):
        second.__enter__()
    assert read_note(root) is not None
    assert not (tmp_path / RUN_LOG).exists()


def test_others_are_kept_out_from_before_the_preflight_to_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, seen = str(tmp_path), []

    def prepare(session: Session) -> None:
        seen.append((tmp_path / LOCK_FILE).exists())

    monkeypatch.setattr(Session, "prepare", prepare)
    with Engine(EngineOptions(), None).session(LOCK, root, print) as session:
        assert session.held is not None
        session.held.check()
        with pytest.raises(RunError, match="is in use"):
            Engine(EngineOptions(), None).session(LOCK, root, print).__enter__()
    events = [json.loads(line)["event"] for line in (tmp_path / RUN_LOG).read_text().splitlines()]
    assert (seen, events) == ([True], ["run_started", "run_finished"])
    assert not (tmp_path / LOCK_FILE).exists()


def test_a_graph_that_is_too_large_is_told() -> None:
    check_graph(9_999_999, "mix")
    with pytest.raises(RunError, match=r"stage 'ingest' has 12\.5 MB; engines take 10 MB"):
        check_graph(12_500_000, "ingest")


def test_the_log_has_a_line_an_event_and_grows(tmp_path: Path) -> None:
    root = str(tmp_path / "out")
    for engine in ("local", "flink"):
        progress = LoggedProgress(RunLog(root, engine), root)
        progress.started("mix", total=3, unit="shards")
        progress.finished("mix")
    lines = [json.loads(line) for line in (tmp_path / "out" / RUN_LOG).read_text().splitlines()]
    assert [(line["engine"], line["event"]) for line in lines] == [
        ("local", "stage_started"), ("local", "stage_finished"),
        ("flink", "stage_started"), ("flink", "stage_finished"),
    ]  # fmt: skip
    assert lines[0]["total"] == 3
    assert lines[1]["counts"] == {}
    assert lines[0]["time"] <= lines[3]["time"]
    assert lines[0]["time"].endswith("+00:00")


class Nobody:
    """Runs nothing: no worker ever reports."""

    def __call__(self, build: object, stage: str, report: object) -> None:
        pass


class _Lock:
    inputs = ()


def test_workers_that_report_elsewhere_are_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="of their own, but not to this one; it has to be a folder"):
        check_workers(Nobody(), _Lock(), str(tmp_path), 1)  # type: ignore[arg-type]
    assert not (tmp_path / "temporary" / "preflight").exists()


def test_a_worker_that_sees_something_else_is_told(tmp_path: Path) -> None:
    def report_wrongly(build: object, stage: str, report: object) -> None:
        told = {
            "host": "far",
            "pid": 1,
            "versions": versions() | {"glotmill": "0.0.1"},
            "token": "another",
            "missing": ["/data/in.jsonl"],
        }
        Path(report.folder, "far-1.json").write_text(json.dumps(told))  # type: ignore[attr-defined]

    with pytest.raises(RunError) as failed:
        check_workers(report_wrongly, _Lock(), str(tmp_path), 1)  # type: ignore[arg-type]
    lines = str(failed.value).splitlines()
    assert [line.split(";")[0] for line in lines] == [
        f"the worker on far does not see what lies in {tmp_path}",
        "the worker on far does not see the input /data/in.jsonl",
        f"the worker on far has glotmill 0.0.1, and this process {versions()['glotmill']}",
    ]


def test_a_disk_that_is_too_small_is_told(tmp_path: Path) -> None:
    class Unit:
        num_bytes = 10**18

    check_disk([], str(tmp_path))
    check_disk([Unit()], "gs://bucket/out")  # type: ignore[list-item]
    with pytest.raises(Exception, match="name a folder on another disk with --out"):
        check_disk([Unit()], str(tmp_path))  # type: ignore[list-item]


def test_the_manifest_gives_the_counts(tmp_path: Path) -> None:
    from glotmill.pipelines.stages.base import complete

    root = str(tmp_path)
    counts = {"train": 5}
    complete(root, "mix", Manifest(stage="mix", key="", glotmill="", files=(), counts=counts))
    log = RunLog(root, "local")
    LoggedProgress(log, root).finished("mix")
    (line,) = (tmp_path / RUN_LOG).read_text().splitlines()
    assert json.loads(line)["counts"] == counts
