"""Training beside the corpus: the numbers of `metrics.jsonl`, whatever state it is in."""

import hashlib
import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from training_writer import (
    COUNTS,
    HOSTILE,
    lines_of,
    write_run,
    write_spikes,
    write_training_file,
)

from glotmill.dashboard import TrainingRunError, build_report, build_training_report
from glotmill.dashboard.definitions import TERMS, TRAINING_TERMS
from glotmill.dashboard.page import file_text
from glotmill.dashboard.training_log import read_log
from glotmill.pipelines.errors import UserError
from glotmill.pipelines.report import find_report

DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)


@pytest.fixture
def corpus(make_small_run):
    """An output directory to which a run of the trainer belongs."""
    root = make_small_run("corpus")
    write_training_file(root)
    return root


@pytest.fixture
def run(corpus, tmp_path):
    return write_run(tmp_path / "runs" / "first", corpus)


def page_of(root):
    return Path(root, "report-training.html").read_text(encoding="utf-8")


def shown(root):
    """What the scripts of the page draw from."""
    return json.loads(DATA.search(page_of(root)).group(1))


def rows_of(root, table, **wanted):
    rows = pq.read_table(f"{root}/statistics/{table}.parquet").to_pylist()
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def six(value):
    return float(f"{value:.6g}")


def test_curves_are_the_lines_of_the_file(corpus, run):
    build_training_report(corpus, [run])
    (found,) = shown(corpus)["training"]["runs"]
    steps, validations = lines_of(run, "train"), lines_of(run, "validation")
    assert found["name"] == "first"
    assert found["tokens"] == [line["num_tokens"] for line in steps]
    assert found["train"]["all"]["all"]["loss"] == [six(line["loss"]) for line in steps]
    for key in ("learning_rate", "gradient_norm", "tokens_per_second", "waiting_for_data"):
        assert found["measures"][key] == [six(line[key]) for line in steps]
    for view in ("tier", "category"):
        for name, curves in found["train"][view].items():
            assert curves["bits"] == [six(line[view][name]["bits_per_byte"]) for line in steps]
    for view in ("all", "tier", "category"):
        for name, curves in found["validation"][view].items():
            parts = [line[view][name] for line in validations]
            assert curves["loss"] == [six(part["loss"]) for part in parts]
            assert curves["bits"] == [six(part["bits_per_byte"]) for part in parts]
    assert found["seen"] == [0, 10 * sum(COUNTS), 20 * sum(COUNTS)]
    assert found["forgetting"]["code"] == [0, 0.1, 0.2]


def test_bits_of_all_are_those_of_its_categories(corpus, run):
    """The trainer tells bits per byte by category; here all bytes are a third of a token each."""
    build_training_report(corpus, [run])
    (found,) = shown(corpus)["training"]["runs"]
    curves = found["train"]["all"]["all"]
    for loss, bits in zip(curves["loss"], curves["bits"], strict=True):
        assert bits == pytest.approx(loss / 0.6931472 / 3, rel=1e-5)


def test_labels_stand_beside_what_the_corpus_has(make_small_run, tmp_path, tokens_run):
    available = pq.read_table(f"{tokens_run}/compose/available.parquet")
    root = make_small_run("corpus", tokens=available)
    write_training_file(root)
    run = write_run(tmp_path / "first", root)
    build_training_report(root, [run])
    columns = shown(root)["training"]["labels"]
    row = columns["label"].index("swh_Latn")
    found = {name: values[row] for name, values in columns.items()}
    first, *_, last = lines_of(run, "validation")
    bits = [line["label"]["swh_Latn"]["bits_per_byte"] for line in (first, last)]
    assert (found["words"], found["available"], found["planned"]) == (2_290, 4_400, 10_000)
    assert found["seen"] == 20 * COUNTS[0]
    assert found["of_plan"] == 0.4
    assert found["epochs"] == six(4_000 / 4_400)
    assert [found["before"], found["after"]] == [six(each) for each in bits]
    assert found["change"] == six(bits[1] / bits[0] - 1)
    told = lines_of(run, "train_parts")[-1]["label"]["swh_Latn"]["loss"]
    assert found["train_loss"] == six(told)
    assert len(found["course"]) == 3
    # A label that training never met.
    row = columns["label"].index(HOSTILE)
    assert (columns["seen"][row], columns["train_loss"][row], columns["epochs"][row]) == (
        0,
        None,
        None,
    )
    languages = shown(root)["languages"]
    swahili = languages["label"].index("swh_Latn")
    assert languages["tokens_seen"][swahili] == 4_000
    assert languages["bits_per_byte"][swahili] == six(bits[1])


