"""Scripts and their relations."""

import pytest

from glotmill.language_registry import UnknownScript, is_spaced, script
from glotmill.language_registry.scripts import (
    COMPONENTS,
    all_scripts,
    components,
    family,
    label_form,
    same_family,
)
from glotmill.language_registry.tables import overrides
from glotmill.language_registry.unicode_tables import script_codes


def test_every_script_of_unicode_is_known():
    assert set(script_codes()) <= {each.code for each in all_scripts()}


@pytest.mark.parametrize(
    "code",
    [
        "Hani",
        "Hans",
        "Hant",
        "Jpan",
        "Thai",
        "Laoo",
        "Khmr",
        "Mymr",
        "Tibt",
        "Lana",
        "Tale",
        "Talu",
        "Tavt",
        "Java",
        "Bali",
        "Yiii",
    ],
)
def test_written_without_spaces(code):
    assert not is_spaced(code)


@pytest.mark.parametrize(
    "code",
    [
        "Latn",
        "Cyrl",
        "Arab",
        "Deva",
        "Hang",
        "Kore",
        "Ethi",
        "Cans",
        "Sinh",
        "Geor",
        "Vaii",
        "Nkoo",
        "Olck",
        "Mong",
        "Zyyy",
    ],
)
def test_written_with_spaces(code):
    assert is_spaced(code)


def test_directions():
    directions = [script(code).direction for code in ("Latn", "Arab", "Nkoo", "Adlm", "Mong")]
    assert directions == ["ltr", "rtl", "rtl", "rtl", "ttb"]


def test_aliases_and_forms():
    assert script("japn").code == "Jpan"
    assert [label_form(code) for code in ("Kore", "Aran", "Hrkt", "Hanb", "Hant")] == [
        "Hang", "Arab", "Jpan", "Hani", "Hant",
    ]  # fmt: skip
    assert label_form(label_form("Jamo")) == "Hang"


def test_unknown_script_is_refused():
    with pytest.raises(UnknownScript, match="unknown script 'Latin'; codes are those of ISO 15924"):
        script("Latin")


def test_private_scripts_are_named_so():
    assert script("Qaaa").name == "Private use (Qaaa)"
    assert (script("qaai").code, script("Qaac").code) == ("Zinh", "Copt")
    with pytest.raises(UnknownScript):
        script("Qaby")


def test_composites_are_made_of_scripts_of_unicode():
    for code in COMPONENTS:
        assert set(components(code)) <= set(script_codes())
    assert components("Jpan") == ("Hira", "Kana", "Hani")


def test_families():
    assert same_family("Hans", "Hant")
    assert same_family("Hang", "Kore")
    assert not same_family("Jpan", "Hani")
    assert all(family(family(each.code)) == family(each.code) for each in all_scripts())


def test_decisions_name_scripts():
    for kind in ("unspaced", "direction", "script_name"):
        assert all(script(code).code == code for code in overrides(kind))
