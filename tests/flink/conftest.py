"""Flink for tests: parts fetched once, servers on the loopback interface, ended with the tests."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
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
def prism(flink_cache: Path) -> Path:
    return Path(cluster_command("prism", "--cache", flink_cache).splitlines()[-1])


@pytest.fixture(scope="session")
def embedded_flink(
    flink_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningFlink]:
    folder = tmp_path_factory.mktemp("embedded-flink")
    with started(flink_cache, folder, "--embedded") as flink:
        yield flink


@pytest.fixture
def flink_cluster(flink_cache: Path, tmp_path: Path) -> Iterator[RunningFlink]:
    with started(flink_cache, tmp_path / "flink-cluster") as flink:
        yield flink
