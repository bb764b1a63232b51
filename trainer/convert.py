"""Lists of tokens and packed sequences to `.bin` and `.idx`, once for a run.

A sequence of the global order may lie anywhere, and a compressed row group is read as a whole or
not at all: what is read at random has to be mapped. So the first process copies the lists, shard
by shard, into the files that the mix would have written of the same documents: from then on they
are one and the same. A packed sequence is a document of several sequences there, its pieces.
"""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from glotmill.schemas.indexed_dataset import POINTER, SIZE, IndexedDataset, pack_header, pointers_of
from glotmill.schemas.training import Training, TrainingDataset
from glotmill.trainer.data import DataError
from glotmill.trainer.shards import list_shards, read_shards

_MADE_OF, _ASIDE = "made-of.json", ".tmp"
_SPLITS: tuple[Literal["train", "validation"], ...] = ("train", "validation")
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
        DataError: there are no such lists, or they do not hold what training.yaml says.
    """
    made_of = _made_of(training, root, kind)
    marker = folder / _MADE_OF
    if marker.is_file() and json.loads(marker.read_bytes()) == made_of:
        return
    aside = folder.with_name(folder.name + _ASIDE)
    for left in (aside, folder):
        shutil.rmtree(left, ignore_errors=True)
    aside.mkdir(parents=True)
    (_copy_packed if kind == "packed" else _copy_lists)(training, root, aside)
    (aside / _MADE_OF).write_text(json.dumps(made_of, indent=1))
    aside.rename(folder)


def converted(training: Training, kind: str, folder: Path) -> Training:
    """The training file with the files that `convert` has written into a folder.

    Packed sequences hold all that was drawn, shuffled together: they are one dataset a split.
    """
    entries = training.datasets if kind == "parquet" else _packed_entries(training, folder)
    files = [
        each.model_copy(update={"prefix": each.name, "documents": f"{each.name}.documents.parquet"})
        for each in entries
    ]
    return training.model_copy(update={"datasets": files})


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


class _Files(ExitStack):
    """Token files in the making; the `.idx` is written when all tokens are."""

    def __init__(self, folder: Path, name: str, dtype: str) -> None:
        super().__init__()
        self._prefix, self._dtype = folder / name, np.dtype(dtype).newbyteorder("<")
        self._tokens = self.enter_context(open(f"{self._prefix}.bin", "wb"))  # noqa: SIM115
        self._rows: pq.ParquetWriter | None = None
        self._sizes, self._counts = [np.empty(0, SIZE)], [np.empty(0, POINTER)]
        self.num_documents = 0

    def write(self, tokens: pa.Array, sizes: Any, rows: pa.Table, counts: Any = None) -> None:
        """Append documents: their tokens end to end, and a row on each of their sequences.

        Args:
            tokens: of all of them.
            sizes: tokens of each sequence.
            rows: on each sequence.
            counts: sequences of each document; absent: one.
        """
        narrow = tokens.cast(pa.from_numpy_dtype(self._dtype))  # fails where a token is too large
        self._tokens.write(np.asarray(narrow, self._dtype).tobytes())
        self._sizes.append(np.asarray(sizes, SIZE))
        self._counts.append(np.ones(len(rows), POINTER) if counts is None else counts)
        self.num_documents += len(self._counts[-1])
        if self._rows is None:
            path = f"{self._prefix}.documents.parquet"
            self._rows = self.enter_context(pq.ParquetWriter(path, rows.schema))
        self._rows.write_table(rows)

    def finish(self) -> None:
        """Write the `.idx`, and close all files."""
        sizes, counts = np.concatenate(self._sizes), np.concatenate(self._counts)
        header = pack_header(self._dtype, len(counts), len(sizes))
        pointers = pointers_of(sizes, self._dtype.itemsize).astype(POINTER)
        bounds = np.append(0, np.cumsum(counts)).astype(POINTER)
        parts = (header, *(part.tobytes() for part in (sizes, pointers, bounds)))
        Path(f"{self._prefix}.idx").write_bytes(b"".join(parts))
        self.close()


def _copy_lists(training: Training, root: Path, folder: Path) -> None:
    for split in _SPLITS:
        takers = _takers(training, split)
        with ExitStack() as opened:
            files = {
                entry.name: opened.enter_context(_Files(folder, entry.name, training.dtype))
                for entry in training.of_split(split)
            }
            for rows in _tables(root, split, "tokens/parquet"):
                _deal(rows, takers, files)
            for each in files.values():
                each.finish()


def _copy_packed(training: Training, root: Path, folder: Path) -> None:
    for split in _SPLITS:
        if not training.of_split(split):
            continue
        with _Files(folder, split, training.dtype) as files:
            for rows in _tables(root, split, "tokens/packed"):
                lengths = rows.column("document_lengths").combine_chunks()
                about = {name: rows.column(of).combine_chunks() for name, of in _PIECES.items()}
                files.write(
                    rows.column("input_ids").combine_chunks().flatten(),
                    lengths.flatten(),
                    pa.table({name: values.flatten() for name, values in about.items()}),
                    np.asarray(pc.list_value_length(lengths), POINTER),
                )
            files.finish()


def _tables(root: Path, split: Literal["train", "validation"], kind: str) -> Iterator[pa.Table]:
    for batch in read_shards(root, split, verify=True, batch_rows=_ROWS, folder=kind):
        yield pa.Table.from_batches([batch])


#: Datasets by category and tier; a tier of None is any.
Takers = dict[tuple[str, str | None], list[TrainingDataset]]


def _takers(training: Training, split: Literal["train", "validation"]) -> Takers:
    """The datasets that documents of a category, or of a category and tier, go to in turn.

    Rows do not tell their stage of training, but the shards follow the stages: each dataset takes
    as many documents as it has, and the next of the kind the rest.
    """
    stages = list(enumerate(training.stages))
    stage_of = {name: number for number, stage in reversed(stages) for name in stage.weights}
    entries = sorted(training.of_split(split), key=lambda entry: stage_of.get(entry.name, 0))
    tiers: dict[str, set[str | None]] = defaultdict(set)
    for entry in entries:
        tiers[entry.category].add(entry.tier)
    takers: Takers = defaultdict(list)
    for entry in entries:
        told_apart = None not in tiers[entry.category] and len(tiers[entry.category]) > 1
        takers[entry.category, entry.tier if told_apart else None].append(entry)
    return takers


def _deal(rows: pa.Table, takers: Takers, files: dict[str, _Files]) -> None:
    left = len(rows)
    kinds = rows.group_by(["category", "tier"], use_threads=False).aggregate([]).to_pylist()
    whole = {(kind["category"], None) for kind in kinds}
    for category, tier in whole | {(kind["category"], kind["tier"]) for kind in kinds}:
        own = rows.filter(pc.equal(rows.column("category"), category))
        own = own if tier is None else own.filter(pc.equal(own.column("tier"), tier))
        for entry in takers.get((category, tier), []):
            room = entry.num_documents - files[entry.name].num_documents
            part, own = own.slice(0, room), own.slice(room)
            left -= len(part)
            if len(part):
                tokens = part.column("input_ids").combine_chunks().flatten()
                about = part.drop_columns(["input_ids"])
                files[entry.name].write(tokens, part.column("num_tokens"), about)
    if left:
        message = "tokens/parquet holds more documents than the datasets of training.yaml:"
        raise DataError(f"{message} run the mix again, or restore the files that it wrote")


def _packed_entries(training: Training, folder: Path) -> Iterator[TrainingDataset]:
    for split in _SPLITS:
        if entries := training.of_split(split):
            yield TrainingDataset(
                name=split,
                split=split,
                category="",
                num_documents=len(IndexedDataset(folder / split)),
                num_tokens=sum(entry.num_tokens for entry in entries),
                weight=1.0,
            )
