"""Ctrl-C while Dataflow works: what becomes of the job, and what the user is told."""

import io

import pytest

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
