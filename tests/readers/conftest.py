"""Fixtures of the readers' tests."""

import pytest


@pytest.fixture
def write(tmp_path):
    """Write a file; return its path."""

    def write_file(content, name="a.txt"):
        path = tmp_path / name
        path.write_bytes(content)
        return str(path)

    return write_file
