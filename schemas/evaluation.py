"""Options of decontamination: which evaluation sets a corpus must not hold."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from glotmill.schemas.formats import FileFormat
from glotmill.schemas.model import Model

_Path = Annotated[str, Field(min_length=1)]
_Column = Annotated[str, Field(min_length=1)]


class EvaluationSet(Model):
    """An evaluation set, of one language or many."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$")]
    """Short and unique; the drop reason is `contaminated_` with this name."""
    path: _Path | Annotated[list[_Path], Field(min_length=1)]
    """Path, glob or URI, or several; relative ones start at the recipe's folder."""
    format: Literal["auto"] | FileFormat = "auto"
    """`auto` goes by the file name; `text` is a text a line, `text_file` one a file."""
    text: _Column | Annotated[list[_Column], Field(min_length=1)] = "text"
    """Column that holds text, or several: questions and answers, or a language each."""
    segments: Literal["lines", "records"] = "lines"
    """What is looked for: each line of a text, or the text as one (source code)."""

    @property
    def patterns(self) -> list[str]:
        """Paths as a list."""
        return [self.path] if isinstance(self.path, str) else list(self.path)

    @property
    def columns(self) -> list[str]:
        """Columns as a list."""
        return [self.text] if isinstance(self.text, str) else list(self.text)


class Decontaminate(Model):
    """Removal of documents and pairs that hold text of evaluation sets."""

    sets: Annotated[list[EvaluationSet], Field(min_length=1)]
    """The evaluation sets, in order: the first whose text is found gives the reason."""
    ngram: int = Field(13, ge=5, le=64)
    """Words of a segment in a row that are found anywhere; shorter segments are found whole."""
    character_ngram: int = Field(22, ge=5, le=256)
    """The same in scripts without spaces, such as Han, in characters."""
    cluster_ngram: int = Field(40, ge=5, le=256)
    """The same in those of them that write vowels as marks, in letters with their marks."""
    min_words: int = Field(8, ge=5)
    """Segments of fewer words are only found where they are the whole text, or a whole side."""
    min_words_alone: int = Field(3, ge=1)
    """Segments of fewer words are not looked for."""

    @field_validator("sets")
    @classmethod
    def _unique_names(cls, sets: list[EvaluationSet]) -> list[EvaluationSet]:
        names = [each.name for each in sets]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two evaluation sets have the name '{name}'")
        return sets

    @model_validator(mode="after")
    def _ascending(self) -> Decontaminate:
        if not self.min_words_alone <= self.min_words <= self.ngram:
            raise ValueError("wants min_words_alone <= min_words <= ngram")
        return self
