"""`glotmill plan`: a sample, a run or a table to a printed and written plan, or to errors."""

import csv
import io
import json
import re
import shutil
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from rich.console import Console

from glotmill.pipelines.checksums import KeptChecksums
from glotmill.pipelines.errors import UserError
from glotmill.pipelines.planning import finished
from glotmill.pipelines.planning.command import PlanOptions, parse_size, plan_command
from glotmill.pipelines.planning.counts import read_counts
from glotmill.pipelines.planning.finished import what_differs
from glotmill.pipelines.units import find_inputs, lock_recipe
from glotmill.schemas.loading import load_recipe
from glotmill.schemas.lock import dump_lock
from glotmill.schemas.mixture import Mix
from glotmill.schemas.tables import AVAILABLE, RATES
from glotmill.transforms import storage

RECIPE = "glotmill: 1\nname: a\nsources:\n  - {name: a, path: x}\nmix:\n  tiers: uniform\n"


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """Plans by options of `mix` and a table of counts; gives what is printed and the plan."""
    monkeypatch.chdir(tmp_path)

    def run(options, counts=None, out=None, **more):
        (tmp_path / "recipe.yaml").write_text(RECIPE + options)
        if counts is not None:
            (tmp_path / "counts.csv").write_text(counts)
        printed = io.StringIO()
        console = Console(file=printed, width=100, highlight=False, soft_wrap=True)
        table = None if counts is None else "counts.csv"
        options = PlanOptions(out=out, counts=table, **more)
        mixture = plan_command(console, load_recipe("recipe.yaml"), options)
        return printed.getvalue(), mixture

    return run


COUNTS = "label,num_words\neng_Latn,5000\nswa_Latn,100\n"


def test_a_plan_from_a_table_of_counts(plan, tmp_path):
    printed, mixture = plan("  strategy: unimax\n  budget: 1000\n  max_epochs: 4\n", COUNTS)
    assert mixture.plan["planned_count"].to_pylist() == [600, 400]
    lines = [line.split() for line in printed.splitlines()]
    assert ["monolingual", "all", "2", "of", "2", "5.1", "k", "0.20", "1", "k", "100.0%"] in lines
    assert ["monolingual/eng_Latn", "0.12", "5", "k", "0.12", "600", "60.0%"] in lines
    assert ["monolingual/swa_Latn", "4", "100", "4.00", "400", "40.0%", "max_epochs"] in lines
    folder = tmp_path / "out" / "a" / "plan"
    assert lines[-1][-1] == "out/a/plan"
    assert pq.read_table(folder / "plan.parquet").equals(mixture.plan)
    assert pq.read_table(folder / "rates.parquet").schema == RATES
    rows = list(csv.DictReader((folder / "plan.csv").open()))
    assert [(row["label"], row["binding"]) for row in rows] == [
        ("eng_Latn", ""), ("swa_Latn", "max_epochs"),
    ]  # fmt: skip
    assert json.loads((folder / "findings.json").read_text()) == []


def test_without_inputs(plan):
    with pytest.raises(UserError, match=r"recipe\.yaml:4: source 'a': "):
        plan("  count_by: words\n", out="nowhere")


def test_what_a_plan_without_a_sample_tells(plan, tmp_path):
    counts = "label,num_words,num_bytes,num_documents\neng_Latn,5000,85000000,50\n"
    printed, _ = plan("  count_by: words\n", counts, core_hour=0.5, workers=3)
    report = json.loads((tmp_path / "out" / "a" / "plan" / "plan.json").read_text())
    assert report["told_by"] == "a table of counts"
    assert (report["sources"], report["labels"]) == ([], [])
    assert report["stages"][0]["seconds"] == pytest.approx(85 / 8)  # 8 MB a CPU second
    assert [row["size"] for row in report["engines"]] == [3, 3, 3]
    assert report["written"][0]["num_bytes"] == pytest.approx(0.4 * 85e6)
    assert "Estimates from a sample" not in printed
    assert not (tmp_path / "out" / "a" / "plan" / "estimates.parquet").exists()
    page = (tmp_path / "out" / "a" / "plan" / "plan.html").read_text()
    assert 'id="hours"' in page
    assert 'id="sources"' not in page


def test_counts_without_bytes_give_no_hours(plan, tmp_path):
    printed, _ = plan("  count_by: words\n", COUNTS)
    report = json.loads((tmp_path / "out" / "a" / "plan" / "plan.json").read_text())
    assert (report["stages"], report["engines"]) == ([], [])
    assert "Hours need sizes: give the table of counts a column 'num_bytes'." in printed


