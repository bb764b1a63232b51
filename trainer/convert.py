"""Lists of tokens and packed sequences to `.bin` and `.idx`, once for a run.

A sequence of the global order may lie anywhere, and a compressed row group is read as a whole or
not at all: what is read at random has to be mapped. So the first process copies the lists, shard
by shard, into the files that the mix would have written of the same documents: from then on they
are one and the same. A packed sequence is a document of several sequences there, its pieces.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from glotmill.schemas.indexed_dataset import POINTER, SIZE, IndexedDataset, pack_header, pointers_of
from glotmill.schemas.training import Training, TrainingDataset
from glotmill.trainer.data import DataError
from glotmill.trainer.lock import hold
from glotmill.trainer.shards import list_shards, read_shards

Split: TypeAlias = Literal["train", "validation"]
#: What shards add to a dataset: its name, and what `_Files.write` takes.
Part: TypeAlias = tuple[str, pa.Array, Any, pa.RecordBatch, Any]

_MADE_OF, _ASIDE = "made-of.json", ".tmp"
_SPLITS: tuple[Split, ...] = ("train", "validation")
_ROWS = 10_000  # a row group of the mix; more are not in memory
# What packed sequences say of their pieces, by its name for documents.
_PIECES = {
    "label": "labels",
    "category": "categories",
    "source": "sources",
    "content_hash": "documents",
}


def convert(training: Training, root: Path, kind: str, folder: Path) -> None:
    """Write token files, unless those that are there were made of the same lists.

    Args:
        training: of the mix.
        root: its output directory.
        kind: parquet or packed.
        folder: to write into.

    Raises:
        ShardError: the mix is not finished, or a file is not what its manifest says.
        DataError: there are no such lists, they name no datasets, there are stages, which packed
            sequences do not know, or the folder is somebody else's.
        FolderInUseError: another run is training into the folder around it.
    """
    made_of = _made_of(training, root, kind)
    marker = folder / _MADE_OF
    if marker.is_file() and json.loads(marker.read_bytes()) == made_of:
        return
    if folder.exists() and not marker.is_file():
        raise DataError(f"{folder} is not of this run: 'out' must be a folder of its own")
    folder.parent.mkdir(parents=True, exist_ok=True)
    held = hold(folder.parent)  # by this run already, or until the end of this
    aside = folder.with_name(folder.name + _ASIDE)
    shutil.rmtree(aside, ignore_errors=True)
    if folder.exists():  # away at once, as without its marker it would be taken for somebody's
        folder.rename(aside)
        shutil.rmtree(aside)
    aside.mkdir()
    for split in _SPLITS:
        _copy(training, root, kind, split, aside)
    (aside / _MADE_OF).write_text(json.dumps(made_of, indent=1))
    aside.rename(folder)
    del held


def converted(training: Training, kind: str, folder: Path) -> Training:
    """The training file with the files that `convert` has written into a folder.

    Packed sequences hold all that was drawn, shuffled together: they are one dataset a split.
    """
    packed = kind == "packed"
    entries = list(_packed_entries(training, folder)) if packed else training.datasets
    files = [
        each.model_copy(update={"prefix": each.name, "documents": f"{each.name}.documents.parquet"})
        for each in entries
    ]
    return training.model_copy(update={"datasets": files})


def _packed_entries(training: Training, folder: Path) -> Iterator[TrainingDataset]:
    for split in _SPLITS:
        if entries := training.of_split(split):
            num_pieces = len(IndexedDataset(folder / split))
            num_tokens = sum(entry.num_tokens for entry in entries)
            counts = {"num_documents": num_pieces, "num_tokens": num_tokens, "weight": 1.0}
            yield TrainingDataset(name=split, split=split, category="", **counts)


def _made_of(training: Training, root: Path, kind: str) -> dict[str, Any]:
    """What token files are a function of, as JSON gives it back."""
    entries = {split: list_shards(root, split, f"tokens/{kind}") for split in _SPLITS}
    if not entries["train"]:
        there = "'output.tokens' of its recipe with 'formats: [parquet]' or 'sequence_length'"
        raise DataError(f"{root} holds no tokens/{kind}: {there} writes them")
    if kind == "packed" and training.stages:
        raise DataError(
            "packed sequences hold documents of all datasets, so stages cannot weigh them:"
            " take 'tokens: megatron' or 'parquet', or take the stages out of training.yaml"
        )
    sums = {entry.path: entry.sha256 for split in _SPLITS for entry in entries[split]}
    datasets = [[each.name, each.num_documents, each.num_tokens] for each in training.datasets]
    return {"kind": kind, "files": sums, "datasets": datasets, "dtype": training.dtype}


def _copy(training: Training, root: Path, kind: str, split: Split, folder: Path) -> None:
    with ExitStack() as opened:
        files: dict[str, _Files] = {}
        for rows in read_shards(
            root, split, verify=True, batch_rows=_ROWS, folder=f"tokens/{kind}"
        ):
            for name, *part in _in_pieces(rows, split) if kind == "packed" else _listed(rows):
                if name not in files:
                    made = _Files(folder / name, training.dtype)
                    files[name] = opened.enter_context(made)
                files[name].write(*part)
        for each in files.values():
            each.finish()


def _listed(rows: pa.RecordBatch) -> Iterator[Part]:
    if "dataset" not in rows.schema.names:
        raise DataError("tokens/parquet names no datasets, as older runs wrote it: mix again")
    names = rows.column("dataset")
    for name in names.unique().to_pylist():
        own = rows.filter(pc.equal(names, name))
        sizes, about = own.column("num_tokens"), own.drop_columns(["input_ids"])
        yield name, own.column("input_ids").flatten(), sizes, about, np.ones(len(own), POINTER)


def _in_pieces(rows: pa.RecordBatch, split: Split) -> Iterator[Part]:
    tokens, sizes = (rows.column(name).flatten() for name in ("input_ids", "document_lengths"))
    columns = {name: rows.column(of).flatten() for name, of in _PIECES.items()}
    counts = pc.list_value_length(rows.column("document_lengths"))
    yield split, tokens, sizes, pa.RecordBatch.from_pydict(columns), counts


class _Files(ExitStack):
    """Token files in the making; the `.idx` is written when all tokens are."""

    def __init__(self, prefix: Path, dtype: str) -> None:
        super().__init__()
        self._prefix, self._dtype = prefix, np.dtype(dtype).newbyteorder("<")
        self._tokens = self.enter_context(open(f"{prefix}.bin", "wb"))  # noqa: SIM115
        self._rows: pq.ParquetWriter | None = None
        self._sizes, self._counts = [np.empty(0, SIZE)], [np.empty(0, POINTER)]

    def write(self, tokens: pa.Array, sizes: Any, about: pa.RecordBatch, counts: Any) -> None:
        """Append documents.

        Args:
            tokens: of all of them, end to end.
            sizes: tokens of each sequence.
            about: a row on each sequence.
            counts: sequences of each document.
        """
        narrow = tokens.cast(pa.from_numpy_dtype(self._dtype))  # fails where a token is too large
        self._tokens.write(np.asarray(narrow, self._dtype).tobytes())
        self._sizes.append(np.asarray(sizes, SIZE))
        self._counts.append(np.asarray(counts, POINTER))
        if self._rows is None:
            path = f"{self._prefix}.documents.parquet"
            self._rows = self.enter_context(pq.ParquetWriter(path, about.schema))
        self._rows.write_batch(about)

    def finish(self) -> None:
        """Write the `.idx`."""
        sizes, counts = np.concatenate(self._sizes), np.concatenate(self._counts)
        header = pack_header(self._dtype, len(counts), len(sizes))
        pointers = pointers_of(sizes, self._dtype.itemsize).astype(POINTER)
        bounds = np.append(0, np.cumsum(counts)).astype(POINTER)
        parts = (header, *(part.tobytes() for part in (sizes, pointers, bounds)))
        Path(f"{self._prefix}.idx").write_bytes(b"".join(parts))
