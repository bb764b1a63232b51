"""The section `filters:` of the recipe: which documents are dropped."""

from __future__ import annotations

from pydantic import Field, JsonValue, ValidationInfo, model_validator

from glotmill.schemas.model import Model
from glotmill.schemas.pairs import PairFilters
from glotmill.schemas.values import Share, is_of_a_lock, misplaced

#: Letters of Latin script that one of any script says as much as, at most.
MOST_LATIN_LETTERS = 4
_MOST_CHARACTERS = 2**31 - 1  # of one text in Arrow


class CustomStage(Model):
    """A stage or filter of an installed package."""

    name: str
    """Its name in the entry point group `glotmill.stages`."""
    options: dict[str, JsonValue] = Field(default_factory=dict)
    """Keyword arguments it is made with."""


class Filters(Model):
    """Which documents are dropped; each filter is a drop reason of its own."""

    min_characters: int = Field(10, ge=0)
    """Documents that say less than so many characters of Latin script do are dropped."""
    max_characters: int = Field(10_000_000, ge=1)
    """Longer documents are dropped."""
    max_repeated_line_share: Share = 0.5
    """Most of its characters that may stand in lines that stood there before."""
    max_repeated_ngram_share: Share = 0.6
    """Most of its runs of 5 words that may be repeats (documents of 50 words or more).

    In scripts without spaces runs are of 8 letters, of 15 where vowels are marks.
    """
    pairs: PairFilters = PairFilters()
    """Filters of parallel text."""
    custom: list[CustomStage] = Field(default_factory=list)
    """Filters of your own, from installed packages."""

    @model_validator(mode="after")
    def _some_length(self, info: ValidationInfo) -> Filters:
        if is_of_a_lock(info):
            return self
        if self.max_characters > _MOST_CHARACTERS:
            message = f"'max_characters' is more than {_MOST_CHARACTERS}"
            raise misplaced(message, "filters", "max_characters")
        if self.min_characters > self.max_characters * MOST_LATIN_LETTERS:
            written = "min" if "min_characters" in self.model_fields_set else "max"
            raise misplaced(
                f"'min_characters' is {self.min_characters}, so much more than 'max_characters', "
                f"which is {self.max_characters}, that no document would be kept",
                *("filters", f"{written}_characters"),
            )
        return self
