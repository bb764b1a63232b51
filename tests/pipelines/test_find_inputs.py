"""Which files a recipe's patterns lead to."""

import pytest
import yaml

from glotmill.pipelines.units import find_inputs
from glotmill.schemas.loading import load_recipe


@pytest.fixture
def paths_of(tmp_path):
    """Names of the files of a source, of which links of folders lead to some."""
    (tmp_path / "v2").mkdir()
    for name in ("a.txt", "b.txt", "a.de", "a.en"):
        (tmp_path / "v2" / name).write_text("one\n")
    for link in ("current", "zuletzt"):
        (tmp_path / link).symlink_to("v2")

    def paths(*patterns, **options):
        recipe = tmp_path / "recipe.yaml"
        source = {"name": "s", "path": list(patterns), **options}
        recipe.write_text(yaml.safe_dump({"glotmill": 1, "name": "a", "sources": [source]}))
        ((_, files),) = find_inputs(load_recipe(recipe))
        return [file.path.removeprefix(f"{tmp_path}/") for file in files]

    return paths


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (("current/*.txt", "v2/*.txt", "zuletzt/*.txt"), ["v2/a.txt", "v2/b.txt"]),
        (("zuletzt/*.txt", "current/*.txt"), ["current/a.txt", "current/b.txt"]),
        (("zuletzt/*.txt", "current/b.txt"), ["current/b.txt", "zuletzt/a.txt"]),
    ],
)
def test_a_file_that_two_patterns_lead_to_is_read_once(paths_of, patterns, expected):
    assert paths_of(*patterns) == expected


def test_files_that_codes_stand_for_keep_their_order(paths_of):
    pairs = {"codes": ["en", "de"]}
    listed = ["zuletzt/a.en", "current/a.de"]
    assert paths_of(*listed, category="bitext", format="moses", pairs=pairs) == listed
