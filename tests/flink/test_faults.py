"""A cluster of two TaskManagers: what is killed costs time and changes no byte."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flink_servers import RECIPE, RunningFlink, cluster_command, events, shard_digests

GLOTMILL = Path(sys.executable).parent / "glotmill"
WAIT_SECONDS = 120

pytestmark = pytest.mark.slow


@pytest.fixture
def recipe(tmp_path: Path, sample_rows: list[dict[str, object]]) -> Path:
    """The sample in many units: something is always half done."""
    lines = [json.dumps(row, ensure_ascii=False) for row in sample_rows]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    sample = RECIPE.read_text()
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        sample.replace("sample/udhr.jsonl.zst", "rows.jsonl") + "\ningest: {unit_bytes: 150_000}\n"
    )
    return recipe


@contextmanager
def running(recipe: Path, out: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    command = [str(GLOTMILL), "run", str(recipe), "--out", str(out), *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until(seen: Callable[[], object], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not seen():
        assert process.poll() is None, process.stdout and process.stdout.read()
        assert time.monotonic() < deadline, "it was not seen in time"
        time.sleep(0.02)


def num_units(out: Path) -> int:
    return len(list(out.glob("ingest/units/*.json")))


def num_all_units(folder: Path) -> int:
    return num_units(folder / "local")


def reported_workers(out: Path) -> list[int]:
    return [json.loads(p.read_text())["pid"] for p in out.glob("temporary/workers/*/*.json")]


@pytest.mark.timeout(600)
def test_a_killed_task_manager_costs_time_and_no_byte(
    glotmill, recipe: Path, tmp_path: Path, flink_cluster: RunningFlink, record_property
) -> None:
    done = glotmill("run", recipe, "--out", tmp_path / "local", "--workers", "1")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "flink"
    options = [*flink_cluster.options, *flink_cluster.process_workers]
    with running(recipe, out, *options) as process:
        wait_until(lambda: num_units(out) >= 3, process)
        assert num_units(out) < num_all_units(tmp_path)
        cluster_command("kill", "taskmanager-1", "--folder", flink_cluster.folder)
        began = time.monotonic()
        wait_until(lambda: num_units(out) == num_all_units(tmp_path), process)
        seconds = time.monotonic() - began
        told, _ = process.communicate(timeout=480)
    assert process.returncode == 0, told
    assert shard_digests(out) == shard_digests(tmp_path / "local")
    # Most of it is the wait for the heartbeat and the restart; ingesting all takes some seconds.
    record_property("seconds_from_kill_to_all_units", round(seconds, 1))
    print(f"all units were there {seconds:.1f} s after the kill")


@pytest.mark.timeout(600)
def test_a_job_outlives_its_launcher_and_is_waited_for(
    glotmill, recipe: Path, tmp_path: Path, flink_cluster: RunningFlink
) -> None:
    done = glotmill("run", recipe, "--out", tmp_path / "local", "--workers", "1")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "flink"
    options = [*flink_cluster.options, *flink_cluster.process_workers]
    with running(recipe, out, *options) as process:
        wait_until(lambda: reported_workers(out), process)
        worker = reported_workers(out)[0]
        os.kill(worker, signal.SIGKILL)
        before = num_units(out)
        wait_until(lambda: num_units(out) > before, process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert num_units(out) < num_all_units(tmp_path)
    assert (out / "temporary" / "job.json").exists()
    done = glotmill("run", recipe, "--out", out, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "which an earlier launcher left" in done.stdout
    assert "ended as DONE" in done.stdout
    # Nothing was left for a second job of the stage.
    assert not [e for e in events(out)[-40:] if e["event"] == "job_started"
                and e["stage"] == "ingest" and e["time"] > start_of_last_run(out)]  # fmt: skip
    assert shard_digests(out) == shard_digests(tmp_path / "local")


def start_of_last_run(out: Path) -> str:
    return max(str(e["time"]) for e in events(out) if e["event"] == "run_started")