def test_names_of_tiers_and_labels_are_no_markup(plan, monkeypatch):
    tiers = "[{name: '[b]', at_least: 1000, rate: 1}, {name: '[/x]', at_least: 0, rate: 2}]"
    monkeypatch.setitem(globals(), "RECIPE", RECIPE.replace("uniform", tiers))
    printed, _ = plan("", "label,num_words\n[red],5000\nswa_Latn,100\n")
    assert "[b]" in printed
    assert "[/x]" in printed
    assert "monolingual/[red]" in printed


@pytest.mark.parametrize("price", [float("inf"), float("nan"), 1e308])
def test_prices_that_are_none(plan, price):
    with pytest.raises(
        UserError, match=r"--core-hour \S+ is no price of an hour: it is 0 to 1,000"
    ):
        plan("  count_by: words\n", COUNTS, core_hour=price)


def test_a_sample_and_a_table_are_too_much(plan):
    with pytest.raises(UserError, match="--counts and --sample both say what to plan from"):
        plan("  count_by: words\n", COUNTS, sample="1MB")


@pytest.mark.parametrize("text", ["", "64", "MB", "0MB", "64 mb", "-1MB", "1,5MB"])
def test_sizes_that_are_none(text):
    with pytest.raises(UserError, match=f"--sample '{text}' is no size; write a number and one of"):
        parse_size(text)


def test_a_recipe_that_cannot_be_met_ends_with_all_that_is_wrong(plan, tmp_path):
    options = "  max_epochs: 2\n  budget: 1.0e5\n  labels:\n    swa_Latn: {min: 500}\n"
    with pytest.raises(UserError) as caught:
        plan(options, COUNTS)
    assert str(caught.value).splitlines() == [
        "recipe.yaml:10: monolingual/swa_Latn is to have 500 words at least, and can have 200 "
        "(max_epochs): raise 'max_epochs', or lower its 'min' to 200",
        "recipe.yaml:8: the budget of 100,000 words cannot be met: all labels give 10,200 (2 "
        "labels at max_epochs): raise 'max_epochs', or lower the budget to 10,200",
    ]
    assert not (tmp_path / "out").exists()


def test_each_finding_has_the_line_of_the_entry_it_is_about(plan):
    options = (
        "  strategy: shares\n  budget: 1.0e5\n  max_epochs: 2\n  labels:\n    eng_Latn:\n"
        "      rate: 1\n    sw-Latn:\n      min: 500\n    monolingual/fra_Latn: {min: 9}\n"
        "  shares:\n    all/prose:\n      share: 3\n      of:\n        monolingual:\n"
        "          share: 2\n          tiers:\n            all: 1\n        book: 1\n    paper: 1\n"
    )
    with pytest.raises(UserError) as caught:
        plan(options, "category,label,num_words\nmonolingual,swa_Latn,9\ncode,zxx_Zyyy,5\n")
    assert [line.split(" ")[:2] for line in str(caught.value).splitlines()] == [
        ["recipe.yaml:14:", "monolingual/swa_Latn"],
        ["recipe.yaml:15:", "'labels'"],  # names monolingual/fra_Latn
        ["recipe.yaml:8:", "the"],  # budget
        ["recipe.yaml:17:", "all/prose"],
        ["recipe.yaml:20:", "monolingual"],
        ["recipe.yaml:23:", "monolingual/all"],
        ["recipe.yaml:24:", "book"],
        ["recipe.yaml:25:", "paper"],
        ["recipe.yaml:16:", "'shares'"],  # say nothing of code
    ]


def test_a_relaxed_plan_says_what_is_not_met(plan, tmp_path):
    options = "  max_epochs: 2\n  budget: 1.0e5\n  on_infeasible: relax\n"
    printed, mixture = plan(options, COUNTS)
    assert sum(mixture.plan["planned_count"].to_pylist()) == 10_200
    assert "not met: the budget of 100,000 words cannot be met" in printed
    (found,) = json.loads((tmp_path / "out" / "a" / "plan" / "findings.json").read_text())
    assert (found["kind"], found["possible"], found["labels"]) == (
        "budget", 10_200, ["monolingual/eng_Latn", "monolingual/swa_Latn"],
    )  # fmt: skip


def test_of_many_labels_the_largest_and_the_most_repeated_are_shown(plan):
    counts = "label,num_words\n" + "".join(f"aaa_L{i:03},{10 ** (i % 6)}\n" for i in range(900))
    printed, _ = plan("  strategy: unimax\n  budget: 1.0e6\n  max_epochs: 9\n", counts)
    assert printed.count("monolingual/aaa_L") == 20
    assert "900 labels are drawn; the files list them all" in printed
    assert max(map(len, printed.splitlines())) <= 100


