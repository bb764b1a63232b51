"""Reading a code as people write it: BCP 47 tags, locales, labels of corpora and of models."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from glotmill.language_registry.languages import (
    UnknownCode,
    find_language,
    language,
    overrides_of,
)
from glotmill.language_registry.scripts import ALIASES, is_script
from glotmill.language_registry.suggestions import suggest
from glotmill.language_registry.tables import read_rows

_MODEL_PREFIX = "__label__"
_PRIVATE_REGION = re.compile(r"aa|q[m-z]|x[a-z]|zz")
_POSIX = re.compile(r"(?P<tag>[^.@]+)(\.[^@]*)?(@(?P<modifier>.+))?")
# Of BCP 47.
_VARIANT_FORM = re.compile(r"[a-z0-9]{5,8}|[0-9][a-z0-9]{3}")


@dataclass(frozen=True)
class Parsed:
    """The parts of a code.

    Attributes:
        language: A code that :func:`find_language` knows, in lower case.
        script: An ISO 15924 code, empty where the code names none.
        region: An ISO 3166 or UN M.49 code, empty where the code names none.
        variants: Variant subtags in lower case, as in ``tarask``.
        notes: What was read into the code that it does not say.
        mapped: Whether a table of aliases was needed to read it.
    """

    language: str
    script: str = ""
    region: str = ""
    variants: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    mapped: bool = False


def parse(code: str) -> Parsed:
    """Splits a code into language, script, region and variants.

    Raises:
        UnknownCode: A part of the code is not known; the message names near codes.

    >>> parse("zh-Hant-HK")
    Parsed(language='zh', script='Hant', region='HK', variants=(), notes=(), mapped=False)
    >>> parse("sr@latin").script
    'Latn'
    """
    text = normalised(code)
    target = aliases().get(text)
    if target is None:
        return _parse_subtags(text.split("-"), code)
    parsed = _parse_subtags(target.lower().split("-"), code)
    note = overrides_of("alias_note").get(text)
    return replace(parsed, mapped=True, notes=(*parsed.notes, *([note] if note else [])))


def normalised(code: str) -> str:
    """Returns a code in lower case with hyphens, without a model's prefix or an encoding.

    >>> normalised("__label__eng_Latn"), normalised("sr_RS.UTF-8@latin")
    ('eng-latn', 'sr-rs-latn')
    """
    text = code.strip()
    text = text[len(_MODEL_PREFIX) :] if text.startswith(_MODEL_PREFIX) else text
    found = _POSIX.fullmatch(text)
    if found is not None:
        text = found["tag"] + ("-" + _modifier(found["modifier"]) if found["modifier"] else "")
    return text.replace("_", "-").lower().strip("-")


def _modifier(modifier: str) -> str:
    return overrides_of("modifier").get(modifier.lower(), modifier)


@lru_cache(maxsize=1)
def aliases() -> dict[str, str]:
    """Returns whole codes in lower case with the tag each stands for; to be read only.

    >>> aliases()["zh-min-nan"]
    'nan-Latn'
    """
    listed = {
        row["subtag"].lower(): row["value"]
        for row in read_rows("subtags")
        if row["kind"] in ("grandfathered", "redundant")
    }
    return {**listed, **overrides_of("alias")}


@cache
def subtags(kind: str) -> dict[str, str]:
    """Returns the subtags of one kind in lower case with the prefixes they may follow.

    >>> subtags("variant")["pinyin"]
    'zh-Latn bo-Latn'
    """
    rows = (row for row in read_rows("subtags") if row["kind"] == kind)
    return {row["subtag"].lower(): row["prefix"] for row in rows}


def _parse_subtags(parts: list[str], code: str) -> Parsed:
    """Reads the subtags of a tag in lower case, the language first."""
    if find_language(parts[0]) is None:
        raise UnknownCode(_unknown_language(parts[0], code))
    parsed = Parsed(parts[0])
    for part in map(_modifier, parts[1:]):
        if len(part) == 1:  # an extension or a private part: it says nothing of the label
            break
        parsed = _with_subtag(parsed, part, code)
    return parsed


def _with_subtag(parsed: Parsed, part: str, code: str) -> Parsed:
    """Adds one subtag to what has been read, by its form and the tables it is in."""
    prefix = subtags("extlang").get(part)
    if prefix and not (parsed.script or parsed.region):
        if find_language(prefix) != find_language(parsed.language):
            raise UnknownCode(_misplaced(part, parsed.language, prefix, code))
        return replace(parsed, language=part)
    if len(part) == 4 and is_script(part) and not parsed.script:
        title = part.title()
        return replace(parsed, script=ALIASES.get(title, title), mapped=title in ALIASES)
    if _is_region(part) and not parsed.region:
        return replace(parsed, region=part.upper())
    if part in subtags("variant") or part in overrides_of("variant"):
        return replace(parsed, variants=(*parsed.variants, part))
    if _VARIANT_FORM.fullmatch(part):
        note = f"variant {part}: not known, and so not read"
        return replace(parsed, variants=(*parsed.variants, part), notes=(*parsed.notes, note))
    raise UnknownCode(_unknown_part(part, code))


def _is_region(part: str) -> bool:
    return part in subtags("region") or _PRIVATE_REGION.fullmatch(part) is not None


def _unknown_language(part: str, code: str) -> str:
    within = "" if part == code else f" in {code!r}"
    return f"unknown language code {part!r}{within}; {suggest(part)}"


def _misplaced(part: str, after: str, prefix: str, code: str) -> str:
    choices = " or ".join(map(repr, dict.fromkeys((part, after))))
    return (
        f"part {part!r} of language code {code!r} means {language(part).name}, which may follow "
        f"{prefix!r}, not {after!r}; give {choices}"
    )


def _unknown_part(part: str, code: str) -> str:
    kind = "script" if len(part) == 4 and part.isalpha() else "part"
    return f"unknown {kind} {part!r} in language code {code!r}; {suggest(part, kind)}"
