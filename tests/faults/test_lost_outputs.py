"""Files of a finished run are lost or cut short: the next run makes them again, as they were."""

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from glotmill.pipelines.engine import run_locally
from glotmill.pipelines.errors import RunError
from glotmill.pipelines.run import execute, prepare
from glotmill.pipelines.stages.base import Job, sizes_of
from glotmill.schemas.loading import load_recipe

RECIPE = """\
glotmill: 1
name: lost
identify: {enabled: false}
sources:
  - {name: a, path: a.jsonl, id: id, language: {column: bcp47}}
  - {name: b, path: b.jsonl, id: id, language: {column: bcp47}}
mix: {tiers: [{name: all, at_least: 0, rate: 1.5}]}
output: {parquet: {shards: 2}}
"""
STAGES = ["ingest", "deduplicate", "compose", "mix", "report"]
# What says how long the work took, or shows that.
TIMED = ("run.log.jsonl", "times.json", "report.html", "metrics.prom", "README.md")


class Skipped(list[str]):
    """The stages that a run found done."""

    def skipped(self, name: str) -> None:
        self.append(name)

    def started(self, name: str, *, total: int, unit: str, look: object = None) -> None: ...
    def finished(self, name: str) -> None: ...


def run(corpus: Path, root: Path) -> tuple[list[str], list[str]]:
    """The stages that were done before, and what the run told."""
    events, told = Skipped(), list[str]()
    lock = prepare(load_recipe(corpus / "recipe.yaml"), str(root), lambda line: None)
    execute(Job(lock, str(root), run_locally, 1, events, tell=told.append))
    return events, told


def digests(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file() and path.name not in TIMED and "units" not in path.parts
    }


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, sample_rows: list[dict[str, object]]) -> Path:
    """Two files, with documents that stand in both."""
    folder = tmp_path_factory.mktemp("corpus")
    for name, rows in (("a", sample_rows[:120]), ("b", sample_rows[60:180])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "recipe.yaml").write_text(RECIPE)
    return folder


@pytest.fixture(scope="module")
def finished(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("finished") / "out"
    run(corpus, root)
    return root


@pytest.fixture
def root(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, which a test may damage."""
    return shutil.copytree(finished, tmp_path / "out")


def first(root: Path, pattern: str) -> Path:
    return sorted(root.glob(pattern))[0]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-50])


def lose(root: Path, pattern: str) -> None:
    """Loses a file of a stage under a mix that is not finished."""
    first(root, pattern).unlink()
    (root / "mix" / "_SUCCESS").unlink()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "again"),
    [
        (lambda root: shutil.rmtree(root / "shards"), ["mix"]),
        (lambda root: cut(first(root, "shards/train-*")), ["mix"]),
        (lambda root: first(root, "ingest/units/*").unlink(), ["ingest"]),
        (lambda root: first(root, "ingest/documents/*").unlink(), ["ingest"]),
        (lambda root: lose(root, "ingest/documents/*"), ["ingest", "mix"]),
        (lambda root: lose(root, "deduplicate/removals/*"), ["deduplicate", "mix"]),
        (lambda root: lose(root, "compose/drawables/*"), ["compose", "mix"]),
        (lambda root: (root / "croissant.json").unlink(), ["report"]),
    ],
    ids=["shards", "shard", "record", "text", "text+mix", "removals", "drawables", "card"],
)  # fmt: skip
def test_what_is_lost_is_made_again(
    corpus: Path, finished: Path, root: Path, damage: Callable[[Path], None], again: list[str]
) -> None:
    damage(root)
    skipped, told = run(corpus, root)
    assert skipped == [stage for stage in STAGES if stage not in again]
    assert told[0].startswith(f"{again[0]}: done before, but ")
    assert digests(root) == digests(finished)
    assert run(corpus, root) == (STAGES, [])


@pytest.mark.slow
def test_what_is_lost_is_counted_and_named(corpus: Path, root: Path) -> None:
    cut(root / "shards" / "train-00001-of-00002.parquet")
    assert run(corpus, root)[1] == [
        "mix: done before, but 1 file missing or of another size, the first "
        "shards/train-00001-of-00002.parquet: done again"
    ]


@pytest.mark.slow
def test_a_damaged_record_of_a_unit_is_ingested_by_the_next_run(
    corpus: Path, finished: Path, root: Path
) -> None:
    record = first(root, "ingest/units/*")
    record.write_text("{")
    with pytest.raises(RunError) as caught:
        run(corpus, root)
    assert str(caught.value) == (
        f"1 record of units cannot be read, the first is {record}; run again to ingest what it "
        "stands for"
    )
    assert run(corpus, root)[0] == STAGES[1:]
    assert digests(root) == digests(finished)


@pytest.mark.slow
def test_what_people_may_edit_stays_as_it_is(corpus: Path, root: Path) -> None:
    (root / "README.md").write_text("Our own words.\n")
    (root / "statistics" / "metrics.prom").write_text("")
    assert run(corpus, root) == (STAGES, [])
    assert (root / "README.md").read_text() == "Our own words.\n"


@pytest.mark.slow
def test_other_content_of_the_same_size_is_not_noticed(corpus: Path, root: Path) -> None:
    shard = first(root, "shards/train-*")
    shard.write_bytes(bytes(shard.stat().st_size))
    assert run(corpus, root) == (STAGES, [])


def test_many_files_are_looked_at_by_folder(tmp_path: Path) -> None:
    paths = [f"{folder}/part/{number}" for folder in ("x", "y[1]") for number in range(5_000)]
    for path in (*paths, "top", "other/a"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"12")
    start = time.process_time()
    found = sizes_of(str(tmp_path), [*paths, "top", "gone", "none/a"])
    assert found == dict.fromkeys([*paths, "top"], 2)
    assert time.process_time() - start < 2