def test_a_table_may_say_more_than_it_must(tmp_path):
    path = tmp_path / "counts.csv"
    path.write_text(
        "category,label,domain,split,again,num_bytes,remark\n"
        "bitext,deu_Latn-eng_Latn,,train,true,5,x\nbook,eng_Latn,news,validation,false,7,\n"
    )
    counts = read_counts(str(path), Mix(count_by="bytes"))
    assert counts.schema == AVAILABLE
    wanted = ["category", "domain", "split", "again", "num_bytes", "num_words"]
    assert [tuple(row.values()) for row in counts.select(wanted).to_pylist()] == [
        ("bitext", "", "train", True, 5, 0), ("book", "news", "validation", False, 7, 0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("label,num_tokens\na,1\n", "no column 'num_words'; there are label, num_tokens "
         "('count_by: words' in the recipe wants 'num_words')"),
        ("lang,num_words\na,1\n", "no column 'label'; there are lang, num_words "
         "('count_by: words' in the recipe wants 'num_words')"),
        ("label,num_words\na,-1\n", "column 'num_words' has rows without a count, or below 0"),
        ("label,num_words\na,\nb,1\n", "column 'num_words' has rows without a count, or below 0"),
        ("label,num_words\na,many\n", "column 'num_words': Failed to parse string: 'many' as a "
         "scalar of type int64"),
        ("category,label,num_words\nbok,a,1\n", "unknown category 'bok'; there are bitext, book, "
         "code, instruction, monolingual, paper"),
        ("label,split,num_words\na,test,1\n",
         "unknown split 'test'; there are excluded, train, validation"),
        ("", "no table of counts: Empty CSV file"),
        ("label,num_words\n", "no row; a table of counts has one for each label"),
    ],
)  # fmt: skip
def test_tables_that_are_refused(tmp_path, text, expected):
    path = tmp_path / "counts.csv"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_counts(str(path), Mix())
    assert str(caught.value) == f"{path}: {expected}"


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="no table of counts: "):
        read_counts(str(tmp_path / "nothing.parquet"), Mix())


# ---------------------------------------------------------------- a sample


@pytest.fixture(scope="module")
def of_traced(traced, tmp_path_factory):
    """A plan from a sample of all inputs of a finished run, and what was printed."""
    root = tmp_path_factory.mktemp("planned")
    printed = io.StringIO()
    console = Console(file=printed, width=100, highlight=False, soft_wrap=True)
    recipe = load_recipe(Path(traced.root).parent / "recipe.yaml")
    plan_command(console, recipe, PlanOptions(out=str(root)))
    return root / "plan", printed.getvalue()


def test_a_whole_sample_agrees_with_the_run(of_traced, traced):
    folder, printed = of_traced
    counts = traced.manifests["ingest"].counts
    rows = pq.read_table(folder / "estimates.parquet").to_pylist()
    total = {row["outcome"]: row for row in rows if row["level"] == "total"}
    for outcome in ("read", "kept", "dropped", "rejected"):
        assert total[outcome]["num_documents"] == counts[outcome]
        assert total[outcome]["num_documents_error"] == 0
    reasons = {row["reason"] for row in rows if row["level"] == "source" and row["reason"]}
    assert reasons == {"too_short", "invalid_json"}
    assert "Estimates from a sample" in printed


def test_predicted_files_are_those_of_the_run(of_traced, traced):
    folder, _ = of_traced
    written = {
        row["name"]: row for row in json.loads((folder / "plan.json").read_text())["written"]
    }
    files = traced.manifests["mix"].files
    shards = [entry for entry in files if entry.path.startswith("shards/")]
    predicted = [written[name]["num_files"] for name in ("training shards", "validation shards")]
    assert sum(predicted) == len(shards) == 4
    sets = [entry.path for entry in files if entry.path.endswith(".bin")]
    assert written["datasets (.bin and .idx)"]["num_files"] == len(sets)
    # All that is not estimated (duplicates, what leaks of what is held out) makes a corpus smaller.
    available = pq.read_table(f"{traced.root}/compose/available.parquet").to_pylist()
    had = sum(row["num_tokens"] for row in available if row["category"] == "monolingual")
    planned = pq.read_table(folder / "plan.parquet").to_pylist()
    thought = sum(row["num_tokens"] for row in planned if row["category"] == "monolingual")
    assert had <= thought <= 2 * had


