#!/usr/bin/env python3
"""Flink on this machine, on the loopback interface alone: for development and for tests.

    cluster.py fetch                     only fetch the parts
    cluster.py prism                     build Prism, another engine, and print where it is
    cluster.py start --embedded          a Beam job server with Flink inside
    cluster.py start                     a JobManager, two TaskManagers and a Beam job server
    cluster.py kill taskmanager-1        end one process without warning, for tests of failures
    cluster.py status
    cluster.py stop

Needs java (11 or 17), mvn and go, and no other package than Python's own.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import parts

HOST = "127.0.0.1"
CACHE = Path.home() / ".cache" / "glotmill" / "flink"
_START_SECONDS = 90
_STOP_SECONDS = 20
#: Flink and Beam look into the JDK's own classes, which Java 17 closes.
_OPENED = ("lang", "lang.reflect", "net", "io", "nio", "text", "time", "util", "util.concurrent")
_JAVA = [
    *(f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in _OPENED),
    "--add-opens=java.base/java.util.concurrent.atomic=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-exports=java.base/sun.net.util=ALL-UNNAMED",
]
_ENTRYPOINT = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
_JOB_SERVER = "org.apache.beam.runners.flink.FlinkJobServerDriver"
_LOG4J = """rootLogger.level = INFO
rootLogger.appenderRef.console.ref = console
appender.console.name = console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss,SSS} %-5p %-40c %x - %m%n
"""
# Later than the ten seconds for which Beam keeps workers, or it would hand out one that is gone.
_RESTART = "{type: fixed-delay, fixed-delay: {attempts: 4, delay: 15 s}}"


class ClusterError(Exception):
    """The cluster cannot be started or found; the message says what to do."""


def configuration(rpc_port: int, rest_port: int, slots: int, restart: str) -> str:
    """Flink's `config.yaml`.

    Every part of a TaskManager's memory has a size of its own: it is started without Flink's
    scripts, which would work them out.

    Args:
        rpc_port: of the JobManager.
        rest_port: of its REST interface.
        slots: of a TaskManager.
        restart: what to do with what fails.
    """
    return f"""jobmanager:
  rpc: {{address: {HOST}, port: {rpc_port}}}
  bind-host: {HOST}
rest: {{address: {HOST}, bind-address: {HOST}, port: {rest_port}}}
taskmanager:
  host: {HOST}
  bind-host: {HOST}
  numberOfTaskSlots: {slots}
  cpu.cores: {slots}.0
  memory:
    task: {{heap.size: 512m, off-heap.size: 0m}}
    framework: {{heap.size: 128m, off-heap.size: 128m}}
    managed.size: 128m
    network: {{min: 256m, max: 256m}}
    jvm-metaspace.size: 256m
    jvm-overhead: {{min: 192m, max: 192m}}
  network.sort-shuffle.min-buffers: 64
