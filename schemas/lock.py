"""The lock: the resolved recipe with every input, and the units the inputs are cut into."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from glotmill.schemas.formats import InputFormat
from glotmill.schemas.recipe import Recipe
from glotmill.schemas.values import OF_A_LOCK


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
    format: InputFormat
    size: int
    checksum: str


class Companion(_Frozen):
    """A file that is read in step with another: one of several languages."""

    path: str
    name: str
    checksum: str


class UnitSlice(_Frozen):
    """A part of an input: bytes, row groups of Parquet, lines of Moses; `end` excluded.

    `companions` are the other files of line-aligned text and of messages, in order.
    """

    path: str
    name: str
    format: InputFormat
    checksum: str
    start: int
    end: int
    companions: tuple[Companion, ...] = ()

    @model_serializer(mode="wrap")
    def _without_nothing(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Most slices are of one file, and a lock has a line for each."""
        data: dict[str, Any] = dump(self)
        if not self.companions:
            data.pop("companions", None)
        return data


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
    Hashes and sketches of one `ingest_version` can be compared.
    """

    glotmill: str
    recipe: Recipe
    inputs: tuple[Input, ...]
    units: tuple[Unit, ...]
    ingest_version: int = 0


_ROW_BITS = 32
# Ordinals from here on are units of other corpora, which a run is deduplicated against.
_FOREIGN_BITS = 24
# The last ordinals of 31 bits, above those of all other corpora, are of dropped documents.
_SHADOWS = 127
_FIRST_SHADOW = _SHADOWS << _FOREIGN_BITS + _ROW_BITS
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
    first = doc_id(1 << _FOREIGN_BITS, 0)
    return (identities >= first) & (identities < _FIRST_SHADOW)


def shadow_ordinal(ordinal: int) -> int:
    """Ordinal that stands for the documents that the filters dropped of a unit.

    Dropped documents take part in deduplication as shadows: they count in the sizes of clusters,
    and decide nothing. A shadow's row is that in the unit's file of dropped documents.

    Raises:
        OverflowError: there are too many units.
    """
    if not 0 <= ordinal < 1 << _FOREIGN_BITS:
        raise OverflowError("more than 16,777,216 units, whose dropped documents are to be counted")
    return _SHADOWS << _FOREIGN_BITS | ordinal


def is_shadow(identities: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which of the identities are of documents that the filters dropped.

    >>> is_shadow(np.array([doc_id(3, 0), doc_id(foreign_ordinal(2, 3), 0)])).any()
    np.False_
    """
    return identities >= _FIRST_SHADOW


def shadowed_unit(ordinal: int) -> int | None:
    """The unit whose dropped documents an ordinal stands for; None where it is of documents.

    >>> shadowed_unit(shadow_ordinal(17)), shadowed_unit(17)
    (17, None)
    """
    if ordinal >> _FOREIGN_BITS != _SHADOWS:
        return None
    return ordinal & ((1 << _FOREIGN_BITS) - 1)


# Lists with a line for each element: JSON, which is YAML too and is read in a tenth of the time.
_LINED = ("inputs", "units")
# Characters that JSON may have in its strings, and YAML may not.
_ESCAPED = re.compile("[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]")


def dump_lock(lock: Lock) -> bytes:
    """The lock as YAML."""
    data = lock.model_dump(mode="json", exclude=set(_LINED))
    text = yaml.dump(data, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=100)
    lists = (_dump_lines(name, getattr(lock, name)) for name in _LINED)
    return f"# Written by glotmill; not meant to be edited.\n{text}{''.join(lists)}".encode()


def _dump_lines(name: str, elements: Sequence[BaseModel]) -> str:
    if not elements:
        return f"{name}: []\n"
    text = "".join(f"\n- {each.model_dump_json()}" for each in elements)
    return f"{name}:{_ESCAPED.sub(_escape, text)}\n"


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def parse_lock(content: bytes) -> Lock:
    """The lock that `dump_lock` wrote.

    Raises:
        ValueError: it is not one.
    """
    head: list[str] = []
    lists: dict[str, list[Any]] = {}
    name = ""
    for line in content.decode().split("\n"):
        if name and line.startswith('- {"'):
            lists.setdefault(name, []).append(json.loads(line.removeprefix("- ")))
            continue
        # Earlier versions wrote these lists as they wrote the rest.
        name = line.removesuffix(":") if line.removesuffix(":") in _LINED else ""
        head.append(line)
    data = yaml.load("\n".join(head), Loader=_loader())
    return Lock.model_validate(data | lists if lists else data, context=OF_A_LOCK)


def _dumper() -> Any:
    return getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def _loader() -> Any:
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)
