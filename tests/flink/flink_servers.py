"""Servers of Flink for tests."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

DEPLOY = Path(__file__).parents[2] / "deploy" / "flink"


@dataclass(frozen=True)
class RunningFlink:
    """Servers that run, as `cluster.json` tells them."""

    folder: Path
    flink_master: str
    job_server: str
    processes: dict[str, int]

    @property
    def options(self) -> list[str]:
        """What `glotmill run` needs to find it."""
        addresses = {"--flink-master": self.flink_master, "--job-server": self.job_server}
        return ["--runner", "flink", *(word for pair in addresses.items() for word in pair)]

    @property
    def process_workers(self) -> list[str]:
        """Has Flink start workers of its own."""
        worker = self.folder / "test-worker"
        hold = f'while [ -e "{self._hold}" ]; do sleep 0.1; done'
        worker.write_text(f'#!/bin/sh\n{hold}\nexec "{self.folder / "worker"}" "$@"\n')
        worker.chmod(0o755)
        command = json.dumps({"command": str(worker)})
        return ["--", "--environment_type=PROCESS", f"--environment_config={command}"]

    @property
    def _hold(self) -> Path:
        return self.folder / "hold"

    @contextmanager
    def held_workers(self) -> Iterator[None]:
        """Has workers wait before they start: the job that wants them runs and does nothing."""
        self._hold.touch()
        try:
            yield
        finally:
            self._hold.unlink()


def cluster_command(*arguments: object) -> str:
    """What the script prints."""
    script = [sys.executable, str(DEPLOY / "cluster.py")]
    done = subprocess.run([*script, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def started(cache: Path, folder: Path, *options: str) -> Iterator[RunningFlink]:
    ports = ("--job-port", 0, "--rest-port", 0)
    cluster_command("start", *options, "--cache", cache, "--folder", folder, *ports)
    try:
        state = json.loads((folder / "cluster.json").read_text())
        yield RunningFlink(folder, state["flink_master"], state["job_server"], state["processes"])
    finally:
        cluster_command("stop", "--folder", folder)
