"""The wheel holds every module and every data file, under glotmill and nowhere else."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = (
    "language_registry",
    "schemas",
    "transforms",
    "pipelines",
    "dashboard",
    "trainer",
    "recipes",
)
NOT_PACKAGED = {".pyc"}


@pytest.fixture(scope="module")
def wheel_files(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    # A copy, so that what the build leaves behind is not left in the work tree.
    source = tmp_path_factory.mktemp("source")
    for name in (*FOLDERS, "setup.py", "pyproject.toml", "README.md", "LICENSE"):
        path = ROOT / name
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, source / name)
    target = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target)]
    subprocess.run([*build, str(source)], check=True, capture_output=True)
    (wheel,) = target.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def test_wheel_holds_every_file_of_the_packages(wheel_files: set[str]) -> None:
    tracked = {
        path.relative_to(ROOT).as_posix()
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix not in NOT_PACKAGED
    }
    assert {f"glotmill/{name}" for name in tracked} <= wheel_files


def test_wheel_installs_nothing_beside_glotmill(wheel_files: set[str]) -> None:
    tops = {name.split("/")[0] for name in wheel_files}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"glotmill"}