def test_tables_hold_all_lines(corpus, run):
    build_training_report(corpus, [run])
    steps = lines_of(run, "train")
    rows = rows_of(corpus, "training")
    assert [row["loss"] for row in rows] == [line["loss"] for line in steps]
    assert {row["run"] for row in rows} == {"first"}
    assert [row["mfu"] for row in rows] == [None] * len(steps)
    (part,) = rows_of(corpus, "training_parts", of="validation", name="zho_Hans", step=10)
    assert (
        part["bits_per_byte"]
        == (lines_of(run, "validation")[1]["label"]["zho_Hans"]["bits_per_byte"])
    )
    assert part["num_tokens_seen"] == 10 * sum(COUNTS)
    (label,) = rows_of(corpus, "training_labels", label="swh_Latn")
    assert (label["num_planned_tokens"], label["num_seen_tokens"]) == (10_000, 4_000)


def test_the_page_of_the_corpus_and_its_manifests_stay(corpus, run):
    written = {entry.path: entry.sha256 for entry in build_report(corpus)}
    build_training_report(corpus, [run])
    for path, sha256 in written.items():
        assert hashlib.sha256(Path(corpus, path).read_bytes()).hexdigest() == sha256
    assert {entry.path: entry.sha256 for entry in build_report(corpus)} == written
    html = Path(corpus, "report.html").read_text(encoding="utf-8")
    assert 'id="training"' not in html
    data = json.loads(DATA.search(html).group(1))
    assert "training" not in data
    assert "tokens_seen" not in data["languages"]
    assert "tokens seen" not in data["terms"]


def test_same_bytes_for_the_same_run(corpus, run):
    assert build_training_report(corpus, [run]) == build_training_report(corpus, [run])


def test_damaged_lines_are_counted_and_told(corpus, run):
    path = Path(run, "metrics.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    lines[3] = b"\0" * 40 + b"\n"
    lines[5] = b'{"kind": "train", "step": 4}\n'
    path.write_bytes(b"".join(lines))
    build_training_report(corpus, [run])
    text = page_of(corpus)
    assert "unreadable lines</abbr> of <code>metrics.jsonl</code> (number 4, 6)" in text
    assert len(rows_of(corpus, "training")) == 18


def test_a_run_that_goes_on_is_shown(corpus, run):
    path = Path(run, "metrics.jsonl")
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b'{"kind": "train_parts"') + 30])
    build_training_report(corpus, [run])
    text = page_of(corpus)
    assert "the last line of <code>metrics.jsonl</code> is half written" in text
    assert "unreadable" not in text
    (found,) = shown(corpus)["training"]["runs"]
    assert found["seen"][-1] == 20 * sum(COUNTS)  # of the step, as the line of parts is not there
    assert shown(corpus)["training"]["labels"]["seen"][0] == 10 * COUNTS[0]


def test_a_run_that_has_told_nothing_yet(corpus, run):
    Path(run, "metrics.jsonl").write_bytes(b"")
    build_training_report(corpus, [run])
    text = page_of(corpus)
    assert "No validation was made yet." in text
    assert "No step was told yet." in text


def test_a_step_that_was_told_twice_counts_once():
    line = (
        b'{"kind": "train", "step": 1, "loss": %s, "learning_rate": 1, "position": 4,'
        b' "num_tokens": 9, "category": {}, "tier": {}}\n'
    )
    log = read_log(line % b"3.0" + line % b"2.0")
    assert [step.loss for step in log.steps] == [2.0]


def test_losses_that_are_no_numbers_are_gaps(corpus, tmp_path):
    run = write_run(tmp_path / "first", corpus, nan_at=7)
    write_spikes(run, (6, float("nan"), float("inf")))
    build_training_report(corpus, [run])
    (found,) = shown(corpus)["training"]["runs"]
    losses = found["train"]["all"]["all"]["loss"]
    assert losses[6] is None
    assert losses.count(None) == 1
    assert found["spikes"] == [[int(7 * sum(COUNTS)), 7, None, None, 3]]


def test_spikes_name_their_documents(corpus, run):
    write_spikes(run, (4, 9.0, 5.5), (4, 9.0, 5.5), (11, 8.0, 5.0))
    build_training_report(corpus, [run])
    spikes = rows_of(corpus, "training_spikes")
    assert [(spike["step"], spike["loss"], spike["limit"]) for spike in spikes] == [
        (4, 9.0, 5.5),
        (11, 8.0, 5.0),
    ]
    assert [each["label"] for each in spikes[0]["documents"]] == ["swh_Latn", "swh_Latn", HOSTILE]
    text = page_of(corpus)
    assert f"{0:032x}" in text
    assert "<bdi>swh_Latn</bdi> 2" in text


def test_of_many_spikes_the_last_are_shown(corpus, run):
    write_spikes(run, *((step, 9.0, 5.0) for step in range(205)))
    build_training_report(corpus, [run])
    assert "Shown are the last 200 of the 205 spikes" in page_of(corpus)
    assert len(shown(corpus)["training"]["runs"][0]["spikes"]) == 200
    assert len(rows_of(corpus, "training_spikes")) == 205