restart-strategy: {restart}
heartbeat: {{interval: 3000, timeout: 15000}}
parallelism.default: {slots}
classloader.resolve-order: parent-first
"""


class Cluster:
    """The processes of a cluster, and the folder with their configuration, logs and ids."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder, self.cache = folder.absolute(), cache.absolute()
        self.state = self.folder / "cluster.json"
        self.boot = self.folder / "boot"

    def start_embedded(self, job_port: int, python: Path) -> None:
        """Starts a job server that runs Flink within itself."""
        # Each job has a Flink of its own there, and the last one's may still be ending: any port.
        self._prepare(configuration(free_port(), 0, 2, "none"), python)
        port = self._start_job_server("[local]", job_port)
        self._describe("[local]", port)

    def start(self, task_managers: int, slots: int, job_port: int, rest: int, python: Path) -> None:
        """Starts a JobManager, TaskManagers and a job server that submits to them."""
        rest = rest or free_port()
        self._prepare(configuration(free_port(), rest, slots, _RESTART), python)
        self._start_flink("jobmanager", _ENTRYPOINT, "-Xmx512m")
        self._wait_for(rest, "jobmanager")
        for number in range(1, task_managers + 1):
            name = f"taskmanager-{number}"
            self._start_flink(name, _TASK_MANAGER, "-Xmx640m", "-XX:MaxDirectMemorySize=384m")
        port = self._start_job_server(f"{HOST}:{rest}", job_port)
        _wait_for_slots(rest, task_managers * slots, self.folder)
        self._describe(f"{HOST}:{rest}", port)

    def kill(self, name: str) -> int:
        """Ends a process without warning; gives its id."""
        pid = self.processes().get(name)
        if pid is None or not self._is_ours(pid):
            raise ClusterError(f"no process {name!r}; there are: {', '.join(self.processes())}")
        os.kill(pid, signal.SIGKILL)
        return pid

    def stop(self) -> None:
        """Ends all that was started, by id: servers, and workers that a killed one left behind."""
        self._end([pid for pid in self.processes().values() if self._is_ours(pid)])
        self._end(self._workers())
        self.state.unlink(missing_ok=True)

    def _end(self, running: list[int]) -> None:
        """Ends processes, without more ado those that do not end in time."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in filter(self._is_ours, running):
                os.kill(pid, number)
            deadline = time.monotonic() + _STOP_SECONDS
            while any(map(self._is_ours, running)) and time.monotonic() < deadline:
                time.sleep(0.1)

    def _workers(self) -> list[int]:
        """Ids of the boot programs that were started from this folder; each ends its worker."""
        listed = subprocess.run(["ps", "-ww", "-eo", "pid=,args="], capture_output=True, text=True)
        lines = (line.split(maxsplit=1) for line in listed.stdout.splitlines())
        ours = f"{self.boot} "
        return [int(pid) for pid, *args in lines if f"{''.join(args)} ".startswith(ours)]

    def processes(self) -> dict[str, int]:
        """Ids of the processes by name."""
        if not self.state.exists():
            return {}
        return dict(json.loads(self.state.read_text())["processes"])

    def running(self) -> dict[str, bool]:
        """Which of the processes are still there."""
        return {name: self._is_ours(pid) for name, pid in self.processes().items()}

    def refuse_if_running(self) -> None:
        """Looks whether a cluster runs in this folder.

        Raises:
            ClusterError: one does.
        """
        if any(self.running().values()):
            raise ClusterError(f"a cluster runs in {self.folder}; end it with: cluster.py stop")

    def _prepare(self, flink: str, python: Path) -> None:
        parts.fetch(self.cache)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.state.unlink(missing_ok=True)
        (self.folder / "config.yaml").write_text(flink)
        (self.folder / "log4j.properties").write_text(_LOG4J)
        worker = self.folder / "worker"
        worker.write_text(
            "#!/bin/sh\n"
            "# Starts a Python worker: Beam's boot program in the environment of the launcher.\n"
            f'PATH="{python}:$PATH" RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1 '
            f'exec "{self.boot}" "$@"\n'
        )
        worker.chmod(0o755)
        # Of this folder's own name, by which its workers are found when the cluster is stopped.
        self.boot.unlink(missing_ok=True)
        self.boot.symlink_to(self.cache / "boot")

    def _start_flink(self, name: str, main: str, *options: str) -> None:
        log4j = f"-Dlog4j.configurationFile={self.folder / 'log4j.properties'}"
        path = f"{self.cache / 'flink'}/*:{self._beam_jars()}"
        self._launch(name, path, [*options, log4j], main, ["--configDir", str(self.folder)])

    def _beam_jars(self) -> str:
        """Beam's jars and theirs, for Flink's own class path.

        Beam keeps Python workers from one step of a job to the next only where its classes are
        Flink's own and not the job's; otherwise every step waits for new ones.
        """
        jars = sorted((self.cache / "job-server").glob("*.jar"))
        return ":".join(str(jar) for jar in jars if not jar.name.startswith(("flink-", "slf4j-")))

    def _start_job_server(self, master: str, port: int) -> int:
        port = port or free_port()
        arguments = [
            f"--job-host={HOST}", f"--job-port={port}", "--artifact-port=0", "--expansion-port=0",
            f"--flink-master={master}",
            # Words of their own: the job server splits at "=" only what holds no blank.
            "--flink-conf-dir", str(self.folder), "--artifacts-dir", str(self.folder / "artifacts"),
        ]  # fmt: skip
        path = f"{self.cache / 'job-server'}/*"
        self._launch("job-server", path, ["-Xmx1g"], _JOB_SERVER, arguments)
        self._wait_for(port, "job-server")
        return port

    def _launch(self, name: str, path: str, java: list[str], main: str, rest: list[str]) -> None:
        command = ["java", *_JAVA, *java, "-cp", path, main, *rest]
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._write({"processes": {**self.processes(), name: process.pid}})

    def _describe(self, master: str, port: int) -> None:
        described = {
            "processes": self.processes(),
            "flink_master": master,
            "job_server": f"{HOST}:{port}",
            "worker": str(self.folder / "worker"),
            "versions": parts.VERSIONS,
        }
        self._write(described)
        environment = ""
        if master != "[local]":
            config = json.dumps({"command": described["worker"]})
            environment = f" -- --environment_type=PROCESS --environment_config='{config}'"
        print(
            "ready; run:\n  glotmill run RECIPE --runner flink "
            f"--flink-master '{master}' --job-server {HOST}:{port}{environment}"
        )

    def _write(self, content: dict[str, object]) -> None:
        beside = self.state.with_suffix(".new")
        beside.write_text(json.dumps(content, indent=2) + "\n")
        os.replace(beside, self.state)

    def _wait_for(self, port: int, name: str) -> None:
        """Waits until a process listens; one that has ended will not."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self.running().get(name):
            with socket.socket() as caller:
                if caller.connect_ex((HOST, port)) == 0:
                    return
            time.sleep(0.2)
        log = self.folder / f"{name}.log"
        raise ClusterError(f"{name} does not listen on {HOST}:{port}; see {log}")

    def _is_ours(self, pid: int) -> bool:
        """Whether a process is one that this folder's cluster started, and not a later one."""
        done = subprocess.run(
            ["ps", "-ww", "-o", "stat=,args=", "-p", str(pid)], capture_output=True, text=True
        )
        return str(self.folder) in done.stdout and not done.stdout.startswith("Z")


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


