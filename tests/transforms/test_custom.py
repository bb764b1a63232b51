"""Stages of an installed package: found by entry point, made, run; and those that fail."""

import re

import pyarrow as pa
import pytest

from glotmill.pipelines.unit_keys import _stage_version
from glotmill.schemas.recipe import CustomStage
from glotmill.schemas.tables import DROP_REASON
from glotmill.transforms.batches import StageFaultError
from glotmill.transforms.custom import (
    CustomStageError,
    find_stage,
    make_annotator,
    make_filter,
    package_of,
)

THERE = (
    "example_break_promise, example_broken, example_missing, example_number, example_refuse, "
    "example_tally"
)


def stage(name, **options):
    return CustomStage(name=name, options=options)


def batch(*texts):
    return pa.record_batch({"text": list(texts)})


def test_an_annotator_of_an_installed_package(installed):
    made = make_annotator(stage("example_tally", letter="a"))
    assert (made.name, list(made.reads)) == ("tally", ["text"])
    made.setup()
    after = made.annotate(batch("banana", "kiwi"))
    assert after.to_pydict() == {"text": ["banana", "kiwi"], "num_a": [3, 0]}


def test_a_filter_of_an_installed_package(installed):
    made = make_filter(stage("example_refuse", word="spam"))
    made.setup()
    assert made.name == "example_refuse"
    assert list(made.adds) == [DROP_REASON]
    after = made.annotate(batch("ham", "spam", ""))
    assert after.schema.field("drop_reason") == DROP_REASON
    assert after["drop_reason"].to_pylist() == [None, "has_spam", None]


def test_the_first_filter_s_reason_stands_and_the_second_is_not_asked(installed):
    first = make_filter(stage("example_refuse", word="spam"))
    second = make_filter(stage("example_refuse", word="am", fail_on="spam"))
    first.setup()
    second.setup()
    after = second.annotate(first.annotate(batch("ham", "spam", "egg")))
    assert after["drop_reason"].to_pylist() == ["has_am", "has_spam", None]


def test_a_filter_may_be_a_plain_function_without_setup(installed, monkeypatch):
    import glotmill_example

    monkeypatch.setattr(
        glotmill_example, "number", lambda: lambda text: "odd" if len(text) % 2 else None
    )
    made = make_filter(stage("example_number"))
    made.setup()
    assert made.annotate(batch("a", "bb"))["drop_reason"].to_pylist() == ["odd", None]


@pytest.mark.parametrize("make", [make_annotator, make_filter])
@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            stage("example_taly"),
            "no stage 'example_taly' is installed; did you mean 'example_tally'? "
            f"Installed in the entry point group 'glotmill.stages': {THERE}",
        ),
        (
            stage("x"),
            "no stage 'x' is installed; "
            f"Installed in the entry point group 'glotmill.stages': {THERE}",
        ),
        (
            stage("example_tally", lettre="a"),
            "stage 'example_tally' cannot be made: TallyLetter.__init__() got an unexpected "
            "keyword argument 'lettre'",
        ),
        (stage("example_broken"), "stage 'example_broken' cannot be made: no licence found"),
        (
            stage("example_missing"),
            "stage 'example_missing' cannot be made: No module named 'glotmill_example.nowhere'; "
            "'glotmill_example' is not a package",
        ),
    ],
)
def test_stages_that_cannot_be_made(installed, make, wanted, message):
    # Python 3.13 adds "Did you mean" to what it says of an argument.
    with pytest.raises(CustomStageError, match=f"^{re.escape(message)}"):
        make(wanted)


def test_nothing_is_installed():
    message = (
        "no stage 'example_tally' is installed; Installed in the entry point group "
        "'glotmill.stages': none"
    )
    with pytest.raises(CustomStageError, match=f"^{re.escape(message)}$"):
        make_annotator(stage("example_tally"))


def test_a_filter_is_no_annotator_and_a_number_is_neither(installed):
    with pytest.raises(CustomStageError) as caught:
        make_annotator(stage("example_refuse", word="a"))
    assert str(caught.value) == (
        "stage 'example_refuse' is no annotator (it lacks name, reads, adds, setup or annotate); "
        "a filter belongs under 'filters.custom'"
    )
    with pytest.raises(CustomStageError) as caught:
        make_filter(stage("example_number"))
    assert str(caught.value) == "filter 'example_number' cannot be called with a text"


