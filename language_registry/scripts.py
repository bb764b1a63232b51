"""Scripts: their codes, whether they are written with spaces, and how they are related.

Codes are those of ISO 15924. A composite script stands for several scripts used together
(``Jpan`` for Hiragana, Katakana and Han) or for one form of another (``Hans`` of ``Hani``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from glotmill.language_registry.tables import overrides, read_rows

Direction = Literal["ltr", "rtl", "ttb"]

ALIASES = {"Japn": "Jpan", "Qaai": "Zinh", "Qaac": "Copt"}
"""Codes that are not in ISO 15924, or no longer, and those meant by them."""

ENCODED_AS = {
    "Aran": "Arab",
    "Cyrs": "Cyrl",
    "Hanb": "Hani",
    "Hrkt": "Jpan",
    "Jamo": "Hang",
    "Kore": "Hang",
    "Latf": "Latn",
    "Latg": "Latn",
    "Syre": "Syrc",
    "Syrj": "Syrc",
    "Syrn": "Syrc",
}
"""Styles and mixtures that characters do not show, and the script that a label has instead."""

COMPONENTS: dict[str, tuple[str, ...]] = {
    "Hans": ("Hani",),
    "Hant": ("Hani",),
    "Hanb": ("Hani", "Bopo"),
    "Hrkt": ("Hira", "Kana"),
    "Jpan": ("Hira", "Kana", "Hani"),
    "Kore": ("Hang", "Hani"),
    "Jamo": ("Hang",),
    "Aran": ("Arab",),
    "Latf": ("Latn",),
    "Latg": ("Latn",),
    "Cyrs": ("Cyrl",),
    "Syre": ("Syrc",),
    "Syrj": ("Syrc",),
    "Syrn": ("Syrc",),
}
"""Composite and variant scripts, with the scripts that Unicode gives their characters."""

_FAMILIES = (
    ("Hani", "Hans", "Hant"),
    ("Hang", "Kore"),
    ("Jpan", "Hira", "Kana", "Hrkt"),
)
_PRIVATE = re.compile(r"Qa(a[a-z]|b[a-x])")
_FAMILY_OF = {code: family[0] for family in _FAMILIES for code in family}


@dataclass(frozen=True)
class Script:
    """A script of ISO 15924.

    Attributes:
        code: Four letters, the first of them a capital.
        name: An English name, as in "Traditional Han".
        spaced: Whether spaces (or a mark that Unicode counts as one) part words.
        direction: The usual direction of a line: ``ltr``, ``rtl`` or ``ttb`` (top to bottom).
    """

    code: str
    name: str
    spaced: bool
    direction: Direction


class UnknownScript(ValueError):  # noqa: N818 - said as the field says it
    """A code that ISO 15924 does not have."""


def script(code: str) -> Script:
    """Returns a script by its code, in any case, or by an alias of its code.

    Raises:
        UnknownScript: The code is not in ISO 15924.

    >>> script("Japn")
    Script(code='Jpan', name='Japanese', spaced=False, direction='ltr')
    """
    found = _find_script(code)
    if found is None:
        raise UnknownScript(f"unknown script {code!r}; codes are those of ISO 15924, as in Latn")
    return found


def _find_script(code: str) -> Script | None:
    title = ALIASES.get(code.title(), code.title())
    if is_private(title):
        return Script(title, f"Private use ({title})", spaced=True, direction="ltr")
    return _all_scripts().get(title)


def is_private(code: str) -> bool:
    """Returns whether a code is one of the range Qaaa to Qabx, of which each user says what it is.

    >>> is_private("Qaaa"), is_private("Latn")
    (True, False)
    """
    return _PRIVATE.fullmatch(code) is not None


def is_script(code: str) -> bool:
    """Returns whether a code is a script's or an alias of one.

    >>> is_script("hant"), is_script("wiki")
    (True, False)
    """
    return _find_script(code) is not None


def label_form(code: str) -> str:
    """Returns the script that a label has for a script, its aliases and its styles.

    >>> label_form("Japn"), label_form("Kore"), label_form("Latf"), label_form("Hant")
    ('Jpan', 'Hang', 'Latn', 'Hant')
    """
    found = script(code).code
    return ENCODED_AS.get(found, found)


def is_spaced(code: str) -> bool:
    """Returns whether words are parted by spaces in a script.

    >>> is_spaced("Latn"), is_spaced("Thai"), is_spaced("Kore")
    (True, False, True)
    """
    return script(code).spaced


def components(code: str) -> tuple[str, ...]:
    """Returns the scripts that Unicode gives the characters of a script.

    >>> components("Jpan"), components("Latn")
    (('Hira', 'Kana', 'Hani'), ('Latn',))
    """
    return COMPONENTS.get(code, (code,))


def family(code: str) -> str:
    """Returns the script that stands for all forms of a script which identifiers mix up.

    >>> [family(code) for code in ("Hans", "Hani", "Kore", "Hang", "Latn")]
    ['Hani', 'Hani', 'Hang', 'Hang', 'Latn']
    """
    return _FAMILY_OF.get(code, code)


def same_family(one: str, other: str) -> bool:
    """Returns whether two scripts are forms of one script.

    >>> same_family("Hans", "Hant"), same_family("Kore", "Hang"), same_family("Latn", "Cyrl")
    (True, True, False)
    """
    return family(one) == family(other)


def family_members(code: str) -> tuple[str, ...]:
    """Returns all forms of a script, itself among them.

    >>> family_members("Hant")
    ('Hani', 'Hans', 'Hant')
    """
    return next((members for members in _FAMILIES if code in members), (code,))


def all_scripts() -> tuple[Script, ...]:
    """Returns every script of ISO 15924 but those of private use, by code.

    >>> "Latn" in {each.code for each in all_scripts()}
    True
    """
    return tuple(_all_scripts().values())


@lru_cache(maxsize=1)
def _all_scripts() -> dict[str, Script]:
    unspaced, direction = overrides("unspaced"), overrides("direction")
    names = overrides("script_name")
    return {
        row["code"]: Script(
            code=row["code"],
            name=names.get(row["code"], row["name"]),
            spaced=row["code"] not in unspaced,
            direction=_direction(direction.get(row["code"], "ltr")),
        )
        for row in read_rows("scripts")
    }


def _direction(word: str) -> Direction:
    return "rtl" if word == "rtl" else "ttb" if word == "ttb" else "ltr"
