"""Numbers on the page, in the Parquet statistics, and counted from the texts: all the same."""

import json
import re
from collections import Counter, defaultdict

import pyarrow.parquet as pq
import pytest

from glotmill.pipelines.engine import run_locally
from glotmill.pipelines.run import execute, prepare
from glotmill.pipelines.stages.base import Job
from glotmill.schemas.loading import load_recipe

RECIPE = """
glotmill: 1
name: counted
sources:
  - {name: news, path: news.jsonl, domain: news, language: {column: lang}}
  - {name: laws, path: laws.jsonl, domain: legal, language: {column: lang}}
identify: {enabled: false}
filters: {min_characters: 12}
mix:
  tiers: [{name: large, at_least: 400, rate: 0.5}, {name: small, at_least: 0, rate: 2.5}]
output: {parquet: {shards: 2}}
"""
LABELS = {"deu": "deu_Latn", "swh": "swh_Latn", "rus": "rus_Cyrl"}
SHORT = {"deu": "kurz", "swh": "fupi", "rus": "кот"}
SENTENCES = {
    "deu": "Das ist ein Satz mit der Nummer {}.", "swh": "Hii ni sentensi yenye namba {}.",
    "rus": "Это предложение под номером {}.",
}  # fmt: skip


class Silent:
    """Tells nobody how far a run is."""

    def skipped(self, name): ...

    def started(self, name, **_): ...

    def finished(self, name): ...


def texts_of(source):
    """Code and text of what a source holds: sentences, two texts of each twice, short ones."""
    numbers = {"news": {"deu": 80, "swh": 30}, "laws": {"swh": 10, "rus": 25}}[source]
    for code, count in numbers.items():
        for i in range(count):
            yield code, SENTENCES[code].format(f"{source} {i}")
        for i in (1, 2):
            yield code, SENTENCES[code].format(f"{source} {i}")
        yield code, SHORT[code]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("counted")
    for source in ("news", "laws"):
        lines = [json.dumps({"text": text, "lang": code}) for code, text in texts_of(source)]
        (folder / f"{source}.jsonl").write_text("\n".join([*lines, "{broken"]) + "\n")
    (folder / "recipe.yaml").write_text(RECIPE)
    root = str(folder / "out")
    lock = prepare(load_recipe(folder / "recipe.yaml"), root, lambda _: None)
    execute(Job(lock, root, run_locally, 1, Silent()))
    return root


@pytest.fixture(scope="module")
def page(run):
    with open(f"{run}/report.html", encoding="utf-8") as file:
        return json.loads(re.search(r'id="data">(.*?)</script>', file.read())[1])


def amount(texts):
    """Documents, bytes and words: in these scripts runs of letters and digits are words."""
    texts = list(texts)
    words = (len(re.findall(r"[^\W_]+", text)) for text in texts)
    return [len(texts), sum(len(text.encode()) for text in texts), sum(words)]


def test_labels_as_counted_from_the_sources(run, page):
    found = defaultdict(list)
    held_out = rows_of_shards(run, "validation")
    for source in ("news", "laws"):
        for code, text in texts_of(source):
            found[LABELS[code]].append(text)
    kept = {label: [t for t in texts if len(t) >= 12] for label, texts in found.items()}
    columns = page["languages"]
    for row, label in enumerate(columns["label"]):
        shown = [columns[name][row] for name in ("documents", "bytes", "words")]
        # No text here is like another, so that all but what is held out may be drawn.
        assert shown == amount(set(kept[label]) - set(held_out[label]))
        equal = len(kept[label]) - len(set(kept[label]))
        assert columns["duplicates_share"][row] == pytest.approx(equal / len(kept[label]), rel=1e-5)
        short = len(found[label]) - len(kept[label])
        assert columns["dropped_share"][row] == pytest.approx(short / len(found[label]), rel=1e-5)
    assert sorted(columns["label"]) == sorted(LABELS.values())


def rows_of_shards(run, split):
    """Texts by label of the shards of a split."""
    with open(f"{run}/mix/manifest.json", encoding="utf-8") as file:
        paths = [entry["path"] for entry in json.load(file)["files"]]
    found = defaultdict(list)
    for path in paths:
        if path.startswith(f"shards/{split}-"):
            for row in pq.read_table(f"{run}/{path}", columns=["label", "text"]).to_pylist():
                found[row["label"]].append(row["text"])
    return found


def test_labels_as_counted_from_the_shards(run, page):
    train, validation = (rows_of_shards(run, split) for split in ("train", "validation"))
    columns = page["languages"]
    for row, label in enumerate(columns["label"]):
        shown = [columns[f"sampled_{name}"][row] for name in ("documents", "bytes", "words")]
        assert shown == amount(train[label])
        assert columns["validation_documents"][row] == len(validation[label])
    plan = page["plan"]
    assert dict(zip(plan["label"], plan["realised"], strict=True)) == {
        label: amount(texts)[2] for label, texts in train.items()
    }
    assert sum(map(len, validation.values())) > 0


def test_domains_and_funnel_as_counted_from_the_sources(run, page):
    texts = {source: [text for _, text in texts_of(source)] for source in ("news", "laws")}
    for source, of_source in texts.items():
        steps = {step[0]: place for place, step in enumerate(page["kinds"]["documents"]["steps"])}
        amounts = page["kinds"]["documents"]["funnels"][f"source:{source}"]
        kept = [text for text in of_source if len(text) >= 12]
        assert amounts[steps["kept"]] == amount(kept)
        assert amounts[steps["surviving"]] == amount(set(kept))
        assert amounts[steps["rejected"]] == [1, 0, 0]
        assert amounts[steps["read"]][0] == len(of_source) + 1
    swahili = page["languages"]["label"].index("swh_Latn")
    held_out = set(rows_of_shards(run, "validation")["swh_Latn"])
    words = {page["domains"][place]: n for place, n in page["languages"]["domains"][swahili]}
    assert words == {
        domain: amount({t for t in texts[source] if t.startswith("Hii")} - held_out)[2]
        for source, domain in (("news", "news"), ("laws", "legal"))
    }


def test_tables_say_what_the_page_says(run, page):
    table = pq.read_table(f"{run}/statistics/languages.parquet").to_pylist()
    columns = page["languages"]
    names = {
        "num_available_documents": "documents", "num_available_words": "words",
        "num_available_bytes": "bytes", "num_sampled_words": "sampled_words",
        "num_validation_documents": "validation_documents",
    }  # fmt: skip
    for in_table, on_page in names.items():
        assert [row[in_table] for row in table] == columns[on_page]
    documents = pq.read_table(f"{run}/statistics/documents.parquet").to_pylist()
    sampled = Counter()
    for row in documents:
        if (row["stage"], row["outcome"]) == ("mix", "train"):
            sampled[row["label"]] += row["num_words"]
    assert [sampled[label] for label in columns["label"]] == columns["sampled_words"]
    with open(f"{run}/statistics/summary.json", encoding="utf-8") as file:
        summary = json.load(file)
    assert summary["num_failed_checks"] == 0
    assert summary["documents"]["sampled_words"] == sum(columns["sampled_words"])


def test_clusters_as_counted_from_the_sources(page):
    counts = Counter(
        (LABELS[code], text)
        for source in ("news", "laws")
        for code, text in texts_of(source)
        if len(text) >= 12
    )
    sizes = Counter(counts.values())
    assert page["kinds"]["documents"]["sizes"] == [
        [size, count, size * count] for size, count in sorted(sizes.items())
    ]
