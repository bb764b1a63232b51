"""`glotmill plan`: counts of a run or of a table to a printed and written plan, or to errors."""

import csv
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from glotmill.pipelines.errors import UserError
from glotmill.pipelines.plan import plan_command, read_counts
from glotmill.schemas.loading import load_recipe
from glotmill.schemas.mixture import Mix
from glotmill.schemas.tables import AVAILABLE, PLAN, RATES

RECIPE = "glotmill: 1\nname: a\nsources:\n  - {name: a, path: x}\nmix:\n  tiers: uniform\n"


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """Plans by options of `mix` and a table of counts; gives what is printed and the plan."""
    monkeypatch.chdir(tmp_path)

    def run(options, counts=None, out=None):
        (tmp_path / "recipe.yaml").write_text(RECIPE + options)
        if counts is not None:
            (tmp_path / "counts.csv").write_text(counts)
        printed = io.StringIO()
        console = Console(file=printed, width=100, highlight=False, soft_wrap=True)
        table = None if counts is None else "counts.csv"
        mixture = plan_command(console, load_recipe("recipe.yaml"), out, table)
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


def test_a_plan_from_a_run(plan, tmp_path):
    row = {f.name: 0 for f in AVAILABLE}
    row |= {"category": "book", "label": "eng_Latn", "domain": "news", "split": "train",
            "again": False, "num_documents": 3, "num_words": 70}  # fmt: skip
    (tmp_path / "run" / "compose").mkdir(parents=True)
    table = pa.Table.from_pylist([row], schema=AVAILABLE)
    pq.write_table(table, tmp_path / "run" / "compose" / "available.parquet")
    _, mixture = plan("  count_by: words\n", out="run/")
    assert mixture.plan.schema == PLAN
    assert mixture.plan["planned_count"].to_pylist() == [70]
    assert (tmp_path / "run" / "plan" / "plan.csv").exists()


def test_without_a_run_and_without_counts(plan):
    with pytest.raises(UserError) as caught:
        plan("  count_by: words\n", out="nowhere")
    assert str(caught.value) == (
        "no counts in nowhere: 'glotmill run RECIPE --out nowhere' makes them, or give a table of "
        "counts with --counts"
    )


def test_a_recipe_that_cannot_be_met_ends_with_all_that_is_wrong(plan, tmp_path):
    options = "  max_epochs: 2\n  budget: 1.0e5\n  labels:\n    swa_Latn: {min: 500}\n"
    with pytest.raises(UserError) as caught:
        plan(options, COUNTS)
    assert str(caught.value).splitlines() == [
        "recipe.yaml:9: monolingual/swa_Latn is to have 500 words at least, and can have 200 "
        "(max_epochs): raise 'max_epochs', or lower its 'min' to 200",
        "recipe.yaml:8: the budget of 100,000 words cannot be met: all labels give 10,200 (2 "
        "labels at max_epochs): raise 'max_epochs', or lower the budget to 10,200",
    ]
    assert not (tmp_path / "out").exists()


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
