"""Stages of training: what is seen early, and what late."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, field_validator

from glotmill.schemas.model import Model
from glotmill.schemas.values import Category, misplaced

#: In `parts`: every category that has no entry of its own.
EVERY_CATEGORY = "*"

_Part = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class Stage(Model):
    """A stretch of training that takes its own part of each category."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]+$")]
    """Short, of small letters and digits: it stands in the names of datasets."""
    parts: dict[Literal[Category, "*"], _Part]
    """How much of a category is seen here, relative to the other stages; `"*"`: of all others."""

    @field_validator("parts")
    @classmethod
    def _some(cls, parts: dict[str, float]) -> dict[str, float]:
        if not any(parts.values()):
            raise ValueError("a stage takes a part above 0 of some category")
        return parts

    def part_of(self, category: str) -> float:
        """What the stage takes of a category, relative to the other stages."""
        parts: dict[str, float] = dict(self.parts.items())
        return parts.get(category, parts.get(EVERY_CATEGORY, 0.0))


def check_stages(stages: Sequence[Stage], categories: Sequence[str]) -> None:
    """Checks that stages have names of their own, and that all text is in one.

    Args:
        stages: of the recipe.
        categories: that the mixture draws from.

    Raises:
        PydanticCustomError: a name stands twice, or no stage takes a category.
    """
    names = [stage.name for stage in stages]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise misplaced(f"another stage has the name '{name}'", "mix", "stages", number, "name")
    for category in categories:
        if stages and not any(stage.part_of(category) for stage in stages):
            message = f"no stage takes '{category}': give it a part, or write it into 'exclude'"
            raise misplaced(message, "mix", "stages")
