"""Where an engine's Python workers run: what was asked for, and whether that can work."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from apache_beam.options.pipeline_options import PipelineOptions, PortableOptions

from glotmill.pipelines.errors import UserError

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
TYPES = ("LOOPBACK", "PROCESS", "DOCKER", "EXTERNAL")
_CHOICES = """name where workers run, behind --:
  --environment_type=PROCESS --environment_config='{"command": "/path/to/worker"}'  a program on every TaskManager's machine
  --environment_type=DOCKER --environment_config=IMAGE  an image with glotmill, as the Dockerfile makes
  --environment_type=EXTERNAL --environment_config=localhost:50000  a worker pool beside every TaskManager"""  # noqa: E501


@dataclass(frozen=True)
class WorkerEnvironment:
    """Where workers run.

    Attributes:
        type: one of TYPES.
        config: what Beam wants for it: JSON with a command, an image, or an address.
    """

    type: str
    config: str

    @property
    def in_launcher(self) -> bool:
        """Whether workers run in this process, and die with it."""
        return self.type == "LOOPBACK"

    @property
    def advice(self) -> str:
        """What to look at where workers do not start."""
        if self.type == "PROCESS":
            what = f"run {self.command} --help on a worker's machine; it has to start Beam's boot"
        elif self.type == "DOCKER":
            what = f"run docker pull {self.config} on a worker's machine"
        elif self.type == "EXTERNAL":
            what = f"look whether a worker pool listens on {self.config} there"
        else:
            what = "the engine has to run on this machine and to reach this process"
        return f"{what}; then look into the logs of the engine's workers"

    @property
    def command(self) -> str:
        """The program of PROCESS.

        Raises:
            UserError: the configuration does not name one.
        """
        try:
            return str(json.loads(self.config)["command"])
        except (ValueError, KeyError, TypeError):
            raise UserError(
                '--environment_type=PROCESS wants --environment_config=\'{"command": '
                f'"/path/to/worker"}}\' and not {self.config!r}'
            ) from None


def environment_of(options: Sequence[str], default: str | None) -> WorkerEnvironment:
    """The environment that Beam's options ask for.

    Args:
        options: as on Beam's command line.
        default: the type where none is named; None where there is no sensible one.

    Raises:
        UserError: none is named and there is no default, or the type or its configuration is wrong.
    """
    given = PipelineOptions(list(options)).view_as(PortableOptions)
    kind = (given.environment_type or default or "").upper()
    if not kind:
        raise UserError(f"workers of a cluster do not run in this process\n{_CHOICES}")
    if kind not in TYPES:
        raise UserError(f"--environment_type={kind} is none of {', '.join(TYPES)}")
    environment = WorkerEnvironment(kind, given.environment_config or "")
    if kind == "PROCESS":
        _ = environment.command
    elif kind != "LOOPBACK" and not environment.config:
        raise UserError(f"--environment_type={kind} wants an --environment_config\n{_CHOICES}")
    return environment


def check_on_this_machine(environment: WorkerEnvironment, num_task_managers: int) -> None:
    """Checks an environment for an engine that runs on this machine.

    Raises:
        UserError: the program is not here, or the environment is unfit for several TaskManagers.
    """
    if environment.type == "PROCESS" and not os.access(environment.command, os.X_OK):
        raise UserError(f"the worker program {environment.command} is not here, or not executable")
    if environment.type == "DOCKER" and shutil.which("docker") is None:
        raise UserError("--environment_type=DOCKER wants docker on PATH, which is not there")
    if environment.type in ("LOOPBACK", "EXTERNAL") and num_task_managers > 1:
        raise UserError(
            f"--environment_type={environment.type} is one pool of workers for "
            f"{num_task_managers} TaskManagers, with which Beam hangs; take PROCESS\n{_CHOICES}"
        )
