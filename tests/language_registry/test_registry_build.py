"""The built tables are what the build makes."""

import importlib.metadata
from importlib.resources import files

import pytest

from glotmill.language_registry import build
from glotmill.language_registry.tables import read_rows

BUILT = (
    "languages",
    "retired",
    "subtags",
    "region_scripts",
    "scripts",
    "script_runs",
    "flag_runs",
    "case_folds",
    "sources",
)


def missing_packages():
    """The packages at the versions that the shipped tables were built from, where not installed."""
    missing = []
    for row in read_rows("sources"):
        try:
            installed = importlib.metadata.version(row["source"])
        except importlib.metadata.PackageNotFoundError:
            installed = ""
        if row["source"] != "Unicode" and installed != row["version"]:
            missing.append(f"{row['source']}=={row['version']}")
    return missing


@pytest.mark.slow
def test_rebuilding_gives_the_same_bytes(tmp_path):
    if missing_packages():
        pytest.skip(f"install the extra 'registry': {', '.join(missing_packages())}")
    build.build(tmp_path)
    assert sorted(path.stem for path in tmp_path.iterdir()) == sorted(BUILT)
    for name in BUILT:
        shipped = (files("glotmill.language_registry") / "data" / f"{name}.tsv").read_bytes()
        assert (tmp_path / f"{name}.tsv").read_bytes() == shipped, name


def test_command_line_wants_one_folder(capsys):
    assert build.main([]) == 2
    assert "usage" in capsys.readouterr().err


def test_size_of_the_data():
    folder = files("glotmill.language_registry") / "data"
    sizes = [len(path.read_bytes()) for path in folder.iterdir() if path.name.endswith(".tsv")]
    assert sum(sizes) < 1_500_000


def test_every_table_has_an_origin():
    text = (files("glotmill.language_registry") / "data" / "README.md").read_text(encoding="utf-8")
    for name in (*BUILT, "overrides", "lid_labels"):
        assert f"`{name}.tsv`" in text
    for row in read_rows("sources"):
        assert row["version"] in text, row


def test_runs_start_where_values_change():
    assert build.runs(["a", "a", "b"], str) == [("0", "a"), ("2", "b")]
