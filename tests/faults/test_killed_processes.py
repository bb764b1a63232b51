"""Processes that are killed while a run is at work: the next run goes on, with the same shards."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

GLOTMILL = Path(sys.executable).parent / "glotmill"
RECIPE = """\
glotmill: 1
name: killed
ingest: {unit_bytes: 60000}
sources: [{name: udhr, path: "*.jsonl", id: id, language: {column: bcp47}}]
mix: {tiers: [{name: all, at_least: 0, rate: 1.5}]}
output: {parquet: {shards: 4}}
"""
# Where runs are killed, one after the other: when this is there. The last has shards, but no
# manifest of the whole.
MOMENTS = ["ingest/units/*.json", "ingest/_SUCCESS", "deduplicate/_SUCCESS", "shards/*.parquet"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, sample_rows: list[dict[str, object]]) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for number in range(4):
        lines = [json.dumps(row) for row in sample_rows[number::8]]
        (folder / f"{number}.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "recipe.yaml").write_text(RECIPE)
    return folder


def start(corpus: Path, root: Path, workers: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [GLOTMILL, "run", "recipe.yaml", "--out", root, "--workers", str(workers)],
        cwd=corpus,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(corpus: Path, root: Path, workers: int = 1) -> str:
    process = start(corpus, root, workers)
    said = process.communicate(timeout=280)[0]
    assert process.returncode == 0, said
    return said


def digests(root: Path) -> dict[str, str]:
    manifest = json.loads((root / "manifest.json").read_text())
    return {e["path"]: e["sha256"] for e in manifest["files"] if e["path"].startswith("shards/")}


def files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def undisturbed(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("undisturbed") / "out"
    finish(corpus, root)
    return root


def wait_for(root: Path, pattern: str, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 120
    while not any(root.glob(pattern)):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)


def children(pid: int) -> Iterator[int]:
    """All processes under one, its workers among them."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            yield int(folder.name)
            yield from children(int(folder.name))


def kill_at(moment: str, corpus: Path, root: Path, workers: int) -> tuple[str, list[int]]:
    """Goes on with a run until a file is there, and kills its launcher.

    Returns:
        What it said, and the processes under it.
    """
    process = start(corpus, root, workers)
    wait_for(root, moment, process)
    workers_then = list(children(process.pid))
    process.kill()
    return process.communicate()[0], workers_then


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.exhaustive)])
def test_launchers_that_are_killed_one_after_the_other_lose_nothing(
    corpus: Path, undisturbed: Path, tmp_path: Path, workers: int
) -> None:
    root = tmp_path / "out"
    workers_then: list[int] = []
    for number, moment in enumerate(MOMENTS):
        said, of_this = kill_at(moment, corpus, root, workers)
        assert ("which is gone; it is taken over" in said) == (number > 0)
        assert not (root / "_SUCCESS").exists()
        workers_then += of_this
    said = finish(corpus, root, workers)
    assert "which is gone; it is taken over" in said
    assert "ingest: done before, nothing has changed" in said
    assert "deduplicate: done before, nothing has changed" in said
    assert digests(root) == digests(undisturbed)
    assert files(root) == files(undisturbed)
    assert not [pid for pid in workers_then if Path(f"/proc/{pid}").exists()]


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0, 2])
def test_workers_end_with_their_launcher_while_they_start(
    corpus: Path, tmp_path: Path, seconds: float
) -> None:
    process = start(corpus, tmp_path / "out", 3)
    deadline = time.monotonic() + 60
    while len(list(children(process.pid))) < 3:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(seconds)
    process.kill()
    try:
        # Workers hold it open as long as they live, which were minutes.
        said = process.communicate(timeout=30)[0]
        assert "Logging client failed" not in said
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.slow
def test_a_run_that_was_killed_right_after_a_stage_was_marked_leaves_nothing(
    corpus: Path, undisturbed: Path, tmp_path: Path
) -> None:
    root = tmp_path / "out"
    shutil.copytree(undisturbed, root)
    (root / "temporary" / "deduplicate" / "sizes").mkdir(parents=True)
    (root / "temporary" / "deduplicate" / "sizes" / "0.parquet").write_bytes(b"left")
    half = f"1-{'0' * 32}.glotmill-tmp"
    for name in (f".units.parquet.{half}", f"mix/.manifest.json.{half}", f"shards/.a.{half}"):
        (root / name).write_bytes(b"half")
    said = finish(corpus, root)
    assert "report: done before, nothing has changed" in said
    assert files(root) == files(undisturbed)


@pytest.mark.slow
def test_a_killed_worker_ends_the_run_and_the_next_goes_on(
    corpus: Path, undisturbed: Path, tmp_path: Path
) -> None:
    root = tmp_path / "out"
    process = start(corpus, root, 2)
    wait_for(root, "ingest/units/*.json", process)
    victim = list(children(process.pid))[-1]
    os.kill(victim, signal.SIGKILL)
    try:
        said = process.communicate(timeout=90)[0]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 1, said
    assert "a worker process was ended by signal 9 (SIGKILL)" in said
    assert "Run again to go on with what is not done" in said
    finish(corpus, root, 2)
    assert digests(root) == digests(undisturbed)
    assert files(root) == files(undisturbed)


@pytest.mark.slow
def test_a_second_run_ends_at_once_and_does_no_harm(
    corpus: Path, undisturbed: Path, tmp_path: Path
) -> None:
    root = tmp_path / "out"
    first = start(corpus, root, 1)
    wait_for(root, "running.json", first)
    second = start(corpus, root, 1)
    said = second.communicate(timeout=60)[0]
    assert first.poll() is None
    assert second.returncode == 1, said
    assert f"is in use by a run on {os.uname().nodename} (process {first.pid}, " in said
    said = first.communicate(timeout=280)[0]
    assert first.returncode == 0, said
    assert digests(root) == digests(undisturbed)
    assert files(root) == files(undisturbed)
