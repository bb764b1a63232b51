"""The sample recipe gives the same shards and token files on every engine."""

from pathlib import Path

import pytest
from flink_runs import RECIPES, digests, events, succeed
from flink_servers import RunningFlink

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def corpora(
    tmp_path_factory: pytest.TempPathFactory, prism: Path, embedded_flink: RunningFlink
) -> dict[str, Path]:
    """Output directories by engine."""
    engines: dict[str, list[object]] = {
        "one": ["--workers", "1"],
        "two": ["--workers", "2"],
        "prism": ["--runner", "prism", "--prism", prism],
        "flink": [*embedded_flink.options],
    }
    folder = tmp_path_factory.mktemp("corpora")
    for name, options in engines.items():
        succeed(RECIPES / "udhr-tokens.yaml", folder / name, *options)
    return {name: folder / name for name in engines}


def test_every_engine_writes_the_same_files(corpora: dict[str, Path]) -> None:
    found = {name: digests(out) for name, out in corpora.items()}
    assert sum(path.startswith("shards/") for path in found["one"]) == 5
    kinds = [Path(path).suffix for path in found["one"]]
    assert kinds.count(".bin") == kinds.count(".idx") >= 4
    for name in ("two", "prism", "flink"):
        assert found[name] == found["one"], name


def test_the_run_log_tells_stages_and_jobs(corpora: dict[str, Path]) -> None:
    told = events(corpora["flink"])
    assert [told[0]["event"], told[-1]["event"]] == ["run_started", "run_finished"]
    assert {event["engine"] for event in told} == {"flink"}
    started = [event["job"] for event in told if event["event"] == "job_started"]
    ended = [event["job"] for event in told if event["event"] == "job_ended"]
    assert started == ended
    assert len(set(started)) >= 3
    (ingest,) = [e for e in told if e["event"] == "stage_finished" and e["stage"] == "ingest"]
    assert ingest["counts"]["read"] == 16_295  # type: ignore[index]
    assert not (corpora["flink"] / "temporary" / "job.json").exists()
