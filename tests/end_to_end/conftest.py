"""Beam's second engine as an engine of whole runs."""

from collections.abc import Callable
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.prism_runner import PrismRunner
from grpc import _server

from glotmill.pipelines.engine import Build


@pytest.fixture
def on_prism(prism: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Build, int], None]:
    """Runs a pipeline on Prism, its worker in this process."""
    bind = _server._Server.add_insecure_port

    def bind_loopback(self: object, address: str) -> int:
        return bind(self, address.replace("[::]", "127.0.0.1"))

    monkeypatch.setattr(_server._Server, "add_insecure_port", bind_loopback)
    flags = ["--environment_type=LOOPBACK", "--prism_log_level=error"]

    def run_on_prism(build: Build, _workers: int) -> None:
        options = PipelineOptions([f"--prism_location={prism}", *flags])
        with beam.Pipeline(runner=PrismRunner(), options=options) as pipeline:
            build(pipeline)

    return run_on_prism
