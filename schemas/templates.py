"""Templates: how pairs of texts are written as one document.

A template is text with placeholders. It is checked here, so that a recipe with a wrong one is
refused before any data is read; :mod:`glotmill.transforms.templates` renders and parses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from pydantic import ValidationError, ValidationInfo, field_validator, model_validator

from glotmill.schemas.model import Model
from glotmill.schemas.problems import did_you_mean

Kind = Literal["lang", "name", "text"]

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_LANGUAGES = ("src_lang", "src_name", "tgt_lang", "tgt_name")
_ALLOWED = {
    "header": _LANGUAGES,
    "pair": (*_LANGUAGES, "src_text", "tgt_text"),
    "separator": (),
    "footer": _LANGUAGES,
    "segment": ("lang", "name", "text"),
}


@dataclass(frozen=True)
class Slot:
    """A placeholder: what stands there, and of which segment, counted from 0."""

    kind: Kind
    segment: int


Token = str | Slot


def tokens(part: str) -> list[Token]:
    """Literals and placeholders of a part of a template, in order; no two literals adjoin.

    `{src_...}` is of segment 0, `{tgt_...}` of the last (-1), `{lang}`, `{name}` and `{text}` are
    of segment 0. Braces of their own are written twice.

    Raises:
        ValueError: a brace is unpaired.

    >>> tokens("<{src_lang}> {tgt_text}")
    ['<', Slot(kind='lang', segment=0), '> ', Slot(kind='text', segment=-1)]
    """
    found: list[Token] = []
    for piece in _pieces(part):
        if isinstance(piece, str) and found and isinstance(found[-1], str):
            found[-1] += piece
        else:
            found.append(piece)
    return found


def _pieces(part: str) -> Iterator[Token]:
    end = 0
    for match in _PLACEHOLDER.finditer(part):
        if match.start() > end:
            yield part[end : match.start()]
        end = match.end()
        if match[0] in ("{{", "}}"):
            yield match[0][0]
        elif match[1] is None:
            raise ValueError(f"a single '{match[0]}'; a brace of its own is written twice")
        else:
            yield _slot(match[1])
    if end < len(part):
        yield part[end:]


def _slot(name: str) -> Slot:
    side, _, kind = name.rpartition("_")
    return Slot(kind, -1 if side == "tgt" else 0)  # type: ignore[arg-type]  # checked before


def _check_names(part: str, allowed: tuple[str, ...]) -> None:
    for match in _PLACEHOLDER.finditer(part):
        if match[1] is not None and match[1] not in allowed:
            raise ValueError(f"unknown placeholder '{{{match[1]}}}'; {_choices(match[1], allowed)}")


def _choices(name: str, allowed: tuple[str, ...]) -> str:
    return did_you_mean(name, list(allowed)) if allowed else "none can stand here"


class Template(Model):
    """How pairs become one document: header, pairs with a separator between them, footer.

    Each placeholder of a text has to be followed by a character of the template, which tells a
    reader where the text ends; and nothing may hold a backslash, which marks what only looks so.
    """

    pair: str
    """One pair: `{src_text}` and `{tgt_text}`, `{src_lang}` (a label), `{src_name}` (English)."""
    separator: str = ""
    """Stands between two pairs, or two texts in three or more languages."""
    header: str = ""
    """Stands before the first pair; may name the languages."""
    footer: str = ""
    """Stands after the last pair; may name the languages."""
    segment: str = "[{lang}]: {text}\n"
    """One language of a text in three or more: `{lang}`, `{name}`, `{text}`. Segments adjoin."""

    @field_validator("pair", "separator", "header", "footer", "segment")
    @classmethod
    def _well_formed(cls, part: str, info: ValidationInfo) -> str:
        _check_names(part, _ALLOWED[str(info.field_name)])
        if "\\" in part:
            raise ValueError(
                "a template holds no backslash; YAML reads \\n as a line feed between "
                "double quotes only"
            )
        _check_names_end(tokens(part))
        return part

    @field_validator("pair")
    @classmethod
    def _both_texts(cls, pair: str) -> str:
        for name in ("{src_text}", "{tgt_text}"):
            _check_once(pair, name)
        return pair

    @field_validator("segment")
    @classmethod
    def _its_text(cls, segment: str) -> str:
        _check_once(segment, "{text}")
        # In a row segments adjoin: the separator stands between rows.
        if not _texts_end(segment + segment):
            raise ValueError(
                "a text is followed by a placeholder; put at least one character between them, "
                "such as a line feed (the separator stands between rows, not between segments)"
            )
        return segment

    @model_validator(mode="after")
    def _texts_of_pairs_end(self) -> Template:
        # What follows the last text is the separator and the beginning of the next pair.
        if not _texts_end(self.pair + self.separator + self.pair):
            raise ValueError(
                "in 'pair' a text is followed by a placeholder; put at least one "
                "character between them, such as a line feed, or a separator"
            )
        return self


def _texts_end(part: str) -> bool:
    """Whether no text is followed by a placeholder."""
    return not any(
        isinstance(token, Slot) and token.kind == "text" and isinstance(after, Slot)
        for token, after in pairwise(tokens(part))
    )


def _check_once(part: str, name: str) -> None:
    count = part.count(name)
    if count != 1:
        raise ValueError(f"wants {name} once, found it {count} times")


def _check_names_end(part: list[Token]) -> None:
    for token, after in zip(part, [*part, ""][1:], strict=True):
        if isinstance(token, Slot) and token.kind == "name" and not (after and _is_text(after)):
            raise ValueError("the name of a language has to be followed by a character")


def _is_text(token: Token) -> bool:
    return isinstance(token, str)


# Ten pairs with the tags [src_lang] and [tgt_lang] are the second paper's (arXiv 2506.00469, by
# way of a summary). The characters around the tags could not be read there: they are those of
# the authors' evaluation code (MaLA-LM/emma-500, eval_flores200.py), which writes
# "[{language}]: {sentence}\n" with English names; `emma500-evaluation` is that format as it is.
# That the tags of `emma500` are labels (`eng_Latn`) is ours.
TEMPLATES: dict[str, Template] = {
    "emma500": Template(pair="[{src_lang}]: {src_text}\n[{tgt_lang}]: {tgt_text}\n"),
    "emma500-evaluation": Template(
        pair="[{src_name}]: {src_text}\n[{tgt_name}]: {tgt_text}\n", segment="[{name}]: {text}\n"
    ),
    # A pair a paragraph, without tags.
    "plain": Template(pair="{src_text}\n{tgt_text}\n", separator="\n", segment="{text}\n"),
    # A line of one language under the line of the other, as in arXiv 2403.11430; form ours.
    "interlinear": Template(pair="{src_text}\n{tgt_text}\n", segment="{text}\n"),
}


def template_of(template: str | Template) -> Template:
    """The template of a name, of an inline pair such as `{src_text} ||| {tgt_text} `, or itself.

    Raises:
        ValueError: there is none of that name, or the inline pair is no template.
    """
    if isinstance(template, Template):
        return template
    if template in TEMPLATES:
        return TEMPLATES[template]
    if "{" in template:
        try:
            return Template(pair=template)
        except ValidationError as error:  # in its own words, as this is part of a validation
            raise ValueError(str(error.errors()[0]["ctx"]["error"])) from None
    raise ValueError(f"no template '{template}'; {did_you_mean(template, sorted(TEMPLATES))}")
