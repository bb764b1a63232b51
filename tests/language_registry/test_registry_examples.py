"""The examples in the docstrings."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

from glotmill import language_registry

MODULES = [name for _, name, _ in pkgutil.iter_modules(language_registry.__path__)]


@pytest.mark.parametrize("module", MODULES)
def test_examples(module):
    found = doctest.testmod(importlib.import_module(f"glotmill.language_registry.{module}"))
    assert found.failed == 0


def test_examples_are_found():
    modules = (importlib.import_module(f"glotmill.language_registry.{name}") for name in MODULES)
    assert sum(doctest.testmod(module).attempted for module in modules) > 30


def test_examples_of_the_page_for_linguists():
    page = Path(__file__).parents[2] / "docs" / "languages.md"
    if not page.exists():
        pytest.skip("the documentation is not beside the tests")
    found = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert (found.failed, found.attempted > 2) == (0, True)
