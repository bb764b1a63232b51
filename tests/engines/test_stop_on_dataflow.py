"""Ctrl-C while Dataflow works: what becomes of the job, and what the user is told."""

import io
import signal

import apache_beam as beam
import pytest
from apache_beam.runners.runner import PipelineRunner

from glotmill.pipelines.dataflow import DataflowOptions, run_on_dataflow
from glotmill.pipelines.engines.run_log import RunLog
from glotmill.pipelines.engines.session import Engine, EngineOptions, Session
from glotmill.schemas.lock import Lock
from glotmill.schemas.recipe import Recipe

LOCK = Lock(
    glotmill="0",
    recipe=Recipe(glotmill=1, name="a", sources=[{"name": "s", "path": "-"}]),
    inputs=(),
    units=(),
    ingest_version=0,
)


class Job:
    """A job as Beam shows it; nothing of it is on Dataflow."""

    is_cancelled = False

    def job_id(self):
        return "2026-11-21_job"

    def cancel(self):
        self.is_cancelled = True


@pytest.mark.parametrize(
    ("on_stop", "cancelled", "told"),
    [
        # Without a terminal there is nobody to ask.
        ("ask", True, "Dataflow was asked to cancel job 2026-11-21_job"),
        ("cancel", True, "Dataflow was asked to cancel job 2026-11-21_job"),
        (
            "leave",
            False,
            "job 2026-11-21_job goes on, and no later run will wait for it; "
            "'gcloud dataflow jobs cancel 2026-11-21_job --region=europe-west4' ends it",
        ),
    ],
)
def test_what_becomes_of_the_job(tmp_path, monkeypatch, on_stop, cancelled, told):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    lines = []
    options = EngineOptions(runner="dataflow", on_stop=on_stop)
    root, job = str(tmp_path), Job()
    session = Session(Engine(options, None), LOCK, root, RunLog(root, "dataflow"), lines.append)
    session.stop_on_dataflow(job, "europe-west4")
    assert (job.is_cancelled, lines) == (cancelled, [told])


class Interrupted(PipelineRunner):
    """Ctrl-C is pressed while a job is submitted."""

    job = Job()

    def run_pipeline(self, pipeline, options):
        signal.raise_signal(signal.SIGINT)
        return self.job


def test_a_job_that_is_submitted_while_ctrl_c_is_pressed_is_not_forgotten(monkeypatch):
    runner = pytest.importorskip("apache_beam.runners.dataflow.dataflow_runner")
    monkeypatch.setattr(runner, "DataflowRunner", Interrupted)
    options = DataflowOptions(project="p-1", region="r", temp_location="gs://bucket/t", image="i")
    stopped = []
    with pytest.raises(KeyboardInterrupt):
        run_on_dataflow(lambda p: p | beam.Create([1]), options, stop=stopped.append)
    assert stopped == [Interrupted.job]
