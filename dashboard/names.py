"""Readable names of labels and scripts."""

from __future__ import annotations

from glotmill import language_registry
from glotmill.schemas.tables import MANY_LANGUAGES

_MANY_NAME = "more than three languages"


def language_name(label: str) -> str:
    """The English name of a label; the label itself where the registry has none.

    >>> language_name("deu_Latn"), language_name("x")
    ('German', 'x')
    >>> language_name("deu_Latn-eng_Latn"), language_name("mul")
    ('German – English', 'more than three languages')
    """
    if label == MANY_LANGUAGES:
        return _MANY_NAME
    return " – ".join(map(_name_of_one, languages_of(label)))


def languages_of(label: str) -> list[str]:
    """The labels that the label of parallel text is made of; itself where it is of one language.

    >>> languages_of("deu_Latn-eng_Latn"), languages_of("deu_Latn")
    (['deu_Latn', 'eng_Latn'], ['deu_Latn'])
    """
    parts = label.split("-")
    return parts if all("_" in part for part in parts) else [label]


def _name_of_one(label: str) -> str:
    try:
        return language_registry.name(label)
    except ValueError:
        return label


def script_of(label: str) -> str:
    """The script of a label, or the scripts where it has several; empty where it names none.

    >>> script_of("deu_Latn"), script_of("eng_Latn-rus_Cyrl"), script_of("deu_Latn-eng_Latn")
    ('Latn', 'Latn, Cyrl', 'Latn')
    """
    found = (each.partition("_")[2] for each in languages_of(label))
    return ", ".join(dict.fromkeys(filter(None, found)))


def script_name(code: str) -> str:
    """The English name of a script; the code itself where the registry has none."""
    try:
        return language_registry.script(code).name
    except ValueError:
        return code


def locale_of(label: str) -> str:
    """The BCP 47 tag of a label, for the attribute `lang`; empty where it is of no one language.

    >>> locale_of("zho_Hant"), locale_of("swh_Latn"), locale_of("")
    ('zh-Hant', 'swh-Latn', '')
    """
    try:
        code, script = language_registry.split_label(label)
        # BCP 47 wants the code of two letters where there is one.
        return f"{language_registry.language(code).iso639_1 or code}-{script}"
    except ValueError:
        return ""