def plan_over(root, recipe):
    """Plans over a run; gives what is printed and what is written."""
    printed = io.StringIO()
    console = Console(file=printed, width=100, highlight=False, soft_wrap=True)
    plan_command(console, load_recipe(recipe), PlanOptions(out=str(root)))
    return printed.getvalue(), json.loads((root / "plan" / "plan.json").read_text())


def test_the_plan_of_a_finished_run_tells_hours(traced, tmp_path):
    shutil.copytree(traced.root, tmp_path / "run")
    printed, report = plan_over(tmp_path / "run", Path(traced.root).parent / "recipe.yaml")
    assert report["told_by"] == "a finished run"
    assert "counts: a finished run\n" in printed
    assert report["stages"][0]["told_by"] == "the run's own notes of CPU"
    assert 0 < report["stages"][0]["seconds"] < 60
    written = {row["name"]: row["num_bytes"] for row in report["written"]}
    documents = Path(traced.root, "ingest", "documents").iterdir()
    size = sum(path.stat().st_size for path in documents)
    assert written["documents, after ingest"] == size
    # The vocabulary of 500 takes two bytes a token.
    available = pq.read_table(f"{traced.root}/compose/available.parquet")["num_tokens"].to_pylist()
    assert written["tokens, each text once"] == 2 * sum(available)


MIXED_OTHERWISE = "glotmill: 1\nextends: recipe.yaml\nname: b\n"


def test_another_mixture_is_planned_from_the_run(traced, tmp_path):
    recipe = Path(traced.root).parent / "remixed.yaml"
    recipe.write_text(MIXED_OTHERWISE + "mix: {count_by: words, tiers: uniform}\n")
    shutil.copytree(traced.root, tmp_path / "run")
    assert plan_over(tmp_path / "run", recipe)[1]["told_by"] == "a finished run"


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ("mix: {exclude: []}\n", "mix.exclude"),
        ("filters: {min_characters: 6}\nseed: 8\n", "seed, filters"),
        ("output: {tokens: {append_eos: false}}\n", "output.tokens"),
    ],
)
def test_a_run_of_another_recipe_is_not_planned_from(traced, tmp_path, options, names):
    recipe = Path(traced.root).parent / f"other-{names[:6]}.yaml"
    recipe.write_text(MIXED_OTHERWISE + options)
    shutil.copytree(traced.root, tmp_path / "run")
    printed, report = plan_over(tmp_path / "run", recipe)
    reason = f"as the run in {tmp_path}/run has another recipe ({names})"
    assert report["told_by"] == f"a sample of the inputs, {reason}"
    assert f"counts: a sample of the inputs, {reason}\n" in printed
    assert reason in (tmp_path / "run" / "plan" / "plan.html").read_text()


@pytest.fixture
def moved(traced, tmp_path):
    """A finished run beside its inputs, free to change: what differs from its recipe."""
    folder = tmp_path / "moved"
    shutil.copytree(Path(traced.root).parent, folder)
    return folder, lambda: what_differs(load_recipe(folder / "recipe.yaml"), str(folder / "out"))


def test_a_corpus_may_move(moved):
    folder, differs = moved
    assert differs() is None
    for path in folder.glob("*.jsonl"):
        path.unlink()
    assert differs() is None


def test_inputs_that_grew_are_noticed(moved):
    folder, differs = moved
    with (folder / "plain.jsonl").open("a") as file:
        file.write('{"text": "more"}\n')
    assert differs() == "has other inputs"


def test_a_lock_that_cannot_be_read_is_told_of(moved):
    folder, differs = moved
    (folder / "out" / "recipe.lock.yaml").write_text("glotmill: [1\n")
    assert differs() == "cannot be read: it is damaged, or another version of glotmill made it"


def differs_of_inputs(monkeypatch, folder, **options):
    """What differs from a recipe, as if the run that it was locked for were finished."""
    monkeypatch.setattr(finished, "_is_done", lambda lock, root: True)
    recipe = folder / "recipe.yaml"
    recipe.write_text(yaml.safe_dump({"glotmill": 1, "name": "a", **options}))
    loaded = load_recipe(recipe)
    lock = lock_recipe(loaded, find_inputs(loaded), lambda file: storage.checksum(file.path))
    storage.write_atomically(f"{folder}/out/recipe.lock.yaml", dump_lock(lock))
    return lambda: what_differs(loaded, f"{folder}/out")


def test_files_that_only_link_sentences_are_no_other_inputs(tmp_path, monkeypatch):
    for name in ("a.de", "a.en", "a.ids"):
        (tmp_path / name).write_text("one\ntwo\n")
    source = {"name": "s", "category": "bitext", "path": "a.*", "format": "moses"}
    differs = differs_of_inputs(monkeypatch, tmp_path, sources=[source])
    assert differs() is None
    (tmp_path / "a.en").unlink()
    assert differs() == "has other inputs"


