"""Parallel text in the report: the numbers, the table, the checks, and the page without it."""

import json
import time

import numpy as np
import pyarrow.parquet as pq
import pytest
from run_writer import lengths_of_pairs

from glotmill.dashboard import IncompleteRun, build_report
from glotmill.dashboard.amounts import Amount
from glotmill.dashboard.names import language_name, languages_of, script_of
from glotmill.dashboard.overview import make_report, summary
from glotmill.dashboard.page_data import dumps
from glotmill.dashboard.pair_profiles import MEASURES, RANKS
from glotmill.dashboard.pairs_page import MAX_PAIRS, pairs_data
from glotmill.dashboard.statistics import gather
from glotmill.dashboard.warnings import warnings_of_pairs

GERMAN, SWAHILI = "deu_Latn-eng_Latn", "eng_Latn-swh_Latn"
THREE = "ces_Latn-deu_Latn-eng_Latn"


@pytest.fixture(scope="module")
def report(pairs_run):
    return make_report(gather(pairs_run))


@pytest.fixture(scope="module")
def pairs(report):
    return {row.label: row for row in report.parallel.pairs}


@pytest.mark.parametrize(
    ("label", "name", "script"),
    [
        (GERMAN, "German – English", "Latn"),
        ("rus_Cyrl-zho_Hant", "Russian – Chinese (Traditional Han)", "Cyrl, Hant"),
        (THREE, "Czech – German – English", "Latn"),
        ("mul", "more than three languages", ""),
        ("no-such-label", "no-such-label", ""),
    ],
)
def test_names_of_labels_of_several_languages(label, name, script):
    assert (language_name(label), script_of(label)) == (name, script)


def test_languages_of_a_label():
    assert languages_of(THREE) == ["ces_Latn", "deu_Latn", "eng_Latn"]
    assert languages_of("mul") == ["mul"]


def test_pairs_come_by_size_and_without_documents(report):
    assert [row.label for row in report.parallel.pairs] == [GERMAN, SWAHILI, THREE]


def test_a_pair_of_languages(pairs):
    german = pairs[GERMAN]
    assert (german.name, german.tier, german.rate) == ("German – English", "very low", 10.0)
    assert (german.read, german.kept.documents, german.removed) == (110, 100, 20)
    assert german.surviving == german.available == Amount(90, 9_000, 1_800)
    assert german.train == Amount(80, 8_000, 1_600)
    assert german.sampled == Amount(160, 16_000, 3_200)
    assert german.num_documents == 16
    assert german.losses == [("repeated_side", 10), ("length_ratio", 8), ("identical_sides", 2)]


def test_a_pair_that_is_held_out(pairs):
    swahili = pairs[SWAHILI]
    assert swahili.sampled == Amount()
    # The second direction is not counted again.
    assert swahili.validation == swahili.surviving == Amount(20, 2_000, 400)
    assert swahili.available == Amount()


def test_directions_add_up_to_the_pair(report, pairs):
    rows = {row.direction: row for row in report.parallel.directions if row.label == GERMAN}
    assert {name: row.surviving.documents for name, row in rows.items()} == {
        "deu_Latn>eng_Latn": 10, "eng_Latn>deu_Latn": 80,
    }  # fmt: skip
    assert {name: row.sampled.documents for name, row in rows.items()} == {
        "deu_Latn>eng_Latn": 100, "eng_Latn>deu_Latn": 60,
    }  # fmt: skip
    for name in ("surviving", "train", "sampled"):
        parts = (getattr(row, name) for row in rows.values())
        assert sum(parts, Amount()) == getattr(pairs[GERMAN], name)


def test_validation_is_counted_as_it_is_written(report):
    rows = {row.direction: row.validation.documents for row in report.parallel.directions}
    assert (rows["eng_Latn>swh_Latn"], rows["swh_Latn>eng_Latn"]) == (10, 20)


def test_losses_of_pairs(report):
    rows = [(row.stage, row.reason, row.amount.documents) for row in report.parallel.losses]
    assert rows == [
        ("deduplicate", "repeated_side", 10),
        ("ingest", "length_ratio", 8),
        ("ingest", "identical_sides", 2),
    ]
    first = report.parallel.losses[0]
    assert (first.share_of_read, first.top_labels) == (10 / 138, [(GERMAN, 10)])