@pytest.mark.parametrize(
    ("given", "shown"), [("", "''"), (" ", "' '"), (b"short", "b'short'"), (True, "True")]
)
def test_a_filter_s_reason_is_a_text_that_says_something(installed, monkeypatch, given, shown):
    import glotmill_example

    monkeypatch.setattr(glotmill_example, "number", lambda: lambda text: given)
    made = make_filter(stage("example_number"))
    with pytest.raises(StageFaultError) as caught:
        made.annotate(batch("a"))
    assert str(caught.value) == (f"gave {shown} for a reason; it has to be a text, or None to keep")


@pytest.fixture
def twice_installed(installed, tmp_path, monkeypatch):
    """Another package that has a stage of a name of the example package's."""
    folder = tmp_path / "other-9.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 9.0\n")
    (folder / "entry_points.txt").write_text("[glotmill.stages]\nexample_refuse = other:Refuse\n")
    monkeypatch.syspath_prepend(tmp_path)


def test_a_stage_of_two_packages_is_neither(twice_installed):
    message = (
        "several packages have a stage 'example_refuse': glotmill-example 1.2.3 "
        "(glotmill_example:RefuseWord), other 9.0 (other:Refuse); uninstall all but one of them"
    )
    for look_up in (make_annotator, make_filter, lambda wanted: find_stage(wanted.name)):
        with pytest.raises(CustomStageError) as caught:
            look_up(stage("example_refuse", word="a"))
        assert str(caught.value) == message
    assert make_annotator(stage("example_tally")).name == "tally"


def test_what_is_kept_of_a_stage_goes_by_the_package_that_runs_it(twice_installed):
    assert package_of(find_stage("example_tally")) == "glotmill-example 1.2.3"
    assert _stage_version(stage("example_tally")) == "glotmill-example 1.2.3"
    assert _stage_version(stage("example_refuse")) == "unknown"


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("adds", {"z": pa.int32()}, "'adds' of stage 'example_tally' has to be a list of fields of "
         "pyarrow, not {'z': DataType(int32)}"),
        ("adds", None, "'adds' of stage 'example_tally' has to be a list of fields of pyarrow, "
         "not None"),
        ("adds", ["z"], "'adds' of stage 'example_tally' has to be a list of fields of pyarrow, "
         "not ['z']"),
        ("reads", "text", "'reads' of stage 'example_tally' has to be a list of names of columns, "
         "not 'text'"),
        ("name", 5, "stage 'example_tally' has 5 for a name, not a text"),
        ("adds", [pa.field("z", pa.int8())] * 2,
         "stage 'example_tally' adds the column 'z' 2 times"),
        ("adds", [pa.field("text", pa.large_string())],
         "stage 'example_tally' replaces the column 'text' by large_string; it has to stay string"),
    ],
)  # fmt: skip
def test_what_a_stage_says_of_itself_is_checked(installed, monkeypatch, attribute, value, message):
    import glotmill_example

    monkeypatch.setattr(glotmill_example.TallyLetter, attribute, value)
    with pytest.raises(CustomStageError) as caught:
        make_annotator(stage("example_tally"))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "name",
    ["label", "num_bytes", "content_hash", "path", "offset", "outcome", "reason", "source", "stage",
     "original_code", "drop_reason", "changes", "band_keys", "segment_bytes", "side_hash",
     "num_documents", "in_oversized"],
)  # fmt: skip
def test_columns_of_glotmill_s_own_are_not_replaced(installed, monkeypatch, name):
    import glotmill_example

    monkeypatch.setattr(glotmill_example.TallyLetter, "adds", [pa.field(name, pa.string())])
    with pytest.raises(CustomStageError) as caught:
        make_annotator(stage("example_tally"))
    assert str(caught.value) == (
        f"stage 'example_tally' adds the column '{name}', which is one of glotmill's own; give it "
        "another name (of these only 'text' may be replaced)"
    )


def test_a_stage_may_replace_the_text(installed, monkeypatch):
    import glotmill_example

    monkeypatch.setattr(glotmill_example.TallyLetter, "adds", [pa.field("text", pa.string())])
    assert [field.name for field in make_annotator(stage("example_tally")).adds] == ["text"]


def test_a_set_up_that_fails_names_the_stage(installed, monkeypatch):
    import glotmill_example

    def fail(self):
        raise OSError("no model here")

    monkeypatch.setattr(glotmill_example.TallyLetter, "setup", fail)
    monkeypatch.setattr(glotmill_example.RefuseWord, "setup", fail)
    made = [make_annotator(stage("example_tally")), make_filter(stage("example_refuse", word="a"))]
    for each, name in zip(made, ("example_tally", "example_refuse"), strict=True):
        with pytest.raises(CustomStageError) as caught:
            each.setup()
        assert str(caught.value) == f"stage '{name}' cannot be set up: OSError: no model here"
