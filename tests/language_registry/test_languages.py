"""The table of languages."""

import pytest

from glotmill.language_registry import (
    UnknownCode,
    all_languages,
    language,
    name,
    resolve,
    split_label,
)
from glotmill.language_registry.scripts import is_script
from glotmill.language_registry.tables import overrides, read_rows


def test_every_language_of_iso_639_3_is_there():
    scopes = [each.scope for each in all_languages()]
    assert scopes.count("individual") > 7800
    assert scopes.count("macrolanguage") > 60
    assert scopes.count("collective") > 100
    assert scopes.count("special") == 4
    assert len({each.iso639_3 for each in all_languages()}) == len(all_languages())


def test_facts_of_one_language():
    swahili = language("sw")
    assert (swahili.iso639_3, swahili.iso639_1, swahili.scope) == ("swa", "sw", "macrolanguage")
    assert swahili.members == ("swc", "swh")
    assert language("swh").macrolanguage == "swa"
    assert language("deu").iso639_2b == "ger"
    assert language("srp").scripts == ("Cyrl", "Latn")
    assert language("ace").scripts == ("Latn", "Arab")
    assert language("lat").type == "historical"
    assert language("qab").scope == "private"


def test_retired_codes():
    assert language("mol").iso639_3 == "ron"
    assert language("eml").scope == "retired"
    assert set(language("eml").members) == {"egl", "rgn"}


def test_every_code_that_iso_639_3_ever_had_resolves():
    for row in read_rows("retired"):
        found = resolve(f"{row['code']}_Latn")
        kept = len(row["replacements"].split()) != 1
        assert (found.language == row["code"]) is kept
        assert bool(found.assumed) is kept


def test_unknown_language_is_refused():
    with pytest.raises(UnknownCode, match="unknown language code 'xx'"):
        language("xx")


def test_members_and_scripts_are_known():
    for each in all_languages():
        assert all(language(member) for member in each.members), each
        assert all(is_script(script) for script in each.scripts), each
        assert not each.macrolanguage or each.iso639_3 in language(each.macrolanguage).members


@pytest.mark.parametrize(
    ("label", "readable"),
    [
        ("zho_Hant", "Chinese (Traditional Han)"),
        ("zho_Hani", "Chinese"),
        ("srp_Latn", "Serbian (Latin)"),
        ("ell_Grek", "Greek"),
        ("swa_Latn", "Swahili"),
        ("jpn_Jpan", "Japanese"),
        ("zxx_Zyyy", "No linguistic content"),
        ("ber_Tfng", "Berber languages (Tifinagh)"),
    ],
)
def test_names(label, readable):
    assert name(label) == readable


def test_names_tell_languages_apart():
    names = [each.name for each in all_languages() if each.scope != "retired"]
    assert len(names) == len(set(names))


def test_split_label():
    assert split_label("zho_Hant") == ("zho", "Hant")
    with pytest.raises(ValueError, match="is no label"):
        split_label("zh-Hant")


def test_hand_written_decisions_are_all_of_use():
    kinds = {
        "alias",
        "alias_note",
        "variant",
        "modifier",
        "scripts",
        "region_script",
        "sibling",
        "same",
        "collective",
        "unspaced",
        "direction",
        "script_name",
        "name",
    }
    rows = read_rows("overrides")
    assert {row["kind"] for row in rows} == kinds
    assert len({(row["kind"], row["subject"]) for row in rows}) == len(rows)
    assert all(row["reason"] for row in rows)
    assert set(overrides("alias_note")) <= set(overrides("alias"))


def test_aliases_hide_no_code_of_iso_639():
    listed = {row["code"] for row in read_rows("languages")}
    listed |= {row["part1"] for row in read_rows("languages")}
    assert not listed & set(overrides("alias"))


def test_overridden_languages_and_targets_exist():
    for code in overrides("scripts") | overrides("name") | overrides("collective"):
        assert language(code).iso639_3 == code
    for target in overrides("alias").values():
        assert resolve(target)
