"""Stages of an installed package: found by entry point, made, run; and those that fail."""

import re

import pyarrow as pa
import pytest

from glotmill.schemas.recipe import CustomStage
from glotmill.schemas.tables import DROP_REASON
from glotmill.transforms.custom import CustomStageError, make_annotator, make_filter

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
