"""What may have been meant by a code that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches

from glotmill.language_registry.languages import Language, all_languages
from glotmill.language_registry.scripts import all_scripts

_ADVICE = "give a code of ISO 639 or BCP 47, as in 'swa', 'sw', 'swa_Latn' or 'sw-KE'"
_NUM_SUGGESTIONS = 3


def suggest(text: str, kind: str = "language") -> str:
    """Returns the end of an error message: near codes, or what a code looks like.

    Args:
        text: The unknown code, or the unknown part of one.
        kind: ``language``, ``script`` or ``part``.

    >>> suggest("swahilli")
    "did you mean 'swa' (Swahili)?"
    >>> suggest("ltan", "script")
    "did you mean 'Latn' (Latin), 'Lana' (Lanna)?"
    """
    near = _near_scripts(text) if kind == "script" else _near_languages(text)
    if kind == "part" or not near:
        return _ADVICE
    return f"did you mean {', '.join(near)}?"


def _near_languages(text: str) -> list[str]:
    wanted = text.lower()
    found = _by_name(wanted) if len(wanted) > 3 else _by_code(wanted)
    return [f"{each.iso639_3!r} ({each.name})" for each in found]


def _by_name(wanted: str) -> list[Language]:
    named = {each.name.lower(): each for each in reversed(all_languages())}
    exact = [each for name, each in named.items() if name == wanted]
    near = get_close_matches(wanted, named, n=_NUM_SUGGESTIONS, cutoff=0.8)
    return exact or [named[name] for name in near]


def _by_code(wanted: str) -> list[Language]:
    """Returns languages whose code is near, those with a two-letter code (well known) first."""
    near = [each for each in all_languages() if _is_near(wanted, _codes(each))]
    near.sort(key=lambda each: (not each.iso639_1, each.type != "living", each.iso639_3))
    return near[:_NUM_SUGGESTIONS]


def _codes(known: Language) -> Iterable[str]:
    return filter(None, (known.iso639_3, known.iso639_1, known.iso639_2b))


def _is_near(wanted: str, codes: Iterable[str]) -> bool:
    """Returns whether a code as long has the same first letter and most letters in common."""
    return any(
        len(code) == len(wanted)
        and code[0] == wanted[0]
        and SequenceMatcher(None, wanted, code).ratio() > 0.6
        for code in codes
    )


def _near_scripts(text: str) -> list[str]:
    by_code = {each.code: each for each in all_scripts()}
    near = get_close_matches(text.title(), by_code, n=_NUM_SUGGESTIONS, cutoff=0.7)
    return [f"{code!r} ({by_code[code].name})" for code in near]
