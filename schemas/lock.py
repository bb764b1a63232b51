"""The lock: the resolved recipe with every input, and the units the inputs are cut into."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import yaml
from pydantic import BaseModel, ConfigDict

from glotmill.schemas.recipe import FileFormat, Recipe


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Input(_Frozen):
    """One input file.

    `name` stands on the rows: the path relative to the recipe where it lies under its folder, so
    that moving a corpus with its recipe changes no byte of the output.
    """

    source: str
    path: str
    name: str
    format: FileFormat
    size: int
    checksum: str


class UnitSlice(_Frozen):
    """A part of an input: bytes, or row groups of Parquet; `end` excluded."""

    path: str
    name: str
    format: FileFormat
    checksum: str
    start: int
    end: int


class Unit(_Frozen):
    """What one worker reads in one go: a slice of one file, or several small files.

    `key` is a hash of everything its output depends on; its output files carry it as their name.
    `num_bytes` is about the size of its text.
    """

    key: str
    source: str
    num_bytes: int
    slices: tuple[UnitSlice, ...]


class Lock(_Frozen):
    """`recipe.lock.yaml`: fixes the inputs and the order of the units.

    A row's doc_id is made of its unit's place in `units` and its row number in the unit's file.
    """

    glotmill: str
    recipe: Recipe
    inputs: tuple[Input, ...]
    units: tuple[Unit, ...]


_ROW_BITS = 32
# Ordinals from here on are units of other corpora, which a run is deduplicated against.
_FOREIGN_BITS = 24
_Identity = TypeVar("_Identity", int, npt.NDArray[np.int64])


def doc_id(ordinal: int, row: _Identity) -> _Identity:
    """Identity of a row: which unit of the lock, which row of its file; signed 64 bits.

    >>> unit_of(doc_id(3, 17)), row_of(doc_id(3, 17))
    (3, 17)
    """
    return ordinal << _ROW_BITS | row


def unit_of(identity: _Identity) -> _Identity:
    """Ordinal of the unit in the lock, of one identity or of an array of them."""
    return identity >> _ROW_BITS


def row_of(identity: _Identity) -> _Identity:
    """Row number in the unit's file of documents, of one identity or of an array of them."""
    return identity & ((1 << _ROW_BITS) - 1)


def foreign_ordinal(corpus: int, ordinal: int) -> int:
    """Ordinal of a unit of another corpus among those that a run is deduplicated against.

    Args:
        corpus: its number, from 0 to 125.
        ordinal: of the unit in that corpus.

    Raises:
        OverflowError: there are too many corpora, or units in one.
    """
    if not (0 <= corpus < 126 and 0 <= ordinal < 1 << _FOREIGN_BITS):
        raise OverflowError("more than 126 corpora, or 16,777,216 units in one")
    return (corpus + 1) << _FOREIGN_BITS | ordinal


def split_ordinal(ordinal: int) -> tuple[int, int]:
    """Number of the other corpus (-1 for this one) and the ordinal of the unit in it.

    >>> split_ordinal(foreign_ordinal(2, 17)), split_ordinal(17)
    ((2, 17), (-1, 17))
    """
    return (ordinal >> _FOREIGN_BITS) - 1, ordinal & ((1 << _FOREIGN_BITS) - 1)


def is_foreign(identities: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which of the identities are of documents of other corpora."""
    return identities >= 1 << _FOREIGN_BITS + _ROW_BITS


def dump_lock(lock: Lock) -> bytes:
    """The lock as YAML."""
    data = lock.model_dump(mode="json")
    text = yaml.dump(data, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=100)
    return f"# Written by glotmill; not meant to be edited.\n{text}".encode()


def parse_lock(content: bytes) -> Lock:
    """The lock that `dump_lock` wrote.

    Raises:
        ValueError: it is not one.
    """
    return Lock.model_validate(yaml.load(content, Loader=_loader()))


def _dumper() -> Any:
    return getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def _loader() -> Any:
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)
