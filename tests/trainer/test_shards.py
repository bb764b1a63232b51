"""Reading shards: in the manifest's order, and nothing that it does not list."""

from pathlib import Path

import pyarrow as pa
import pytest

from glotmill.schemas.manifest import MANIFEST, SUCCESS, Manifest, dump_manifest
from glotmill.trainer import ShardError, read_shards
from glotmill.transforms.tables import write_table


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    files = [
        write_table(str(tmp_path), f"shards/{name}.parquet", pa.table({"text": texts}))
        for name, texts in (
            ("train-00000-of-00002", ["a", "b", "c"]),
            ("train-00001-of-00002", ["d"]),
            ("validation-00000-of-00001", ["e"]),
        )
    ]
    manifest = Manifest(stage="corpus", key="k", glotmill="0", files=tuple(files), counts={})
    (tmp_path / MANIFEST).write_bytes(dump_manifest(manifest))
    (tmp_path / SUCCESS).touch()
    write_table(str(tmp_path), "shards/train-00002-of-00002.parquet", pa.table({"text": ["stale"]}))
    return tmp_path


def texts(root: Path, split: str, **options: object) -> list[list[str]]:
    batches = read_shards(root, split, **options)  # type: ignore[arg-type]
    return [batch.column("text").to_pylist() for batch in batches]


def test_splits_in_order(corpus: Path) -> None:
    assert texts(corpus, "train", batch_rows=2) == [["a", "b"], ["c"], ["d"]]
    assert texts(corpus, "validation", verify=True) == [["e"]]


def test_unfinished_run(corpus: Path) -> None:
    (corpus / SUCCESS).unlink()
    with pytest.raises(ShardError, match="holds no finished corpus"):
        texts(corpus, "train")


def test_a_manifest_that_is_cut_or_gone(corpus: Path) -> None:
    path = corpus / MANIFEST
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ShardError, match=r"manifest.json is damaged, at the whole: Invalid JSON"):
        texts(corpus, "train")
    path.write_text('{"stage": "corpus"}')
    with pytest.raises(ShardError, match=r"manifest.json is damaged, at key: Field required"):
        texts(corpus, "train")
    path.unlink()
    with pytest.raises(ShardError, match=r"manifest.json cannot be read: No such file"):
        texts(corpus, "train")


def test_shard_of_another_size(corpus: Path) -> None:
    path = corpus / "shards" / "train-00001-of-00002.parquet"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ShardError, match=r"train-00001-of-00002.parquet is not the file of"):
        texts(corpus, "train")


def test_shard_of_other_content_is_seen_where_asked(corpus: Path) -> None:
    path = corpus / "shards" / "train-00001-of-00002.parquet"
    content = bytearray(path.read_bytes())
    content[8] ^= 1
    path.write_bytes(content)
    with pytest.raises(ShardError, match="does not have the sha256 of the manifest"):
        texts(corpus, "train", verify=True)
