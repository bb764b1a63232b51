"""Where the larger data set lies."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_folder() -> Path:
    folder = os.environ.get("GLOTMILL_DATA")
    if not folder:
        pytest.skip("set GLOTMILL_DATA to the folder of the larger data set")
    return Path(folder)
