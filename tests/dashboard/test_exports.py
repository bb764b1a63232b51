"""Exports: tables and metrics hold the numbers of the page, whatever names there are."""

import json
import re

import pyarrow.parquet as pq
import pytest

from glotmill.dashboard import build_report
from glotmill.dashboard.exports import LANGUAGES, MIXTURE
from glotmill.dashboard.overview import make_report
from glotmill.dashboard.statistics import gather
from glotmill.transforms import storage

SAMPLE = re.compile(r'(\w+)\{((?:\w+="(?:[^"\\]|\\.)*",?)+)\} (\S+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
UNESCAPED = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


def read_metrics(root):
    """Values by name and labels, read as the format says."""
    found = {}
    with open(f"{root}/statistics/metrics.prom", encoding="utf-8") as file:
        lines = file.read().splitlines()
    for line in lines:
        if not line.startswith("# "):
            name, labels, value = SAMPLE.fullmatch(line).groups()
            texts = {
                key: re.sub(r"\\.", lambda found: UNESCAPED[found[0]], text)
                for key, text in LABEL.findall(labels)
            }
            found[name, frozenset(texts.items())] = float(value)
    return found, lines


@pytest.fixture(scope="module")
def built(small_run):
    build_report(small_run)
    return small_run


def test_metrics_count_what_the_report_counts(built, hostile):
    found, lines = read_metrics(built)
    of_web = {"source": "web", "category": "monolingual"}

    def value(name, **labels):
        return found[name, frozenset(labels.items())]

    assert value("glotmill_documents", **of_web, step="read") == 169
    assert value("glotmill_documents", **of_web, step="kept") == 150
    assert value("glotmill_documents_words", **of_web, step="kept") == 3_500
    assert value("glotmill_documents_dropped", source="web", reason=hostile) == 5
    assert value("glotmill_labels", step="sampled") == 2
    assert value("glotmill_checks", result="failed") == 0
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) == len(set(names))
    assert {name for name, _ in found} == set(names)


def test_a_report_that_is_made_again_has_the_same_bytes(make_small_run):
    root = make_small_run()
    times = {"mix": {"started": "2024-01-01", "seconds": 1.5}}
    storage.write_atomically(f"{root}/times.json", json.dumps(times).encode())
    before = build_report(root)
    assert b'glotmill_stage_seconds{stage="mix"} 1.5' in storage.read_bytes(
        f"{root}/statistics/metrics.prom"
    )
    times["report"] = times["mix"]  # noted once the report is there
    storage.write_atomically(f"{root}/times.json", json.dumps(times).encode())
    assert build_report(root) == before


def test_documents_and_pairs_have_metrics_of_their_own(pairs_run):
    build_report(pairs_run)
    found, _ = read_metrics(pairs_run)
    read = {name: 0.0 for name, _ in found}
    for (name, labels), value in found.items():
        if ("step", "read") in labels:
            read[name] += value
    assert (read["glotmill_documents"], read["glotmill_pairs"]) == (3, 138)


def test_tables_hold_the_numbers_of_the_page(built):
    languages = pq.read_table(f"{built}/statistics/languages.parquet")
    assert languages.schema.equals(LANGUAGES)
    report = make_report(gather(built))
    for row, shown in zip(languages.to_pylist(), report.languages, strict=True):
        assert row["label"] == shown.label
        assert row["num_sampled_words"] == shown.sampled.words
        assert sum(words for _, words in row["words_by_domain"]) == shown.available.words
    mixture = pq.read_table(f"{built}/statistics/mixture.parquet")
    assert mixture.schema.equals(MIXTURE)
    assert mixture.column("realised").to_pylist() == [1_100, 2_960]
    with open(f"{built}/statistics/summary.json", encoding="utf-8") as file:
        summary = json.load(file)
    total = sum(languages.column("num_sampled_documents").to_pylist())
    assert summary["documents"]["sampled"] == total
