"""What is said of errors that nobody foresaw, wherever their details can be kept."""

import io
import re
import tempfile
from pathlib import Path

import pytest
from rich.console import Console

from glotmill.pipelines.outcome import exit_code


def told_of_a_bug() -> str:
    written = io.StringIO()

    def command() -> None:
        raise OSError(28, "No space left on device")

    assert exit_code(command, Console(file=written, soft_wrap=True)) == 1
    return written.getvalue()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, in which the details cannot be written."""
    folder = tmp_path / "here"
    (folder / "glotmill-error.log").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def test_details_lie_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert told_of_a_bug().splitlines() == [
        "error: the run failed: OSError: [Errno 28] No space left on device",
        "details in glotmill-error.log; run the same command again to go on",
    ]
    assert "Traceback" in (tmp_path / "glotmill-error.log").read_text()


def test_details_lie_elsewhere_where_they_cannot_lie_here(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    first, second = told_of_a_bug().splitlines()
    assert first.endswith("No space left on device")
    found = re.fullmatch(r"details in (.*); run the same command again to go on", second)
    assert found is not None
    assert Path(found[1]).parent == tmp_path
    assert "Traceback" in Path(found[1]).read_text()


def test_an_error_is_told_where_no_details_can_be_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "nowhere"))
    first, second = told_of_a_bug().splitlines()
    assert first.endswith("No space left on device")
    assert second.startswith("details could not be written (No such file or directory); run the")
