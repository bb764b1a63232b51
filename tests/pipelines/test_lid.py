"""`glotmill lid`: thresholds from a run, and models trained on labelled text."""

import json
import statistics

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from glotmill.pipelines import lid
from glotmill.pipelines.errors import UserError
from glotmill.schemas.recipe import Recipe
from glotmill.transforms.lid_thresholds import (
    Estimate,
    Thresholds,
    estimate_threshold,
    estimate_thresholds,
)
from glotmill.transforms.lid_train import Example, TrainingError, examples_of, part, train
from glotmill.transforms.models.fasttext_model import FastTextModel
from glotmill.transforms.unit_index import UnitIndex

TAGS = {"en": "eng_Latn", "fr": "fra_Latn", "ru": "rus_Cyrl", "hi": "hin_Deva", "ja": "jpn_Jpan"}

RECIPE = """\
glotmill: 1
name: a
sources: [{name: a, path: a.jsonl, language: {column: lang}}]
deduplicate: {exact: false}
output: {parquet: {shards: 1}}
"""


@pytest.fixture(scope="module")
def labelled(sample_rows):
    return [
        {"text": row["text"], "lang": TAGS[row["bcp47"]]}
        for row in sample_rows
        if row["bcp47"] in TAGS and len(row["text"]) > 40
    ]


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.mark.parametrize(
    ("scores", "threshold"),
    [([0.1, 0.2, 0.3], 0.3), ([0.99, 1.0, 1.0], 0.9), ([0.5, 0.7, 0.8], 0.7 - 0.12472)],
)
def test_a_threshold_is_the_median_less_sigma_within_bounds(scores, threshold):
    assert estimate_threshold(np.array(scores)) == pytest.approx(threshold, abs=1e-4)
    least = max(0.3, min(0.9, statistics.median(scores) - statistics.pstdev(scores)))
    assert estimate_threshold(np.array(scores)) == pytest.approx(least)


def test_only_confirmed_documents_count_however_they_are_batched():
    rows = [("eng_Latn", 0.6, "confirmed"), ("eng_Latn", 0.8, "confirmed")] * 50
    rows += [("eng_Latn", 0.01, "unsure"), ("fra_Latn", 0.9, "contradicted")] * 200
    rows += [("deu_Latn", 0.9, "confirmed")] * 99
    names = ["identified_label", "identified_score", "verdict"]
    types = [pa.string(), pa.float32(), pa.string()]
    arrays = [pa.array(c, t) for c, t in zip(zip(*rows, strict=True), types, strict=True)]
    table = pa.table(arrays, names=names)
    (whole,) = estimate_thresholds(table.to_batches())
    assert (whole.label, whole.num_documents) == ("eng_Latn", 100)
    assert whole.threshold == pytest.approx(0.6, abs=1e-6)
    assert estimate_thresholds(table.to_batches(max_chunksize=7)) == [whole]
    assert {e.label for e in estimate_thresholds(table.to_batches(), 99)} == {
        "eng_Latn",
        "deu_Latn",
    }


@pytest.mark.slow
def test_thresholds_of_a_run_can_be_pasted(glotmill, tmp_path, labelled):
    # The same articles again and again: a label wants a hundred documents.
    few = [row for row in labelled if row["lang"] in ("eng_Latn", "rus_Cyrl")]
    write_lines(tmp_path / "a.jsonl", few * 6)
    (tmp_path / "a.yaml").write_text(RECIPE)
    done = glotmill("run", "a.yaml", "--out", "out", "--workers", "1")
    assert done.returncode == 0, done.stderr
    printed = glotmill("lid", "thresholds", "out")
    assert printed.returncode == 0, printed.stderr
    options = yaml.safe_load(printed.stdout)["identify"]["thresholds"]
    assert options.keys() == {"eng_Latn", "rus_Cyrl"}
    files = sorted((tmp_path / "out" / "ingest" / "documents").glob("*.parquet"))
    rows = [row for file in files for row in pq.read_table(file).to_pylist()]
    for label, threshold in options.items():
        scores = [
            row["identified_score"]
            for row in rows
            if row["verdict"] == "confirmed" and row["identified_label"] == label
        ]
        wanted = statistics.median(scores) - statistics.pstdev(scores)
        assert threshold == pytest.approx(max(0.3, min(0.9, wanted)), abs=0.001)
    recipe = {**yaml.safe_load(RECIPE), **yaml.safe_load(printed.stdout)}
    assert Recipe.model_validate(recipe).identify.thresholds == options


def test_pairs_give_no_thresholds(traced, monkeypatch):
    batches = []
    estimate = Estimate("eng_Latn", 100, 0.8, 0.1, 0.7)
    monkeypatch.setattr(lid, "estimate_thresholds", lambda of: batches.extend(of) or [estimate])
    assert lid.thresholds_yaml(traced.root).startswith(
        "identify:\n  thresholds:\n    eng_Latn: 0.7"
    )
    units = UnitIndex(traced.root).units
    wanted = sum(unit.num_rows for unit in units if unit.category != "bitext")
    assert sum(batch.num_rows for batch in batches) == wanted > 0


def test_thresholds_where_nothing_is(glotmill):
    done = glotmill("lid", "thresholds", "out")
    assert (done.returncode, done.stderr) == (
        2,
        "error: no finished ingest in out; 'glotmill run RECIPE --out out' makes one\n",
    )


