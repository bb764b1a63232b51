"""The examples in docstrings give what they say."""

import doctest
import importlib
import pkgutil
from types import ModuleType

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


# What extras bring: modules that need it are left out where it is not there.
EXTRAS = {"torch": "train", "boto3": "aws", "botocore": "aws", "google": "gcp"}


def imported(name: str) -> ModuleType:
    """The module, unless it needs an extra that is not installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        extra = EXTRAS.get(str(error.name).split(".")[0])
        if extra is None:
            raise
        pytest.skip(f"needs the extra `{extra}`")


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    assert doctest.testmod(imported(name)).failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    needed = ("trainer", "cloud")
    modules = [importlib.import_module(n) for n in MODULES if not any(e in n for e in needed)]
    examples = [test for module in modules for test in finder.find(module) if test.examples]
    assert len(examples) > 50
