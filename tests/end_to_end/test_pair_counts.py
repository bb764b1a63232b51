"""Pairs and documents in one run: directions add up, and the summary counts what it says."""

import io
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from glotmill.pipelines.engine import run_locally
from glotmill.pipelines.run import execute, prepare
from glotmill.pipelines.stages.base import Job
from glotmill.pipelines.summary import counts_by_kind, print_summary, summary_rows
from glotmill.schemas.loading import load_recipe
from glotmill.schemas.templates import template_of
from glotmill.transforms.templates import parse

RECIPE = """\
glotmill: 1
name: counted
identify: {enabled: false}
filters: {min_characters: 0}
sources:
  - name: opus
    category: bitext
    path: data/a.jsonl
    pairs: {translation: translation}
  - {name: prose, path: data/b.txt, language: {code: eng_Latn}}
bitext: {pairs_per_document: 4, directions: both, held_out: [eng_Latn-isl_Latn]}
mix: {tiers: {bitext: [{name: all, at_least: 0, rate: 2}], monolingual: uniform}}
output: {parquet: {shards: 2}}
"""


class Silent:
    def skipped(self, name):
        pass

    def started(self, name, *, total, unit, look=None):
        pass

    def finished(self, name):
        pass


def lines():
    """50 pairs of German and English, of which 2 are equal and 1 has other numbers; 10 others."""
    for i in range(47):
        yield {"en": f"The house has number {i}.", "de": f"Das Haus hat die Nummer {i}."}
    yield {"de": "Das Haus hat die Nummer 1.", "en": "The house has number 1."}
    yield {"de": "Das Haus hat die Nummer 2.", "en": "The house has number 2."}
    yield {"en": "The house has number 700.", "de": "Das Haus hat die Nummer 900."}
    for i in range(10):
        yield {"en": f"The door has number {i}.", "is": f"Hurðin er númer {i} hér."}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Recipe, output directory and manifests of a finished run."""
    return run(tmp_path_factory.mktemp("counted"), RECIPE)


def run(folder, recipe):
    (folder / "data").mkdir()
    content = "\n".join(json.dumps({"translation": line}, ensure_ascii=False) for line in lines())
    (folder / "data" / "a.jsonl").write_text(content + "\n", encoding="utf-8")
    (folder / "data" / "b.txt").write_text("One line of prose.\nAnother line of it.\n")
    (folder / "recipe.yaml").write_text(recipe)
    root = str(folder / "out")
    lock = prepare(load_recipe(folder / "recipe.yaml"), root, lambda _: None)
    manifests = execute(Job(lock, root, run_locally, 1, Silent()))
    return lock.recipe, root, manifests


def test_directions_of_the_shards(ran):
    _, root, _ = ran
    written = Counter()
    for split in ("train", "validation"):
        for path in {entry.path for entry in ran[2]["mix"].under("shards")}:
            if f"/{split}-" in path:
                codes = pq.read_table(f"{root}/{path}", columns=["category", "original_code"])
                for row in codes.to_pylist():
                    if row["category"] == "bitext":
                        written[split, row["original_code"]] += 1
    rows = pq.read_table(f"{root}/statistics/pairs.parquet").to_pylist()
    found = Counter()
    for row in rows:
        found["train", row["direction"]] += row["num_train_documents"]
        found["validation", row["direction"]] += row["num_validation_documents"]
    assert +found == written
    assert written["train", "eng_Latn>isl_Latn"] == written["train", "isl_Latn>eng_Latn"] == 0


def test_directions_of_the_data(ran):
    rows = pq.read_table(f"{ran[1]}/statistics/pairs.parquet").to_pylist()
    surviving = {row["direction"]: row["num_surviving"] for row in rows if row["num_surviving"]}
    # Of two equal pairs the first stays.
    assert surviving == {"eng_Latn>deu_Latn": 47, "eng_Latn>isl_Latn": 10}
    validation = {row["direction"]: row["num_validation"] for row in rows}
    assert validation["eng_Latn>isl_Latn"] == validation["isl_Latn>eng_Latn"] == 10


def test_pairs_that_the_mixture_leaves_out_are_there_all_the_same(ran, tmp_path):
    _, root, _ = run(tmp_path, RECIPE.replace("mix: {", "mix: {exclude: [bitext], "))
    names = ["source", "direction", "num_surviving", "num_surviving_words"]
    rows = pq.read_table(f"{ran[1]}/statistics/pairs.parquet", columns=names).to_pylist()
    found = pq.read_table(f"{root}/statistics/pairs.parquet")
    assert found.select(names).to_pylist() == [row for row in rows if row["num_surviving"]]
    assert sum(found["num_train"].to_pylist() + found["num_validation"].to_pylist()) == 0
    with open(f"{root}/statistics/summary.json", encoding="utf-8") as file:
        summary = json.load(file)
    assert summary["failed_checks"] == []
    assert summary["pairs"]["unsampled"] == summary["pairs"]["surviving"] == 57


def test_both_directions_and_two_epochs_are_counted(ran):
    rows = pq.read_table(f"{ran[1]}/statistics/pairs.parquet").to_pylist()
    german = [row for row in rows if row["label"] == "deu_Latn-eng_Latn"]
    first = sum(row["num_train"] for row in german)
    held_out = max(row["num_validation"] for row in german)
    assert first + held_out == 47
    assert sum(row["num_repeated"] for row in german) == 3 * first


@pytest.mark.parametrize("rate", [0.4, 1.5])
def test_pairs_that_are_told_as_drawn_are_those_of_the_shards(tmp_path, rate):
    recipe, root, manifests = run(tmp_path, RECIPE.replace("rate: 2", f"rate: {rate}"))
    written = Counter()
    for path in Path(root, "shards").glob("train-*.parquet"):
        for row in pq.read_table(path).to_pylist():
            if row["category"] == "bitext":
                found = parse(template_of("emma500"), row["text"])
                written.update(
                    frozenset(zip(found.labels, each, strict=True)) for each in found.rows
                )
    rows = pq.read_table(f"{root}/statistics/pairs.parquet").to_pylist()
    assert sum(row["num_train"] for row in rows) == len(written) > 0
    assert sum(row["num_repeated"] for row in rows) == written.total() - len(written)
    assert min(written.values()) == 2
    told = dict(summary_rows(counts_by_kind(recipe, root, manifests).values()))
    assert told["drawn for training"][1] == len(written)
    held_out = told["held out for validation"][1]
    assert told.get("not drawn", [0, 0])[1] == 57 - held_out - len(written)


def kept_lengths(root):
    """Characters of both sides of the pairs that ingest kept by label, in the label's order."""
    found = {}
    for path in sorted(Path(root, "ingest", "documents").glob("*.parquet")):
        for row in pq.read_table(path).to_pylist():
            if "segment_labels" in row:
                sides = zip(row["segment_labels"], row["text"].split("\n"), strict=True)
                found.setdefault(row["label"], []).append([len(text) for _, text in sorted(sides)])
    return found


