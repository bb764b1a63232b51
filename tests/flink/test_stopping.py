"""What becomes of a job when its launcher is stopped: asked for in a terminal, or by a setting."""

import json
import os
import signal
from pathlib import Path

import pytest
from flink_runs import Run, digests, events, files, num_units, running, succeed
from flink_servers import RunningFlink

from glotmill.pipelines.engines.endpoints import Endpoint
from glotmill.pipelines.engines.job_service import JobService

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CTRL_C = "\x03"


def job_note(out: Path) -> dict[str, object]:
    return json.loads((out / "temporary" / "job.json").read_text())  # type: ignore[no-any-return]


def state_of(note: dict[str, object]) -> str:
    service = JobService(Endpoint.parse(str(note["job_server"]), ""))
    try:
        return service.state(str(note["job_id"]))
    finally:
        service.close()


def wait_for_ingest(run: Run) -> dict[str, object]:
    """Waits until some units are done; gives the note of the job."""
    run.wait_until(lambda: num_units(run.out) >= 3)
    note = job_note(run.out)
    assert state_of(note) == "RUNNING"
    assert note["stage"] == "ingest"
    return note


def test_a_job_that_is_to_go_on_goes_on_and_is_waited_for(
    recipe: Path, local_run: Path, tmp_path: Path, embedded_flink: RunningFlink
) -> None:
    out = tmp_path / "out"
    options = [*embedded_flink.options, "--workers", "1", *embedded_flink.process_workers]
    with running(recipe, out, *options, terminal=True) as run:
        left = wait_for_ingest(run)
        run.type(CTRL_C)
        run.wait_until(lambda: "cancel it? [Y/n]" in run.told)
        run.type("n\n")
        assert run.end() == 130
    assert "goes on; the same command will wait for it" in run.told
    assert job_note(out) == left
    assert state_of(left) == "RUNNING"
    assert num_units(out) < num_units(local_run)
    with running(recipe, out, *options) as run:
        run.wait_until((out / "ingest" / "_SUCCESS").exists)
        with embedded_flink.held_workers():
            later = leave_behind(run)
            told = succeed(recipe, out, "--workers", "1")
    # What the job of ingest went on to do was not done again.
    assert f"waiting for job {left['job_name']}, which an earlier launcher left" in run.told
    assert f"job {left['job_name']} ended as DONE" in run.told
    begun = [each["stage"] for each in events(out) if each["event"] == "job_started"]
    assert begun.count("ingest") == 1
    # What the job of another stage would have done was.
    assert f"ending job {later['job_name']}, which an earlier launcher left: dedup" in told
    assert state_of(later) == "CANCELLED"
    assert digests(out) == digests(local_run)
    assert files(out) == files(local_run)


def leave_behind(run: Run) -> dict[str, object]:
    """Kills a launcher whose job of another stage than ingest runs; gives the job's note."""
    run.wait_until((run.out / "temporary" / "job.json").exists)
    run.wait_until(lambda: job_note(run.out)["job_id"])
    os.kill(run.process.pid, signal.SIGKILL)
    run.end()
    return job_note(run.out)


@pytest.mark.parametrize("terminal", [True, False])
def test_a_job_that_is_to_end_ends(
    recipe: Path, tmp_path: Path, embedded_flink: RunningFlink, terminal: bool
) -> None:
    """Asked for in a terminal; without one nobody can be asked."""
    out = tmp_path / "out"
    options = [*embedded_flink.options, "--workers", "1", *embedded_flink.process_workers]
    with running(recipe, out, *options, terminal=terminal) as run:
        note = wait_for_ingest(run)
        if terminal:
            run.type(CTRL_C)
            run.wait_until(lambda: "cancel it? [Y/n]" in run.told)
            run.type("y\n")
        else:
            os.kill(run.process.pid, signal.SIGINT)
        assert run.end() == 130
    assert ("cancel it?" in run.told) == terminal
    assert f"job {note['job_name']} was cancelled" in run.told
    assert "run the same command again to go on" in run.told
    assert state_of(note) == "CANCELLED"
    assert not (out / "temporary" / "job.json").exists()
    assert (out / "_SUCCESS").exists() is False
