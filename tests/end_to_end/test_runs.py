"""Whole runs on real text: same bytes however they run, and no record lost."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from glotmill.pipelines import build
from glotmill.pipelines.engine import Build, run_locally
from glotmill.pipelines.live import TimedProgress
from glotmill.pipelines.report import find_report
from glotmill.pipelines.run import execute, prepare
from glotmill.pipelines.stages.base import Job, Manifests
from glotmill.schemas.loading import load_recipe
from glotmill.schemas.manifest import Manifest
from glotmill.trainer import read_shards

RECIPE = """\
glotmill: 1
name: declarations
seed: 7
ingest: {unit_bytes: 150000}
sources:
  - name: udhr
    path: data/*.jsonl
    id: id
    domain: legal
    licence: MIT
    language: {column: bcp47}
mix:
  tiers:
    - {name: large, at_least: 2000, rate: 0.5}
    - {name: small, at_least: 0, rate: 2.5}
output: {parquet: {shards: 4}}
"""
NUM_ROWS = 3_000


class Events:
    """Notes what a run says."""

    def __init__(self) -> None:
        self.skipped_stages: list[str] = []
        self.units_before = -1

    def skipped(self, name: str) -> None:
        self.skipped_stages.append(name)

    def started(self, name: str, *, total: int, unit: str, look: object = None) -> None:
        if name == "ingest" and look is not None:
            self.units_before = look().num_done  # type: ignore[operator]

    def finished(self, name: str) -> None:
        pass


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, sample_rows: list[dict[str, object]]) -> Path:
    """A recipe with some files of every 5th article of the sample and a few bad lines."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "data").mkdir()
    rows = sample_rows[::5][:NUM_ROWS]
    for number in range(3):
        lines = [json.dumps(row, ensure_ascii=False) for row in rows[number::3]]
        lines.insert(10, '{"text": "broken')
        lines.insert(20, '{"bcp47": "en"}')
        lines.append(lines[0])  # an exact duplicate
        content = "\n".join(lines) + "\n"
        (folder / "data" / f"part-{number}.jsonl").write_text(content, encoding="utf-8")
    (folder / "recipe.yaml").write_text(RECIPE)
    return folder


def run(
    recipe: Path, root: Path, workers: int = 1, engine: Callable[[Build, int], None] = run_locally
) -> tuple[Manifests, Events]:
    events = Events()
    lock = prepare(load_recipe(recipe), str(root), lambda line: None)
    timed = TimedProgress(str(root), events)
    return execute(Job(lock, str(root), engine, workers, timed)), events


def digests(manifests: Manifests) -> dict[str, str]:
    return {entry.path: entry.sha256 for entry in manifests["mix"].under("shards")}


@pytest.fixture(scope="module")
def finished(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifests]:
    root = tmp_path_factory.mktemp("finished") / "out"
    manifests, _ = run(corpus / "recipe.yaml", root)
    return root, manifests


def test_every_record_is_accounted_for(finished: tuple[Path, Manifests]) -> None:
    root, manifests = finished
    counts = manifests["ingest"].counts
    assert counts["read"] == NUM_ROWS + 3 * 3
    assert counts["read"] == counts["kept"] + counts["dropped"] + counts["rejected"]
    assert counts["rejected"] == 3 * 2
    rejected = pq.read_table(root / "ingest" / "rejected").to_pylist()
    assert sorted(row["reason"] for row in rejected) == ["invalid_json"] * 3 + ["missing_field"] * 3
    assert manifests["deduplicate"].counts["removed"] >= 3


def test_files_are_as_the_manifests_say(finished: tuple[Path, Manifests]) -> None:
    root, manifests = finished
    for stage, manifest in manifests.items():
        assert (root / stage / "_SUCCESS").exists()
        for entry in manifest.files:
            assert (root / entry.path).stat().st_size == entry.num_bytes
            if entry.path.endswith(".parquet"):
                assert pq.read_metadata(root / entry.path).num_rows == entry.num_rows
    corpus = Manifest.model_validate_json((root / "manifest.json").read_bytes())
    assert {e.path for e in corpus.files} >= set(digests(manifests))
    assert (root / "_SUCCESS").exists()
    assert not (root / "temporary" / "mix").exists()


def test_shards_hold_what_the_plan_says(finished: tuple[Path, Manifests]) -> None:
    root, manifests = finished
    plan = pq.read_table(root / "mix" / "plan.parquet")
    validation = pa.concat_tables(
        [pq.read_table(path) for path in sorted((root / "shards").glob("validation-*.parquet"))]
    )
    held_out = pc.sum(plan.column("num_validation_documents")).as_py()
    assert validation.num_rows == held_out == manifests["mix"].counts["validation"]
    train = pa.concat_tables(
        [pq.read_table(path) for path in sorted((root / "shards").glob("train-*.parquet"))]
    )
    drawn = pc.value_counts(train.column("label"))
    drawn = {pair["values"].as_py(): pair["counts"].as_py() for pair in drawn}
    for row in plan.to_pylist():
        available = row["num_documents"] - row["num_validation_documents"]
        whole = int(row["rate"])
        assert whole * available <= drawn.get(row["label"], 0) <= (whole + 1) * available
        if row["rate"] == whole:
            assert drawn[row["label"]] == whole * available
    assert not set(train.column("content_hash").to_pylist()) & set(
        validation.column("content_hash").to_pylist()
    )


@pytest.mark.slow
def test_two_workers_give_the_same_shards(
    corpus: Path, finished: tuple[Path, Manifests], tmp_path: Path
) -> None:
    manifests, _ = run(corpus / "recipe.yaml", tmp_path / "out", workers=2)
    assert digests(manifests) == digests(finished[1])


def test_another_order_of_units_gives_the_same_shards(
    corpus: Path,
    finished: tuple[Path, Manifests],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Sequence[int]] = []

    def backwards(ordinals: Iterable[int]) -> beam.PTransform:
        seen.append(sorted(ordinals, reverse=True))
        return beam.Create(seen[-1], reshuffle=False)

    monkeypatch.setattr(build, "CreateOrdinals", backwards)
    manifests, _ = run(corpus / "recipe.yaml", tmp_path / "out")
    assert len(seen) > 3
    assert all(ordinals[0] > ordinals[-1] == 0 for ordinals in seen)
    assert digests(manifests) == digests(finished[1])


@pytest.mark.slow
def test_other_units_give_the_same_shards(
    corpus: Path, finished: tuple[Path, Manifests], tmp_path: Path
) -> None:
    recipe = corpus / "other-units.yaml"
    recipe.write_text("extends: recipe.yaml\ningest: {unit_bytes: 700000}\n")
    manifests, _ = run(recipe, tmp_path / "out")
    assert digests(manifests) == digests(finished[1])


def test_second_run_does_nothing(
    corpus: Path, finished: tuple[Path, Manifests], tmp_path: Path
) -> None:
    root = tmp_path / "out"
    shutil.copytree(finished[0], root)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*.parquet")}

    def no_engine(_build: Build, _workers: int) -> None:
        raise AssertionError("nothing was to be run")

    manifests, events = run(corpus / "recipe.yaml", root, engine=no_engine)
    assert events.skipped_stages == ["ingest", "deduplicate", "compose", "mix", "report"]
    assert digests(manifests) == digests(finished[1])
    del before[root / "units.parquet"]  # written in every run, as it holds domains and licences
    assert all(path.stat().st_mtime_ns == mtime for path, mtime in before.items())


def test_changed_mix_reruns_mix_and_report_alone(
    corpus: Path, finished: tuple[Path, Manifests], tmp_path: Path
) -> None:
    root = tmp_path / "out"
    shutil.copytree(finished[0], root)
    recipe = corpus / "fewer-shards.yaml"
    recipe.write_text("extends: recipe.yaml\noutput: {parquet: {shards: 2}}\n")
    manifests, events = run(recipe, root)
    assert events.skipped_stages == ["ingest", "deduplicate", "compose"]
    names = sorted(path.name for path in (root / "shards").iterdir())
    assert names == [
        "train-00000-of-00002.parquet",
        "train-00001-of-00002.parquet",
        "validation-00000-of-00001.parquet",
    ]
    assert manifests["mix"].counts == finished[1]["mix"].counts


@pytest.mark.slow
def test_added_file_ingests_its_own_unit_alone(
    corpus: Path, finished: tuple[Path, Manifests], tmp_path: Path
) -> None:
    folder, root = tmp_path / "corpus", tmp_path / "out"
    shutil.copytree(corpus, folder)
    shutil.copytree(finished[0], root)
    line = json.dumps({"id": "new", "bcp47": "en", "text": "An article nobody has written yet."})
    (folder / "data" / "part-0a.jsonl").write_text(line + "\n")
    before = len(list((root / "ingest" / "units").iterdir()))
    manifests, events = run(folder / "recipe.yaml", root)
    assert events.units_before in (before, before - 1)  # it may share a unit with a small file
    assert manifests["ingest"].counts["read"] == finished[1]["ingest"].counts["read"] + 1


@pytest.mark.slow
def test_killed_run_goes_on_where_it_was(
    corpus: Path, finished: tuple[Path, Manifests], tmp_path: Path
) -> None:
    root = tmp_path / "out"
    command = [Path(sys.executable).parent / "glotmill", "run", corpus / "recipe.yaml"]
    process = subprocess.Popen(
        [*command, "--out", root, "--workers", "1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    units = root / "ingest" / "units"
    deadline = time.monotonic() + 120
    while not (units.is_dir() and any(units.glob("*.json"))):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (root / "_SUCCESS").exists()
    assert not (root / "ingest" / "_SUCCESS").exists()
    manifests, events = run(corpus / "recipe.yaml", root)
    assert 0 < events.units_before < len(list(units.iterdir()))
    assert digests(manifests) == digests(finished[1])
    assert [path for path in root.rglob("*") if "tmp" in path.name] == []


@pytest.mark.parametrize("name", ["ou?", "o[u]t"])
def test_wildcards_in_names_of_folders_are_none(
    corpus: Path, finished: tuple[Path, Manifests], tmp_path: Path, name: str
) -> None:
    recipe, root, beside = tmp_path / "g [x]" / "recipe.yaml", tmp_path / name, tmp_path / "out"
    shutil.copytree(corpus, recipe.parent)
    shutil.copytree(finished[0], beside)
    before = contents(beside)
    manifests, _ = run(recipe, root)
    assert digests(manifests) == digests(finished[1])
    _, events = run(recipe, root)
    assert len(events.skipped_stages) == 5
    assert contents(beside) == before
    find_report(str(root), rebuild=True)
    assert b"glotmill_ingest_cpu_seconds{" in (root / "statistics" / "metrics.prom").read_bytes()
    promised = Manifest.model_validate_json((root / "manifest.json").read_bytes())
    for entry in promised.files:
        assert hashlib.sha256((root / entry.path).read_bytes()).hexdigest() == entry.sha256


def contents(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_shards_are_read_through_the_manifest(finished: tuple[Path, Manifests]) -> None:
    root, manifests = finished
    (root / "shards" / "train-99999-of-00004.parquet").write_bytes(b"a stale file")
    texts = [text for batch in read_shards(root, "train") for text in batch.column("text")]
    assert len(texts) == manifests["mix"].counts["train"]
    (root / "shards" / "train-99999-of-00004.parquet").unlink()
