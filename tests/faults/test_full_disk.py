"""A disk that is full: a clear end, nothing half written, and the next run goes on."""

import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from glotmill.transforms import storage

GLOTMILL = Path(sys.executable).parent / "glotmill"
RECIPES = Path(__file__).parents[2] / "recipes"

# A file system that is gone with the process that mounted it. It shrinks once the run has seen that
# there is room, as where others fill a disk.
SCRIPT = """
set -u
mount -t tmpfs -o size=200m tmpfs "$1"
"$2" run "$3" --out "$1/out" --workers {workers} & run=$!
while kill -0 $run && ! test -e "$1/out/recipe.lock.yaml"; do sleep 0.01; done
mount -o remount,size={size} "$1"
wait $run; echo "first: $?"
test -e "$1/out/_SUCCESS" && echo complete
find "$1" -name '*.glotmill-tmp'
mount -o remount,size=200m "$1"
"$2" run "$3" --out "$1/out" --workers {workers}; echo "second: $?"
cd "$1/out" && sha256sum shards/*
"""


def _may_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    script = 'mount -t tmpfs tmpfs "$(mktemp -d)"'
    done = subprocess.run(["unshare", "-Urm", "sh", "-c", script], capture_output=True, check=False)
    return done.returncode == 0


def _shards(said: str) -> list[str]:
    return [line for line in said.splitlines() if " shards/" in line and len(line) > 64]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Digests of the shards of a run with room enough."""
    root = tmp_path_factory.mktemp("undisturbed") / "out"
    recipe = RECIPES / "udhr.yaml"
    subprocess.run([GLOTMILL, "run", recipe, "--out", root], check=True, capture_output=True)
    sums = subprocess.run(
        "sha256sum shards/*", shell=True, cwd=root, capture_output=True, text=True, check=True
    )
    return _shards(sums.stdout)


@pytest.mark.slow
@pytest.mark.skipif(not _may_mount(), reason="this system lets nobody mount a small file system")
@pytest.mark.parametrize(("size", "workers"), [("1m", 1), ("2m", 2), ("4m", 1)])
def test_a_run_on_a_full_disk_ends_and_the_next_goes_on(
    tmp_path: Path, undisturbed: list[str], size: str, workers: int
) -> None:
    recipe = RECIPES / "udhr.yaml"
    disk = tmp_path / "disk"
    disk.mkdir()
    script = SCRIPT.format(size=size, workers=workers)
    command = ["unshare", "-Urm", "sh", "-c", script, "sh", disk, GLOTMILL, recipe]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False
    )
    said = done.stdout + done.stderr
    assert "first: 1" in said, said
    assert "No space left on device" in said
    assert "run the same command again to go on" in said
    assert "complete\n" not in said.partition("second")[0]
    assert "glotmill-tmp" not in said
    assert "second: 0" in said, said
    assert _shards(said) == undisturbed
    assert len(undisturbed) == 9


def test_a_file_that_cannot_grow_leaves_nothing(tmp_path: Path) -> None:
    storage.write_atomically(f"{tmp_path}/a", b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            storage.write_atomically(f"{tmp_path}/a", bytes(200_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert storage.read_bytes(f"{tmp_path}/a") == b"old"
