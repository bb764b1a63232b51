"""Fixtures that several folders of tests share."""

import io
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from importlib import resources
from importlib.metadata import version
from pathlib import Path

import pytest
import zstandard
from hypothesis import settings

# A deadline in milliseconds fails on a busy machine and says nothing of the code.
settings.register_profile("glotmill", deadline=None)
settings.load_profile("glotmill")

GLOTMILL = Path(sys.executable).parent / "glotmill"
CLUSTER = Path(__file__).parents[1] / "deploy" / "flink" / "cluster.py"


@pytest.fixture(scope="session")
def sample_rows() -> list[dict[str, object]]:
    """Rows of the shipped sample."""
    packed = (resources.files("glotmill.recipes") / "sample" / "udhr.jsonl.zst").read_bytes()
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed)) as stream:
        return [json.loads(line) for line in stream.read().splitlines()]


@pytest.fixture
def closed_port() -> int:
    """A port of this machine at which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The larger data set; tests that need it are marked `data`."""
    folder = os.environ.get("GLOTMILL_DATA")
    if not folder:
        pytest.skip("GLOTMILL_DATA is not set: it names the folder of the larger data set")
    return Path(folder)


@pytest.fixture(scope="session")
def save_tokenizer() -> Callable[..., None]:
    """Writes a tokenizer.json of one token a byte, whose ids run the other way if asked to."""
    library = pytest.importorskip("tokenizers", reason="the extra tokens is not installed")

    def save(path: Path, backwards: bool = False) -> None:
        bytes_ = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = sorted(bytes_.alphabet(), reverse=backwards)
        model = library.models.BPE({char: i for i, char in enumerate(alphabet)}, [])
        tokenizer = library.Tokenizer(model)
        tokenizer.pre_tokenizer, tokenizer.decoder = bytes_, library.decoders.ByteLevel()
        tokenizer.save(str(path))

    return save


@pytest.fixture(scope="session")
def prism(request: pytest.FixtureRequest) -> Path:
    """Beam's engine in one binary: GLOTMILL_PRISM names it, or it is built where there is Go."""
    if given := os.environ.get("GLOTMILL_PRISM"):
        return Path(given)
    if shutil.which("go") is None:
        pytest.skip("neither GLOTMILL_PRISM names a prism nor is there a go to build it with")
    cache = request.config.cache.mkdir(f"prism-v{version('apache-beam')}")
    command = [sys.executable, CLUSTER, "prism", "--cache", cache]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"Prism cannot be built: {done.stderr.strip()}")
    return Path(done.stdout.splitlines()[-1])


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
