"""Which scripts a declared language is written in, and which languages are written alike."""

from __future__ import annotations

import functools

from glotmill.language_registry import UnknownCode, confirms, resolve
from glotmill.language_registry.languages import find_language
from glotmill.language_registry.scripts import family, is_private


@functools.lru_cache(maxsize=100_000)
def are_alike(one: str, other: str) -> bool:
    """Whether two labels are of languages written alike, or of one and its macrolanguage.

    >>> are_alike("hrv_Latn", "bos_Latn"), are_alike("dan_Latn", "nob_Latn")
    (True, False)
    """
    try:
        return confirms(one, other) or confirms(other, one)
    except UnknownCode:
        return False


@functools.lru_cache(maxsize=100_000)
def is_written_in(code: str, script: str) -> bool:
    """Whether a declared language is written in a script, as far as is known.

    A code that names a script is held to it.

    >>> is_written_in("de", "Latn"), is_written_in("de", "Cyrl"), is_written_in("sr", "Latn")
    (True, False, True)
    >>> is_written_in("sr-Cyrl", "Latn"), is_written_in("zh-TW", "Hans")
    (False, True)
    """
    if not code or script == "Zyyy":
        return True
    try:
        found = resolve(code, script=script)
    except UnknownCode:
        return True  # which is a reason of its own
    named = resolve(code)
    if not any(note.startswith("script ") for note in named.assumed):
        kin = _is_kin(named.script, script) or _agrees(named.label, named.language, script)
        return kin or is_private(named.script)  # nobody knows what that is recognised as
    spoken = find_language(found.language)
    if spoken is None or not spoken.scripts or spoken.scope != "individual":
        return True
    return any(_is_kin(each, script) for each in spoken.scripts)


def _agrees(label: str, language: str, script: str) -> bool:
    try:
        return confirms(label, f"{language}_{script}")
    except UnknownCode:
        return False


def _is_kin(one: str, other: str) -> bool:
    """Whether text in one script may be recognised as the other: all of a Japanese text as Han."""
    east = ("Jpan", "Hani", "Hans", "Hant", "Hira", "Kana", "Hrkt")
    korean = ("Hang", "Kore", "Hani")
    return (
        family(one) == family(other)
        or (one in ("Jpan", "Hira", "Kana", "Hrkt") and other in east)
        or (one in ("Hang", "Kore") and other in korean)
    )
