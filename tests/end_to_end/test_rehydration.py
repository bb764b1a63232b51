"""Whole runs that draw by size of cluster: every copy, the plan, rates of what was dropped."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from glotmill.pipelines.engine import run_locally
from glotmill.pipelines.run import execute, prepare
from glotmill.pipelines.stages.base import Job
from glotmill.schemas.loading import load_recipe
from glotmill.schemas.tables import CLUSTER_SIZES, PLAN, REHYDRATION

RECIPE = """\
glotmill: 1
name: rehydrated
ingest: {unit_bytes: 30000}
identify: {enabled: false}
sources: [{name: a, path: 'data/*.jsonl', language: {column: lang}}]
filters: {max_characters: 100}
output: {parquet: {shards: 2}}
"""


class Quiet:
    """Says nothing of a run."""

    def skipped(self, name: str) -> None:
        pass

    def started(self, name: str, *, total: int, unit: str, look: object = None) -> None:
        pass

    def finished(self, name: str) -> None:
        pass


def write_corpus(folder: Path, mix: str, rows: Iterable[tuple[str, str]]) -> Path:
    """A recipe and its data: rows of label and text, in two files."""
    (folder / "data").mkdir(parents=True)
    lines = [json.dumps({"lang": label, "text": text}) for label, text in rows]
    for number in range(2):
        text = "\n".join(lines[number::2]) + "\n"
        (folder / "data" / f"{number}.jsonl").write_text(text)
    (folder / "recipe.yaml").write_text(RECIPE + mix)
    return folder / "recipe.yaml"


def run(recipe: Path, root: Path, workers: int = 1) -> Path:
    lock = prepare(load_recipe(recipe), str(root), lambda line: None)
    execute(Job(lock, str(root), run_locally, workers, Quiet()))
    return root


def copies(label: str, name: str, num_clusters: int, size: int, *, long: bool = False) -> list:
    """Equal documents of so many texts; long ones are dropped."""
    more = "y" * 100 if long else ""
    texts = [f"the {name} text of {label} with number {n} {more}" for n in range(num_clusters)]
    return [(label, text) for text in texts for _ in range(size)]


def shards(root: Path, split: str) -> pa.Table:
    files = sorted((root / "shards").glob(f"{split}-*.parquet"))
    return pa.concat_tables([pq.read_table(file) for file in files])


def drawn(root: Path) -> dict[str, int]:
    return dict(Counter(shards(root, "train").column("text").to_pylist()))


TABLES = """\
mix:
  tiers: [{name: all, at_least: 0, rate: 2}]
  validation: {share: %s, min_documents: 0}
  rehydrate: {table: {2: 3, 4: 1.5}, labels: {deu_Latn: {1: 0.5, 2: 1}}}