def test_totals(report):
    parallel = report.parallel
    assert (parallel.num_labels, parallel.num_languages, parallel.num_documents) == (3, 4, 16)
    assert parallel.flow.read.documents == 138


def test_checks_count_rows_of_shards_in_documents(report):
    assert report.failed == []
    training = next(each for each in report.file_checks if each.about == "training shards")
    assert training.left == ("rows", 19)
    assert training.terms == [("first copies", 3), ("repeats", 0), ("pseudo-documents", 16)]
    about = [each.about for each in report.file_checks]
    assert about.count("pairs by direction") == 4


def test_a_pair_that_no_direction_counts_is_noticed(make_pairs_run, tmp_path):
    root = make_pairs_run()
    path = tmp_path / "mix" / "directions" / "available-0.parquet"
    pq.write_table(pq.read_table(path).slice(1), path)
    report = make_report(gather(root))
    (failed,) = report.failed
    assert failed.about == "pairs by direction"
    assert failed.left == ("surviving", 75)
    assert failed.terms == [("surviving by statistics", 115)]
    assert json.loads(summary(report))["failed_checks"] == [
        "pairs by direction: 75 surviving = 115 surviving by statistics"
    ]


def test_an_output_of_an_earlier_version_is_refused(make_pairs_run, tmp_path):
    root = make_pairs_run()
    manifest = tmp_path / "mix" / "manifest.json"
    content = json.loads(manifest.read_text())
    content["files"] = [each for each in content["files"] if "directions" not in each["path"]]
    manifest.write_text(json.dumps(content))
    with pytest.raises(IncompleteRun, match=r"pairs by direction.*run its recipe again"):
        build_report(root)


def test_table_of_pairs(pairs_run):
    paths = [entry.path for entry in build_report(pairs_run)]
    assert paths.count("statistics/pairs.parquet") == 1
    rows = pq.read_table(f"{pairs_run}/statistics/pairs.parquet").to_pylist()
    assert [(each["source"], each["direction"]) for each in rows] == [
        ("bible", "deu_Latn>eng_Latn"), ("bible", "eng_Latn>deu_Latn"),
        ("opus", "eng_Latn>deu_Latn>ces_Latn"), ("opus", "deu_Latn>eng_Latn"),
        ("opus", "eng_Latn>deu_Latn"), ("opus", "eng_Latn>swh_Latn"),
        ("opus", "swh_Latn>eng_Latn"),
    ]  # fmt: skip
    assert rows[4] == {
        "source": "opus", "label": GERMAN, "direction": "eng_Latn>deu_Latn",
        "source_label": "eng_Latn", "target_label": "deu_Latn",
        "num_surviving": 40, "num_surviving_words": 800,
        "num_train": 30, "num_repeated": 30, "num_validation": 0, "num_sampled_words": 1_200,
        "num_train_documents": 6, "num_validation_documents": 0,
    }  # fmt: skip
    assert (rows[2]["source_label"], rows[2]["target_label"]) == (None, None)
    assert (rows[6]["num_validation"], rows[6]["num_validation_documents"]) == (20, 2)


def test_summary_for_programs(pairs_run):
    build_report(pairs_run)
    with open(f"{pairs_run}/statistics/summary.json", encoding="utf-8") as file:
        summary = json.load(file)
    assert summary["num_failed_checks"] == 0
    counts = {
        "read": 138, "kept": 125, "surviving": 115, "train": 80, "repeated": 80, "validation": 20,
        "sampled": 160, "num_labels": 3, "num_languages": 4, "num_training_documents": 16,
    }  # fmt: skip
    assert {name: summary["pairs"][name] for name in counts} == counts
    assert summary["documents"]["read"] == summary["documents"]["sampled"] == 3


def test_no_section_without_parallel_text(small_run, pairs_run):
    pages = []
    for root in (small_run, pairs_run):
        entries = build_report(root)
        with open(f"{root}/report.html", encoding="utf-8") as file:
            pages.append((file.read(), [entry.path for entry in entries]))
    (without, files), (with_pairs, _) = pages
    assert "Parallel text" in with_pairs
    assert 'href="#pairs"' not in without
    assert 'id="pairs"' not in without
    assert "pairs.parquet" not in without
    assert "statistics/pairs.parquet" not in files


