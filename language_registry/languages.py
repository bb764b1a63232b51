"""Languages: the code sets of ISO 639, macrolanguages and their members, retired codes."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal, cast

from glotmill.language_registry.scripts import script
from glotmill.language_registry.tables import Row, overrides, read_rows

Scope = Literal["individual", "macrolanguage", "collective", "special", "private", "retired"]

_PRIVATE = re.compile(r"q[a-t][a-z]")
_LABEL = re.compile(r"([a-z]{3})_([A-Z][a-z]{3})")


class UnknownCode(ValueError):  # noqa: N818 - said as the field says it
    """A code that names no language known here."""


@dataclass(frozen=True)
class Language:
    """A language, or a code that stands for several or for none.

    Attributes:
        iso639_3: The code, of ISO 639-3, or of ISO 639-5 where the scope is ``collective``.
        name: The reference name of ISO 639-3 (or 639-5), less "(macrolanguage)".
        scope: What the code stands for; ``private`` is the range qaa to qtz.
        type: ISO 639-3's type (``living``, ``extinct``, ``constructed``, ...), empty if unknown.
        macrolanguage: The macrolanguage that the language belongs to, empty if none.
        members: What a macrolanguage or a collective code comprises, or what has replaced a
            retired code.
        scripts: The scripts it is written in, as ISO 15924 codes, the main one first.
        iso639_1: The two-letter code, empty if none.
        iso639_2b: The bibliographic three-letter code where it differs, empty if none.
    """

    iso639_3: str
    name: str
    scope: Scope
    type: str = ""
    macrolanguage: str = ""
    members: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()
    iso639_1: str = ""
    iso639_2b: str = ""


def language(code: str) -> Language:
    """Returns the language of an ISO 639-3, 639-1, 639-2B or retired code.

    A retired code with one replacement gives the replacement.

    Raises:
        UnknownCode: No such code; :func:`resolve` also reads other kinds of code.

    >>> language("sw").name
    'Swahili'
    >>> language("swh").macrolanguage
    'swa'
    """
    found = find_language(code)
    if found is None:
        raise UnknownCode(f"unknown language code {code!r}")
    return found


def find_language(code: str) -> Language | None:
    """Returns the language of a code as :func:`language` does, or None.

    >>> find_language("xx1") is None
    True
    """
    code = code.lower()
    if _PRIVATE.fullmatch(code):
        return Language(code, f"Private use ({code})", "private")
    known = languages_by_code()
    return known.get(short_codes().get(code, code))


def all_languages() -> tuple[Language, ...]:
    """Returns every language, by code, retired codes without a single replacement included.

    >>> len(all_languages()) > 8000
    True
    """
    return tuple(languages_by_code().values())


def name(label: str) -> str:
    """Returns a readable name for a label; the script is named unless it is the main one.

    >>> name("zho_Hant"), name("swh_Latn"), name("deu_Latn")
    ('Chinese (Traditional Han)', 'Swahili (individual language)', 'German')
    """
    code, _, script_code = label.partition("_")
    found = language(code)
    if not script_code or script_code in (*found.scripts[:1], "Zyyy"):
        return found.name
    return f"{found.name} ({script(script_code).name})"


def split_label(label: str) -> tuple[str, str]:
    """Returns language and script of a label ``xxx_Xxxx``.

    Raises:
        ValueError: The text has not the form of a label.

    >>> split_label("zho_Hant")
    ('zho', 'Hant')
    """
    found = _LABEL.fullmatch(label)
    if found is None:
        raise ValueError(f"{label!r} is no label; a label is xxx_Xxxx, as in swa_Latn")
    return found.group(1), found.group(2)


@lru_cache(maxsize=1)
def languages_by_code() -> dict[str, Language]:
    """Returns the languages by three-letter code; to be read, not changed."""
    members = _members()
    known = {row["code"]: _language(row, members) for row in read_rows("languages")}
    for row in read_rows("retired"):
        replacements = tuple(row["replacements"].split())
        if len(replacements) != 1:
            known[row["code"]] = Language(
                row["code"],
                row["name"],
                "retired",
                members=replacements,
                scripts=_shared_scripts(known, replacements),
            )
    return dict(sorted(known.items()))


@lru_cache(maxsize=1)
def short_codes() -> dict[str, str]:
    """Returns the codes that stand for an ISO 639-3 code: 639-1, 639-2B and retired ones."""
    codes = dict(replaced_codes())
    for row in read_rows("languages"):
        codes.update((row[part], row["code"]) for part in ("part1", "part2b") if row[part])
    for row in read_rows("subtags"):
        if row["kind"] == "language":
            codes[row["subtag"]] = codes[row["value"]]
    return codes


@lru_cache(maxsize=1)
def replaced_codes() -> dict[str, str]:
    """Returns the retired codes that one code has replaced, with that code at the chain's end."""
    changed = {row["code"]: row["replacements"].split() for row in read_rows("retired")}
    single = {code: new[0] for code, new in changed.items() if len(new) == 1}
    return {code: _follow(single, code) for code in single}


def _follow(changed: dict[str, str], code: str) -> str:
    while code in changed:
        code = changed[code]
    return code


def _language(row: Row, members: dict[str, list[str]]) -> Language:
    code = row["code"]
    scripts = overrides_of("scripts").get(code, row["scripts"])
    return Language(
        iso639_3=code,
        name=overrides_of("name").get(code, row["name"].removesuffix(" (macrolanguage)")),
        scope=cast(Scope, row["scope"]),
        type=row["type"],
        macrolanguage=row["macrolanguage"],
        members=tuple(members.get(code, ())),
        scripts=tuple(scripts.split()),
        iso639_1=row["part1"],
        iso639_2b=row["part2b"],
    )


@cache
def overrides_of(kind: str) -> dict[str, str]:
    """Returns the hand-written decisions of one kind, kept; to be read, not changed."""
    return overrides(kind)


def _members() -> dict[str, list[str]]:
    """Returns the members of macrolanguages (ISO 639-3) and of collective codes (overrides)."""
    members: dict[str, list[str]] = defaultdict(list)
    for row in read_rows("languages"):
        members[row["macrolanguage"]].append(row["code"])
    for code, listed in overrides_of("collective").items():
        members[code] = listed.split()
    return members


def _shared_scripts(known: dict[str, Language], codes: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the scripts of what has replaced a retired code, in order, each once."""
    scripts = (each for code in codes if code in known for each in known[code].scripts)
    return tuple(dict.fromkeys(scripts))