def _wait_for_slots(rest: int, wanted: int, folder: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"http://{HOST}:{rest}/overview", timeout=10) as answer:
            if json.load(answer)["slots-total"] >= wanted:
                return
        time.sleep(0.3)
    raise ClusterError(f"the TaskManagers did not register; see {folder}/taskmanager-*.log")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["fetch", "prism", "start", "kill", "status", "stop"])
    parser.add_argument("name", nargs="?", help="of kill: which process")
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"the parts (default {CACHE})")
    parser.add_argument("--folder", type=Path, default=CACHE / "cluster", help="logs and ids")
    parser.add_argument("--embedded", action="store_true", help="Flink within the job server")
    parser.add_argument("--task-managers", type=int, default=2)
    parser.add_argument("--slots", type=int, default=1, help="slots of each TaskManager")
    parser.add_argument("--job-port", type=int, default=8099, help="0 takes a free one")
    parser.add_argument("--rest-port", type=int, default=8081, help="0 takes a free one")
    parser.add_argument(
        "--python", type=Path, default=Path(sys.executable).parent,
        help="folder of the python that workers run; glotmill is installed for it",
    )  # fmt: skip
    return parser


def main(arguments: list[str]) -> None:
    """Does one command."""
    given = _parser().parse_args(arguments)
    cluster = Cluster(given.folder, given.cache)
    if given.command == "fetch":
        parts.fetch(cluster.cache)
    elif given.command == "prism":
        print(parts.fetch_prism(cluster.cache))
    elif given.command == "start":
        cluster.refuse_if_running()  # outside of what stops all when it fails
        try:
            if given.embedded:
                cluster.start_embedded(given.job_port, given.python)
            else:
                cluster.start(
                    given.task_managers, given.slots, given.job_port, given.rest_port, given.python
                )
        except BaseException:
            cluster.stop()
            raise
    elif given.command == "kill":
        print(cluster.kill(given.name))
    elif given.command == "status":
        print(json.dumps(cluster.running(), indent=2))
    else:
        cluster.stop()


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (ClusterError, parts.PartsError) as error:
        sys.exit(f"error: {error}")