def differs_of_a_set(monkeypatch, tmp_path):
    """A file of an evaluation set beside a source, and `differs_of_inputs` with both."""
    (tmp_path / "a.txt").write_text("The cat sat on the mat.\n")
    evaluated = tmp_path / "set.txt"
    evaluated.write_text("Everyone has the right to freedom of thought.\n")
    return evaluated, differs_of_inputs(
        monkeypatch,
        tmp_path,
        sources=[{"name": "s", "path": "a.txt"}],
        decontaminate={"sets": [{"name": "rights", "path": "set.txt"}]},
    )


def test_what_inputs_are_read_with_is_compared(tmp_path, monkeypatch):
    evaluated, differs = differs_of_a_set(monkeypatch, tmp_path)
    assert differs() is None
    evaluated.write_text("Everyone has the right to freedom of speech..\n")
    told = (
        "has other evaluation sets, documents of alignments, models or custom stages (source 's')"
    )
    assert differs() == told
    evaluated.unlink()
    assert differs() == told
    (tmp_path / "a.txt").unlink()
    assert differs() is None


def test_checksums_that_a_run_kept_are_not_made_anew(tmp_path, monkeypatch):
    evaluated, differs = differs_of_a_set(monkeypatch, tmp_path)
    kept = KeptChecksums(f"{tmp_path}/out")
    kept(storage.InputFile(str(evaluated), evaluated.stat().st_size))
    kept.save()
    with monkeypatch.context() as patch:
        patch.setattr(storage, "checksum", pytest.fail)
        assert differs() is None
    evaluated.write_text("Everyone has the right to freedom of speech..\n")
    assert "has other evaluation sets" in differs()


def test_a_run_that_goes_on_with_another_recipe_is_noticed(moved):
    folder, differs = moved
    manifest = folder / "out" / "compose" / "manifest.json"
    manifest.write_text(re.sub('"key": "..', '"key": "--', manifest.read_text()))
    assert differs() == "is not finished, or another version of glotmill made it"


def test_nothing_but_tables_is_written_before_a_run(of_traced, traced):
    folder, _ = of_traced
    assert sorted(path.name for path in folder.parent.iterdir()) == ["plan"]
    whole = b"".join(path.read_bytes() for path in folder.iterdir() if path.suffix != ".parquet")
    longest = max(traced.texts.values(), key=len)
    assert longest[:40].encode() not in whole
    for path in folder.glob("*.parquet"):
        assert "text" not in pq.read_schema(path).names


def test_a_sample_that_cannot_be_met_is_shown_before_the_error(traced, tmp_path):
    recipe = Path(traced.root).parent / "greedy.yaml"
    recipe.write_text("glotmill: 1\nextends: recipe.yaml\nname: greedy\nmix: {budget: 1.0e12}\n")
    console = Console(file=io.StringIO(), width=100)
    with pytest.raises(UserError, match=r"the budget of 1\.00e12 tokens cannot be met"):
        plan_command(console, load_recipe(recipe), PlanOptions(out=str(tmp_path)))
    assert "cannot be met" in (tmp_path / "plan" / "plan.html").read_text()


@pytest.mark.slow
def test_the_sample_recipe_as_planned_and_as_run(glotmill, tmp_path):
    recipe = Path(__file__).parents[2] / "recipes" / "udhr.yaml"
    assert glotmill("plan", recipe, "--out", "planned").returncode == 0
    assert glotmill("run", recipe, "--out", "run", "--workers", "1").returncode == 0
    report = json.loads((tmp_path / "planned" / "plan" / "plan.json").read_text())
    rows = {row["name"]: row for row in report["written"]}
    shards = sorted((tmp_path / "run" / "shards").glob("train-*.parquet"))
    assert rows["training shards"]["num_files"] == len(shards) == 8
    size = sum(path.stat().st_size for path in shards)
    assert rows["training shards"]["num_bytes"] == pytest.approx(size, rel=0.25)
    num_rows = sum(pq.read_metadata(path).num_rows for path in shards)
    assert rows["training shards"]["num_rows"] == pytest.approx(num_rows, rel=0.05)
    kept = pq.read_table(tmp_path / "run" / "ingest" / "statistics").to_pydict()
    labels = Counter()
    for label, outcome, count in zip(
        kept["label"], kept["outcome"], kept["num_documents"], strict=True
    ):
        labels[label] += count if outcome == "kept" else 0
    planned = {row["label"]: row["num_documents"] for row in report["labels"]}
    assert planned == {label: count for label, count in labels.items() if count}