"""
ROWS = [
    *copies("eng", "lonely", 40, 1), *copies("eng", "double", 30, 2),
    *copies("eng", "triple", 20, 3), *copies("eng", "large", 10, 5),
    *copies("deu", "lonely", 20, 1), *copies("deu", "double", 20, 2),
    *copies("eng", "lonely", 7, 1, long=True),
]  # fmt: skip
WEIGHTS = {
    ("eng_Latn", 1): 1, ("eng_Latn", 2): 3, ("eng_Latn", 3): 3, ("eng_Latn", 5): 1.5,
    ("deu_Latn", 1): 0.5, ("deu_Latn", 2): 1,
}  # fmt: skip


def test_copies_are_the_product_of_rate_and_weight(tmp_path: Path) -> None:
    root = run(write_corpus(tmp_path / "in", TABLES % 0, ROWS), tmp_path / "out")
    train = shards(root, "train")
    found = Counter(
        zip(*(train.column(n).to_pylist() for n in ("label", "cluster_size", "text")), strict=True)
    )
    assert Counter((label, size) for label, size, _ in found) == {
        ("eng_Latn", 1): 40, ("eng_Latn", 2): 30, ("eng_Latn", 3): 20, ("eng_Latn", 5): 10,
        ("deu_Latn", 1): 20, ("deu_Latn", 2): 20,
    }  # fmt: skip
    for (label, size, _), number in found.items():
        assert number == 2 * WEIGHTS[label, size]
    plan = pq.read_table(root / "mix" / "plan.parquet")
    assert plan.schema == PLAN
    for row in plan.to_pylist():
        of_label = train.filter(pc.equal(train["label"], row["label"]))
        assert row["planned_count"] == pytest.approx(pc.sum(of_label["num_words"]).as_py())
        assert row["planned_count"] == pytest.approx(2 * row["weight"] * row["num_words"])
    assert "weight" in (root / "mix" / "plan.csv").read_text().splitlines()[0]
    check_sizes(root)
    table = pq.read_table(root / "mix" / "rehydration.parquet")
    assert table.schema == REHYDRATION
    assert table.column("label").to_pylist() == ["", "", "deu_Latn", "deu_Latn"]


def check_sizes(root: Path) -> None:
    table = pq.read_table(root / "deduplicate" / "cluster_sizes.parquet")
    assert table.schema == CLUSTER_SIZES
    names = ["label", "cluster_size", "num_documents", "num_kept", "num_dropped"]
    assert [tuple(row.values()) for row in table.select(names).to_pylist()] == [
        ("deu_Latn", 1, 20, 20, None), ("deu_Latn", 2, 20, 40, None),
        ("eng_Latn", 1, 40, 40, None), ("eng_Latn", 2, 30, 60, None),
        ("eng_Latn", 3, 20, 60, None), ("eng_Latn", 5, 10, 50, None),
    ]  # fmt: skip
    manifest = json.loads((root / "deduplicate" / "manifest.json").read_text())
    assert "deduplicate/cluster_sizes.parquet" in {entry["path"] for entry in manifest["files"]}


def test_held_out_documents_are_drawn_once(tmp_path: Path) -> None:
    root = run(write_corpus(tmp_path / "in", TABLES % 0.1, ROWS), tmp_path / "out")
    validation, train = shards(root, "validation"), shards(root, "train")
    texts = validation.column("text").to_pylist()
    assert len(texts) == len(set(texts)) == 14
    assert not set(texts) & set(train.column("text").to_pylist())
    assert pc.sum(validation["copy"]).as_py() == 0


def test_the_plan_is_what_is_drawn_but_for_a_document(tmp_path: Path) -> None:
    mix = (
        "mix:\n  tiers: [{name: all, at_least: 0, rate: 0.35}]\n"
        "  rehydrate: {table: {1: 0.7, 2: 2, 3: 4.5}}\n"
    )
    rows = [*copies("eng", "lonely", 900, 1), *copies("eng", "double", 600, 2),
            *copies("eng", "triple", 300, 3)]  # fmt: skip
    root = run(write_corpus(tmp_path / "in", mix, rows), tmp_path / "out")
    (plan,) = pq.read_table(root / "mix" / "plan.parquet").to_pylist()
    # Of what training may draw, that is all but the 18 documents held out.
    assert plan["weight"] == pytest.approx((900 * 0.7 + 600 * 2 + 300 * 4.5) / 1800, rel=0.01)
    words = shards(root, "train")["num_words"]
    assert abs(plan["planned_count"] - pc.sum(words).as_py()) <= pc.max(words).as_py()


RATES = """\
mix:
  tiers: [{name: all, at_least: 0, rate: 1}]
  validation: {share: 0}
  rehydrate: {method: fineweb2, max_repetitions: 4, min_clusters: 10}
