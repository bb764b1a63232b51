"""The section `bitext:` of the recipe: how pairs of texts become documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from glotmill.language_registry import UnknownCode, confirms, resolve
from glotmill.schemas.model import Model
from glotmill.schemas.templates import Template, template_of


@dataclass(frozen=True)
class HeldOut:
    """Two labels that no training document may hold together, or not in this order."""

    first: str
    second: str
    directed: bool

    def __str__(self) -> str:
        return f"{self.first}{'>' if self.directed else '-'}{self.second}"

    @classmethod
    def parse(cls, text: str) -> HeldOut:
        """Reads `deu_Latn-ces_Latn` (both directions) or `eng_Latn>swa_Latn` (this one only).

        Raises:
            ValueError: it is neither, or a code is unknown or names no script.

        >>> str(HeldOut.parse("eng_Latn > zh-Hant"))
        'eng_Latn>zho_Hant'
        """
        if text.count(">") == 1:
            first, second = text.split(">")
            return cls(_label(first), _label(second), directed=True)
        # Codes hold hyphens too: the one between them is where both sides are codes.
        places = [place for place, character in enumerate(text) if character == "-"]
        halves = [(text[:place], text[place + 1 :]) for place in places]
        known = [each for each in halves if all(map(_is_code, each))]
        if len(known) == 1:
            return cls(_label(known[0][0]), _label(known[0][1]), directed=False)
        if len(halves) == 1:
            return cls(_label(halves[0][0]), _label(halves[0][1]), directed=False)
        raise ValueError(
            f"'{text}' names no two languages; write 'deu_Latn-ces_Latn' for both directions or "
            "'deu_Latn>ces_Latn' for one"
        )

    def covers(self, source: str, target: str) -> bool:
        """Whether a text in one language followed by one in another is held out.

        Languages that are taken for one another count as one: the macrolanguage and its members,
        and those that are written alike; and so do forms of one script.

        >>> HeldOut.parse("swa_Latn>eng_Latn").covers("swh_Latn", "eng_Latn")
        True
        >>> HeldOut.parse("eng_Latn-zho_Hans").covers("eng_Latn", "yue_Hant")
        True
        """
        there = _same(self.first, source) and _same(self.second, target)
        back = _same(self.first, target) and _same(self.second, source)
        return there or (back and not self.directed)

    def names(self, one: str, other: str) -> bool:
        """Whether it is about these two languages, in whichever direction."""
        return self.covers(one, other) or self.covers(other, one)


def _same(one: str, other: str) -> bool:
    return confirms(one, other) or confirms(other, one)


def _is_code(code: str) -> bool:
    try:
        resolve(code.strip())
    except UnknownCode:
        return False
    return True


def _label(code: str) -> str:
    code = code.strip()
    try:
        found = resolve(code)
    except UnknownCode as error:
        raise ValueError(str(error)) from None
    if any(note.startswith("script ") for note in found.assumed):
        raise ValueError(f"'{code}' names no script; write a label such as '{found.label}'")
    return found.label


def _held_out(text: str) -> str:
    return str(HeldOut.parse(text))


class Bitext(Model):
    """How pairs become documents; it is `mix` that makes them."""

    pairs_per_document: int = Field(10, ge=1, le=1_000_000)
    """Pairs in a document; a group ends early where a document of the source ends."""
    min_pairs: int = Field(1, ge=1)
    """Shorter groups are not trained on; in the validation split they stay."""
    template: str | Template = "emma500"
    """A shipped template, a pair such as `{src_text} ||| {tgt_text}`, or its parts as a map."""
    directions: Literal["hashed", "as_is", "reversed", "both"] = "hashed"
    """`hashed` draws one direction a group; `both` writes each group twice."""
    layout: Literal["pairs", "blocks"] = "pairs"
    """Pair after pair, or all texts of one language and then all of the other."""
    held_out: list[Annotated[str, AfterValidator(_held_out)]] = Field(default_factory=list)
    """Pairs (`deu_Latn-ces_Latn`) and directions (`eng_Latn>swa_Latn`) never trained on."""

    @field_validator("template")
    @classmethod
    def _known_template(cls, template: str | Template) -> str | Template:
        template_of(template)
        return template

    @model_validator(mode="after")
    def _some_document(self) -> Bitext:
        if self.min_pairs > self.pairs_per_document:
            raise ValueError(
                f"'min_pairs' is {self.min_pairs}, more than 'pairs_per_document', which is "
                f"{self.pairs_per_document}: no document would be long enough"
            )
        return self

    @property
    def hold_outs(self) -> list[HeldOut]:
        """What is held out, read."""
        return [HeldOut.parse(text) for text in self.held_out]
