"""The frame of the sample: slices that the files of a source are cut into, and a draw among them.

A slice is about a 120th of what is read of its source. Where it begins is known without opening
the file: slice i of k holds the records that begin in the i-th of k equal parts of the stored
bytes, of Parquet the i-th of k equal parts of the rows. A file that cannot be cut is one slice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import xxhash

from glotmill.pipelines.scatter import scattered
from glotmill.schemas.formats import COMPRESSED
from glotmill.schemas.lock import Input
from glotmill.schemas.pairs import Pairs
from glotmill.schemas.recipe import Source
from glotmill.transforms.allocate import fill

#: Text of a slice, about: bounds, and how many slices the sample of a source is to have. Text is
#: often sorted by language: many small slices see more labels than few large ones. Opening a slice
#: costs some 7 ms of CPU, as much as ingesting 60 KB.
MIN_SLICE_BYTES, MAX_SLICE_BYTES = 2**14, 2**18
NUM_SLICES = 120
#: Of a stream that cannot be sought no more than this is read, in stored bytes.
STREAM_BYTES = 64 * 2**20
#: Slices that are drawn of a source at most: each is opened, and remote files answer slowly.
MAX_SLICES = 500
#: How much larger text is than its file: about 4 for compressed text of many scripts (as units
#: are cut), and 3 for Parquet, whose pages are compressed and whose other columns are not read.
_EXPANSION = {"packed": 4.0, "parquet": 3.0, "plain": 1.0}

#: How slices come out of files; see `glotmill.pipelines.planning.cutting`.
How = Literal["range", "lines", "table_lines", "aligned_lines", "elements", "rows", "whole"]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FileGroup:
    """A file, or those that are read together.

    Attributes:
        inputs: the files.
        how: slices come out of them.
        slice_bytes: text of a slice, about.
    """

    inputs: tuple[Input, ...]
    how: How
    slice_bytes: float = MAX_SLICE_BYTES

    @property
    def num_bytes(self) -> int:
        """Stored bytes of all its files."""
        return sum(each.size for each in self.inputs)

    @property
    def text_bytes(self) -> float:
        """About how many bytes of text that is."""
        return sum(each.size * _EXPANSION[_packing(each)] for each in self.inputs)

    @cached_property
    def num_slices(self) -> int:
        """Into how many slices it is cut."""
        return 1 if self.how == "whole" else max(1, math.ceil(self.text_bytes / self.slice_bytes))

    @property
    def num_reachable(self) -> int:
        """How many of them, from the first, may be drawn: streams are not read to any depth."""
        if self.how in ("range", "rows", "whole"):
            return self.num_slices
        within = STREAM_BYTES * self.num_slices // max(1, self.num_bytes)
        return max(1, min(self.num_slices, within))


def _packing(item: Input) -> str:
    if item.format == "parquet":
        return "parquet"
    return "packed" if item.name.lower().endswith(tuple(COMPRESSED)) else "plain"


def file_group(source: Source, inputs: Sequence[Input]) -> FileGroup:
    """What is known of files that are read together."""
    return FileGroup(tuple(inputs), _how(source, inputs[0]))


def _how(source: Source, first: Input) -> How:
    kind, packed = first.format, _packing(first) == "packed"
    if kind == "parquet":
        return "rows"
    if kind == "moses":
        return "aligned_lines"
    if kind in ("jsonl", "text"):
        return "lines" if packed else "range"
    if kind == "tmx":
        return "elements" if packed else "range"
    if kind == "tsv" and not (source.pairs or Pairs()).quoted:
        return "table_lines"
    return "whole"


@dataclass(frozen=True)
class Drawn:
    """What is read of a source.

    Attributes:
        source: the source.
        groups: its files, those that are read together as one.
        numbers: of each group, which of its slices are read, ascending.
        is_whole: whether everything is read, each file in one go.
    """

    source: Source
    groups: tuple[FileGroup, ...]
    numbers: tuple[tuple[int, ...], ...]
    is_whole: bool

    @property
    def num_slices(self) -> int:
        """How many slices the source has; files where all are read."""
        return len(self.groups) if self.is_whole else sum(g.num_slices for g in self.groups)

    @property
    def num_bytes(self) -> int:
        """Stored bytes of the source."""
        return sum(group.num_bytes for group in self.groups)

    @property
    def text_bytes(self) -> float:
        """About how many bytes of text are read."""
        if self.is_whole:
            return sum(group.text_bytes for group in self.groups)
        pairs = zip(self.groups, self.numbers, strict=True)
        return sum(group.text_bytes / group.num_slices * len(each) for group, each in pairs)

    @property
    def num_shortened(self) -> int:
        """Files of which only the beginning could be drawn."""
        if self.is_whole:
            return 0
        return sum(group.num_reachable < group.num_slices for group in self.groups)


def draw(
    sources: Sequence[tuple[Source, Sequence[FileGroup]]], budget: float, seed: int
) -> list[Drawn]:
    """Draws the slices that are read.

    The budget is shared evenly among sources; what small ones, which are read whole, do not need
    goes to the others. A source of which slices are drawn has two at least, so that they can tell
    of their spread.

    Args:
        sources: and their files.
        budget: bytes of text to read of all of them, about.
        seed: of the recipe.
    """
    sizes = np.array([sum(group.text_bytes for group in groups) for _, groups in sources])
    count = len(sizes)
    shares = fill(min(budget, float(sizes.sum())), np.ones(count), np.zeros(count), sizes)
    return [
        _draw_of_source(source, tuple(groups), share, seed)
        for (source, groups), share in zip(sources, shares.tolist(), strict=True)
    ]


def _draw_of_source(
    source: Source, groups: tuple[FileGroup, ...], budget: float, seed: int
) -> Drawn:
    size = sum(group.text_bytes for group in groups)
    if budget >= size * (1 - 1e-9):
        return Drawn(source, groups, tuple((0,) for _ in groups), is_whole=True)
    slice_bytes = min(max(budget / NUM_SLICES, MIN_SLICE_BYTES), MAX_SLICE_BYTES)
    groups = tuple(replace(group, slice_bytes=slice_bytes) for group in groups)
    counts = np.array([group.num_reachable for group in groups], np.int64)
    of_group = np.repeat(np.arange(len(groups)), counts)
    starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
    numbers = np.arange(len(of_group)) - starts[of_group]
    each = np.array([group.text_bytes / group.num_slices for group in groups])
    order = np.argsort(_hashes(groups, of_group, numbers, seed), kind="stable")
    filled = np.cumsum(each[of_group[order]])
    wanted = int(np.searchsorted(filled, budget)) + 1
    taken = np.sort(order[: min(max(wanted, 2), MAX_SLICES)])
    if len(taken) == sum(group.num_slices for group in groups):
        return Drawn(source, groups, tuple((0,) for _ in groups), is_whole=True)
    chosen = [tuple(numbers[taken[of_group[taken] == i]].tolist()) for i in range(len(groups))]
    return Drawn(source, groups, tuple(chosen), is_whole=False)


def _hashes(
    groups: Sequence[FileGroup], of_group: Ints, numbers: Ints, seed: int
) -> npt.NDArray[np.uint64]:
    """A hash of seed, name of the file, which is hashed once, and number of the slice."""
    names = [xxhash.xxh3_64_intdigest(group.inputs[0].name.encode(), seed) for group in groups]
    return scattered(np.array(names, np.uint64)[of_group], numbers + 1)
