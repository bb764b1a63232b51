"""Targets: a job server with what stands behind it, ready to take jobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from glotmill.pipelines.engines.endpoints import Endpoint
from glotmill.pipelines.engines.environments import WorkerEnvironment
from glotmill.pipelines.engines.flink_rest import FlinkRest
from glotmill.pipelines.engines.loopback import worker_pool


@dataclass(frozen=True)
class Target:
    """Where jobs go.

    Attributes:
        engine: its name, as `flink`.
        job_server: address of Beam's job server.
        rest: the cluster's own interface, where there is one.
        environment: where workers run.
        options: Beam's options, without those of the environment.
        parallelism: tasks that work side by side; None leaves it to the engine.
    """

    engine: str
    job_server: Endpoint
    rest: FlinkRest | None
    environment: WorkerEnvironment
    options: Sequence[str]
    parallelism: int | None = None

    @property
    def flink_master(self) -> str:
        """Address of the cluster; empty where there is none."""
        return str(self.rest.endpoint) if self.rest else ""

    @property
    def dies_with_launcher(self) -> bool:
        """Whether a job ends with this process: its workers run here, or the engine was started."""
        return self.environment.in_launcher or self.engine == "prism"

    @contextmanager
    def beam_options(self, job_name: str) -> Iterator[list[str]]:
        """Options of one job; workers in this process are served as long as the context lasts."""
        options = [*self.options, f"--job_endpoint={self.job_server}", f"--job_name={job_name}"]
        if self.parallelism:
            options.append(f"--parallelism={self.parallelism}")
        if not self.environment.in_launcher:
            kind, config = self.environment.type, self.environment.config
            yield [*options, f"--environment_type={kind}", f"--environment_config={config}"]
            return
        with worker_pool() as address:
            external = ["--environment_type=EXTERNAL", f"--environment_config={address}"]
            yield [*options, *external]


def without_environment(options: Sequence[str]) -> list[str]:
    """Beam's options but for type and configuration of the environment.

    >>> without_environment(["--environment_type", "DOCKER", "--environment_config=x", "--a=1"])
    ['--a=1']
    """
    left: list[str] = []
    skip = False
    for option in options:
        name, equals, _ = option.partition("=")
        if skip:
            skip = False
        elif name in ("--environment_type", "--environment_config"):
            skip = not equals
        else:
            left.append(option)
    return left
