"""Read the shards of a finished run, as its manifest lists them and in its order."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from glotmill.schemas.manifest import MANIFEST, SUCCESS, FileEntry, Manifest

_CHUNK = 1 << 20


class ShardError(Exception):
    """Shards that are not there, not complete, or not what the manifest says."""


def list_shards(
    root: str | os.PathLike[str],
    split: Literal["train", "validation"],
    folder: str = "shards",
) -> list[FileEntry]:
    """The shards of a split, in order.

    Args:
        root: output directory of a run.
        split: which of the two.
        folder: of which kind: shards, tokens/parquet or tokens/packed.

    Raises:
        ShardError: the run is not finished, or its manifest is gone or damaged.
    """
    if not (Path(root) / SUCCESS).exists():
        raise ShardError(f"{root} holds no finished corpus: there is no {SUCCESS}")
    path = Path(root) / MANIFEST
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ShardError(f"{path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        detail = error.errors()[0]
        where = ".".join(map(str, detail["loc"])) or "the whole"
        raise ShardError(f"{path} is damaged, at {where}: {detail['msg']}") from None
    return [file for file in manifest.files if file.path.startswith(f"{folder}/{split}-")]


def read_shards(
    root: str | os.PathLike[str],
    split: Literal["train", "validation"],
    *,
    verify: bool = False,
    batch_rows: int = 1024,
    folder: str = "shards",
) -> Iterator[pa.RecordBatch]:
    """Record batches of a split in the corpus's own shuffled order.

    Args:
        root: output directory of a run.
        split: which of the two.
        verify: compare the sha256 of each shard with the manifest first.
        batch_rows: rows of a batch, at most.
        folder: of which kind: shards, tokens/parquet or tokens/packed.

    Yields:
        Batches in the schema CORPUS, TOKEN_ROWS or PACKED.

    Raises:
        ShardError: the run is not finished, or a shard is not what the manifest says.
    """
    for entry in list_shards(root, split, folder):
        path = Path(root) / entry.path
        _check(path, entry, verify)
        yield from pq.ParquetFile(path).iter_batches(batch_size=batch_rows)


def _check(path: Path, entry: FileEntry, verify: bool) -> None:
    if not path.exists() or path.stat().st_size != entry.num_bytes:
        raise ShardError(f"{path} is not the file of {entry.num_bytes:,} bytes in the manifest")
    if verify and _sha256(path) != entry.sha256:
        raise ShardError(f"{path} does not have the sha256 of the manifest")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
