"""Flink for tests: parts fetched once, servers on the loopback interface, ended with the tests."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from flink_runs import RECIPE, succeed
from flink_servers import RunningFlink, cluster_command, started

NEEDED = ("java", "javac", "mvn", "go")


@pytest.fixture(scope="session")
def flink_cache(request: pytest.FixtureRequest) -> Path:
    """The parts; GLOTMILL_FLINK_CACHE names a folder that has them or will."""
    missing = [program for program in NEEDED if shutil.which(program) is None]
    if missing:
        pytest.skip(f"not on PATH: {', '.join(missing)}")
    given = os.environ.get("GLOTMILL_FLINK_CACHE")
    cache = Path(given) if given else request.config.cache.mkdir("flink-parts")
    cluster_command("fetch", "--cache", cache)
    return cache


@pytest.fixture(scope="session")
def embedded_flink(
    flink_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningFlink]:
    folder = tmp_path_factory.mktemp("embedded-flink")
    with started(flink_cache, folder, "--embedded") as flink:
        yield flink


@pytest.fixture(scope="module")
def flink_cluster(
    flink_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningFlink]:
    """Two TaskManagers, for all tests of a file: to start them takes longer than most tests."""
    with started(flink_cache, tmp_path_factory.mktemp("flink-cluster")) as flink:
        yield flink


@pytest.fixture(scope="session")
def recipe(tmp_path_factory: pytest.TempPathFactory, sample_rows: list[dict[str, object]]) -> Path:
    """The sample, twice, in many units: something is always half done."""
    folder = tmp_path_factory.mktemp("recipe")
    lines = [json.dumps(row, ensure_ascii=False) for row in sample_rows]
    for copy in ("a", "b"):
        (folder / f"{copy}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    units = "\ningest: {unit_bytes: 150_000}\n"
    recipe = folder / "recipe.yaml"
    recipe.write_text(RECIPE.read_text().replace("sample/udhr.jsonl.zst", '"*.jsonl"') + units)
    return recipe


@pytest.fixture(scope="session")
def local_run(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the recipe gives in one process, undisturbed."""
    out = tmp_path_factory.mktemp("local") / "out"
    succeed(recipe, out, "--workers", "1")
    return out
