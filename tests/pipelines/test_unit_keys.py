"""Keys of units: what decides the output of ingest."""

import sys

import pytest

from glotmill.pipelines import unit_keys
from glotmill.pipelines.errors import UserError
from glotmill.pipelines.unit_keys import common_part
from glotmill.schemas.recipe import Recipe

MODEL = "hf://owner/name/model.bin"
RECIPE = Recipe.model_validate(
    {
        "glotmill": 1,
        "name": "a",
        "sources": [{"name": "s", "path": "/s.txt", "format": "text"}],
        "identify": {"model": MODEL},
    }
)


def test_a_model_of_the_hub_is_known_by_its_content(tmp_path, monkeypatch):
    """Its name stands for another file when it is published anew."""
    file = tmp_path / "model.bin"
    monkeypatch.setattr(unit_keys, "fetched_from_hub", {MODEL: str(file)}.__getitem__)
    parts = []
    for content in (b"one", b"other", b"one"):
        file.write_bytes(content)
        parts.append(common_part(RECIPE, lambda file: "")["model"])
    assert parts[0] == parts[2] != parts[1]


def test_a_hub_that_cannot_be_asked(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match=r"identify.model: .* needs the extra"):
        common_part(RECIPE, lambda file: "")
