"""A small corpus, ingested for real, and small models in fastText's own format."""

import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from glotmill.pipelines.engine import run_locally
from glotmill.pipelines.stages.base import Job, Stage, run_stage
from glotmill.pipelines.stages.compose import ComposeStage
from glotmill.pipelines.stages.deduplicate import DeduplicateStage
from glotmill.pipelines.stages.mix import MixStage
from glotmill.schemas.lock import Lock, Unit, UnitSlice
from glotmill.schemas.manifest import MANIFEST, SUCCESS, Manifest, UnitRecord, dump_manifest
from glotmill.schemas.recipe import Recipe
from glotmill.transforms.ingest import UnitIngester
from glotmill.transforms.tables import read_table
from glotmill.transforms.unit_index import UnitIndex, write_index


@dataclass(frozen=True)
class Corpus:
    """An output directory after ingest, with its index written."""

    root: str
    lock: Lock
    records: tuple[UnitRecord, ...]

    def index(self) -> UnitIndex:
        return UnitIndex(self.root)

    def run(self, transform: beam.PTransform) -> None:
        """Runs a transform of ordinals on Beam's engine."""
        with beam.Pipeline(runner=FnApiRunner()) as pipeline:
            _ = pipeline | beam.Create(range(len(self.lock.units)), reshuffle=False) | transform

    def complete(self, stage: str, entries=(), **counts: int) -> Manifest:
        """Marks a stage as done with the files given."""
        files = tuple(entries)
        manifest = Manifest(stage=stage, key="k", glotmill="0", files=files, counts=counts)
        folder = Path(self.root) / stage
        folder.mkdir(exist_ok=True)
        (folder / MANIFEST).write_bytes(dump_manifest(manifest))
        (folder / SUCCESS).touch()
        return manifest

    def mix(self) -> dict[str, Manifest]:
        """Runs the stages from deduplication to the shards; gives their manifests."""
        return run_stages(self)

    def compose(self) -> dict[str, Manifest]:
        """Runs the stages before the mixture; gives their manifests."""
        return run_stages(self, (DeduplicateStage(), ComposeStage()))

    def rows(self, split: str) -> list[pa.Table]:
        """The shards of a split."""
        files = sorted((Path(self.root) / "shards").glob(f"{split}-*.parquet"))
        return [read_table(str(file)) for file in files]


class Silent:
    """Shows no progress."""

    def skipped(self, name):
        pass

    def started(self, name, *, total, unit, look=None):
        if look is not None:
            look()

    def finished(self, name):
        pass


STAGES = (DeduplicateStage(), ComposeStage(), MixStage())


def run_stages(corpus: Corpus, stages: Sequence[Stage] = STAGES) -> dict[str, Manifest]:
    """Runs stages from deduplication on; gives their manifests and that of ingest."""
    entries = [entry for record in corpus.records for entry in record.files]
    num_bytes = sum(record.num_text_bytes for record in corpus.records)
    kept = sum(record.num_kept for record in corpus.records)
    manifests = {"ingest": corpus.complete("ingest", entries, text_bytes=num_bytes, kept=kept)}
    job = Job(corpus.lock, corpus.root, run_locally, 1, Silent())
    for stage in stages:
        manifests[stage.name] = run_stage(stage, job, stage.name, manifests)
    return manifests


@pytest.fixture
def corpus_of():
    """Takes an output directory, a lock and its units' records for a corpus."""

    def make(root, lock, records):
        write_index(root, lock, records)
        return Corpus(root, lock, tuple(records))

    return make


@pytest.fixture
def make_corpus(tmp_path):
    """Makes a corpus of units, each a list of (label, text); options of their sources beside."""

    def make(units, sources=None, **options):
        return ingest(fresh_folder(tmp_path), units, sources, options)

    return make


@pytest.fixture(scope="session")
def make_shared_corpus(tmp_path_factory):
    """The same for a corpus that several tests look at."""

    def make(units, sources=None, **options):
        return ingest(tmp_path_factory.mktemp("corpus"), units, sources, options)

    return make


def fresh_folder(parent: Path) -> Path:
    folder = parent / f"corpus-{len(list(parent.iterdir()))}"
    folder.mkdir()
    return folder


def ingest(folder: Path, units, sources, options) -> Corpus:
    """Writes the rows of units, reads them in, and leaves the index.

    A row is (label, text), or of bitext a map of texts by label.
    """
    sources = sources or [{}] * len(units)
    named = [{"name": f"s{i}", "path": "-", **_told(more)} for i, more in enumerate(sources)]
    loose = {"filters": {"min_characters": 0}, "identify": {"enabled": False}}
    recipe = Recipe.model_validate(
        {"glotmill": 1, "name": "test", "sources": named, **loose, **options}
    )
    locked = []
    for i, rows in enumerate(units):
        path = folder / f"{i}.jsonl"
        path.write_text("\n".join(map(_line, rows)), encoding="utf-8")
        part = UnitSlice(
            path=str(path), name=path.name, format="jsonl", checksum="", start=0,
            end=max(1, path.stat().st_size),
        )  # fmt: skip
        locked.append(Unit(key=f"u{i}", source=f"s{i}", num_bytes=1, slices=(part,)))
    lock = Lock(glotmill="0", recipe=recipe, inputs=(), units=tuple(locked))
    root = str(folder / "out")
    ingester = UnitIngester(recipe, root)
    ingester.setup()
    records = tuple(ingester.ingest(unit) for unit in lock.units)
    write_index(root, lock, records)
    return Corpus(root, lock, records)


