"""Imports point one way, and only through the name glotmill."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Each folder may import itself and these.
ALLOWED = {
    "language_registry": set(),
    "schemas": {"language_registry"},
    "transforms": {"schemas", "language_registry"},
    "dashboard": {"transforms", "schemas", "language_registry"},
    "pipelines": {"dashboard", "transforms", "schemas", "language_registry", "recipes", "trainer"},
    "trainer": {"schemas"},
    "recipes": set(),
}
FILES = [path for folder in ALLOWED for path in sorted((ROOT / folder).rglob("*.py"))]


def imported_modules(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_point_one_way(path: Path) -> None:
    folder = path.relative_to(ROOT).parts[0]
    for module in imported_modules(path):
        root, *rest = module.split(".")
        assert root not in ALLOWED, f"import glotmill.{module}"
        if root == "glotmill":
            assert rest[0] in ALLOWED[folder] | {folder}, f"{folder} imports {module}"


@pytest.mark.parametrize("folder", ["trainer", "schemas", "language_registry"])
def test_no_beam_below_transforms(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        assert not {m for m in imported_modules(path) if m.startswith("apache_beam")}, path


def test_every_folder_is_listed() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages == set(ALLOWED)
