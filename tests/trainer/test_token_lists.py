"""Lists of tokens and packed sequences: the samples of `.bin` and `.idx`, and those of the mix."""

import fcntl
import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from token_corpus import write_corpus, write_lists, write_manifest

from glotmill.schemas.tables import TOKEN_ROWS
from glotmill.schemas.training import TrainingStage, load_training
from glotmill.trainer.convert import convert, converted
from glotmill.trainer.data import IGNORED, Corpus, Cut, DataError, Loader
from glotmill.trainer.lock import FolderInUseError
from glotmill.trainer.shards import ShardError
from glotmill.transforms.tables import write_table

RECIPES = Path(__file__).parents[2] / "recipes"
LENGTH = 32
CUT = Cut(LENGTH)
STAGES = [
    TrainingStage(name="all", share_of_tokens=0.75, weights={"train-monolingual": 1.0}),
    TrainingStage(name="last", share_of_tokens=0.25, weights={"train-code": 1.0}),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lists")
    write_corpus(folder)
    write_lists(folder, LENGTH)
    return folder


@pytest.fixture
def copied(root: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(root, tmp_path / "copied"))


def opened(root: Path, kind: str, folder: Path, cut: Cut = CUT) -> Corpus:
    training = load_training(root / "training.yaml")
    convert(training, root, kind, folder)
    return Corpus(converted(training, kind, folder), folder, cut, packed=kind == "packed")


def batches(corpus: Corpus, num_steps: int = 40, **options: Any) -> list[Any]:
    loader = Loader(corpus, corpus.order(1000, seed=1), batch=8, micro=4, **options)
    steps = [loader.make(8 * number, 8) for number in range(num_steps)]
    return [batch for step in steps for batch in step.batches]


def group_names(corpus: Corpus, groups: np.ndarray) -> list[Any]:
    return [corpus.groups[number] for number in groups.ravel().tolist()]


def without_bin(folder: Path) -> None:
    """As a mix leaves it whose only format is parquet."""
    path = folder / "training.yaml"
    training = yaml.safe_load(path.read_text())
    for dataset in training["datasets"]:
        dataset.update(prefix=None, documents=None)
    path.write_text(yaml.safe_dump(training))
    for each in (folder / "tokens").glob("*text_document*"):
        each.unlink()


def test_lists_are_copied_by_one_run_at_a_time(root: Path, tmp_path: Path) -> None:
    with (tmp_path / ".lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(FolderInUseError, match="another run is training into"):
            opened(root, "parquet", tmp_path / "tokens")
    assert not (tmp_path / "tokens.tmp").exists()
    opened(root, "parquet", tmp_path / "tokens")
    with (tmp_path / ".lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        opened(root, "parquet", tmp_path / "tokens")


def test_lists_give_the_batches_of_bin_and_idx(root: Path, copied: Path, tmp_path: Path) -> None:
    from_bin = Corpus(load_training(root / "training.yaml"), root, CUT)
    without_bin(copied)
    from_lists = opened(copied, "parquet", tmp_path / "run" / "tokens")
    pairs = list(zip(batches(from_bin), batches(from_lists), strict=True))
    assert len(pairs) == 80
    for one, other in pairs:
        for name in ("tokens", "targets", "documents", "positions"):
            assert (getattr(one, name) == getattr(other, name)).all()
        assert group_names(from_bin, one.groups) == group_names(from_lists, other.groups)
    for name in ("train-monolingual", "train-code", "validation-code"):
        for ending in ("bin", "idx"):
            written = root / "tokens" / f"{name}_text_document.{ending}"
            assert (tmp_path / "run/tokens" / f"{name}.{ending}").read_bytes() == (
                written.read_bytes()
            )


def test_lists_of_datasets_of_one_kind_are_told_apart(tmp_path: Path) -> None:
    """As those of two stages of training, whose rows may follow each other in any order."""
    write_corpus(tmp_path)
    write_lists(tmp_path, LENGTH)
    training = load_training(tmp_path / "training.yaml")
    whole = training.datasets[0]
    original = Corpus(training, tmp_path, CUT).train[0]._files
    sizes = original.sizes
    datasets = []
    for number, name in enumerate(("b-begin", "a-end")):
        own = sizes[number::2]
        counts = {"num_documents": len(own), "num_tokens": int(own.sum()), "weight": 0.35}
        datasets.append(whole.model_copy(update={"name": name, **counts}))
    dealt = training.model_copy(update={"datasets": [*datasets, *training.datasets[1:]]})
    entries = []
    seen = 0
    for path in sorted((tmp_path / "tokens" / "parquet").glob("*.parquet")):
        rows = pq.read_table(path).to_pylist()
        for row in rows:
            if row["dataset"] == whole.name:
                row["dataset"] = datasets[seen % 2].name
                seen += 1
        name = f"tokens/parquet/{path.name}"
        entries.append(write_table(str(tmp_path), name, pa.Table.from_pylist(rows, TOKEN_ROWS)))
    write_manifest(tmp_path, entries)
    convert(dealt, tmp_path, "parquet", tmp_path / "run")
    corpus = Corpus(converted(dealt, "parquet", tmp_path / "run"), tmp_path / "run", CUT)
    assert [data.name for data in corpus.train[:2]] == ["b-begin", "a-end"]
    for number, data in enumerate(corpus.train[:2]):
        wanted = [original[each].tolist() for each in range(number, len(sizes), 2)]
        assert [data._files[each].tolist() for each in range(len(data._files))] == wanted


def sequences(root: Path, split: str) -> list[dict[str, Any]]:
    paths = sorted((root / "tokens" / "packed").glob(f"{split}-*.parquet"))
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def test_a_packed_sequence_is_a_sample_as_it_stands(root: Path, tmp_path: Path) -> None:
    corpus = opened(root, "packed", tmp_path / "run")
    rows = sequences(root, "train")
    num_rows = len(rows)
    assert corpus.num_samples == num_rows
    loader = Loader(corpus, corpus.order(10**6, seed=1), batch=num_rows, micro=num_rows)
    for epoch in range(2):
        places = [place for _, place in loader.places(epoch * num_rows, num_rows)]
        assert sorted(places) == list(range(num_rows)), "an epoch takes each sequence once"
        assert places != sorted(places)
    places = [place for _, place in loader.places(0, num_rows)]
    (batch,) = loader.make(0, num_rows).batches
    for number, place in enumerate(places):
        row, size = rows[place], len(rows[place]["input_ids"])
        assert batch.tokens[number, :size].tolist() == row["input_ids"]
        owners = np.repeat(np.arange(len(row["labels"])), row["document_lengths"])
        assert batch.documents[number, :size].tolist() == owners.tolist()
        follows = np.append(owners[1:] == owners[:-1], False)
        learned = batch.targets[number, :size] != IGNORED
        assert learned.tolist() == follows.tolist()
        assert batch.targets[number, : size - 1][follows[:-1]].tolist() == (
            np.array(row["input_ids"])[1:][follows[:-1]].tolist()
        )
        assert (batch.targets[number, size:] == IGNORED).all()
        starts = np.flatnonzero(np.diff(owners, prepend=-1))
        assert (
            batch.positions[number, :size].tolist() == (np.arange(size) - starts[owners]).tolist()
        )
        groups = [corpus.groups[each] for each in batch.groups[number, : size - 1]]
        about = list(zip(row["categories"], row["labels"], row["sources"], strict=True))
        assert groups == [about[owner] for owner in owners[1:]]


def test_the_order_of_packed_sequences_is_that_of_any_number_of_ranks(
    root: Path, tmp_path: Path
) -> None:
    corpus = opened(root, "packed", tmp_path / "run")
    one = batches(corpus, 3)
    two = [batches(corpus, 3, rank=rank, num_ranks=2) for rank in range(2)]
    turns = [batch for turn in zip(*two, strict=True) for batch in turn]
    for mine, its in zip(one, turns, strict=True):
        assert (mine.tokens == its.tokens).all()


def test_documents_and_validation_of_packed_sequences(root: Path, tmp_path: Path) -> None:
    corpus = opened(root, "packed", tmp_path / "run")
    rows = sequences(root, "train")
    found = [row["content_hash"] for row in corpus.documents_of([(0, 7)])]
    assert found == rows[7]["documents"]
    places = corpus.validation_places(10**6)
    assert places == [(0, number) for number in range(len(sequences(root, "validation")))]


def test_packed_sequences_longer_than_wanted(root: Path, tmp_path: Path) -> None:
    corpus = opened(root, "packed", tmp_path / "run", Cut(16))
    loader = Loader(corpus, corpus.order(1000, seed=1), batch=200, micro=8)
    with pytest.raises(DataError, match=r"is packed to \d+ tokens: 'sequence_length' may not be"):
        loader.make(0, 200)


def test_what_others_keep_in_the_folder_stays(root: Path, tmp_path: Path) -> None:
    kept = tmp_path / "tokens" / "mine.txt"
    kept.parent.mkdir()
    kept.touch()
    with pytest.raises(DataError, match="tokens is not of this run: 'out' must be a folder of its"):
        opened(root, "parquet", tmp_path / "tokens")
    assert kept.exists()


def test_packed_sequences_have_no_stages(tmp_path: Path) -> None:
    write_corpus(tmp_path, count=60, stages=STAGES)
    write_lists(tmp_path, LENGTH)
    with pytest.raises(DataError, match="packed sequences hold documents of all datasets"):
        opened(tmp_path, "packed", tmp_path / "run")


def test_what_was_converted_is_converted_once(copied: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    opened(copied, "parquet", folder)
    before = (folder / "train-code.bin").stat().st_mtime_ns
    left = tmp_path / "run.tmp"  # by a process that was killed
    left.mkdir()
    opened(copied, "parquet", folder)
    assert (folder / "train-code.bin").stat().st_mtime_ns == before
    opened(copied, "packed", folder)
    assert not (folder / "train-code.bin").exists()
    assert json.loads((folder / "made-of.json").read_text())["kind"] == "packed"
    assert not left.exists()


def test_a_kill_while_what_was_converted_is_removed(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    opened(copied, "parquet", folder)

    def killed(path: Path, ignore_errors: bool = False) -> None:
        if path.exists():
            (path / "made-of.json").unlink()
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            opened(copied, "packed", folder)
    opened(copied, "packed", folder)
    assert json.loads((folder / "made-of.json").read_text())["kind"] == "packed"


def test_lists_that_are_not_those_of_the_manifest(copied: Path, tmp_path: Path) -> None:
    shard = copied / "tokens" / "parquet" / "train-00001-of-00003.parquet"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with pytest.raises(ShardError, match=r"train-00001-of-00003.parquet does not have the sha256"):
        opened(copied, "parquet", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_lists_that_are_not_there(training_yaml: Path, copied: Path, tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="holds no finished corpus"):
        opened(training_yaml.parent, "parquet", tmp_path / "run")
    manifest = copied / "manifest.json"
    manifest.write_text(manifest.read_text().replace("tokens/packed", "tokens/other"))
    with pytest.raises(DataError, match=r"holds no tokens/packed: .*'sequence_length' writes them"):
        opened(copied, "packed", tmp_path / "run")


def test_lists_of_an_older_run(copied: Path, tmp_path: Path) -> None:
    shards = sorted((copied / "tokens" / "parquet").glob("*.parquet"))
    entries = [
        write_table(str(copied), f"tokens/parquet/{path.name}", table.drop_columns(["dataset"]))
        for path in shards
        if (table := pq.read_table(path))
    ]
    write_manifest(copied, entries)
    with pytest.raises(DataError, match="names no datasets, as older runs wrote it: mix again"):
        opened(copied, "parquet", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_lists_of_another_training_yaml(copied: Path, tmp_path: Path) -> None:
    path = copied / "training.yaml"
    path.write_text(path.read_text().replace("num_documents: 300", "num_documents: 299"))
    with pytest.raises(DataError, match=r"has 300 documents .* training.yaml says\s+299 documents"):
        opened(copied, "parquet", tmp_path / "run")


def test_files_that_the_mix_did_not_write(copied: Path) -> None:
    without_bin(copied)
    with pytest.raises(DataError, match=r"names no .bin of it: train with 'tokens: parquet'"):
        Corpus(load_training(copied / "training.yaml"), copied, CUT)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("formats", "datasets", "stages"),
    [
        (["megatron", "parquet"], "tier", []),
        pytest.param(["parquet"], "category", [], marks=pytest.mark.exhaustive),
        (["parquet"], "tier", ["begin", "end"]),
    ],
)
def test_lists_of_a_mix(
    formats: list[str],
    datasets: str,
    stages: list[str],
    glotmill: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """What a recipe with both formats writes, and one with lists alone, is one corpus."""
    shutil.copytree(RECIPES, tmp_path / "recipes")
    roots = {}
    for each in (["megatron"], formats):
        tokens = {"tokenizer": "sample/tokenizer.json", "datasets": datasets}
        tokens |= {"formats": each, "sequence_length": LENGTH}
        name = "-".join(each)
        recipe = {"glotmill": 1, "extends": "udhr-tokens.yaml", "output": {"tokens": tokens}}
        recipe["mix"] = {"stages": [{"name": stage, "parts": {"*": 1}} for stage in stages]}
        (tmp_path / "recipes" / f"{name}.yaml").write_text(yaml.safe_dump(recipe))
        roots[name] = tmp_path / "out" / name
        done = glotmill("run", f"recipes/{name}.yaml", "--out", str(roots[name]))
        assert done.returncode == 0, done.stderr
    root = roots["-".join(formats)]
    from_bin = Corpus(load_training(roots["megatron"] / "training.yaml"), roots["megatron"], CUT)
    from_lists = opened(root, "parquet", tmp_path / "run")
    assert [data.name for data in from_lists.train] == [data.name for data in from_bin.train]
    for one, other in zip(batches(from_bin), batches(from_lists), strict=True):
        assert (one.tokens == other.tokens).all()
        assert (one.targets == other.targets).all()
        assert group_names(from_bin, one.groups) == group_names(from_lists, other.groups)
    assert len(from_lists.train) == (3 if datasets == "tier" else 1) * max(1, len(stages))
    if stages:
        return  # which packed sequences do not know
    packed = opened(root, "packed", tmp_path / "run")
    assert len(sequences(root, "train")) == packed.train[0].num_places > 1000
    assert packed.train[0].num_tokens == sum(data.num_tokens for data in from_bin.train)


def losses(out: str) -> list[float]:
    lines = map(json.loads, (Path(out) / "metrics.jsonl").read_text().splitlines())
    return [line["loss"] for line in lines if line["kind"] == "train"]


@pytest.mark.parametrize("kind", ["parquet", "packed"])
def test_training_on_lists(
    kind: str, root: Path, make_config: Callable[..., Any], tmp_path: Path
) -> None:
    pytest.importorskip("torch", reason="torch is not installed: pip install 'glotmill[train]'")
    from glotmill.trainer.loop import Trainer
    from glotmill.trainer.world import join

    world = join("cpu")
    data = str(root / "training.yaml")
    config = make_config(data=data, tokens=kind, steps=None if kind == "packed" else 12)
    trainer = Trainer(config, world)
    if kind == "packed":
        assert trainer.num_steps == len(sequences(root, "train")) // 8
    trainer.run()
    if kind == "parquet":
        plain = make_config(data=data, out=str(tmp_path / "plain"))
        Trainer(plain, world).run()
        assert losses(config.out) == losses(plain.out)
    else:
        assert losses(config.out)[-1] < losses(config.out)[0]
        last = (Path(config.out) / "metrics.jsonl").read_text().splitlines()[-1]
        (seen,) = [Counter(json.loads(last)["seen"])]
        pieces = [n - 1 for row in sequences(root, "train") for n in row["document_lengths"]]
        assert 0 < sum(seen.values()) <= sum(pieces)