def _told(source):
    """Where the rows of a source say what language they are in."""
    if source.get("category") == "bitext":
        return {"pairs": {"translation": "t"}, **source}
    return {"language": {"column": "lang"}, **source}


def _line(row) -> str:
    if isinstance(row, dict):
        return json.dumps({"t": row})
    label, text = row
    return json.dumps({"lang": label, "text": text})


@pytest.fixture(scope="session")
def tokenizer_file(tmp_path_factory) -> Callable[..., str]:
    """Saves a byte-level BPE of English words, with a vocabulary as large as is wanted.

    It has seen no other letters, so each byte of one is a token for itself.
    """
    library = pytest.importorskip("tokenizers", reason="needs the extra `tokens`")
    folder = tmp_path_factory.mktemp("tokenizers")

    def save(size: int = 0) -> str:
        path = folder / f"{size}.json"
        if not path.exists():
            made = library.Tokenizer(library.models.BPE())
            made.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
            made.decoder = library.decoders.ByteLevel()
            trainer = library.trainers.BpeTrainer(
                vocab_size=300, show_progress=False,
                initial_alphabet=library.pre_tokenizers.ByteLevel.alphabet(),
            )  # fmt: skip
            made.train_from_iterator(
                [f"an english text about {n} books" for n in range(50)], trainer
            )
            spec = json.loads(made.to_str())
            vocabulary = spec["model"]["vocab"]
            # Pieces that no merge makes, so that the ids of the control tokens are high.
            vocabulary |= {f"unused{n}": n for n in range(len(vocabulary), size)}
            made = library.Tokenizer.from_str(json.dumps(spec))
            made.add_special_tokens(["<|begin_of_text|>", "<|endoftext|>", "[SEP]"])
            made.save(str(path))
        return str(path)

    return save


@pytest.fixture(scope="session")
def reference_tokens():
    """Tokens of texts by the library that a tokenizer.json is written for."""
    library = pytest.importorskip("tokenizers", reason="needs the extra `tokens`")

    @cache
    def loaded(path: str):
        tokenizer = library.Tokenizer.from_file(path)
        tokenizer.encode_special_tokens = True  # such a token in a text is text
        return tokenizer

    def encode(path: str, texts: Sequence[str]) -> list[list[int]]:
        return [loaded(path).encode(text, add_special_tokens=False).ids for text in texts]

    return encode


_BUCKETS, _SHORTEST, _LONGEST = 20_000, 1, 3


def _ngram_buckets(text: str) -> Iterator[int]:
    """Buckets of the n-grams of characters of each word, as fastText hashes them (FNV-1a)."""
    for word in text.split():
        marked = f"<{word}>"
        for start in range(len(marked)):
            for end in range(start + _SHORTEST, min(start + _LONGEST, len(marked)) + 1):
                if end - start == 1 and (start == 0 or end == len(marked)):
                    continue
                digest = 2166136261
                for byte in marked[start:end].encode():
                    signed = byte - 256 if byte > 127 else byte
                    digest = ((digest ^ (signed & 0xFFFFFFFF)) * 16777619) & 0xFFFFFFFF
                yield digest % _BUCKETS


@pytest.fixture(scope="session")
def write_model():
    """Writes a classifier of texts by their n-grams, in fastText's format (version 12).

    Training is left out, as fastText's own is not reproducible in every build: a vector holds the
    logarithms of how likely the n-gram is in each label (naive Bayes), the output is diagonal.
    """

    def write(path: Path, texts: Mapping[str, Sequence[str]], sharpness: float = 12.0) -> str:
        labels = list(texts)
        counts = np.full((_BUCKETS, len(labels)), 0.1, np.float64)
        for column, label in enumerate(labels):
            for text in texts[label]:
                np.add.at(counts[:, column], list(_ngram_buckets(text)), 1)
        logs = np.log(counts / counts.sum(axis=0))
        vectors = np.zeros((1 + _BUCKETS, len(labels)), np.float32)  # the first is that of </s>
        vectors[1:] = logs - logs.mean(axis=1, keepdims=True)
        entries = [("</s>", 0), *((f"__label__{label}", 1) for label in labels)]
        dim, softmax, supervised = len(labels), 3, 3
        arguments = (dim, 5, 5, 1, 5, 1, softmax, supervised, _BUCKETS, _SHORTEST, _LONGEST, 100)
        parts = [struct.pack("<ii12id", 793712314, 12, *arguments, 1e-4)]
        parts.append(struct.pack("<iiiqq", len(entries), 1, len(labels), 1, -1))
        for entry, kind in entries:
            parts.append(entry.encode() + b"\0" + struct.pack("<qb", 1, kind))
        for matrix in (vectors, np.eye(dim, dtype=np.float32) * np.float32(sharpness)):
            parts.append(struct.pack("<?qq", False, *matrix.shape) + matrix.tobytes())
        path.write_bytes(b"".join(parts))
        return str(path)

    return write


@pytest.fixture(scope="session")
def plugins(tmp_path_factory) -> str:
    """A folder into which pip has installed the example package."""
    target = tmp_path_factory.mktemp("plugins")
    # A copy, as building leaves files beside the sources.
    source = target.with_name("plugins-source")
    shutil.copytree(Path(__file__).parents[1] / "plugins" / "example_package", source)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--target", str(target)]
    subprocess.run([*pip, *options, str(source)], check=True)
    return str(target)


@pytest.fixture
def installed(plugins, monkeypatch):
    """The example package, to be imported."""
    monkeypatch.syspath_prepend(plugins)
    yield
    sys.modules.pop("glotmill_example", None)
