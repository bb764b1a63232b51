"""Engines: where a pipeline runs. Always named, never chosen by accident."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

Build = Callable[[beam.Pipeline], object]


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
    """
    quiet_beam()
    arguments = [f"--direct_num_workers={workers}"]
    if workers > 1:
        arguments.append("--direct_running_mode=multi_processing")
    # "DirectRunner" would look for another engine first and fetch it: name the class.
    with beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions(arguments)) as pipeline:
        build(pipeline)


def quiet_beam() -> None:
    """Keeps Beam's remarks on its own workings out of the user's terminal."""
    for name in ("apache_beam", "root"):
        logging.getLogger(None if name == "root" else name).setLevel(logging.ERROR)
