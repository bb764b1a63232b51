"""Pairs: which segments of a translation unit go together, and how a source's files are read.

A unit of k segments gives one row for every two of different languages, one for each with the
pivot, or one with all of them. A unit that gives none is a reject and counts once.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from glotmill.language_registry import Resolution, UnknownCode, language, resolve
from glotmill.language_registry.scripts import family
from glotmill.schemas import recipe as recipes
from glotmill.schemas.formats import unpacked_name
from glotmill.schemas.lock import UnitSlice
from glotmill.schemas.pairs import Pairs, PairSide
from glotmill.transforms.readers import Reject
from glotmill.transforms.readers.bitext import BitextOptions, Side

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# The order of languages in a unit of several is that of the data; this many are shown of them.
_NUM_SHOWN = 8


@dataclass(frozen=True)
class Segments:
    """The segments of a batch of units, one behind the other.

    Attributes:
        codes: string[m], as the file gives them; null where it gives none.
        texts: string[m].
        starts: int64[n + 1], where each unit starts among the segments.
    """

    codes: pa.Array
    texts: pa.Array
    starts: Ints

    @property
    def units(self) -> Ints:
        """The unit of each segment; int64[m]."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


@dataclass(frozen=True)
class Groups:
    """Segments that make a row: `members[starts[i]:starts[i + 1]]`, of the unit `units[i]`."""

    members: Ints
    starts: Ints
    units: Ints

    def __len__(self) -> int:
        return len(self.units)

    def between(self, start: int, end: int) -> Groups:
        """The rows from one to before another."""
        bounds = self.starts[start : end + 1]
        members = self.members[bounds[0] : bounds[-1]]
        return Groups(members, bounds - bounds[0], self.units[start:end])


def bitext_options(
    recipe: recipes.Recipe, source: recipes.Source, part: UnitSlice
) -> BitextOptions:
    """How the reader reads a slice."""
    pairs = source.pairs or Pairs()
    others = [each.path for each in part.companions]
    codes: tuple[str | None, ...] = tuple(pairs.codes)
    codes_path = None
    if pairs.line_codes is not None and part.companions:
        codes_path = others[-1]
    elif part.format in ("moses", "messages") and not codes:
        parts = (parts_of_name(path, source) for path in (part.path, *others))
        codes = tuple(each[1] if each else None for each in parts)
    return BitextOptions(
        sides=tuple(_side(side, part.name) for side in pairs.sides),
        translation=pairs.translation,
        codes=codes,
        codes_path=codes_path,
        delimiter=pairs.delimiter,
        quoted=pairs.quoted,
        scores=pairs.scores,
        external_id=source.id,
        document=pairs.document,
        url=source.url,
        documents=tuple(pairs.documents),
        keep_unreviewed=pairs.keep_unreviewed,
        repair_entities=pairs.repair_entities,
        max_record_bytes=recipe.ingest.max_record_bytes,
    )


def files_of(source: recipes.Source, part: UnitSlice) -> list[str]:
    """Paths of the texts of a slice, without the file of codes."""
    paths = [part.path, *(each.path for each in part.companions)]
    has_codes = source.pairs is not None and source.pairs.line_codes is not None
    return paths[:-1] if has_codes and part.companions else paths


def _side(side: PairSide, name: str) -> Side:
    code = side.code
    if side.code_path is not None:
        match = re.search(side.code_path, name)
        code = match[1] if match else None
    return Side(text=side.text, code=code, code_column=side.code_column)


_ALIGNED = {"moses": r"^(.*)\.([^./]+)$", "messages": r"^(.*/|)([^/]+)\.json$"}


def parts_of_name(path: str, source: recipes.Source) -> tuple[str, str] | None:
    """Stem and language of one of several files that belong together, by `pairs.align`.

    By default the language is the last part of the name, but for the packing: `a/news.en.gz` is
    `('a/news', 'en')`; in messages it is the whole name, and files of one folder belong together.

    Returns:
        None where the name has no such parts.
    """
    pairs = source.pairs or Pairs()
    if pairs.align is not None:
        match = re.search(pairs.align, path)
    else:
        match = re.search(_ALIGNED[source.format], unpacked_name(path))
    return (match[1], match[2]) if match and match[2] else None


def segments_of(units: pa.RecordBatch) -> Segments:
    """The segments of a batch with the schema UNITS."""
    column = units.column("segments")
    starts = np.asarray(column.offsets).astype(np.int64)
    flat = column.flatten()
    return Segments(flat.field("code"), flat.field("text"), starts - starts[0])


