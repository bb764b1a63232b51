"""Readable names of labels and scripts."""

from __future__ import annotations

from glotmill import language_registry


def language_name(label: str) -> str:
    """The English name of a label; the label itself where the registry has none.

    >>> language_name("deu_Latn"), language_name("x")
    ('German', 'x')
    """
    try:
        return language_registry.name(label)
    except ValueError:
        return label


def script_of(label: str) -> str:
    """The script of a label; empty where it names none.

    >>> script_of("deu_Latn")
    'Latn'
    """
    return label.partition("_")[2]


def script_name(code: str) -> str:
    """The English name of a script; the code itself where the registry has none."""
    try:
        return language_registry.script(code).name
    except ValueError:
        return code


def locale_of(label: str) -> str:
    """The BCP 47 tag of a label, for the attribute `lang`; empty where it is no label.

    >>> locale_of("zho_Hant"), locale_of("")
    ('zho-Hant', '')
    """
    try:
        return "-".join(language_registry.split_label(label))
    except ValueError:
        return ""
