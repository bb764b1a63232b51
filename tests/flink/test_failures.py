"""Failures on Flink end in bounded time, with a message that says what to do."""

import json
import os
import time
from pathlib import Path

import apache_beam as beam
import pytest
from flink_servers import RECIPE, RunningFlink, events

from glotmill.pipelines.engines.flink import flink_target
from glotmill.pipelines.engines.jobs import Jobs
from glotmill.pipelines.engines.run_log import LoggedProgress, RunLog
from glotmill.pipelines.engines.worker_report import ReportWorker, read_reports

pytestmark = pytest.mark.slow


def breaks(_number: int) -> int:
    raise ValueError("this transform breaks")


@pytest.mark.timeout(120)
def test_a_transform_that_fails_is_told_by_its_own_traceback(
    tmp_path: Path, embedded_flink: RunningFlink
) -> None:
    target = flink_target("[local]", embedded_flink.job_server, [], 1, print)
    root, log = str(tmp_path), RunLog(str(tmp_path), "flink")
    progress = LoggedProgress(log, root)
    jobs = Jobs(
        target, root=root, name="Breaks", recipe="", log=log, progress=progress, start_seconds=60
    )
    with pytest.raises(RuntimeError) as failed:
        jobs.run(lambda p: p | beam.Create([1]) | beam.Map(breaks), 1)
    jobs.close()
    lines = str(failed.value).splitlines()
    assert lines[0].startswith("Traceback")
    assert "this transform breaks" in lines[-1]
    assert not any(line.startswith("\tat ") for line in lines)
    assert not (tmp_path / "temporary" / "job.json").exists()
    assert events(tmp_path)[-1]["state"] == "FAILED"


@pytest.mark.timeout(150)
def test_workers_that_never_start_are_noticed(
    glotmill, tmp_path: Path, embedded_flink: RunningFlink
) -> None:
    worker = tmp_path / "worker"
    worker.write_text("#!/bin/sh\nexec sleep 60\n")
    worker.chmod(0o755)
    config = json.dumps({"command": str(worker)})
    began = time.monotonic()
    done = glotmill(
        "run", RECIPE, "--out", tmp_path / "out", *embedded_flink.options, "--start-timeout", "10",
        "--", "--environment_type=PROCESS", f"--environment_config={config}",
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert time.monotonic() - began < 100
    assert "no worker has started within 10 s" in done.stderr
    assert f"run {worker} --help" in done.stderr
    assert not (tmp_path / "out" / "temporary" / "job.json").exists()


@pytest.mark.timeout(150)
def test_a_worker_that_ends_at_once_is_told(
    glotmill, tmp_path: Path, embedded_flink: RunningFlink
) -> None:
    worker = tmp_path / "worker"
    worker.write_text("#!/bin/sh\nexit 3\n")
    worker.chmod(0o755)
    config = json.dumps({"command": str(worker)})
    done = glotmill(
        "run", RECIPE, "--out", tmp_path / "out", *embedded_flink.options, "--start-timeout", "20",
        "--", "--environment_type=PROCESS", f"--environment_config={config}",
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "error:" in done.stderr


@pytest.mark.timeout(120)
def test_workers_that_see_another_folder_are_told(
    tmp_path: Path, embedded_flink: RunningFlink
) -> None:
    target = flink_target("[local]", embedded_flink.job_server, [], 1, print)
    root, log = str(tmp_path), RunLog(str(tmp_path), "flink")
    progress = LoggedProgress(log, root)
    jobs = Jobs(
        target, root=root, name="looks", recipe="", log=log, progress=progress, start_seconds=60
    )
    report = ReportWorker(root, f"{root}/reports", ["/no/such/input"], 4)
    jobs.submit(lambda pipeline: None, "preflight", report)
    jobs.close()
    (told,) = read_reports(report.folder)
    assert told.pid == os.getpid()
    assert told.missing == ("/no/such/input",)
    assert told.token == ""
