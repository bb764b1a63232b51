"""The command line: paths that look like something else, what to do next, wrong arguments."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from glotmill.pipelines import cli

Invoke = Callable[..., tuple[int, str, str]]

RECIPE = "glotmill: 1\nname: a\nsources:\n  - {name: a, path: x}\nmix:\n  tiers: uniform\n"
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
