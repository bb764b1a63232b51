"""The sample recipe gives the same shards on every engine."""

from pathlib import Path

import pytest
from flink_servers import RECIPE, RunningFlink, events, shard_digests

pytestmark = pytest.mark.slow


@pytest.mark.timeout(600)
def test_every_engine_writes_the_same_shards(
    glotmill, tmp_path: Path, prism: Path, embedded_flink: RunningFlink
) -> None:
    engines = {
        "one": ["--workers", "1"],
        "two": ["--workers", "2"],
        "prism": ["--runner", "prism", "--prism", prism],
        "flink": embedded_flink.options,
    }
    for name, options in engines.items():
        done = glotmill("run", RECIPE, "--out", tmp_path / name, *options)
        assert done.returncode == 0, done.stderr
    digests = {name: shard_digests(tmp_path / name) for name in engines}
    assert len(digests["one"]) == 9
    assert digests["two"] == digests["one"]
    assert digests["prism"] == digests["one"]
    assert digests["flink"] == digests["one"]


@pytest.mark.timeout(300)
def test_the_run_log_tells_stages_and_jobs(
    glotmill, tmp_path: Path, embedded_flink: RunningFlink
) -> None:
    done = glotmill("run", RECIPE, "--out", tmp_path / "out", *embedded_flink.options)
    assert done.returncode == 0, done.stderr
    told = events(tmp_path / "out")
    assert [told[0]["event"], told[-1]["event"]] == ["run_started", "run_finished"]
    assert {event["engine"] for event in told} == {"flink"}
    started = [event["job"] for event in told if event["event"] == "job_started"]
    ended = [event["job"] for event in told if event["event"] == "job_ended"]
    assert started == ended
    assert len(set(started)) >= 3
    (ingest,) = [e for e in told if e["event"] == "stage_finished" and e["stage"] == "ingest"]
    assert ingest["counts"]["read"] == 16_295  # type: ignore[index]
    assert not (tmp_path / "out" / "temporary" / "job.json").exists()
