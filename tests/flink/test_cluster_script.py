"""The script for Flink on one machine: what it does without Flink."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flink_servers import DEPLOY

SLEEP = "import time; time.sleep(60)"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "a folder"
    folder.mkdir()
    return folder


@pytest.fixture
def server(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that names the folder, as those of a cluster do."""
    with subprocess.Popen([sys.executable, "-c", SLEEP, folder]) as process:
        state = {"processes": {"job-server": process.pid}}
        (folder / "cluster.json").write_text(json.dumps(state))
        yield process
        process.kill()


def script(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, DEPLOY / "cluster.py", *arguments]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True)


def test_a_second_start_leaves_the_cluster_that_runs_alone(
    folder: Path, server: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    done = script("start", "--folder", folder, "--cache", tmp_path / "cache")
    assert done.returncode == 1
    assert f"a cluster runs in {folder}; end it with: cluster.py stop" in done.stderr
    assert server.poll() is None
    assert json.loads(script("status", "--folder", folder).stdout) == {"job-server": True}


def test_workers_are_stopped_with_the_servers(
    folder: Path, server: "subprocess.Popen[bytes]"
) -> None:
    boot = folder / "boot"
    boot.symlink_to(sys.executable)
    with subprocess.Popen([boot, "-c", SLEEP]) as worker:
        assert script("stop", "--folder", folder).returncode == 0
        assert worker.wait(10) != 0
    assert server.wait(10) != 0
    assert not (folder / "cluster.json").exists()
