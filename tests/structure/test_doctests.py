"""The examples in docstrings give what they say."""

import doctest
import importlib
import pkgutil

import pytest

import glotmill.dashboard
import glotmill.language_registry
import glotmill.pipelines
import glotmill.recipes
import glotmill.schemas
import glotmill.trainer
import glotmill.transforms

PACKAGES = (
    glotmill.dashboard,
    glotmill.language_registry,
    glotmill.pipelines,
    glotmill.recipes,
    glotmill.schemas,
    glotmill.trainer,
    glotmill.transforms,
)
MODULES = [
    module.name
    for package in PACKAGES
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not module.name.endswith(".build")  # needs the extra `registry`
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    modules = [importlib.import_module(name) for name in MODULES]
    examples = [test for module in modules for test in finder.find(module) if test.examples]
    assert len(examples) > 50