def test_thousands_of_pairs_are_quick_and_small(many_pairs_run):
    start = time.process_time()
    entries = build_report(many_pairs_run)
    assert time.process_time() - start < 5
    assert entries[-1].num_bytes < 2_500_000
    with open(f"{many_pairs_run}/report.html", encoding="utf-8") as file:
        html = file.read()
    assert f"Shown are the {MAX_PAIRS:,} largest of 3,500" in html
    assert pq.read_metadata(f"{many_pairs_run}/statistics/pairs.parquet").num_rows == 3_500


def test_profiles_of_pairs(pairs_run, pairs):
    build_report(pairs_run)
    rows = pq.read_table(f"{pairs_run}/statistics/pair_profiles.parquet").to_pylist()
    assert [(each["source"], each["label"], each["ratio"]["num_pairs"]) for each in rows] == [
        (None, GERMAN, 100), (None, SWAHILI, 20),
        ("bible", GERMAN, 40), ("opus", GERMAN, 60), ("opus", SWAHILI, 20),
    ]  # fmt: skip
    first, second = (np.concatenate(x) for x in zip(*map(lengths_of_pairs, (60, 40)), strict=True))
    exact = {"first_characters": first, "second_characters": second, "ratio": second / first}
    for name, values in exact.items():
        found = rows[0][name]
        assert (found["least"], found["greatest"]) == pytest.approx((values.min(), values.max()))
        for rank in RANKS:
            value = found[f"rank_{rank:g}"]
            assert np.mean(values < value) - 0.02 <= rank <= np.mean(values <= value) + 0.02
        assert pairs[GERMAN].profile.measures[name].median == found["rank_0.5"]
    assert [key for key, _ in rows[0]["scores"]] == ["margin"]
    assert rows[2]["scores"] == []
    assert rows[1]["first_confidence"] is None


def test_the_page_shows_what_the_table_holds(pairs_run):
    build_report(pairs_run)
    rows = pq.read_table(f"{pairs_run}/statistics/pair_profiles.parquet").to_pylist()
    table = {each["label"]: each for each in rows if each["source"] is None}
    parallel = parallel_text_of(pairs_run)
    shown = parallel["pairs"]
    assert shown["label"] == [GERMAN, SWAHILI, THREE]
    assert shown["profile"][2] is None
    names = ["num_pairs", "least", *(f"rank_{rank:g}" for rank in RANKS), "greatest"]
    for place, label in enumerate((GERMAN, SWAHILI)):
        measures = {k: v for k, v in table[label].items() if k in MEASURES and v is not None}
        assert shown["profile"][place].keys() == measures.keys()
        for name, values in shown["profile"][place].items():
            exact = [measures[name][each] for each in names]
            assert values == pytest.approx(exact, rel=1e-5)
        assert shown["ratio"][place] == pytest.approx(measures["ratio"]["rank_0.5"], rel=1e-5)
        ends = measures["ratio"]["rank_0.95"] / measures["ratio"]["rank_0.05"]
        assert shown["spread"][place] == pytest.approx(ends, rel=1e-5)


def parallel_text_of(root):
    """What the scripts of a run's page know of parallel text."""
    gathered = gather(root)
    return json.loads(dumps(pairs_data(make_report(gathered).parallel)))


def test_runs_without_sketches_of_pairs_have_no_table_of_them(many_pairs_run):
    paths = [entry.path for entry in build_report(many_pairs_run)]
    assert "statistics/pair_profiles.parquet" not in paths


@pytest.mark.parametrize(
    ("label", "num_ratios", "median", "texts"),
    [
        (GERMAN, 50, 2.1, ["ratio 2.1, not about 1"]),
        (GERMAN, 50, 0.49, ["ratio 0.49, not about 1"]),
        (GERMAN, 50, 1.99, []),
        (GERMAN, 49, 9.0, []),  # too few to tell
        ("eng_Latn-zho_Hans", 50, 0.3, []),
        ("eng_Latn-zho_Hans", 50, 0.9, ["ratio 0.9, not about 0.28"]),
        ("zho_Hans-zzz_Latn", 50, 3.5, []),
        (THREE, 50, 9.0, []),
        ("eng_Latn-xxx_Phag", 50, 9.0, []),  # a script that was not measured
    ],
)
def test_warnings_of_ratios(label, num_ratios, median, texts):
    assert [each.text for each in warnings_of_pairs(label, num_ratios, median)] == texts
