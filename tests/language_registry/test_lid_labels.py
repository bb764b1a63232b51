"""Labels of identifiers."""

import csv
from pathlib import Path

import pytest

from glotmill.language_registry import UnknownCode, confirms, language, lid_label, model_labels


@pytest.mark.parametrize(
    ("raw", "codes"),
    [
        ("als", ("gsw_Latn",)),
        ("__label__en", ("eng_Latn",)),
        ("bh", ("bho_Deva", "mai_Deva", "bih_Deva")),
        ("no", ("nob_Latn", "nor_Latn")),
        ("sr", ("srp_Cyrl", "srp_Latn")),
        ("zh", ("cmn_Hani", "lzh_Hani", "zho_Hani")),
        ("fa", ("pes_Arab", "prs_Arab", "fas_Arab")),
        ("kk", ("kaz_Cyrl",)),
    ],
)
def test_labels_of_lid_176(raw, codes):
    assert lid_label("lid.176", raw) == codes
    assert lid_label("models/lid.176.ftz", raw) == codes


def test_all_codes_of_lid_176_are_languages():
    labels = model_labels("lid.176")
    assert len(labels) == 176
    for codes in labels.values():
        assert [language(code[:3]).iso639_3 + code[3:] for code in codes] == list(codes)


def test_labels_with_a_script_stand_for_themselves():
    assert lid_label("glotlid", "__label__swh_Latn") == ("swh_Latn",)
    assert lid_label("model_v3.bin", "cmn_Hani") == ("cmn_Hani",)
    assert lid_label("glotlid", "__label__ajp_Arab") == ("apc_Arab",)
    assert lid_label("glotlid", "zxx_Zzzz") == ("zxx_Zzzz",)


def test_labels_of_models_without_a_table():
    assert lid_label("cld3", "iw") == ("heb",)
    assert lid_label("cld3", "bg-Latn") == ("bul_Latn",)
    assert model_labels("cld3") == {}


def test_unknown_label_is_refused():
    with pytest.raises(UnknownCode):
        lid_label("cld3", "klingonisch")


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        model_labels("lid.176")["en"] = ("deu",)


@pytest.mark.data
def test_facts_about_lid_176(data_folder: Path):
    with (data_folder / "lid176_map.tsv").open() as file:
        facts = {
            row["lid176_label"]: row["iso639_3"].split(",")
            for row in csv.DictReader(file, delimiter="\t")
        }
    assert set(facts) == set(model_labels("lid.176"))
    for raw, codes in facts.items():
        found = lid_label("lid.176", raw)
        assert all(any(confirms(code, each) for each in found) for code in codes), raw
