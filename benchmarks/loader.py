"""The trainer's loader alone: tokens a second of one process, from memory-mapped token files.

    python benchmarks/loader.py [--datasets 1 250] [--tokens 200000000] [--length 2048] [--lists]

Writes token files of random documents (lognormal lengths, mean about 600 tokens) into a temporary
folder, as many datasets as asked for with Zipf shares of the same number of tokens, and reads
batches for some seconds through the loader's thread, documents masked and positions reset. With
`--lists` it also writes the tokens as the lists of `tokens/parquet`, and says how fast they are
converted. `--megatron` names a virtual environment with megatron-core 0.16.1, which then reads the
same files: one pass, blended alike.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from glotmill.schemas.indexed_dataset import POINTER, SIZE, IndexedDataset, pack_header, pointers_of
from glotmill.schemas.manifest import MANIFEST, SUCCESS, Manifest, dump_manifest
from glotmill.schemas.training import TokenizerFile, Training, TrainingDataset
from glotmill.trainer.convert import convert
from glotmill.trainer.data import Corpus, Cut, Loader
from glotmill.transforms.tables import write_table

VOCAB = {"uint16": 32_000, "int32": 128_256}


def write_dataset(folder: Path, number: int, num_tokens: int, dtype: str) -> TrainingDataset:
    rng = np.random.default_rng(number)
    sizes = np.maximum(2, rng.lognormal(5.9, 1.0, num_tokens // 600 + 1)).astype(SIZE)
    prefix = folder / f"train-{number}"
    tokens = rng.integers(0, VOCAB[dtype], int(sizes.sum()), dtype)
    Path(f"{prefix}.bin").write_bytes(tokens.tobytes())
    count = len(sizes)
    parts = (
        pack_header(dtype, count),
        sizes,
        pointers_of(sizes, tokens.itemsize),
        np.arange(count + 1, dtype=POINTER),
    )
    Path(f"{prefix}.idx").write_bytes(b"".join(bytes(part) for part in parts))
    labels = [f"l{label:02d}_Latn" for label in rng.integers(0, 50, count)]
    columns = {"label": labels, "category": ["monolingual"] * count, "source": ["web"] * count}
    pq.write_table(pa.table(columns), f"{prefix}.documents.parquet")
    return TrainingDataset(
        name=prefix.name,
        split="train",
        category="monolingual",
        prefix=prefix.name,
        documents=f"{prefix.name}.documents.parquet",
        num_documents=count,
        num_tokens=len(tokens),
        weight=0.0,
        tier=f"tier-{number}",
    )


def write_corpus(folder: Path, num_datasets: int, num_tokens: int, dtype: str) -> Training:
    shares = 1 / np.arange(1, num_datasets + 1)
    shares /= shares.sum()
    datasets = []
    for number, share in enumerate(shares.tolist()):
        size = max(20_000, int(share * num_tokens))
        dataset = write_dataset(folder, number, size, dtype)
        datasets.append(dataset.model_copy(update={"weight": share}))
    kind = TokenizerFile(
        kind="huggingface", path="tokenizer.json", sha256="0", vocab_size=VOCAB[dtype]
    )
    return Training(glotmill=1, name="loader", tokenizer=kind, dtype=dtype, datasets=datasets)


def write_lists(folder: Path, training: Training) -> None:
    """The tokens of each dataset as a shard of lists, and the manifest."""
    entries = []
    for number, dataset in enumerate(training.datasets):
        files = IndexedDataset(folder / str(dataset.prefix))
        offsets = np.append(0, np.cumsum(files.sizes)).astype(np.int32)
        ids = pa.ListArray.from_arrays(offsets, pa.array(files.tokens.astype(np.int32)))
        rows = pq.read_table(folder / str(dataset.documents))
        columns = {
            "input_ids": ids,
            **{name: rows.column(name) for name in rows.column_names},
            "tier": [dataset.tier] * len(rows),
            "dataset": [dataset.name] * len(rows),
            "num_tokens": pa.array(files.sizes, pa.int64()),
        }
        path = f"tokens/parquet/train-{number:05d}.parquet"
        entries.append(write_table(str(folder), path, pa.table(columns)))
    manifest = Manifest(stage="corpus", key="k", glotmill="0", files=tuple(entries), counts={})
    (folder / MANIFEST).write_bytes(dump_manifest(manifest))
    (folder / SUCCESS).touch()


def conversion(folder: Path, training: Training) -> float:
    """Tokens a second of CPU time from lists to token files."""
    write_lists(folder, training)
    begin = time.process_time()
    convert(training, folder, "parquet", folder / "converted")
    num_tokens = sum(dataset.num_tokens for dataset in training.datasets)
    return num_tokens / (time.process_time() - begin)


def speeds(loader: Loader, seconds: float) -> tuple[float, float]:
    """Tokens a second, of CPU time and by the clock on the wall."""
    with closing(iter(loader)) as steps:
        for _ in range(loader.ahead + 1):  # those that were read ahead meanwhile
            next(steps)
        cpu, wall, num_steps = time.process_time(), time.perf_counter(), 0
        while time.perf_counter() - wall < seconds:
            next(steps)
            num_steps += 1
        passed = time.process_time() - cpu, time.perf_counter() - wall
    num_tokens = num_steps * loader.batch * loader.cut.length
    return num_tokens / passed[0], num_tokens / passed[1]


def by_megatron(
    training: Training, folder: Path, venv: Path, length: int, seconds: float
) -> dict[str, float]:
    """Seconds to open the same files, and tokens a CPU second, of Megatron-core's datasets."""
    described = folder / "training.json"
    described.write_text(training.model_dump_json())
    num_samples = sum(dataset.num_tokens for dataset in training.datasets) // length
    script = Path(__file__).parent / "peers" / "megatron_loader.py"
    numbers = (str(length), str(num_samples), str(round(seconds)))
    command = [str(venv / "bin" / "python"), str(script), str(described), *numbers]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, nargs="+", default=[1, 250])
    parser.add_argument("--tokens", type=int, default=200_000_000)
    parser.add_argument("--length", type=int, nargs="+", default=[2048, 8192])
    parser.add_argument("--dtype", choices=VOCAB, default="uint16")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--lists", action="store_true", help="measure their conversion too")
    parser.add_argument("--megatron", type=Path, metavar="VENV")
    given = parser.parse_args()
    print("| datasets | s to open | length | M tokens / CPU second | M tokens / s |")
    print("|---|---|---|---|---|")
    for num_datasets in given.datasets:
        with tempfile.TemporaryDirectory() as name:
            training = write_corpus(Path(name), num_datasets, given.tokens, given.dtype)
            for length in given.length:
                begin = time.perf_counter()
                corpus = Corpus(training, Path(name), Cut(length))
                opened = time.perf_counter() - begin
                loader = Loader(corpus, corpus.order(10**9, seed=1), batch=256, micro=8)
                cpu, wall = (speed / 1e6 for speed in speeds(loader, given.seconds))
                print(f"| {num_datasets} | {opened:.2f} | {length:,} | {cpu:.1f} | {wall:.1f} |")
                if given.megatron:
                    arguments = (training, Path(name), given.megatron, length, given.seconds)
                    print(f"Megatron-core: {by_megatron(*arguments)}", flush=True)
            if given.lists:
                speed = conversion(Path(name), training) / 1e6
                print(f"\nlists of {num_datasets} datasets: {speed:.1f} M tokens / CPU second\n")


if __name__ == "__main__":
    main()
