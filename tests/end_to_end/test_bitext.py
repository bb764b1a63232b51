"""Whole runs over parallel text: from files of several formats to pseudo-documents."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glotmill.pipelines.engine import run_locally
from glotmill.pipelines.run import execute, prepare
from glotmill.pipelines.stages.base import Job
from glotmill.schemas.loading import load_recipe
from glotmill.schemas.recipe import Near
from glotmill.schemas.templates import TEMPLATES
from glotmill.trainer import read_shards
from glotmill.transforms.minhash import signatures, sketches
from glotmill.transforms.near import _sets_of_pairs
from glotmill.transforms.templates import parse
from glotmill.transforms.unit_index import UnitIndex

RECIPE = """\
glotmill: 1
name: pairs
identify: {enabled: false}
sources:
  - {name: tmx, category: bitext, path: data/a.tmx, priority: 1}
  - {name: moses, category: bitext, path: "data/b.*", format: moses}
  - {name: columns, category: bitext, path: data/c.jsonl}
  - {name: prose, path: data/d.txt, language: {code: eng_Latn}}
deduplicate: {near: {verify: jaccard, ngram: 2, min_similarity: 0.7}, max_repeated_sides: 2}
filters: {min_characters: 0}
bitext: {pairs_per_document: 3, directions: as_is, held_out: [eng_Latn-isl_Latn]}
mix: {tiers: {bitext: uniform, monolingual: uniform}, validation: {share: 0.1}}
output: {parquet: {shards: 2}}
"""
COLOURS = {"red": "rot", "green": "grün", "blue": "blau", "black": "schwarz", "white": "weiß"}
THINGS = {"house": "Haus", "book": "Buch", "tree": "Baum", "stone": "Stein", "door": "Tor",
          "window": "Fenster", "shirt": "Hemd", "animal": "Tier"}  # fmt: skip
PLACES = {"here": "hier", "there": "dort", "below": "unten", "above": "oben", "outside": "draußen"}


def sentences():
    """Pairs, of which no two share two words in a row."""
    number = 1000
    for colour, farbe in COLOURS.items():
        for thing, ding in THINGS.items():
            for place, ort in PLACES.items():
                number += 1
                n = str(number)
                yield (f"{colour} {n} {thing} {n} {place}", f"{ding} {n} {ort}, {n} {farbe}.")


class Events:
    """Takes what a run says."""

    def skipped(self, name):
        pass

    def started(self, name, **what):
        pass

    def finished(self, name):
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    data = tmp_path_factory.mktemp("bitext") / "data"
    data.mkdir()
    pairs = list(sentences())
    units = "".join(
        f'<tu><tuv xml:lang="en"><seg>{en}</seg></tuv><tuv xml:lang="de"><seg>{de}</seg></tuv></tu>'
        for en, de in pairs[:60]
    )
    (data / "a.tmx").write_text(
        f'<tmx version="1.4"><header srclang="en"/><body>{units}</body></tmx>', encoding="utf-8"
    )
    # The other way round: the first ten are there already.
    (data / "b.de").write_text("".join(f"{de}\n" for _, de in pairs[50:90]), encoding="utf-8")
    (data / "b.en").write_text("".join(f"{en}\n" for en, _ in pairs[50:90]), encoding="utf-8")
    rows = [
        {"src_lang": "en", "src_text": en, "tgt_lang": "de", "tgt_text": de}
        for en, de in [
            *pairs[90:120],
            (pairs[100][0] + " Yes", pairs[100][1]),  # nearly there already
            *(("They all say the same.", f"Alle {word} sagen das.") for word in THINGS.values()),
            ("No word of it is German", "No word of it is German"),
            ("Pages 12 and 13 of the book", "Die Seiten 14 und 15 des Buches"),
        ]
    ]
    rows += [
        {"src_lang": "is", "src_text": f"Þetta er {n} nú", "tgt_lang": "en",
         "tgt_text": f"This is the {n} one"} for n in ("hús", "land", "fólk", "vatn", "fjall")
    ]  # fmt: skip
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    (data / "c.jsonl").write_text("\n".join([*lines, "{broken"]), encoding="utf-8")
    prose = [f"I {n} like {n} what {n} is {n} red" for n in range(45)]
    (data / "d.txt").write_text("\n".join(prose), encoding="utf-8")
    (data.parent / "recipe.yaml").write_text(RECIPE)
    return data.parent


def run(folder, name, workers):
    loaded = load_recipe(str(folder / "recipe.yaml"))
    root = str(folder / name)
    lock = prepare(loaded, root, lambda line: None)
    manifests = execute(Job(lock, root, run_locally, workers, Events()))
    return Path(root), manifests


@pytest.fixture(scope="module")
def done(folder):
    return run(folder, "out", 1)


def rows_of(root, split):
    return [row for batch in read_shards(str(root), split) for row in batch.to_pylist()]


def test_counts_add_up(done):
    root, manifests = done
    ingest = manifests["ingest"].counts
    assert ingest["read"] == ingest["kept"] + ingest["dropped"] + ingest["rejected"]
    assert ingest["rejected"] == 1
    dropped = pa.concat_tables(
        pq.read_table(path, columns=["drop_reason", "source"])
        for path in (root / "ingest/dropped").glob("*.parquet")
    )
    reasons = Counter(dropped.column("drop_reason").to_pylist())
    assert reasons == {"identical_sides": 1, "numbers_mismatch": 1}
    removed = Counter(
        reason
        for path in (root / "deduplicate/removals").glob("*.parquet")
        for reason, gone in zip(
            *(pq.read_table(path).column(n).to_pylist() for n in ("reason", "removed")), strict=True
        )
        if gone
    )
    assert removed == {
        "exact_duplicate": 10, "near_duplicate": 1, "repeated_side": len(THINGS) - 2
    }  # fmt: skip


def test_every_pair_that_stays_is_in_one_document(done):
    root, _ = done
    index = UnitIndex(str(root), None)
    kept = sum(unit.num_rows for unit in index.units if unit.category == "bitext")
    gone = 10 + 1 + len(THINGS) - 2
    found = Counter()
    for split in ("train", "validation"):
        for row in rows_of(root, split):
            if row["category"] == "bitext" and row["label"] == "deu_Latn-eng_Latn":
                parsed = parse(TEMPLATES["emma500"], row["text"])
                assert 1 <= len(parsed.rows) <= 3
                for pair in parsed.rows:
                    found[tuple(sorted(zip(parsed.labels, pair, strict=True)))] += 1
    assert set(found.values()) == {1}
    assert len(found) == kept - gone - 5  # the Icelandic ones are held out
    english = {text for pair in found for label, text in pair if label == "eng_Latn"}
    assert english >= {en for en, _ in list(sentences())[:120]} - {list(sentences())[100][0]}


def test_what_is_held_out_is_not_trained_on(done):
    root, _ = done
    labels = Counter(row["label"] for row in rows_of(root, "train"))
    assert "eng_Latn-isl_Latn" not in labels
    assert labels["deu_Latn-eng_Latn"] > 0
    assert labels["eng_Latn"] > 0
    held_out = [r for r in rows_of(root, "validation") if r["label"] == "eng_Latn-isl_Latn"]
    assert {row["original_code"] for row in held_out} == {
        "isl_Latn>eng_Latn", "eng_Latn>isl_Latn"
    }  # fmt: skip


def test_sketches_are_of_the_shingles_that_are_compared(done):
    root, _ = done
    near = Near(ngram=2)
    index = UnitIndex(str(root), None)
    compared = 0
    for unit in index.units:
        if unit.category == "bitext":
            for batch in index.batches(unit):
                for row, shingles in enumerate(_sets_of_pairs(batch, near)):
                    found = signatures(shingles, np.zeros(1, np.int64), near.bands * near.rows)
                    assert batch.column("sketch")[row].as_py() == sketches(found).tobytes()
                    compared += 1
    assert compared > 100


@pytest.mark.slow
def test_two_workers_write_the_same(done, folder):
    def digests(root):
        return {
            path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for part in ("ingest/sketches", "shards", "deduplicate/removals", "mix/statistics")
            for path in (root / part).glob("*.parquet")
        }

    assert digests(run(folder, "out-2", 2)[0]) == digests(done[0])
