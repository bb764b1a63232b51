"""Output directories: what can be none is told, with exit code 2, before anything is done."""

from pathlib import Path

import pytest

from glotmill.pipelines.errors import UserError
from glotmill.pipelines.output_directory import output_directory


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("gs://", "write gs://BUCKET/FOLDER"),
        ("gs:", "write gs://BUCKET/FOLDER"),
        ("s3:/bucket/a", "write s3://BUCKET/FOLDER"),
        ("gs:///a", "write gs://BUCKET/FOLDER"),
        ("file:///tmp/a", "write a folder of this machine as a path"),
        ("ftp2://host/a", "nothing writes ftp2://; name a folder here, or a gs:// or s3:// path"),
        ("a-file", "a-file is a file"),
        ("a-file/out", "a-file is a file"),
        ("nowhere-link/out", "nowhere-link is no folder"),
    ],
)
def test_what_is_none_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-file").touch()
    (tmp_path / "nowhere-link").symlink_to("nowhere")
    with pytest.raises(UserError) as told:
        output_directory(given)
    assert str(told.value) == f"{given} is no output directory: {why}"


def test_what_is_one_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    for given in ("out", "out/a [v2]:b/", f"{tmp_path}/x/y/", "link/", "..", "gsa:b"):
        assert output_directory(given) == given.rstrip("/")


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_command_writes_nowhere_else(glotmill, tmp_path: Path, command: str) -> None:
    recipe = Path(__file__).parents[2] / "recipes" / "udhr.yaml"
    done = glotmill(command, recipe, "--out", "gs://")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: gs:// is no output directory: write gs://BUCKET/FOLDER\n"
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_of_which_nobody_knows_the_place(glotmill) -> None:
    done = glotmill("check", "ftp2://host/recipe.yaml")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ftp2://host/recipe.yaml cannot be read: ")
