"""Slices out of files, as files of their own where the readers cannot start in the middle.

What can be read where it lies (lines and TMX that are not compressed) stays there: a slice is then
a range of bytes, and the reader finds the records that begin in it, as in a run. Of anything else
the records that begin in a slice are copied to a temporary file of the same format.

A compressed stream has no place to seek to. It is decompressed up to the last slice that was drawn,
and how far the stored file was read says in which slice a record begins: within a block of
lines places go evenly.
"""

from __future__ import annotations

import os
import re
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from glotmill.pipelines.bitext_inputs import slice_of
from glotmill.pipelines.planning.frame import FileGroup, Ints
from glotmill.schemas.lock import Input, UnitSlice
from glotmill.schemas.recipe import Recipe, Source
from glotmill.transforms import storage
from glotmill.transforms.ingest import read_options
from glotmill.transforms.pairs import bitext_options
from glotmill.transforms.readers import BrokenStream, ByteStream, LineBlock, open_stream, read_lines
from glotmill.transforms.readers.bitext import END
from glotmill.transforms.readers.bitext.delimited import has_header
from glotmill.transforms.readers.parquet import first_rows_of_groups, open_parquet

# Stored bytes that are read at a time, and given out at a time.
_READ, _GIVEN = 1 << 20, 1 << 12
_ROWS_AT_ONCE = 1_000
_ELEMENT = re.compile(rb"(?=<tu[\s>])")
_END_OF_ELEMENT = b"</tu>"
_END_OF_TMX = b"</body></tmx>\n"


@dataclass
class SliceFile:
    """A slice that can be read.

    Attributes:
        part: where it lies; None where no record begins in it.
        rejected: records that could not be copied, by reason.
        seconds: of CPU that it took to get at it.
    """

    part: UnitSlice | None = None
    rejected: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


