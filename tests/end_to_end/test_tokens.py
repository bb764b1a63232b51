"""Whole runs with tokens: same bytes however they run, whatever stops them; and who reads them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from glotmill.pipelines.engine import Build, run_locally
from glotmill.pipelines.run import execute, prepare
from glotmill.pipelines.stages.base import Job, Manifests
from glotmill.schemas.indexed_dataset import IndexedDataset
from glotmill.schemas.loading import load_recipe
from glotmill.schemas.tables import CORPUS, PACKED, TOKEN_DOCUMENTS, TOKEN_ROWS
from glotmill.schemas.training import load_training

pytestmark = pytest.mark.slow

Engine = Callable[[Build, int], None]

RECIPE = """\
glotmill: 1
name: tokens
ingest: {unit_bytes: 20000}
identify: {enabled: false}
script: {min_share: 0}
sources:
  - {name: udhr, path: data/udhr.jsonl, id: id, language: {column: bcp47}, domain: legal,
     licence: MIT}
  - {name: books, path: data/books.jsonl, category: book, language: {column: bcp47}}
  - {name: pairs, path: data/pairs.tsv, category: bitext,
     pairs: {sides: [{text: "1", code: eng_Latn}, {text: "2", code: swh_Latn}]}}
bitext: {directions: both, pairs_per_document: 5}
mix:
  count_by: tokens
  tiers: [{name: large, at_least: 3000, rate: 0.7}, {name: small, at_least: 0, rate: 2.5}]
output:
  parquet: {shards: 6}
  tokens:
    tokenizer: tokenizer.json
    formats: [megatron, parquet]
    datasets: tier
    sequence_length: 128
    packing: best_fit
"""
WITHOUT_TOKENS = RECIPE[: RECIPE.index("  tokens:\n")].replace(
    "count_by: tokens", "count_by: words"
)
NUM_ROWS = 1_600


class Silent:
    """Says nothing of a run."""

    def skipped(self, name: str) -> None:
        pass

    def started(self, name: str, *, total: int, unit: str, look: object = None) -> None:
        pass

    def finished(self, name: str) -> None:
        pass


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, sample_rows: list[dict[str, object]]) -> Path:
    """A recipe with documents, books and pairs, and a tokenizer trained on some of them."""
    library = pytest.importorskip("tokenizers", reason="needs the extra `tokens`")
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "data").mkdir()
    rows = sample_rows[::4][:NUM_ROWS]
    for name, part in {"udhr": rows[::2] + rows[:40:2], "books": rows[1::2]}.items():
        lines = "".join(json.dumps(row) + "\n" for row in part)
        (folder / "data" / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    pairs = "".join(f"sentence number {n}\tsentensi namba {n}\n" for n in range(600))
    (folder / "data" / "pairs.tsv").write_text(pairs, encoding="utf-8")
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "plain.yaml").write_text(WITHOUT_TOKENS)
    made = library.Tokenizer(library.models.BPE())
    made.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = library.trainers.BpeTrainer(
        vocab_size=1_000, special_tokens=["<|endoftext|>"], show_progress=False,
        initial_alphabet=library.pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    made.train_from_iterator([str(row["text"]) for row in rows[::20]], trainer)
    made.save(str(folder / "tokenizer.json"))
    return folder


def run(recipe: Path, root: Path, workers: int = 1, engine: Engine = run_locally) -> Manifests:
    lock = prepare(load_recipe(recipe), str(root), lambda line: None)
    return execute(Job(lock, str(root), engine, workers, Silent()))


@pytest.fixture(scope="module")
def finished(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifests]:
    root = tmp_path_factory.mktemp("finished") / "out"
    return root, run(corpus / "recipe.yaml", root)


def digests(manifests: Manifests) -> dict[str, str]:
    return {
        entry.path: entry.sha256
        for folder in ("shards", "tokens")
        for entry in manifests["mix"].under(folder)
    }


def test_every_kind_of_file_is_there(finished: tuple[Path, Manifests]) -> None:
    found = digests(finished[1])
    for kind in (
        "shards",
        "tokens/megatron",
        "tokens/parquet",
        "tokens/packed",
        "tokens/tokenizer",
    ):
        assert any(path.startswith(f"{kind}/") for path in found), kind
    there = {path for path in finished[0].rglob("*") if path.is_file()}
    listed = {finished[0] / path for path in found}
    folders = (finished[0] / "shards", finished[0] / "tokens")
    assert {path for path in there if any(f in path.parents for f in folders)} == listed


def test_two_workers_give_the_same_files(
    corpus: Path,
    finished: tuple[Path, Manifests],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where every look at the units is on the engine, however little there is to look at."""
    monkeypatch.setattr("glotmill.pipelines.stages.base._SHARE_WORTH_AN_ENGINE", 0)
    found = run(corpus / "recipe.yaml", tmp_path / "out", workers=2)
    assert digests(found) == digests(finished[1])


def test_prism_gives_the_same_files(
    corpus: Path,
    finished: tuple[Path, Manifests],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    on_prism: Engine,
) -> None:
    monkeypatch.setattr("glotmill.pipelines.stages.base._SHARE_WORTH_AN_ENGINE", 0)
    found = run(corpus / "recipe.yaml", tmp_path / "out", engine=on_prism)
    assert digests(found) == digests(finished[1])


