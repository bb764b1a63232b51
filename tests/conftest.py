"""Fixtures that several folders of tests share."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest
import zstandard
from hypothesis import settings

# A deadline in milliseconds fails on a busy machine and says nothing of the code.
settings.register_profile("glotmill", deadline=None)
settings.load_profile("glotmill")

GLOTMILL = Path(sys.executable).parent / "glotmill"


@pytest.fixture(scope="session")
def sample_rows() -> list[dict[str, object]]:
    """Rows of the shipped sample."""
    packed = (resources.files("glotmill.recipes") / "sample" / "udhr.jsonl.zst").read_bytes()
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed)) as stream:
        return [json.loads(line) for line in stream.read().splitlines()]


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The larger data set; tests that need it are marked `data`."""
    folder = os.environ.get("GLOTMILL_DATA")
    if not folder:
        pytest.skip("GLOTMILL_DATA is not set: it names the folder of the larger data set")
    return Path(folder)


@pytest.fixture
def glotmill(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the installed command in a folder of its own."""

    def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(GLOTMILL), *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
            env={**os.environ, **options.get("env", {})},  # type: ignore[dict-item]
        )

    return run
