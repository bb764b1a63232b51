"""Engines: where a pipeline runs. Always named, never chosen by accident."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.environments import (
    EmbeddedPythonEnvironment,
    SubprocessSDKEnvironment,
)

from glotmill.pipelines.worker_watch import watching_workers

Build = Callable[[beam.Pipeline], object]


class _Options(PipelineOptions):
    """Options whose views are kept: Beam asks for some with each transform, a millisecond each."""

    def view_as(self, cls: type[PipelineOptions]) -> PipelineOptions:
        views: dict[type[PipelineOptions], PipelineOptions] = self.__dict__.setdefault("_views", {})
        if cls not in views:
            views[cls] = super().view_as(cls)
        return views[cls]


def num_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_locally(build: Build, workers: int) -> None:
    """Runs a pipeline on this machine and waits for it.

    Args:
        build: adds the transforms to an empty pipeline.
        workers: processes that work; with one the work is done in this process.

    Raises:
        RuntimeError: a transform failed in a worker, with the worker's traceback as its text.
        RunError: a worker process was killed.
    """
    if workers == 1:
        environment = EmbeddedPythonEnvironment.default()
    else:
        python = shlex.quote(sys.executable)
        command = f"exec {python} -m glotmill.pipelines.worker {os.getpid()}"
        environment = SubprocessSDKEnvironment.from_command_string(command)
    options = _Options(
        [f"--direct_num_workers={workers}", "--default_sdk_harness_log_level=CRITICAL"]
    )
    # "DirectRunner" would look for another engine first and fetch it: name the class.
    with (
        watching_workers(),
        beam.Pipeline(runner=FnApiRunner(environment), options=options) as pipeline,
    ):
        build(pipeline)
