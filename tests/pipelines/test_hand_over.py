"""The hand-over of a real run: numbers equal to a count, and files that other libraries load."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.dataset as ds
import pytest

from glotmill.schemas.tables import CORPUS, TOKEN_ROWS
from glotmill.transforms.hand_over import write_hand_over
from glotmill.transforms.licences import licence_shares
from glotmill.transforms.tables import read_table


def rows(root: str, split: str):
    paths = sorted(Path(root, "shards").glob(f"{split}-*.parquet"))
    return ds.dataset([str(path) for path in paths]).to_table()


def test_what_is_listed_is_what_lies_there(traced) -> None:
    entries = write_hand_over(traced.root, traced.lock, traced.manifests)
    assert [entry.path for entry in entries] == [
        "statistics/licences.parquet", "README.md", "croissant.json",
    ]  # fmt: skip
    for entry in entries:
        content = Path(traced.root, entry.path).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (
            entry.sha256, entry.num_bytes,
        )  # fmt: skip


def test_it_does_not_change_and_tells_nothing_of_the_machine(traced) -> None:
    before = Path(traced.root, "README.md").read_bytes()
    write_hand_over(traced.root, traced.lock, traced.manifests)
    assert Path(traced.root, "README.md").read_bytes() == before
    folder = str(Path(traced.root).parent).encode()
    for name in ("README.md", "croissant.json"):
        assert folder not in Path(traced.root, name).read_bytes()


@pytest.mark.parametrize("split", ["train", "validation"])
def test_licences_equal_a_count_of_the_shards(traced, split: str) -> None:
    counted = rows(traced.root, split)
    table = read_table(f"{traced.root}/statistics/licences.parquet")
    found = {row["licence"]: row["num_tokens"] for row in licence_shares(table, split)}
    for licence, num_tokens in found.items():
        named = pc.fill_null(counted.column("licence"), "unknown")
        own = counted.filter(pc.equal(named, licence))
        assert num_tokens == pc.sum(own.column("num_tokens")).as_py() > 0
    assert sum(found.values()) == pc.sum(counted.column("num_tokens")).as_py()
    assert {"CC-BY-4.0", "odd | terms <1>", "unknown"} == set(found)


def test_the_steps_add_up(traced) -> None:
    lines = Path(traced.root, "README.md").read_text(encoding="utf-8").splitlines()
    start = lines.index("| | records |") + 2
    counts = {}
    for line in lines[start : lines.index("", start)]:
        _, name, count, _ = line.split("|")
        counts[name.strip()] = int(count.replace(",", ""))
    assert counts.pop("read") == sum(counts.values())
    assert counts["could not be read"] == 1
    assert counts["of categories that are left out, or too few for a document"] == 1


def test_pyarrow_reads_typed_columns(traced) -> None:
    assert rows(traced.root, "train").schema.equals(CORPUS)
    paths = sorted(Path(traced.root, "tokens/parquet").glob("train-*.parquet"))
    assert ds.dataset([str(path) for path in paths]).schema.equals(TOKEN_ROWS)


_LOAD = """
import sys
import datasets

datasets.disable_progress_bars()
for config, rows in (("documents", "text"), ("tokens", "input_ids"), ("sequences", "input_ids")):
    loaded = datasets.load_dataset(sys.argv[1], config)
    assert set(loaded) == {"train", "validation"}, loaded
    for split in loaded.values():
        assert len(split[0][rows]) > 0
loaded = datasets.load_dataset(sys.argv[1])
kinds = {name: feature.dtype for name, feature in loaded["train"].features.items()}
assert (kinds["text"], kinds["offset"], kinds["copy"]) == ("string", "int64", "int32"), kinds
paths = {"train": sys.argv[1] + "/shards/train-*.parquet"}
plain = datasets.load_dataset("parquet", data_files=paths)["train"]
assert plain.features == loaded["train"].features
print(len(plain), sum(plain["num_tokens"]))
"""


@pytest.mark.slow
def test_hugging_face_datasets_loads_every_configuration(traced, tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _LOAD, traced.root], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    table = rows(traced.root, "train")
    num_tokens = pc.sum(table.column("num_tokens")).as_py()
    assert done.stdout.split() == [str(table.num_rows), str(num_tokens)]


def test_mlcommons_own_library_loads_the_documents(traced) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    dataset = mlcroissant.Dataset(f"{traced.root}/croissant.json")
    assert not dataset.metadata.issues.errors
    *named, unknown = dataset.metadata.license
    assert named == ["CC-BY-4.0", "odd | terms <1>"]
    assert unknown.name == "unknown"
    texts = [row["documents/text"].decode() for row in dataset.records("documents")]
    expected = [t for split in ("train", "validation") for t in rows(traced.root, split)["text"]]
    assert sorted(texts) == sorted(text.as_py() for text in expected)