@pytest.mark.slow
def test_a_trained_model_is_used(glotmill, tmp_path, labelled):
    write_lines(tmp_path / "a.jsonl", labelled)
    done = glotmill("lid", "train", "a.jsonl", "--out", "models/m.ftz")
    assert done.returncode == 0, done.stderr
    assert all(label in done.stdout for label in TAGS.values())
    model = FastTextModel(str(tmp_path / "models" / "m.ftz"))
    assert (model.family, set(model.labels)) == ("glotlid", set(TAGS.values()))
    total = [line.split() for line in done.stdout.splitlines() if line.strip().startswith("all")]
    assert int(total[0][1]) > 5
    assert float(total[0][2]) > 0.9
    (tmp_path / "a.yaml").write_text(RECIPE + "identify: {model: models/m.ftz}\n")
    ran = glotmill("run", "a.yaml", "--out", "out", "--workers", "1")
    assert ran.returncode == 0, ran.stderr
    again = glotmill("lid", "train", "out", "--out", "again.ftz")
    assert again.returncode == 0, again.stderr
    assert set(FastTextModel(str(tmp_path / "again.ftz")).labels) == set(TAGS.values())


@pytest.mark.exhaustive
@pytest.mark.slow
def test_training_is_reproducible_whatever_memory_held_before(tmp_path, labelled):
    """fastText leaves most of its matrix as malloc gave it; see `lid_fit`."""
    examples = [Example(row["lang"], row["text"].replace("\n", " ")) for row in labelled]
    first = train(part(examples), str(tmp_path / "a.ftz"))
    for size in (1 << 17, 1 << 20, 1 << 24):
        rubbish = [bytearray(b"\xff") * size for _ in range(8)]
        del rubbish
    assert train(part(reversed(examples)), str(tmp_path / "b.ftz")) == first
    assert (tmp_path / "a.ftz").read_bytes() == (tmp_path / "b.ftz").read_bytes()


def test_what_is_learnt_from():
    text = "Everyone has the right to life. __label__fra </s>\nLiberty and security of person."
    others = ["nineteen letters here", "Всеки има право на живот и свобода."]
    batch = pa.record_batch(
        {
            "text": [text] * 4 + others + ["人人生而自由平等", "人人生而"],
            "code": ["eng", "klingonish", "und", None, "eng", "sr", "zh-Hans", "zh-Hans"],
        }
    )
    line = "Everyone has the right to life. Liberty and security of person."
    assert list(examples_of([batch])) == [
        Example("eng_Latn", line),
        Example("srp_Cyrl", "Всеки има право на живот и свобода."),
        Example("zho_Hans", "人人生而自由平等"),
    ]


def test_texts_are_held_out_by_their_hash():
    examples = [Example(label, f"{label} {i}") for label in ("a", "b") for i in range(500)]
    parted = part(examples + examples)
    assert part(examples[::-1]) == parted
    for label in ("a", "b"):
        trained, held_out = set(parted.trained[label]), set(parted.held_out[label])
        assert not trained & held_out
        assert len(trained) + len(held_out) == 500
        assert 20 < len(held_out) < 90
    few = part(examples, max_per_label=50)
    assert all(len(few.trained[x]) + len(few.held_out[x]) == 50 for x in ("a", "b"))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('{"text": "Everyone has the right to life."}', "a.jsonl: found 0 labels with 2 texts"),
        pytest.param("not json", "a.jsonl: found 0 labels with 2 texts", marks=pytest.mark.slow),
    ],
)
def test_a_corpus_without_labels(glotmill, tmp_path, lines, message):
    (tmp_path / "a.jsonl").write_text(lines)
    done = glotmill("lid", "train", "a.jsonl")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {message}")


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ('{"text": "a", "code": "en"}\n{"text": "b"}\n',
         "no record has the column 'lang'; a.jsonl has text, code"),
        ('{"lang": "en"}\nnot json\n{"lang": "de"}\n',
         "all 3 records were rejected, 2 for 'missing_field', first in a.jsonl at 0: "),
    ],
)  # fmt: skip
def test_why_nothing_could_be_learnt(tmp_path, monkeypatch, lines, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jsonl").write_text(lines)
    with pytest.raises(UserError) as caught:
        lid.train_model("a.jsonl", "model.ftz")
    assert str(caught.value).splitlines()[1].startswith(told)


def test_a_target_that_cannot_be_written_is_refused_first(tmp_path):
    with pytest.raises(UserError, match=r"^--out: \S+ is a folder; name a file in it"):
        lid.train_model("nothing.jsonl", str(tmp_path))
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"^--out: \S+ cannot be written: \S+file takes no files$"):
        lid.train_model("nothing.jsonl", str(tmp_path / "file" / "sub" / "model.ftz"))


def test_a_corpus_that_is_not_there(glotmill):
    done = glotmill("lid", "train", "none.jsonl")
    assert done.returncode == 2
    assert done.stderr.startswith("error: none.jsonl: ")


def test_one_label_is_no_model():
    with pytest.raises(TrainingError, match=r"^found 1 labels with 2 texts or more"):
        part([Example("eng_Latn", f"text {i}") for i in range(100)])


def test_a_lookup_changes_no_later_one():
    labels = ["zho_Hani", "cmn_Hant", "cmn_Hans", "yue_Hant", "swh_Latn", "swc_Latn", "eng_Latn"]
    entries = {"cmn_Hans": 0.3, "zho_Hani": 0.6, "swa_Latn": 0.4}
    alone = [Thresholds(0.5, entries).of(label) for label in labels]
    assert alone == [0.6, 0.3, 0.3, 0.6, 0.4, 0.4, 0.5]
    for order in (labels, labels[::-1]):
        together = Thresholds(0.5, entries)
        found = {label: together.of(label) for label in order}
        assert [found[label] for label in labels] == alone
