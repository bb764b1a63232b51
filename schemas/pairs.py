"""Parallel text in the recipe: how it is read and paired, and which pairs are dropped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from glotmill.language_registry import UnknownCode, resolve
from glotmill.schemas.formats import InputFormat
from glotmill.schemas.model import Model
from glotmill.schemas.values import is_of_a_lock, misplaced

Path = Annotated[str, Field(min_length=1)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


def _known(code: str) -> str:
    try:
        resolve(code)
    except UnknownCode as error:
        raise ValueError(str(error)) from None
    return code


def _with_groups(pattern: str, num_groups: int, what: str) -> str:
    try:
        found = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    if found != num_groups:
        raise ValueError(f"wants {what}, found {found}")
    return pattern


class PairSide(Model):
    """A column with the text of one language."""

    text: str
    """Name of the column; its number from 1 where TSV or CSV has no header."""
    code: str | None = None
    """Language of the whole column."""
    code_column: str | None = None
    """Column that names the language of each row."""
    code_path: str | None = None
    """Regular expression whose only group is the code in the file's path."""

    @field_validator("code")
    @classmethod
    def _known_code(cls, code: str | None) -> str | None:
        return None if code is None else _known(code)

    @field_validator("code_path")
    @classmethod
    def _one_group(cls, pattern: str | None) -> str | None:
        return pattern and _with_groups(pattern, 1, "one group around the language code")

    @model_validator(mode="after")
    def _one_origin(self) -> PairSide:
        given = [name for name in ("code", "code_column", "code_path") if getattr(self, name)]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} both name the language; give one of them")
        return self


class Pairs(Model):
    """How a source of parallel text is read, and how its units become pairs."""

    sides: list[PairSide] = Field(default_factory=list)
    """Columns with text (TSV, CSV, JSONL, Parquet)."""
    translation: str | None = None
    """Column with a dictionary from code to text (JSONL, Parquet), instead of `sides`."""
    codes: list[str] = Field(default_factory=list)
    """Languages of files, as listed or by name, or of source and target (PO, XLIFF, XCES)."""
    align: str | None = None
    """Regular expression of stem and code in a path; files of one stem belong together."""
    line_codes: str | None = None
    """File with the codes of every line (Moses), as in `{stem}.labels.tsv.gz`."""
    document: str | None = None
    """Column, or type of a TMX property, with the name of the document."""
    documents: list[Path] = Field(default_factory=list)
    """Folders and ZIP files with the sentences of an XCES alignment."""
    scores: dict[str, str] = Field(default_factory=dict)
    """Score to column, or to type of a TMX property: `{laser: score-laser}`."""
    delimiter: str | None = None
    """What stands between columns of TSV and CSV."""
    quoted: bool | None = None
    """Whether columns may stand in quotation marks; by default those of CSV."""
    keep_unreviewed: bool = False
    """Read PO entries marked fuzzy, and XLIFF targets in need of review."""
    repair_entities: bool = False
    """Repair bad entities of TMX and XLIFF; else such units are rejected."""
    languages: list[str] = Field(default_factory=list)
    """Read only segments in these languages; all if empty."""
    pairing: Literal["all", "pivot", "multiway"] = "all"
    """Every two segments of a unit, each with the pivot's, or all segments in one row."""
    pivot: str | None = None
    """Language that every pair has (`pairing: pivot`)."""
    max_pairs_per_unit: int = Field(1_000, ge=1)
    """Units of more pairs are rejected: 128 languages give 8,128."""
    direction: Literal["ignored", "kept"] = "ignored"
    """Whether a pair and its reverse count as equal."""

    @field_validator("codes", "languages")
    @classmethod
    def _known_codes(cls, codes: list[str]) -> list[str]:
        return [_known(code) for code in codes]

    @field_validator("pivot")
    @classmethod
    def _known_pivot(cls, code: str | None) -> str | None:
        return None if code is None else _known(code)

    @field_validator("align")
    @classmethod
    def _two_groups(cls, pattern: str | None) -> str | None:
        return pattern and _with_groups(pattern, 2, "two groups, around stem and language code")

    @field_validator("line_codes")
    @classmethod
    def _has_stem(cls, pattern: str | None) -> str | None:
        if pattern is not None and pattern.count("{stem}") != 1:
            raise ValueError("wants '{stem}' once, as in '{stem}.labels.tsv.gz'")
        return pattern

    @field_validator("delimiter")
    @classmethod
    def _one_character(cls, delimiter: str | None) -> str | None:
        if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
            raise ValueError(f"a delimiter is one character, not {delimiter!r}")
        return delimiter

    @model_validator(mode="after")
    def _agrees(self) -> Pairs:
        if (self.pairing == "pivot") != (self.pivot is not None):
            raise ValueError("'pairing: pivot' and 'pivot: <code>' go together")
        if self.sides and self.translation is not None:
            raise ValueError("'sides' and 'translation' both say where the texts are")
        if len(self.sides) == 1:
            raise ValueError("'sides' lists one column; pairs have two")
        if self.codes and self.line_codes is not None:
            raise ValueError("'codes' and 'line_codes' both name the languages")
        return self


