"""The command line: paths that look like something else, what to do next, wrong arguments."""

import html
import json
import shutil
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest

from glotmill.pipelines import cli

Invoke = Callable[..., tuple[int, str, str]]

RECIPE = "glotmill: 1\nname: a\nsources:\n  - {name: a, path: x}\nmix:\n  tiers: uniform\n"
RUN = """\
glotmill: 1
name: a
identify: {enabled: false}
sources:
  - {name: a, path: a.txt, language: {code: eng}}
mix:
  tiers: uniform
"""
# Neither markup nor the name of an emoji.
ODD = "a [v2] :smile:"


@pytest.fixture
def invoke(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Invoke:
    """Runs the command in this process and in a folder; gives exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["glotmill", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        written = capsys.readouterr()
        return int(exit_.value.code or 0), written.out, written.err

    return run


def test_paths_are_neither_markup_nor_emoji(invoke: Invoke, tmp_path: Path) -> None:
    path = f"{ODD}/recipe.yaml"
    code, output, _ = invoke("init", ODD)
    assert (code, output) == (0, f"wrote {path} and its sample\nnext: glotmill run '{path}'\n")
    code, output, _ = invoke("check", path)
    assert code == 0
    assert output.splitlines() == [
        f"{path} is a good recipe: 'udhr-mini', 1 source", f"next: glotmill run '{path}'",
    ]  # fmt: skip


def test_the_page_of_a_report_is_named_as_it_is(traced, invoke: Invoke, tmp_path: Path) -> None:
    shutil.copytree(traced.root, tmp_path / ODD)
    assert invoke("report", ODD) == (0, f"{ODD}/report.html\n", "")


def test_after_a_plan_the_run_goes_to_the_same_place(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    (tmp_path / "counts.csv").write_text("label,num_words\neng_Latn,5\n")
    code, output, _ = invoke("plan", "recipe.yaml", "--counts", "counts.csv", "--out", "x y")
    assert code == 0
    assert output.splitlines()[-1] == "next: glotmill run recipe.yaml --out 'x y'"


def test_a_page_that_cannot_be_written(traced, invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for page in (".", "file/page.html"):
        code, _, error = invoke("diff", traced.root, traced.root, "--page", page)
        assert code == 2
        assert error.startswith(f"error: --page: {page} cannot be written: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


@pytest.mark.parametrize(
    "arguments",
    [("inspect", "--sort", "random"), ("trace", "--id", "eng5"), ("lid", "thresholds")],
)
def test_a_file_that_is_missing(
    traced, invoke: Invoke, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    shutil.copytree(traced.root, tmp_path / "out")
    for path in (tmp_path / "out" / "ingest" / "documents").iterdir():
        path.unlink()
    command = arguments[: 2 if arguments[0] == "lid" else 1]
    code, output, error = invoke(*command, "out", *arguments[len(command) :])
    assert (code, output) == (2, "")
    assert error.startswith("error: out/ingest/documents/")
    assert error.endswith(
        ".parquet is listed in the manifests of out and missing: run the recipe again\n"
    )


def test_a_run_ends_with_what_its_plan_says(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(
        RUN + "  strategy: unimax\n  budget: 1.0e9\n  max_epochs: 2\n  on_infeasible: relax\n"
        "  labels: {quy_Latn: {rate: 2}}\n"
    )
    (tmp_path / "a.txt").write_text("One line of prose.\nAnother line of it.\n")
    ends = {}
    for command in ("run", "plan"):
        code, output, _ = invoke(command, "recipe.yaml", "--out", "out")
        assert code == 0
        lines = output.splitlines()
        ends[command] = [line for line in lines if line.startswith(("not met: ", "note: "))]
    assert ends["run"] == ends["plan"]
    assert [line[:22] for line in ends["run"]] == [
        "note: 'labels' names m",
        "not met: the budget of",
    ]
    page = html.unescape((tmp_path / "out" / "report.html").read_text(encoding="utf-8"))
    assert all(f"<bdi>{line}</bdi>" in page for line in ends["run"])


def test_a_run_ends_with_the_checks_that_fail(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(RUN)
    (tmp_path / "a.txt").write_text("One line of prose.\n")
    assert "do not add up" not in invoke("run", "recipe.yaml", "--out", "out")[1]
    path = tmp_path / "out" / "statistics" / "summary.json"
    summary = json.loads(path.read_text())
    path.write_text(json.dumps(summary | {"failed_checks": ["plan: 1 surviving = 2 drawn"]}))
    code, output, _ = invoke("run", "recipe.yaml", "--out", "out")
    assert (code, output.splitlines()[-2]) == (
        0,
        f"the numbers do not add up: 1 of {summary['num_checks']} checks fail "
        "(plan: 1 surviving = 2 drawn); see Conservation in out/report.html",
    )


# Of the other source every text is too short.
OTHER = "  - {name: b, category: book, path: b.txt, language: {code: eng}}\n"


@pytest.mark.parametrize(
    "options", ["filters: {min_characters: 99}", f"{OTHER}mix: {{exclude: [code]}}"]
)
def test_a_run_that_has_nothing_to_draw(invoke: Invoke, tmp_path: Path, options: str) -> None:
    tokenizer = resources.files("glotmill.recipes") / "sample" / "tokenizer.json"
    text = RUN.partition("mix:")[0].replace("{name: a,", "{name: a, category: code,")
    tokens = f"{{tokenizer: '{tokenizer}', formats: [megatron, parquet]}}"
    (tmp_path / "recipe.yaml").write_text(f"{text}{options}\noutput: {{tokens: {tokens}}}\n")
    (tmp_path / "a.txt").write_text("One line of prose.\nAnother line of it.\n")
    (tmp_path / "b.txt").write_text("Short.\n")
    code, output, errors = invoke("run", "recipe.yaml", "--out", "out")
    assert (code, errors) == (0, "")
    assert "\n0 tokens to train on, " in output
