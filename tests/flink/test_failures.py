"""Failures on Flink end in bounded time, with a message that says what to do."""

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import pytest
from flink_runs import RECIPE, events, running
from flink_servers import RunningFlink

from glotmill.pipelines.engines.flink import flink_target
from glotmill.pipelines.engines.jobs import Jobs
from glotmill.pipelines.engines.run_log import LoggedProgress, RunLog
from glotmill.pipelines.engines.worker_report import ReportWorker, read_reports

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]


@pytest.fixture
def jobs(tmp_path: Path, embedded_flink: RunningFlink) -> Iterator[Jobs]:
    """Jobs whose workers are in this process."""
    root = str(tmp_path)
    log = RunLog(root, "flink")
    jobs = Jobs(
        flink_target("[local]", embedded_flink.job_server, [], 1, print),
        root=root,
        name="Some jobs",
        recipe="",
        log=log,
        progress=LoggedProgress(log, root),
        start_seconds=60,
    )
    yield jobs
    jobs.close()


def breaks(_number: int) -> int:
    raise ValueError("this transform breaks")


def test_a_transform_that_fails_is_told_by_its_own_traceback(tmp_path: Path, jobs: Jobs) -> None:
    with pytest.raises(RuntimeError) as failed:
        jobs.run(lambda p: p | beam.Create([1]) | beam.Map(breaks), 1)
    lines = str(failed.value).splitlines()
    assert lines[0].startswith("Traceback")
    assert "this transform breaks" in lines[-1]
    assert not any(line.startswith("\tat ") for line in lines)
    assert not (tmp_path / "temporary" / "job.json").exists()
    assert events(tmp_path)[-1]["state"] == "FAILED"


def test_workers_that_see_another_folder_are_told(tmp_path: Path, jobs: Jobs) -> None:
    report = ReportWorker(str(tmp_path), f"{tmp_path}/reports", ["/no/such/input"], 4)
    jobs.submit(lambda pipeline: None, "preflight", report)
    (told,) = read_reports(report.folder)
    assert told.pid == os.getpid()
    assert told.missing == ("/no/such/input",)
    assert told.token == ""


@pytest.mark.parametrize(
    ("program", "seconds", "cause"),
    [("exec sleep 60", 10, " within 10 s"), ("exit 3", 60, ": .*Process died with exit code 3")],
)
def test_workers_that_never_start_are_noticed(
    tmp_path: Path, embedded_flink: RunningFlink, program: str, seconds: int, cause: str
) -> None:
    worker, out = tmp_path / "worker", tmp_path / "out"
    worker.write_text(f"#!/bin/sh\n{program}\n")
    worker.chmod(0o755)
    config = json.dumps({"command": str(worker)})
    options = [*embedded_flink.options, "--start-timeout", seconds]
    process = ["--", "--environment_type=PROCESS", f"--environment_config={config}"]
    began = time.monotonic()
    with running(RECIPE, out, *options, *process) as run:
        assert run.end() == 1, run.told
    assert time.monotonic() - began < 100
    assert re.search(f"error: no worker has started{cause}", run.told)
    assert f"run {worker} --help" in run.told
    assert not (out / "temporary" / "job.json").exists()
