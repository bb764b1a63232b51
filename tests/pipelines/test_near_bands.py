"""`glotmill near bands`: datasketch's optimum beside the defaults."""

import sys

import pytest
from datasketch import MinHashLSH
from typer.testing import CliRunner

from glotmill.pipelines.cli import app
from glotmill.pipelines.errors import UserError
from glotmill.pipelines.near import best_banding, share_found


@pytest.mark.parametrize(("similarity", "permutations"), [(0.7, 128), (0.5, 100), (0.9, 64)])
def test_the_optimum_is_datasketchs(similarity, permutations):
    bands, rows = best_banding(similarity, permutations)
    index = MinHashLSH(threshold=similarity, num_perm=permutations)
    assert (bands, rows) == (index.b, index.r)
    assert bands * rows <= permutations
    # The curve is steep about the similarity asked for.
    assert (
        share_found(similarity - 0.2, bands, rows)
        < 0.5
        < share_found(similarity + 0.2, bands, rows)
    )


def test_the_table_names_the_setting():
    found = CliRunner().invoke(app, ["near", "bands", "--similarity", "0.8"])
    assert found.exit_code == 0
    bands, rows = best_banding(0.8, 100)
    assert f"near: {{bands: {bands}, rows: {rows}}}" in found.output
    assert f"{share_found(0.7, 20, 5):.1%}" in found.output


def test_without_datasketch(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasketch", None)
    with pytest.raises(UserError, match=r"glotmill\[near\]"):
        best_banding(0.7, 100)