def test_profiles_are_those_of_the_pairs_that_were_kept(ran):
    rows = pq.read_table(f"{ran[1]}/statistics/pair_profiles.parquet").to_pylist()
    kept = kept_lengths(ran[1])
    assert {each["label"] for each in rows} == set(kept)
    assert {each["source"] for each in rows} == {None, "opus"}
    for row in rows:
        first, second = np.array(kept[row["label"]]).T
        exact = {
            "first_characters": first, "second_characters": second, "ratio": second / first
        }  # fmt: skip
        for name, values in exact.items():
            found = row[name]
            assert found["num_pairs"] == len(values)
            ends = (found["least"], found["greatest"])
            assert ends == pytest.approx((values.min(), values.max()))
            for rank in (0.05, 0.25, 0.5, 0.75, 0.95):
                value = found[f"rank_{rank:g}"]
                # A value is one pair, so that of so few a rank is right within one and a half.
                off = 0.015 + 1.5 / len(values)
                below, upto = np.mean(values < value - 1e-9), np.mean(values <= value + 1e-9)
                assert below - off <= rank <= upto + off


def test_numbers_add_up(ran):
    with open(f"{ran[1]}/statistics/summary.json", encoding="utf-8") as file:
        summary = json.load(file)
    assert summary["num_failed_checks"] == 0
    assert summary["pairs"]["surviving"] == 57


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("min_pairs: 4", "min_pairs"),
        ("directions: as_is, held_out: [eng_Latn>deu_Latn]", "held_out_direction"),
    ],
)
def test_pairs_that_no_document_holds_add_up(tmp_path, options, reason):
    bitext = next(line for line in RECIPE.splitlines() if line.startswith("bitext:"))
    changed = RECIPE.replace(bitext, f"bitext: {{pairs_per_document: 4, {options}}}")
    _, root, _ = run(tmp_path, changed)
    with open(f"{root}/statistics/summary.json", encoding="utf-8") as file:
        summary = json.load(file)
    assert summary["num_failed_checks"] == 0
    rows = pq.read_table(f"{root}/statistics/documents.parquet").to_pylist()
    lost = [row for row in rows if row["outcome"] == "excluded"]
    assert {row["reason"] for row in lost} == {reason}
    assert sum(row["num_documents"] for row in lost) == summary["pairs"]["excluded"] > 0
    assert summary["pairs"]["unsampled"] == 0


def test_summary_counts_pairs_and_documents_apart(ran):
    counts = counts_by_kind(*ran)
    assert list(counts) == ["documents", "pairs"]
    rows = dict(summary_rows(counts.values()))
    assert rows["read"] == [2, 60]
    assert rows["dropped: numbers mismatch"] == [0, 1]
    assert rows["removed: exact duplicate"] == [0, 2]
    assert rows["left to draw from"] == [2, 57]
    for place in (0, 1):
        parts = ("drawn for training", "held out for validation", "not drawn")
        assert rows["left to draw from"][place] == sum(rows[part][place] for part in parts)
    assert rows["drawn again for training"] == [0, 3 * rows["drawn for training"][1]]


def printed(*arguments):
    console = Console(file=io.StringIO(), width=200)
    print_summary(console, *arguments)
    return console.file.getvalue()


def test_summary_says_how_many_pseudo_documents_there_are(ran):
    text = printed(*ran)
    assert "Documents and pairs" in text
    assert "2 │    60" in text
    found = re.search(r"training: (\d+) pseudo-documents of (\d+) pairs, repeats included", text)
    rows = pq.read_table(f"{ran[1]}/statistics/pairs.parquet").to_pylist()
    assert [int(each) for each in found.groups()] == [
        sum(row["num_train_documents"] for row in rows),
        sum(row["num_train"] + row["num_repeated"] for row in rows),
    ]
    assert "validation: " in text


def test_summary_says_of_which_labels_nothing_is_drawn(ran, tmp_path):
    pairs = "nothing is drawn of 1 label (no text for training: 1): see 'mix' of the recipe, and "
    assert f"{pairs}{ran[1]}/mix/plan.csv" in printed(*ran)
    # Without tiers of its own it follows the paper, which leaves so little text out.
    changed = RECIPE.replace(", monolingual: uniform", "")
    both = "nothing is drawn of 2 labels (no text for training: 1, tier 'unseen' has rate 0: 1)"
    assert both in printed(*run(tmp_path, changed))
