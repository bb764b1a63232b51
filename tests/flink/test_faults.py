"""A cluster of two TaskManagers: what is killed costs time and changes no byte.

A job costs many seconds on a cluster, whatever it does, so that each run goes on in this process
once it is past the fault.
"""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from flink_runs import digests, events_of_last_run, files, num_units, running, succeed
from flink_servers import RunningFlink, cluster_command

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def reported_workers(out: Path) -> list[int]:
    return [json.loads(p.read_text())["pid"] for p in out.glob("temporary/workers/*/*.json")]


def test_a_job_outlives_its_launcher_and_a_worker(
    recipe: Path, local_run: Path, tmp_path: Path, flink_cluster: RunningFlink
) -> None:
    out = tmp_path / "out"
    with running(recipe, out, *flink_cluster.options, *flink_cluster.process_workers) as run:
        run.wait_until(lambda: reported_workers(out))
        os.kill(reported_workers(out)[0], signal.SIGKILL)
        before = num_units(out)
        run.wait_until(lambda: num_units(out) > before)
        os.kill(run.process.pid, signal.SIGKILL)
        run.end()
    assert num_units(out) < num_units(local_run)
    assert (out / "temporary" / "job.json").exists()
    told = succeed(recipe, out, "--workers", "1")
    assert "which an earlier launcher left" in told
    assert "ended as DONE" in told
    assert digests(out) == digests(local_run)
    assert files(out) == files(local_run)


def test_a_killed_task_manager_costs_time_and_no_byte(
    recipe: Path, local_run: Path, tmp_path: Path, flink_cluster: RunningFlink, record_property
) -> None:
    """The last of this file: the cluster that they share has one TaskManager from here on."""
    out = tmp_path / "out"
    options = [*flink_cluster.options, "--on-stop", "cancel", *flink_cluster.process_workers]
    with running(recipe, out, *options) as run:
        run.wait_until(lambda: num_units(out) >= 3)
        assert num_units(out) < num_units(local_run)
        cluster_command("kill", "taskmanager-1", "--folder", flink_cluster.folder)
        began = time.monotonic()
        run.wait_until(lambda: num_units(out) == num_units(local_run))
        seconds = time.monotonic() - began
        # A later stage does with one slot too.
        run.wait_until(lambda: (out / "deduplicate" / "_SUCCESS").exists())
        os.kill(run.process.pid, signal.SIGINT)
        assert run.end() == 130, run.told
    # Most of it is the wait for the heartbeat and the restart; ingesting all takes some seconds.
    record_property("seconds_from_kill_to_all_units", round(seconds, 1))
    succeed(recipe, out, "--workers", "1")
    assert digests(out) == digests(local_run)
    skipped = [
        each["stage"] for each in events_of_last_run(out) if each["event"] == "stage_skipped"
    ]
    assert skipped == ["ingest", "deduplicate"]
