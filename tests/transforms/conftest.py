"""A small corpus, ingested for real."""

import json
from dataclasses import dataclass
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from glotmill.schemas.lock import Lock, Unit, UnitSlice
from glotmill.schemas.manifest import MANIFEST, SUCCESS, Manifest, UnitRecord, dump_manifest
from glotmill.schemas.recipe import Recipe
from glotmill.transforms.ingest import UnitIngester
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

    def complete(self, stage: str, entries=()) -> None:
        """Marks a stage as done with the files given."""
        manifest = Manifest(stage=stage, key="k", glotmill="0", files=tuple(entries), counts={})
        folder = Path(self.root) / stage
        folder.mkdir(exist_ok=True)
        (folder / MANIFEST).write_bytes(dump_manifest(manifest))
        (folder / SUCCESS).touch()


@pytest.fixture
def make_corpus(tmp_path):
    """Makes a corpus of units, each a list of (label, text); options of their sources beside."""

    def make(units, sources=None, **options):
        folder = tmp_path / f"corpus-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        sources = sources or [{}] * len(units)
        named = [
            {"name": f"s{i}", "path": "-", "language": {"column": "lang"}, **more}
            for i, more in enumerate(sources)
        ]
        loose = {"filters": {"min_characters": 0}, "identify": {"enabled": False}}
        recipe = Recipe.model_validate(
            {"glotmill": 1, "name": "test", "sources": named, **loose, **options}
        )
        locked = []
        for i, rows in enumerate(units):
            path = folder / f"{i}.jsonl"
            lines = [json.dumps({"lang": label, "text": text}) for label, text in rows]
            path.write_text("\n".join(lines), encoding="utf-8")
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

    return make