def test_long_runs_are_thinned_to_means(corpus, tmp_path):
    run = write_run(tmp_path / "first", corpus, steps=900, every=300)
    build_training_report(corpus, [run])
    (found,) = shown(corpus)["training"]["runs"]
    losses = [line["loss"] for line in lines_of(run, "train")]
    shown_losses = found["train"]["all"]["all"]["loss"]
    assert len(found["tokens"]) == len(shown_losses) == 300
    assert shown_losses[1] == six(sum(losses[3:6]) / 3)
    assert found["tokens"][-1] == 900 * sum(COUNTS)
    assert "is the mean of 3 lines" in page_of(corpus)
    assert len(rows_of(corpus, "training")) == 900


def test_runs_are_told_apart_by_their_paths(corpus, tmp_path):
    runs = [write_run(tmp_path / name / "out", corpus) for name in ("a", "b")]
    build_training_report(corpus, [*runs, f"{runs[0]}/"])
    assert [run["name"] for run in shown(corpus)["training"]["runs"]] == ["a/out", "b/out"]


def test_the_command_takes_a_folder_or_a_configuration(corpus, run, tmp_path):
    config = {"data": "corpus/training.yaml", "out": "runs/first", "model": {"shape": {}}}
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(config))
    for given in (run, str(tmp_path / "train.yaml")):
        page = find_report(corpus, rebuild=False, training=[given])
        assert page == f"{corpus}/report-training.html"
        assert [each["name"] for each in shown(corpus)["training"]["runs"]] == ["first"]
    with pytest.raises(UserError, match=r"nowhere has no train.json, so it is no run"):
        find_report(corpus, rebuild=False, training=[str(tmp_path / "nowhere")])
    (tmp_path / "train.yaml").write_text("dta: x")
    with pytest.raises(UserError, match=r"train\.yaml:1.*dta"):
        find_report(corpus, rebuild=False, training=[str(tmp_path / "train.yaml")])


def test_a_run_of_another_corpus_is_refused(corpus, make_small_run, tmp_path):
    other = make_small_run("other")
    write_training_file(other, wanted=777)
    run = write_run(tmp_path / "first", corpus)
    with pytest.raises(TrainingRunError, match=r"trained on another corpus, .*corpus/training"):
        build_training_report(other, [run])


def test_a_run_before_the_corpus_was_made_anew_is_refused(corpus, run):
    write_training_file(corpus, wanted=777)
    with pytest.raises(TrainingRunError, match=r"wanted 10,000 tokens then, and wants 777 now"):
        build_training_report(corpus, [run])


def test_corpus_and_run_may_be_moved(corpus, run, tmp_path):
    moved = tmp_path / "elsewhere"
    Path(corpus).rename(moved)
    build_training_report(str(moved), [run])
    assert shown(moved)["training"]["runs"][0]["name"] == "first"


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("metrics.jsonl", r"has no metrics.jsonl, so it is no run of the trainer; give its train"),
        ("train.json", r"has no train.json"),
    ],
)
def test_a_folder_that_is_no_run_is_refused(corpus, run, missing, message):
    Path(run, missing).unlink()
    with pytest.raises(TrainingRunError, match=message):
        build_training_report(corpus, [run])


def test_a_damaged_configuration_is_refused(corpus, run):
    Path(run, "train.json").write_text('{"data": 3}')
    with pytest.raises(TrainingRunError, match=r"train\.json: data: "):
        build_training_report(corpus, [run])


def test_a_corpus_without_tokens_is_refused(make_small_run, tmp_path):
    root = make_small_run("corpus")
    with pytest.raises(TrainingRunError, match=r"has no training.yaml.*output.tokens"):
        build_training_report(root, [str(tmp_path)])


def test_nothing_of_a_refused_run_is_written(corpus, make_small_run, tmp_path):
    other = make_small_run("other")
    write_training_file(other, wanted=777)
    with pytest.raises(TrainingRunError):
        build_training_report(other, [write_run(tmp_path / "first", corpus)])
    assert not list(Path(other).glob("statistics/training*"))
    assert not Path(other, "report-training.html").exists()


def test_hostile_names_are_text(corpus, run):
    write_spikes(run, (4, 9.0, 5.5))
    build_training_report(corpus, [run])
    assert HOSTILE not in page_of(corpus)
    assert HOSTILE in shown(corpus)["training"]["labels"]["label"]


def test_script_and_style_fetch_nothing():
    own = file_text("client/training.js") + file_text("client/training.css")
    assert not re.search(r"\b(fetch|XMLHttpRequest|import|WebSocket|sendBeacon)\b\s*\(", own)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", own)
    assert not re.search(r"https?:|url\(|@import", own)


def test_every_term_that_is_shown_is_defined(corpus, run):
    build_training_report(corpus, [run])
    terms = shown(corpus)["terms"]
    assert not set(TERMS) & set(TRAINING_TERMS)
    used = set(re.findall(r'term: "([^"]+)"', file_text("client/training.js")))
    assert used
    assert used <= set(terms)
    assert set(TRAINING_TERMS) <= set(terms)
