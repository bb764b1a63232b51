"""The report of a run in a store: its URI, and a page made anew only where one is wanted."""

import json
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path

import pytest
from object_stores import Proxy

from glotmill.pipelines import cli
from glotmill.pipelines.report import find_report
from glotmill.transforms import storage

Report = Callable[..., str]
RECIPE = """\
glotmill: 1
name: a
identify: {enabled: false}
sources: [{name: a, path: a.jsonl, language: {column: lang}}]
output: {parquet: {shards: 1}}
"""


@pytest.fixture
def root(
    store: tuple[str, Proxy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Report
) -> str:
    """A finished run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    rows = [{"text": f"Sentence number {n} of this text.", "lang": "en"} for n in range(40)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    root = f"{store[0]}/out"
    call("run", "recipe.yaml", "--out", root, "--workers", "1")
    return root


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Report:
    """Runs the command in this process, as in a terminal; gives what it says."""

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["glotmill", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        written = capsys.readouterr()
        assert not end.value.code, written.err
        return written.out

    return run


def test_its_uri_is_told(root: str, call: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    page = f"{root}/report.html"
    assert call("report", f"{root}/") == f"{page}\n"
    assert opened == []
    storage.write_atomically(page, b"as it was")
    assert find_report(root, rebuild=False) == page
    assert storage.read_bytes(page) == b"as it was"
    storage.delete([page])
    call("report", root)
    assert storage.read_bytes(page).startswith(b"<!doctype html>")
    storage.write_atomically(page, b"as it was")
    call("report", root, "--rebuild")
    assert storage.read_bytes(page) != b"as it was"
