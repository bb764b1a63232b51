"""From a code as it was found to the label of this project, ``xxx_Xxxx``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from glotmill.language_registry.codes import Parsed, parse, subtags
from glotmill.language_registry.languages import Language, language, overrides_of
from glotmill.language_registry.scripts import components, family, label_form, same_family, script
from glotmill.language_registry.tables import read_rows

Certainty = Literal["exact", "alias", "assumed"]

_NO_SCRIPT = ("Zyyy", "Zinh", "Zzzz", "Zxxx")


@dataclass(frozen=True)
class Resolution:
    """What a code was found to mean.

    Attributes:
        label: ``xxx_Xxxx``: ISO 639-3 (or 639-5) and ISO 15924.
        language: The first half of the label.
        script: The second half of the label.
        original_code: The code as it was given.
        assumed: What had to be assumed, one sentence each, for a person to read.
        certainty: ``exact`` if the code is the label written in some way, ``alias`` if a table
            says what it stands for, ``assumed`` if anything was assumed.
        region: The region that the code named, which a label does not keep, as in ``BR``.
        variants: The variants that the code named, which a label does not keep.
    """

    label: str
    language: str
    script: str
    original_code: str
    assumed: tuple[str, ...]
    certainty: Certainty
    region: str = ""
    variants: tuple[str, ...] = ()


def resolve(code: str, *, script: str | None = None) -> Resolution:
    """Returns the label that a code stands for.

    Args:
        code: Almost any code of a language: ISO 639-1, 639-2, 639-3 or 639-5, a BCP 47 tag, a
            locale, a code of OPUS, Wikipedia or MediaWiki, a label of FLORES, GlotLID or MaLA.
        script: The script (ISO 15924) known from elsewhere, as recognised from the text. It is
            used where the code names none.

    Raises:
        UnknownCode: The code names no known language, script or region.

    >>> resolve("sw").label, resolve("zh-TW").label, resolve("sr-ec").label
    ('swa_Latn', 'zho_Hant', 'srp_Cyrl')
    >>> resolve("swa").assumed
    ('script Latn: the main script of swa',)
    >>> found = resolve("aze", script="Cyrl")
    >>> found.label, found.certainty, found.assumed
    ('aze_Cyrl', 'exact', ())
    """
    return _resolve(code, None if script is None or script in _NO_SCRIPT else script)


@lru_cache(maxsize=65536)
def _resolve(code: str, hint: str | None) -> Resolution:
    parsed = parse(code)
    spoken = language(parsed.language)
    written, assumed = _script_of(parsed, spoken, _known_script(hint))
    assumed = (*parsed.notes, *_language_notes(spoken), *assumed)
    return Resolution(
        label=f"{spoken.iso639_3}_{written}",
        language=spoken.iso639_3,
        script=written,
        original_code=code,
        assumed=assumed,
        certainty=_certainty(parsed, spoken, written, assumed),
        region=parsed.region,
        variants=parsed.variants,
    )


def _known_script(hint: str | None) -> str:
    return "" if hint is None else script(hint).code


def _language_notes(spoken: Language) -> tuple[str, ...]:
    """Returns what is doubtful about the code of a language itself."""
    if spoken.scope != "retired":
        return ()
    into = f"now {', '.join(spoken.members)}" if spoken.members else "nothing has replaced it"
    return (f"language {spoken.iso639_3}: a retired code, kept; {into}",)


def _certainty(
    parsed: Parsed, spoken: Language, written: str, assumed: tuple[str, ...]
) -> Certainty:
    if assumed:
        return "assumed"
    same = parsed.language == spoken.iso639_3 and parsed.script in ("", written)
    return "exact" if same and not parsed.mapped else "alias"


def _script_of(parsed: Parsed, spoken: Language, hint: str) -> tuple[str, tuple[str, ...]]:
    """Returns the script and what had to be assumed to find it."""
    named = parsed.script or _script_of_variants(parsed, spoken)
    if named:
        return own_form(spoken.iso639_3, named), ()
    usual, why = _usual_script(parsed, spoken)
    if not hint:
        return usual, (f"script {usual}: {why}",)
    return _script_of_hint(spoken, own_form(spoken.iso639_3, hint), usual)


def _script_of_hint(spoken: Language, hint: str, usual: str) -> tuple[str, tuple[str, ...]]:
    """Returns the hint, or the usual script where that is a closer form of the hint."""
    parts = components(usual)
    if hint == family(usual) or (len(parts) > 1 and {hint, family(hint)} & set(parts)):
        return usual, ()
    if not spoken.scripts or any(same_family(hint, known) for known in spoken.scripts):
        return hint, ()
    return hint, (f"script {hint}: recognised, though not known for {spoken.iso639_3}",)


def _script_of_variants(parsed: Parsed, spoken: Language) -> str:
    """Returns the script that a variant implies, as ``pinyin`` does, or nothing."""
    for variant in parsed.variants:
        decided = overrides_of("variant").get(variant)
        if decided:
            return decided
        tags = [prefix.split("-") for prefix in subtags("variant").get(variant, "").split()]
        scripts = {
            tag[1].title()
            for tag in tags
            if len(tag) > 1 and len(tag[1]) == 4 and tag[0] in (spoken.iso639_1, spoken.iso639_3)
        }
        if len(scripts) == 1:
            return scripts.pop()
    return ""


def _usual_script(parsed: Parsed, spoken: Language) -> tuple[str, str]:
    """Returns the script a language is usually written in (in a region) and why it is taken."""
    code = spoken.iso639_3
    by_region = _region_script(spoken, parsed.region)
    if by_region:
        return by_region, f"the script of {code} in {parsed.region}"
    if not spoken.scripts:
        return "Zyyy", f"no script is known for {code}"
    if spoken.scripts[0] == "Hani" and "Hans" in spoken.scripts:
        return "Hani", f"{code} names neither Hans nor Hant"
    return own_form(code, spoken.scripts[0]), f"the main script of {code}"


def _region_script(spoken: Language, region: str) -> str | None:
    """Returns the script that a language, or its macrolanguage, is written in in a region."""
    known = _region_scripts()
    tags = (f"{code}-{region}" for code in (spoken.iso639_3, spoken.macrolanguage))
    return next((known[tag] for tag in tags if tag in known), None)


@lru_cache(maxsize=1)
def _region_scripts() -> dict[str, str]:
    rows = read_rows("region_scripts")
    listed = {f"{row['language']}-{row['region']}": row["script"] for row in rows}
    return {**listed, **overrides_of("region_script")}


def own_form(code: str, script_code: str) -> str:
    """Returns the form of a script that a language's label has.

    >>> own_form("jpn", "Hira"), own_form("kor", "Kore"), own_form("cmn", "Hans")
    ('Jpan', 'Hang', 'Hans')
    """
    form = label_form(script_code)
    return "Jpan" if code == "jpn" and form in ("Hira", "Kana") else form
