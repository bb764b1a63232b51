"""A small corpus of tokens for tests: labels with unlike habits, so that a model has to learn them.

Token k of a document follows from the one before it by its label's rule most of the time, and by a
hash of the seed and its place for the rest.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from glotmill.schemas.indexed_dataset import (
    POINTER,
    SIZE,
    IndexedDataset,
    pack_header,
    pointers_of,
)
from glotmill.schemas.manifest import MANIFEST, SUCCESS, FileEntry, Manifest, dump_manifest
from glotmill.schemas.tables import PACKED, TOKEN_ROWS
from glotmill.schemas.training import (
    TokenizerFile,
    Training,
    TrainingDataset,
    TrainingLabel,
    TrainingStage,
    dump_training,
    load_training,
)
from glotmill.trainer.order import mix
from glotmill.transforms.packing import best_fit, of_pieces, tokens_of
from glotmill.transforms.tables import write_table

VOCAB = 96
EOS = 0


@dataclass(frozen=True)
class Language:
    label: str
    category: str
    tier: str
    multiplier: int


LANGUAGES = (
    Language("eng_Latn", "monolingual", "high", 5),
    Language("swh_Latn", "monolingual", "low", 7),
    Language("hin_Deva", "monolingual", "medium", 11),
    Language("eng_Latn", "code", "high", 13),
)


def hashes(count: int, *of: int) -> np.ndarray:
    key = np.uint64(0)
    for each in of:
        key = mix(np.array([key ^ np.uint64(each + 1)]))[0]
    return mix(np.arange(count, dtype=np.uint64) + key)


def document(language: Language, number: int, mean: int) -> np.ndarray:
    index = LANGUAGES.index(language)
    length = 4 + int(hashes(1, index, number)[0] % np.uint64(2 * mean))
    draws = hashes(length, index, number, 1)
    tokens = [1 + int(draws[0] % np.uint64(VOCAB - 1))]
    for draw in draws[1:].tolist():
        ruled = (tokens[-1] * language.multiplier + 1) % (VOCAB - 1)
        tokens.append(1 + (ruled if draw % 8 else draw // 8 % (VOCAB - 1)))
    return np.array([*tokens, EOS])


def write_dataset(
    folder: Path, split: str, category: str, first: int, count: int, mean: int, weight: float
) -> TrainingDataset:
    name = f"{split}-{category}"
    languages = [each for each in LANGUAGES if each.category == category]
    chosen = [languages[number % len(languages)] for number in range(first, first + count)]
    documents = [document(each, first + i, mean) for i, each in enumerate(chosen)]
    prefix = folder / "tokens" / f"{name}_text_document"
    prefix.parent.mkdir(parents=True, exist_ok=True)
    sizes = np.array([len(each) for each in documents], SIZE)
    Path(f"{prefix}.bin").write_bytes(np.concatenate(documents).astype("<u2").tobytes())
    header = pack_header("uint16", count)
    pointers, bounds = pointers_of(sizes, 2), np.arange(count + 1, dtype=POINTER)
    index = header + sizes.tobytes() + pointers.tobytes() + bounds.tobytes()
    Path(f"{prefix}.idx").write_bytes(index)
    rows = {
        "label": [each.label for each in chosen],
        "category": [category] * count,
        "source": [f"source-{number % 2}" for number in range(count)],
        "content_hash": [number.to_bytes(16, "big") for number in range(first, first + count)],
    }
    table = folder / "tokens" / f"{name}.documents.parquet"
    pq.write_table(pa.table(rows), table, row_group_size=64)
    return TrainingDataset(
        name=name,
        split=split,
        category=category,
        prefix=str(prefix.relative_to(folder)),
        documents=str(table.relative_to(folder)),
        num_documents=count,
        num_tokens=int(sizes.sum()),
        weight=weight,
    )


def write_corpus(
    folder: Path, count: int = 300, mean: int = 24, stages: list[TrainingStage] | None = None
) -> Path:
    """Writes token files of two categories and their training.yaml; gives its path."""
    datasets = [
        write_dataset(folder, "train", "monolingual", 0, count, mean, 0.7),
        write_dataset(folder, "train", "code", 0, count // 3, mean, 0.3),
        write_dataset(folder, "validation", "monolingual", 10_000, 60, mean, 0.6),
        write_dataset(folder, "validation", "code", 10_000, 30, mean, 0.4),
    ]
    labels = [
        TrainingLabel(
            category=each.category,
            label=each.label,
            tier=each.tier,
            num_tokens=1000,
            num_bytes=3000,
            num_validation_tokens=100,
        )
        for each in LANGUAGES
    ]
    training = Training(
        glotmill=1,
        name="small",
        tokenizer=TokenizerFile(
            kind="huggingface", path="tokenizer.json", sha256="0", vocab_size=VOCAB, eos_id=EOS
        ),
        dtype="uint16",
        datasets=datasets,
        labels=labels,
        stages=stages or [],
    )
    path = folder / "training.yaml"
    path.write_bytes(dump_training(training))
    return path


def write_lists(folder: Path, packed_length: int) -> None:
    """Writes beside a corpus the lists and packed sequences of its tokens, and their manifest.

    Documents of all datasets alternate in three shards; in each dataset they keep their order.
    """
    datasets = load_training(folder / "training.yaml").datasets
    entries = []
    for split in ("train", "validation"):
        rows = [list(rows_of(folder, each)) for each in datasets if each.split == split]
        turns = [(number / len(own), row) for own in rows for number, row in enumerate(own)]
        turns.sort(key=lambda turn: turn[0])
        table = pa.Table.from_pylist([row for _, row in turns], TOKEN_ROWS)
        for number in range(3):
            name, third = f"{split}-{number:05d}-of-00003.parquet", -(-len(table) // 3)
            part = table.slice(number * third, third)
            entries.append(write_table(str(folder), f"tokens/parquet/{name}", part))
            packed = packed_rows(part, packed_length)
            entries.append(write_table(str(folder), f"tokens/packed/{name}", packed))
    write_manifest(folder, entries)


def write_manifest(folder: Path, entries: Sequence[FileEntry]) -> None:
    manifest = Manifest(stage="corpus", key="k", glotmill="0", files=tuple(entries), counts={})
    (folder / MANIFEST).write_bytes(dump_manifest(manifest))
    (folder / SUCCESS).touch()


def rows_of(folder: Path, dataset: TrainingDataset) -> Iterator[dict[str, object]]:
    tokens = IndexedDataset(folder / dataset.prefix)
    rows = pq.read_table(folder / dataset.documents).to_pylist()
    for number, row in enumerate(rows):
        ids = tokens[number].tolist()
        about = {"licence": None, "copy": 0, "tier": "one", "num_tokens": len(ids)}
        about["dataset"] = dataset.name
        yield {**row, **about, "input_ids": ids}


def packed_rows(rows: pa.Table, length: int) -> pa.Table:
    rows = rows.combine_chunks()
    packing = best_fit(rows.column("num_tokens").to_numpy(), length)
    offsets = pa.array(packing.offsets, pa.int32())
    names = ("label", "category", "source", "content_hash")
    lengths = pa.ListArray.from_arrays(offsets, pa.array(packing.lengths, pa.int32()))
    pieces = [of_pieces(packing, rows.column(name).combine_chunks()) for name in names]
    tokens = tokens_of(packing, rows.column("input_ids").combine_chunks())
    columns = dict(zip(PACKED.names, [tokens, lengths, *pieces], strict=True))
    return pa.table(columns).cast(PACKED)