@pytest.mark.parametrize(
    ("stage", "pattern"),
    [
        ("compose", "compose/drawables/*.parquet"),
        ("mix", "temporary/mix/exchange/*.arrow"),
        ("mix", "shards/*.parquet"),
    ],
)
def test_a_run_that_is_killed_gives_the_same_files_when_it_is_run_again(
    corpus: Path, finished: tuple[Path, Manifests], tmp_path: Path, stage: str, pattern: str
) -> None:
    root = tmp_path / "out"
    for done in ("ingest", "deduplicate", "compose")[: 2 if stage == "compose" else 3]:
        shutil.copytree(finished[0] / done, root / done)
    kill_when_there_is(corpus, root, pattern)
    assert not (root / stage / "_SUCCESS").exists()
    found = run(corpus / "recipe.yaml", root)
    assert digests(found) == digests(finished[1])
    assert (root / "training.yaml").read_bytes() == (finished[0] / "training.yaml").read_bytes()
    assert not (root / "temporary" / "mix").exists()
    assert [path for path in root.rglob("*") if "tmp" in path.name] == []


def kill_when_there_is(corpus: Path, root: Path, pattern: str) -> None:
    command = [Path(sys.executable).parent / "glotmill", "run", corpus / "recipe.yaml"]
    process = subprocess.Popen(
        [*command, "--out", root, "--workers", "1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 200
    while not any(root.glob(pattern)):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def test_a_run_without_tokens_leaves_none_of_an_earlier_one(
    corpus: Path, finished: tuple[Path, Manifests], tmp_path: Path
) -> None:
    """And with tokens again, all is as it was."""
    root = tmp_path / "out"
    shutil.copytree(finished[0], root)
    run(corpus / "plain.yaml", root)
    left = [path.name for path in root.rglob("*") if path.name.startswith("training.")]
    assert left == []
    assert not [path for path in (root / "tokens").rglob("*") if path.is_file()]
    columns = pq.read_schema(next((root / "compose" / "drawables").iterdir())).names
    assert "tokens" not in columns
    assert digests(run(corpus / "recipe.yaml", root)) == digests(finished[1])
    assert load_training(root / "training.yaml").datasets


def test_another_name_of_the_recipe_reaches_the_files_for_training(
    corpus: Path, finished: tuple[Path, Manifests], tmp_path: Path
) -> None:
    root = shutil.copytree(finished[0], tmp_path / "out")
    (corpus / "renamed.yaml").write_text("extends: recipe.yaml\nname: renamed\n")
    assert digests(run(corpus / "renamed.yaml", root)) == digests(finished[1])
    assert load_training(root / "training.yaml").name == "renamed"


def test_files_stand_for_themselves_where_they_are_moved_to(
    finished: tuple[Path, Manifests], tmp_path: Path
) -> None:
    """All that is named for training is there, relative to its file."""
    moved = tmp_path / "moved"
    moved.symlink_to(finished[0])
    training = load_training(moved / "training.yaml")
    for dataset in training.datasets:
        found = IndexedDataset(moved / dataset.prefix)
        found.check()
        documents = pq.read_table(moved / dataset.documents)
        assert documents.schema.equals(TOKEN_DOCUMENTS)
        assert found.sizes.tolist() == documents.column("num_tokens").to_pylist()
        assert (len(found), len(found.tokens)) == (dataset.num_documents, dataset.num_tokens)
    assert (moved / training.tokenizer.path).exists()


KINDS = [
    ("shards", CORPUS),
    ("tokens/parquet", TOKEN_ROWS),
    ("tokens/packed", PACKED),
]


@pytest.mark.parametrize(("folder", "schema"), KINDS)
@pytest.mark.parametrize("split", ["train", "validation"])
def test_pyarrow_reads_typed_columns(
    finished: tuple[Path, Manifests], folder: str, schema: object, split: str
) -> None:
    files = sorted(map(str, (finished[0] / folder).glob(f"{split}-*.parquet")))
    found = ds.dataset(files, format="parquet")
    assert found.schema.equals(schema)
    assert found.count_rows() == sum(pq.read_metadata(file).num_rows for file in files) > 0
    assert all(pq.read_schema(file).equals(schema) for file in files)


@pytest.fixture
def load_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable]:
    """`datasets.load_dataset` with a cache of its own, and without the network."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets", reason="needs the package `datasets`")

    def load(files: list[str]) -> object:
        return datasets.load_dataset(
            "parquet", data_files={"train": files}, split="train", cache_dir=str(tmp_path / "cache")
        )

    return load


# What `datasets` calls the types of some columns of each kind of file.
FEATURES = {
    "shards": {"text": "string", "num_bytes": "int64", "copy": "int32", "num_tokens": "int64"},
    "tokens/parquet": {"input_ids": ["int32"], "label": "string", "num_tokens": "int64"},
    "tokens/packed": {
        "input_ids": ["int32"], "document_lengths": ["int32"], "labels": ["string"],
    },
}  # fmt: skip


@pytest.mark.parametrize("folder", FEATURES)
def test_datasets_reads_typed_columns(
    finished: tuple[Path, Manifests], folder: str, load_dataset: Callable
) -> None:
    files = sorted(map(str, (finished[0] / folder).glob("train-*.parquet")))
    found = load_dataset(files)
    for name, expected in FEATURES[folder].items():
        feature = found.features[name]
        kind = [feature.feature.dtype] if isinstance(expected, list) else feature.dtype
        assert kind == expected
    table = pq.read_table(files)
    assert found.num_rows == table.num_rows
    assert found.column_names == table.column_names
    for name in FEATURES[folder]:
        assert found[name][:50] == table.column(name)[:50].to_pylist()