def cut_slices(
    recipe: Recipe, source: Source, group: FileGroup, numbers: Sequence[int], folder: Path
) -> list[SliceFile]:
    """The slices of a group with these numbers.

    What cannot be opened or cut is all in slice 0, which the reader then finds in its own way; the
    other slices are empty.

    Args:
        recipe: the whole of it.
        source: of the group.
        group: of files.
        numbers: of slices, ascending.
        folder: for temporary files.
    """
    if group.how == "whole":
        return [SliceFile(_whole(group)) for _ in numbers]
    if group.how == "range":
        size, count = group.inputs[0].size, group.num_slices
        cuts = [(size * number // count, size * (number + 1) // count) for number in numbers]
        return [SliceFile(slice_of(group.inputs, *cut)) for cut in cuts]
    start = time.thread_time()
    wanted = _Wanted(group, numbers, folder, recipe.ingest.max_record_bytes)
    try:
        if group.how == "lines":
            _cut_lines(wanted, header=False)
        elif group.how == "table_lines":
            _cut_lines(wanted, header=_has_header(recipe, source, group))
        elif group.how == "aligned_lines":
            _cut_aligned(wanted)
        elif group.how == "elements":
            _cut_elements(wanted)
        else:
            _cut_rows(wanted)
    except Exception:  # of any kind of file and store: what is wrong is for the reader to say
        wanted.files = {each: SliceFile() for each in numbers}
        if 0 in wanted.files:
            wanted.files[0].part = _whole(group)
    # A run decompresses a stream once for all of its slices, so each has a part of it.
    seconds = (time.thread_time() - start) / (wanted.last + 1)
    for each in wanted.files.values():
        each.seconds = seconds
    return list(wanted.files.values())


def whole_file(group: FileGroup) -> SliceFile:
    """All of a group, as a run would read it were it one unit."""
    return SliceFile(_whole(group))


def _whole(group: FileGroup) -> UnitSlice:
    return slice_of(group.inputs, 0, END)


def _has_header(recipe: Recipe, source: Source, group: FileGroup) -> bool:
    if source.is_bitext:
        return has_header(bitext_options(recipe, source, _whole(group)))
    return not read_options(recipe, source).text_column.isdigit()


class _Wanted:
    """The slices that are wanted of a group, and what has been found of them."""

    def __init__(
        self, group: FileGroup, numbers: Sequence[int], folder: Path, max_record_bytes: int
    ) -> None:
        self.group = group
        self.limit = max_record_bytes
        self.last = max(numbers)
        self.files = {number: SliceFile() for number in numbers}
        self._folder = folder

    def number_at(self, stored: float, size: int) -> int:
        """The slice in which a record at a place of the stored file begins."""
        return min(self.group.num_slices - 1, int(stored * self.group.num_slices / max(1, size)))

    def path(self, number: int, item: Input) -> str:
        """Where the part of a file goes; names keep what codes are read from."""
        path = self._folder / str(number) / item.path.replace("://", "/").lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        return str(path)

    def keep(self, number: int, contents: Sequence[bytes], end: int = END) -> None:
        """Writes the files of a slice."""
        copies = []
        for item, content in zip(self.group.inputs, contents, strict=True):
            path = self.path(number, item)
            Path(path).write_bytes(content)
            copies.append(item.model_copy(update={"path": path}))
        self.files[number].part = slice_of(copies, 0, end)


# ---------------------------------------------------------------- streams


class _Metered:
    """A stored file that says how far it was read, in small steps."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._held = memoryview(b"")
        self.position = 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes, not many."""
        if not self._held:
            self._held = memoryview(self._raw.read(_READ))
        size = _GIVEN if size < 0 else min(size, _GIVEN)
        data, self._held = bytes(self._held[:size]), self._held[size:]
        self.position += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Goes to an offset."""
        self._held = memoryview(b"")
        self.position = self._raw.seek(offset, whence)
        return self.position


@contextmanager
def _opened(path: str) -> Iterator[tuple[ByteStream, Callable[[], int]]]:
    """The stream of a file, and how far its stored bytes were read."""
    with storage.open_input(path) as raw:
        meter = _Metered(raw)
        yield open_stream(cast(BinaryIO, meter), path), lambda: meter.position


def _located(wanted: _Wanted, item: Input) -> Iterator[tuple[LineBlock, Ints]]:
    """Blocks of lines, and the slice in which each line begins."""
    with _opened(item.path) as (stream, position):
        before = 0
        for block in read_lines(stream, max_record_bytes=wanted.limit):
            after = position()
            yield block, _places(wanted, item, block, before, after)
            if wanted.number_at(after, item.size) > wanted.last:
                return
            before = after


def _places(wanted: _Wanted, item: Input, block: LineBlock, before: int, after: int) -> Ints:
    offsets = block.offsets
    if not len(offsets):
        return np.zeros(0, np.int64)
    span = float(offsets[-1] + len(block.lines[-1]) + 1 - offsets[0])
    stored = before + (offsets - offsets[0]) / span * (after - before)
    numbers = (stored * wanted.group.num_slices / max(1, item.size)).astype(np.int64)
    return np.minimum(numbers, wanted.group.num_slices - 1)


def _cut_lines(wanted: _Wanted, *, header: bool) -> None:
    """Copies lines; of a table the first line that is not blank heads every slice."""
    (item,) = wanted.group.inputs
    head: list[bytes] = []
    found: dict[int, list[bytes]] = {number: [] for number in wanted.files}
    for block, numbers in _located(wanted, item):
        _note_rejects(wanted, block, numbers)
        skipped = 0
        if header and not head:
            skipped = next((i + 1 for i, line in enumerate(block.lines) if line.strip()), 0)
            head = block.lines[skipped - 1 : skipped]
        for number in wanted.files:
            start, end = np.searchsorted(numbers, [number, number + 1]).tolist()
            found[number] += block.lines[max(start, skipped) : end]
    for number, lines in found.items():
        if lines:
            wanted.keep(number, [b"\n".join([*head, *lines, b""])])


def _note_rejects(wanted: _Wanted, block: LineBlock, numbers: Ints) -> None:
    """Counts lines that are too long, and the rest of a stream that breaks, where they begin."""
    for reject in block.rejects:
        place = min(bisect_right(block.offsets.tolist(), reject.offset), len(numbers) - 1)
        number = int(numbers[place]) if len(numbers) else 0
        if number in wanted.files:
            wanted.files[number].rejected[reject.reason] += 1


def _cut_aligned(wanted: _Wanted) -> None:
    """Copies lines of the first file, and those of the same numbers of the others."""
    first, *others = wanted.group.inputs
    found: dict[int, list[bytes]] = {number: [] for number in wanted.files}
    starts: dict[int, int] = {}
    num_before = 0
    for block, numbers in _located(wanted, first):
        lines = _with_rejected(block)
        if len(lines) != len(numbers):  # rejected lines: with their neighbours
            numbers = np.full(len(lines), numbers[0] if len(numbers) else 0, np.int64)
        for number in wanted.files:
            start, end = np.searchsorted(numbers, [number, number + 1]).tolist()
            if end > start:
                starts.setdefault(number, num_before + start)
                found[number] += lines[start:end]
        num_before += len(lines)
    spans = {number: (start, start + len(found[number])) for number, start in starts.items()}
    sides = [found, *(_lines_between(wanted, item, spans) for item in others)]
    for number, (start, end) in spans.items():
        contents = [b"\n".join([*side[number], b""]) for side in sides]
        wanted.keep(number, contents, end - start)


def _lines_between(
    wanted: _Wanted, item: Input, spans: dict[int, tuple[int, int]]
) -> dict[int, list[bytes]]:
    """Lines of a file by the slices that they are in."""
    found: dict[int, list[bytes]] = {number: [] for number in spans}
    last = max((end for _, end in spans.values()), default=0)
    num_before = 0
    with _opened(item.path) as (stream, _):
        for block in read_lines(stream, max_record_bytes=wanted.limit):
            lines = _with_rejected(block)
            for number, (start, end) in spans.items():
                found[number] += lines[max(0, start - num_before) : max(0, end - num_before)]
            num_before += len(lines)
            if num_before >= last:
                break
    return found


def _with_rejected(block: LineBlock) -> list[bytes]:
    """All lines, empty ones in the places of those that are too long, so that numbers agree."""
    if not block.rejects:
        return block.lines
    items = [*zip(block.offsets.tolist(), block.lines, strict=True)]
    items += [(reject.offset, b"") for reject in block.rejects]
    return [line for _, line in sorted(items, key=lambda item: item[0])]


def _cut_elements(wanted: _Wanted) -> None:
    """Copies elements of a TMX; its head goes before those of every slice."""
    (item,) = wanted.group.inputs
    found: dict[int, list[bytes]] = {number: [] for number in wanted.files}
    with _opened(item.path) as (stream, position):
        if b"\x00" in stream.peek(1 << 12):
            raise ValueError("in UTF-16 or UTF-32, whose bytes cannot be cut")
        head, held, before = b"", b"", 0
        for chunk in _to_the_break(stream, wanted, position, item):
            *elements, held = _ELEMENT.split(held + chunk)
            if not head and elements:
                head, *elements = elements
            after = position()
            for place, element in enumerate(elements):
                stored = before + (after - before) * place / len(elements)
                number = wanted.number_at(stored, item.size)
                if number in found:
                    found[number].append(element)
            before = after
            if wanted.number_at(after, item.size) > wanted.last:
                held = b""
                break
        if _END_OF_ELEMENT in held and wanted.group.num_slices - 1 in found:
            found[wanted.group.num_slices - 1].append(held)
    for number, elements in found.items():
        whole = [each[: each.rfind(_END_OF_ELEMENT) + len(_END_OF_ELEMENT)] for each in elements]
        if whole:
            wanted.keep(number, [b"".join([head, *whole, _END_OF_TMX])])


def _to_the_break(
    stream: ByteStream, wanted: _Wanted, position: Callable[[], int], item: Input
) -> Iterator[bytes]:
    """The chunks of a stream; a break of it is a reject of the slice that it is in."""
    try:
        yield from stream
    except BrokenStream as problem:
        number = wanted.number_at(position(), item.size)
        if number in wanted.files:
            wanted.files[number].rejected[problem.reason] += 1


# ---------------------------------------------------------------- Parquet


def _cut_rows(wanted: _Wanted) -> None:
    """Copies rows of a Parquet file; of a row group no more is decoded than the slices need."""
    (item,) = wanted.group.inputs
    with storage.open_input(item.path) as raw:
        parquet, _ = open_parquet(raw)
        num_rows, count = parquet.metadata.num_rows, wanted.group.num_slices
        spans = {n: (num_rows * n // count, num_rows * (n + 1) // count) for n in wanted.files}
        found: dict[int, list[pa.RecordBatch]] = {number: [] for number in wanted.files}
        first_rows = first_rows_of_groups(parquet.metadata)
        for group in range(parquet.metadata.num_row_groups):
            start, end = first_rows[group : group + 2]
            last = max((b for a, b in spans.values() if a < end and b > start), default=start)
            if last > start:
                _take_rows(parquet, group, start, last, spans, found)
        for number, batches in found.items():
            if batches:
                path = wanted.path(number, item)
                pq.write_table(pa.Table.from_batches(batches), path)
                copy = item.model_copy(update={"path": path})
                wanted.files[number].part = slice_of([copy], 0, END)


def _take_rows(
    parquet: pq.ParquetFile,
    group: int,
    row: int,
    last: int,
    spans: dict[int, tuple[int, int]],
    found: dict[int, list[pa.RecordBatch]],
) -> None:
    for batch in parquet.iter_batches(_ROWS_AT_ONCE, row_groups=[group], use_threads=False):
        for number, (start, end) in spans.items():
            begin, stop = max(0, start - row), min(batch.num_rows, end - row)
            if stop > begin:
                found[number].append(batch.slice(begin, stop - begin))
        row += batch.num_rows
        if row >= last:
            return