"""
# Of 300 texts that stand alone 180 are dropped, of 200 pairs 20, of 100 triples 50.
JUDGED = [
    *copies("eng", "lonely", 120, 1), *copies("eng", "lonely", 180, 1, long=True),
    *copies("eng", "double", 180, 2), *copies("eng", "double", 20, 2, long=True),
    *copies("eng", "triple", 50, 3), *copies("eng", "triple", 50, 3, long=True),
    *copies("xx-none", "long", 500, 1, long=True), *copies("xx-none", "short", 500, 1),
]  # fmt: skip


@pytest.mark.slow
def test_weights_follow_what_the_filters_dropped(tmp_path: Path) -> None:
    recipe = write_corpus(tmp_path / "in", RATES, JUDGED)
    root = run(recipe, tmp_path / "out")
    table = pq.read_table(root / "deduplicate" / "cluster_sizes.parquet")
    names = ["label", "cluster_size", "num_documents", "num_kept", "num_dropped"]
    assert [
        tuple(row.values())
        for row in table.select(names).to_pylist()
        if row["label"] == "eng_Latn"
    ] == [
        ("eng_Latn", 1, 120, 120, 180), ("eng_Latn", 2, 180, 360, 40),
        ("eng_Latn", 3, 50, 150, 150),
    ]  # fmt: skip
    weights = pq.read_table(root / "mix" / "rehydration.parquet").to_pylist()
    assert [tuple(row.values()) for row in weights if row["label"] == "eng_Latn"] == [
        ("eng_Latn", 1, pytest.approx(0.6), 1), ("eng_Latn", 2, pytest.approx(0.1), 4),
        ("eng_Latn", 3, pytest.approx(0.5), 1),
    ]  # fmt: skip
    found = drawn(root)
    assert Counter(found.values()) == {1: 170, 4: 180}
    assert all(number == (4 if "double" in text else 1) for text, number in found.items())
    (plan,) = pq.read_table(root / "mix" / "plan.parquet").to_pylist()
    words = pc.sum(shards(root, "train")["num_words"]).as_py()
    assert plan["planned_count"] == pytest.approx(words)
    # Without rates no other documents are removed.
    plain = RATES.replace("rehydrate: {method: fineweb2, max_repetitions: 4, min_clusters: 10}", "")
    without = run(write_corpus(tmp_path / "plain", plain, JUDGED), tmp_path / "without")
    assert not (without / "mix" / "rehydration.parquet").exists()
    assert drawn(without) == dict.fromkeys(found, 1)


@pytest.mark.slow
def test_two_workers_give_the_same_weights(tmp_path: Path) -> None:
    recipe = write_corpus(tmp_path / "in", RATES, JUDGED)
    roots = [run(recipe, tmp_path / f"out-{workers}", workers) for workers in (1, 2)]
    paths = ["deduplicate/cluster_sizes.parquet", "mix/rehydration.parquet"]
    paths += [f"shards/train-{number:05d}-of-00002.parquet" for number in range(2)]
    for path in paths:
        assert (roots[0] / path).read_bytes() == (roots[1] / path).read_bytes()


def test_near_duplicates_that_were_dropped_count(tmp_path: Path) -> None:
    text = " ".join(f"word{n}" for n in range(12))
    rows = [("eng", f"{text} {'z' * n}") for n in (1, 2, 3, 40, 41)]
    mix = "deduplicate: {near: {ngram: 2, min_similarity: 0.5}}\n" + RATES
    root = run(write_corpus(tmp_path / "in", mix, rows), tmp_path / "out")
    (row,) = shards(root, "train").select(["cluster_size", "num_characters"]).to_pylist()
    assert row == {"cluster_size": 5, "num_characters": len(text) + 4}
    (sizes,) = pq.read_table(root / "deduplicate" / "cluster_sizes.parquet").to_pylist()
    assert (sizes["num_documents"], sizes["num_kept"], sizes["num_dropped"]) == (1, 3, 2)


@pytest.mark.slow
def test_a_run_that_gives_up_weights_leaves_none_behind(tmp_path: Path) -> None:
    recipe = write_corpus(tmp_path / "in", TABLES % 0, ROWS)
    root = run(recipe, tmp_path / "out")
    recipe.write_text(RECIPE + "mix: {tiers: uniform, validation: {share: 0}}\n")
    run(recipe, root)
    assert not (root / "mix" / "rehydration.parquet").exists()
    assert set(pq.read_table(root / "mix" / "plan.parquet")["weight"].to_pylist()) == {1.0}
    assert set(drawn(root).values()) == {1}


PAIRS = """\
glotmill: 1
name: capped
identify: {enabled: false}
sources:
  - name: a
    category: bitext
    path: p.tsv
    pairs: {sides: [{text: en, code: en}, {text: de, code: de}]}
deduplicate: {near: {}, max_repeated_sides: 3}
bitext: {pairs_per_document: 1}
mix: {tiers: uniform, validation: {share: 0}, rehydrate: {method: fineweb2, min_clusters: 1}}
output: {parquet: {shards: 1}}
"""


def test_pairs_beyond_the_cap_on_a_side_are_in_no_cluster(tmp_path: Path) -> None:
    words = [f"{first}{last}" for first in "bdfgklmnprst" for last in ("ara", "olo", "une", "ise")]

    def text(number: int, at: int) -> str:
        return " ".join(words[(number * 7 + at + place * place * 5) % 48] for place in range(9))

    pairs = [(text(number, 1), text(number, 20)) for number in range(48)]
    pairs += [("one sentence that many translate", text(number, 33)) for number in range(40)]
    pairs += [(f"<b>{text(number, 9)}</b>", text(number, 40)) for number in range(30)]
    rows = "".join(f"{english}\t{german}\n" for english, german in pairs)
    (tmp_path / "p.tsv").write_text(f"en\tde\n{rows}")
    (tmp_path / "recipe.yaml").write_text(PAIRS)
    root = run(tmp_path / "recipe.yaml", tmp_path / "out")
    removed = Counter(
        reason
        for path in (root / "deduplicate" / "removals").glob("*.parquet")
        for reason, is_removed in zip(
            *pq.read_table(path, columns=["reason", "removed"]).to_pydict().values(), strict=True
        )
        if is_removed
    )
    assert removed["repeated_side"] == 37
    sizes = pq.read_table(root / "deduplicate" / "cluster_sizes.parquet").to_pylist()
    assert max(row["cluster_size"] for row in sizes) < 10
    train = pq.read_table(root / "shards").filter(pc.field("source") == "a").to_pylist()
    many = [row for row in train if "many translate" in row["text"]]
    assert [(row["copy"], row["cluster_size"]) for row in many] == [(0, 1)] * 3
