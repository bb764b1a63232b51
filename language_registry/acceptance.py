"""Which label of an identifier confirms which declared label.

Two labels agree if their languages agree and their scripts agree. Languages agree if they are
the same; if one is the macrolanguage of the other, or a retired code since split into it; if the
declared one is a collective code that comprises the other; if the two are written alike (a closed
table in ``overrides.tsv``). Scripts agree if they are forms of one script, as Hans and Hant are.
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from itertools import permutations

from glotmill.language_registry.codes import parse
from glotmill.language_registry.languages import (
    Language,
    all_languages,
    language,
    overrides_of,
    replaced_codes,
)
from glotmill.language_registry.resolution import own_form
from glotmill.language_registry.scripts import family_members

_NO_CLAIM = ("special", "private")
_JAPANESE = ("Jpan", "Japn", "Hira", "Kana", "Hrkt", "Hani")


def confirms(declared: str, identified: str) -> bool:
    """Returns whether an identified label agrees with the declared one.

    Either may be a label, or any code that :func:`resolve` reads. A bare code, as the models that
    know no scripts give, is compared by language only.

    Raises:
        UnknownCode: One of the codes is not known.

    >>> confirms("aze_Latn", "azj_Latn"), confirms("swa_Latn", "swh_Latn")
    (True, True)
    >>> confirms("rus_Cyrl", "bul_Cyrl"), confirms("srp_Cyrl", "srp_Latn")
    (False, False)
    >>> confirms("zho_Hans", "cmn_Hani"), confirms("fas", "prs")
    (True, True)
    """
    return _confirms(declared, identified)


@lru_cache(maxsize=65536)
def _confirms(declared: str, identified: str) -> bool:
    one, one_script = _halves(declared)
    other, other_script = _halves(identified)
    if other not in related(one):
        return False
    return not (one_script and other_script) or other_script in _agreeing_scripts(one, one_script)


@lru_cache(maxsize=4096)
def accepts(label: str) -> frozenset[str]:
    """Returns the labels that confirm a label when an identifier predicts them.

    For a bare code the set holds bare codes.

    >>> sorted(accepts("est_Latn"))
    ['ekk_Latn', 'est_Latn', 'vro_Latn']
    >>> sorted(accepts("kor_Hang"))
    ['kor_Hang', 'kor_Kore']
    """
    code, script = _halves(label)
    if not script:
        return related(code)
    scripts = _agreeing_scripts(code, script)
    return frozenset(f"{other}_{form}" for other in related(code) for form in scripts)


@lru_cache(maxsize=8192)
def related(code: str) -> frozenset[str]:
    """Returns the language codes that agree with a language code, itself and aliases included.

    >>> sorted(related("nob"))
    ['nob', 'nor']
    >>> sorted(related("est"))
    ['ekk', 'est', 'vro']
    """
    known = language(code)
    codes = {
        known.iso639_3,
        *_above().get(known.iso639_3, ()),
        *_below(known),
        *_written_alike().get(known.iso639_3, ()),
    }
    if known.scope in _NO_CLAIM:
        codes = {known.iso639_3}
    return frozenset(codes | {old for each in codes for old in _replaced().get(each, ())})


def _halves(label: str) -> tuple[str, str]:
    """Returns language and script; the script is empty for a code that names none."""
    parsed = parse(label)
    code = language(parsed.language).iso639_3
    return code, own_form(code, parsed.script) if parsed.script else ""


def _below(known: Language) -> set[str]:
    """Returns what a code comprises, down to the members of macrolanguages within it."""
    members = [language(member) for member in known.members]
    inner = (code for member in members for code in member.members)
    return {*(member.iso639_3 for member in members), *inner}


@lru_cache(maxsize=1)
def _above() -> dict[str, set[str]]:
    """Returns the macrolanguage and the retired codes that comprise each language.

    Collective codes are left out: that a text is in a Romance language does not confirm that it
    is in French.
    """
    above: dict[str, set[str]] = defaultdict(set)
    for known in all_languages():
        for member in _below(known) if known.scope != "collective" else ():
            above[member].add(known.iso639_3)
    return above


@lru_cache(maxsize=1)
def _written_alike() -> dict[str, set[str]]:
    """Returns the languages that the closed table of siblings says are written alike."""
    alike: dict[str, set[str]] = defaultdict(set)
    groups = list(overrides_of("sibling").values())
    groups += [f"{one} {other}" for one, other in overrides_of("same").items()]
    for group in groups:
        for one, other in permutations(group.split(), 2):
            alike[one].add(other)
    return alike


@lru_cache(maxsize=1)
def _replaced() -> dict[str, list[str]]:
    """Returns the retired codes that each code has replaced; models still predict some."""
    replaced: dict[str, list[str]] = defaultdict(list)
    for old, new in replaced_codes().items():
        replaced[new].append(old)
    return replaced


def _agreeing_scripts(code: str, script: str) -> tuple[str, ...]:
    """Returns the scripts that agree with the script of a label, in the forms models write."""
    return _JAPANESE if code == "jpn" and script in _JAPANESE else family_members(script)