class MakePairs:
    """Makes rows of the segments of units."""

    def __init__(self, options: Pairs) -> None:
        """Takes the options of a source."""
        self._options = options

    def pair(self, segments: Segments, offsets: Ints) -> tuple[Groups, list[Reject]]:
        """Rows in the order of units and of their segments; and the units that give none.

        Args:
            segments: of n units.
            offsets: int64[n], where the units stand in their file.
        """
        languages, wanted, is_pivot = self._look_up(segments.codes)
        chosen = np.flatnonzero(wanted)
        units = segments.units[chosen]
        sizes = np.bincount(units, minlength=len(offsets))
        limited, pivots = self._sizes_fit(sizes), is_pivot[chosen]
        kept = limited[units]
        if self._options.pairing == "multiway":
            groups = _whole_units(chosen[kept], units[kept], languages)
        else:
            groups = self._twos(chosen[kept], units[kept], languages, pivots[kept])
        given = np.bincount(groups.units, minlength=len(offsets)) > 0
        rejects = [
            self._reject(segments, row, int(offsets[row]), sizes, limited)
            for row in np.flatnonzero(~given).tolist()
        ]
        return groups, rejects

    def _sizes_fit(self, sizes: Ints) -> Bools:
        """Which units do not give more pairs than they may; bool[n]."""
        most = {
            "all": sizes * (sizes - 1) // 2,
            "pivot": sizes - 1,
            "multiway": np.minimum(sizes, 1),
        }
        return most[self._options.pairing] <= self._options.max_pairs_per_unit

    def _look_up(self, codes: pa.Array) -> tuple[Ints, Bools, Bools]:
        """Language of each segment as a number (-1: none declared); wanted or not; pivot or not."""
        encoded = codes.dictionary_encode()
        names = encoded.dictionary.to_pylist()
        labels = [label_of(name) for name in names]
        number = {label: index for index, label in enumerate(dict.fromkeys(labels))}
        wanted, pivot = self._options.languages, self._options.pivot
        index = np.asarray(encoded.indices.fill_null(len(names)))
        return (
            np.array([*(number[label] for label in labels), -1])[index],
            np.array([*(_is_one_of(name, wanted) for name in names), not wanted])[index],
            np.array([*(pivot is not None and _agrees(pivot, name) for name in names), False])[
                index
            ],
        )

    def _twos(self, chosen: Ints, units: Ints, languages: Ints, is_pivot: Bools) -> Groups:
        """Every two segments of a unit that differ in language; with a pivot, those with it."""
        left, right = _all_twos(units)
        one, other = languages[chosen[left]], languages[chosen[right]]
        differ = (one != other) | (one < 0)
        if self._options.pairing == "pivot":
            differ &= is_pivot[left] != is_pivot[right]
        left, right = left[differ], right[differ]
        members = np.column_stack((chosen[left], chosen[right])).ravel()
        return Groups(members, np.arange(len(left) + 1) * 2, units[left])

    def _reject(
        self, segments: Segments, row: int, offset: int, sizes: Ints, limited: Bools
    ) -> Reject:
        """Why a unit gives no row."""
        options = self._options
        start, end = segments.starts[row : row + 2].tolist()
        codes = [code or "no code" for code in segments.codes[start:end].to_pylist()]
        shown = ", ".join(codes[:_NUM_SHOWN]) + ", ..." * (len(codes) > _NUM_SHOWN)
        text = segments.texts[start].as_py()[:200] if end > start else ""
        if not limited[row]:
            reason = "too_many_pairs"
            limit = f"the limit (pairs.max_pairs_per_unit) is {options.max_pairs_per_unit}"
            detail = f"{sizes[row]} segments; {limit}; choose 'pairing: pivot' or 'multiway'"
        elif sizes[row] < 2 and end - start > 1:
            reason, detail = "language_not_wanted", f"{shown}; wanted {_listed(options.languages)}"
        elif options.pairing == "pivot":
            reason, detail = "no_pivot", f"{shown}; there is nothing to pair with {options.pivot}"
        else:
            reason, detail = "one_language", f"{shown}: no two languages"
        excerpt = "".join(c if c.isprintable() else " " for c in text)
        return Reject(offset, reason, detail, excerpt)


def _listed(codes: list[str]) -> str:
    return ", ".join(codes[:_NUM_SHOWN]) + ", ..." * (len(codes) > _NUM_SHOWN)


def _all_twos(units: Ints) -> tuple[Ints, Ints]:
    """Positions of every two elements of equal `units` (sorted), in order.

    >>> left, right = _all_twos(np.array([0, 0, 1, 2, 2, 2]))
    >>> list(zip(left.tolist(), right.tolist()))
    [(0, 1), (3, 4), (3, 5), (4, 5)]
    """
    places = np.arange(len(units))
    ends = np.searchsorted(units, units, side="right")
    counts = ends - places - 1
    left = np.repeat(places, counts)
    before = np.cumsum(counts) - counts
    return left, left + 1 + np.arange(len(left)) - np.repeat(before, counts)


def _whole_units(chosen: Ints, units: Ints, languages: Ints) -> Groups:
    """All segments of each unit, the first of each language; units of one language give none."""
    keys = np.where(languages[chosen] < 0, -1 - chosen, languages[chosen])
    _, first = np.unique(np.column_stack((units, keys)), axis=0, return_index=True)
    first.sort()
    chosen, units = chosen[first], units[first]
    found, counts = np.unique(units, return_counts=True)
    several = np.isin(units, found[counts > 1])
    sizes = counts[counts > 1]
    starts = np.concatenate(([0], np.cumsum(sizes)))
    return Groups(chosen[several], starts, found[counts > 1])


@functools.lru_cache(maxsize=10_000)
def label_of(code: str) -> str:
    """The label that a code stands for; the code itself where the registry does not know it."""
    try:
        return resolve(code).label
    except UnknownCode:
        return code


@functools.lru_cache(maxsize=100_000)
def _agrees(wanted: str, code: str) -> bool:
    """Whether a segment's code is the language wanted, and in the script if one is.

    Unlike an identified language, one that is written alike is another.
    """
    try:
        asked, found = resolve(wanted), resolve(code)
    except UnknownCode:
        return False
    # A region may say the script, as in zh-TW.
    is_bare = _names_no_script(asked) and not asked.region
    # The form of zh is nobody's: it may be each.
    is_open = _names_no_script(found) and found.script == family(asked.script)
    if asked.script != found.script and not is_bare and not is_open:
        return False
    one, other = language(asked.language), language(found.language)
    return (
        one.iso639_3 == other.iso639_3
        or one.iso639_3 == other.macrolanguage
        or one.macrolanguage == other.iso639_3
    )


def _names_no_script(found: Resolution) -> bool:
    return any(note.startswith("script ") for note in found.assumed)


def _is_one_of(code: str, wanted: list[str]) -> bool:
    return not wanted or any(_agrees(each, code) for each in wanted)
