"""Where models are loaded from, and what is said of those that cannot be."""

import sys
from importlib import resources
from pathlib import Path

import pytest

from glotmill.transforms.models.fasttext_file import is_whole
from glotmill.transforms.models.fasttext_model import BUILTIN, FastTextModel, ModelError

BUILTIN_FILE = Path(str(resources.files("glotmill.transforms.models") / "lid.176.ftz"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory, write_model):
    """A model of two labels."""
    path = tmp_path_factory.mktemp("model") / "model.bin"
    write_model(path, {"eng_Latn": ["the cat sat"], "fra_Latn": ["le chien dort"]})
    return path


def test_the_builtin_model():
    model = FastTextModel(BUILTIN)
    assert len(model.labels) == 176
    predictions = model.predict("Where is the nearest railway station?", 3)
    assert predictions[0][1] == "en"
    assert [p for p, _ in predictions] == sorted((p for p, _ in predictions), reverse=True)
    assert 0.5 < predictions[0][0] <= 1
    assert sum(p for p, _ in predictions) <= 1.001


def test_a_model_by_its_path(trained):
    model = FastTextModel(str(trained))
    assert (model.family, set(model.labels)) == ("glotlid", {"eng_Latn", "fra_Latn"})
    assert model.predict("le chien", 1)[0][1] == "fra_Latn"
    assert len(model.predict("le chien", 5)) == 2


def test_a_model_by_a_uri_of_a_file_system_beam_knows(trained):
    from apache_beam.io import filesystem, filesystems

    class Elsewhere(filesystems.FileSystem):
        @classmethod
        def scheme(cls):
            return "elsewhere"

        def open(self, path, mime_type="", compression_type=filesystem.CompressionTypes.AUTO):
            return open(path.removeprefix("elsewhere:/"), "rb")

        def _no(self, *_):
            raise NotImplementedError

        join = split = mkdirs = has_dirs = _list = create = copy = rename = exists = size = _no
        last_updated = checksum = metadata = delete = _no

    model = FastTextModel(f"elsewhere:/{trained}")
    assert model.predict("the cat", 1)[0][1] == "eng_Latn"
    with pytest.raises(
        ModelError, match=r"^model elsewhere://none/x\.bin cannot be read: .*No such"
    ):
        FastTextModel("elsewhere://none/x.bin")


def test_line_ends_are_blanks(trained):
    model = FastTextModel(str(trained))
    assert model.predict("le\nchien\n", 2) == model.predict("le chien ", 2)


def message(location):
    with pytest.raises(ModelError) as caught:
        FastTextModel(str(location))
    return str(caught.value)


@pytest.mark.parametrize("content", [b"", b"GIF", b"<html>not found</html>", b"\0" * 100])
def test_a_file_that_is_no_model(tmp_path, content):
    path = tmp_path / "model.bin"
    path.write_bytes(content)
    assert message(path) == (
        f"{path} is not a fastText model (a .bin or .ftz file); "
        "'identify.model: builtin' needs none"
    )


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.9999])
def test_a_model_that_was_cut_short(tmp_path, trained, share):
    for whole in (trained, BUILTIN_FILE):
        content = whole.read_bytes()
        path = tmp_path / "model.bin"
        path.write_bytes(content[: max(4, int(share * len(content)))])
        assert message(path) == (
            f"{path} is no usable fastText model: it was cut short; fetch it anew"
        )


def test_whole_models_are_as_long_as_they_say(trained):
    assert is_whole(str(trained))
    assert is_whole(str(BUILTIN_FILE))


def test_a_path_where_nothing_is(tmp_path):
    path = tmp_path / "model.bin"
    assert message(path) == f"model {path}: No such file or directory"
    assert message(tmp_path) == f"model {tmp_path}: Is a directory"


def test_a_scheme_that_nobody_knows():
    assert message("ipfs://a/b.bin").startswith("model ipfs://a/b.bin cannot be read: ")


@pytest.mark.parametrize("location", ["hf://", "hf://cis-lmu", "hf://cis-lmu/glotlid", "hf:///a/b"])
def test_an_address_at_the_hub_that_is_incomplete(location):
    assert message(location) == (f"{location}: write hf://owner/name/file")


def test_the_hub_without_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    location = "hf://cis-lmu/glotlid/model_v3.bin"
    assert message(location) == f"{location} needs the extra: pip install 'glotmill[hub]'"
