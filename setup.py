"""Map the root folders onto the one import name ``glotmill``.

The folders keep the names the field uses (``transforms``, ``pipelines``, ...), but the package
index has unrelated distributions under those names, so nothing is installed under them.
"""

from setuptools import find_packages, setup

ROOTS = (
    "language_registry",
    "schemas",
    "transforms",
    "pipelines",
    "dashboard",
    "trainer",
    "recipes",
)

packages = [
    f"glotmill.{package}"
    for root in ROOTS
    for package in (root, *(f"{root}.{sub}" for sub in find_packages(root)))
]

setup(
    packages=packages,
    package_dir={f"glotmill.{root}": root for root in ROOTS},
)
