"""Kinds of values that several sections of the recipe hold, and how their errors are placed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

from pydantic import Field, ValidationInfo
from pydantic_core import PydanticCustomError

from glotmill.language_registry import UnknownCode, resolve

Category = Literal["monolingual", "bitext", "code", "paper", "book", "instruction"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]

#: The label of texts in more than three languages.
MANY_LANGUAGES = "mul"

_Value = TypeVar("_Value")


def misplaced(message: str, *location: str | int) -> PydanticCustomError:
    """An error about one place that shows only when more than that place is looked at.

    Args:
        message: what is wrong.
        location: keys from the root of the recipe.
    """
    return PydanticCustomError("misplaced", "{message}", {"message": message, "location": location})


def label_of(code: str, *where: str) -> str:
    """The label of a code that names its script.

    Args:
        code: what a person wrote.
        where: its location in the recipe.

    Raises:
        PydanticCustomError: the code is unknown, or names no script.
    """
    try:
        found = resolve(code)
    except UnknownCode as error:
        raise misplaced(str(error), *where) from None
    if any(note.startswith("script ") for note in found.assumed):
        raise misplaced(f"'{code}' names no script; write a label such as '{found.label}'", *where)
    return found.label


#: Given to pydantic with the recipe of a run that was made: it was valid then.
OF_A_LOCK = {"lock": True}


def is_of_a_lock(info: ValidationInfo) -> bool:
    """Whether a recipe is that of a run that was made, which is no place to teach a person."""
    return bool(info.context and info.context.get("lock"))


def by_label(values: Mapping[str, _Value], *where: str) -> dict[str, _Value]:
    """Values by the labels that their keys name, no label twice.

    Args:
        values: by what a person wrote.
        where: the location of the map in the recipe.

    Raises:
        PydanticCustomError: a key is no label, names no script, or is the label of another key.

    >>> by_label({"zh-Hant": 1}, "mix")
    {'zho_Hant': 1}
    """
    known: dict[str, _Value] = {}
    for key, value in values.items():
        label = label_of(key, *where, key)
        if label in known:
            raise misplaced(f"'{label}' is listed twice", *where, key)
        known[label] = value
    return known
