"""Recipes over the synthetic corpus."""

import pytest
from synthetic_corpus import RECIPE, SOURCES

from glotmill.pipelines.planning.inputs import framed_inputs
from glotmill.schemas.loading import load_recipe


@pytest.fixture
def framed(tmp_path, monkeypatch):
    """The recipe of some sources and its inputs: framed(names, seed)."""
    monkeypatch.chdir(tmp_path)

    def frame(names, seed=1):
        sources = "\n".join(f"  - {SOURCES[name]}" for name in names)
        (tmp_path / "recipe.yaml").write_text(RECIPE.format(sources=sources, seed=seed))
        loaded = load_recipe("recipe.yaml")
        return loaded.recipe, framed_inputs(loaded)

    return frame