_TABLES: tuple[InputFormat, ...] = ("tsv", "csv", "jsonl", "parquet")
_OF_FORMATS: dict[str, tuple[InputFormat, ...]] = {
    "sides": _TABLES,
    "translation": ("jsonl", "parquet"),
    "codes": ("moses", "messages", "po", "xliff", "xces"),
    "align": ("moses", "messages"),
    "line_codes": ("moses",),
    "document": ("tmx", *_TABLES),
    "documents": ("xces",),
    "scores": ("tmx", *_TABLES),
    "delimiter": ("tsv", "csv"),
    "quoted": ("tsv", "csv"),
    "keep_unreviewed": ("po", "xliff"),
    "repair_entities": ("tmx", "xliff"),
}


def unfit_options(
    pairs: Pairs, formats: Sequence[InputFormat], *, identified: bool
) -> Iterator[tuple[str, str]]:
    """The options that do not suit the formats of a source, each with what is wrong.

    Args:
        pairs: the options.
        formats: those of the source's files.
        identified: whether languages that nobody names are identified.
    """
    for name, fitting in _OF_FORMATS.items():
        is_set = getattr(pairs, name) != Pairs.model_fields[name].get_default(
            call_default_factory=True
        )
        if is_set and not set(fitting) & set(formats):
            listed = ", ".join(fitting)
            yield name, f"'{name}' is an option of {listed}, not of {', '.join(formats)}"
    if not pairs.sides and {"tsv", "csv"} & set(formats):
        yield "sides", "'sides' must say which columns of TSV and CSV hold the texts"
    if not pairs.documents and "xces" in formats:
        yield "documents", "'documents' must say where the sentences of the alignment are"
    two = set(formats) & {"po", "xliff", "xces"}
    if len(pairs.codes) > 2 and two:
        yield "codes", f"'codes' has {len(pairs.codes)} entries; {', '.join(two)} has two sides"
    silent = [
        side.text for side in pairs.sides if not (side.code or side.code_column or side.code_path)
    ]
    if silent and not identified:
        names = ", ".join(silent)
        yield "sides", f"identification is off, so these sides need a code: {names}"


class PairFilters(Model):
    """Which pairs are dropped; each filter is a drop reason of its own."""

    min_letters: int = Field(1, ge=0)
    """Least letters of each side."""
    max_characters: int = Field(2_000, ge=1)
    """Most characters of each side."""
    max_length_ratio: float | None = Field(2.5, gt=1.0)
    """Longer to shorter side, letters weighted by script; null: any."""
    identical: bool = True
    """Drop pairs whose sides are equal but for case and punctuation."""
    max_shared_words: Share = 0.8
    """Most of the poorer side's words that the other may share."""
    max_shared_runs: Share = 0.3
    """Most of its runs of three words that the other may share: more were left untranslated."""
    min_shared_numbers: Share = 0.6
    """Least share of numbers that are on both sides; 0: any."""
    urls: bool = True
    """Drop pairs whose web addresses differ."""
    emails: bool = True
    """Drop pairs whose e-mail addresses differ."""
    markup: bool = True
    """Drop pairs with tags or entities."""
    script: bool = True
    """Drop pairs with a side in a script that its language is not written in."""
    swapped: bool = True
    """Drop pairs with a side that is identified as the language of the other."""
    min_scores: dict[str, float] = Field(default_factory=dict)
    """Least scores that the data carries: `{laser: 1.04}`; a missing one is no reason."""

    @model_validator(mode="after")
    def _some_length(self, info: ValidationInfo) -> PairFilters:
        if self.min_letters > self.max_characters and not is_of_a_lock(info):
            written = "min_letters" if "min_letters" in self.model_fields_set else "max_characters"
            raise misplaced(
                f"'min_letters' is {self.min_letters}, more than 'max_characters', which is "
                f"{self.max_characters}: no pair would be kept",
                *("filters", "pairs", written),
            )
        return self
