"""Line-aligned files: line n of each says the same."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pyarrow as pa

from glotmill.transforms import storage
from glotmill.transforms.readers.bitext.errors import MisalignedFiles
from glotmill.transforms.readers.bitext.options import BitextOptions
from glotmill.transforms.readers.bitext.units import (
    UNITS,
    no_scores,
    rejected,
    segment_lists,
)
from glotmill.transforms.readers.decompress import ByteStream, open_stream
from glotmill.transforms.readers.lines import read_lines
from glotmill.transforms.readers.records import (
    FileProblem,
    ReadBatch,
    Reject,
    excerpt,
    locate_invalid_utf8,
)
from glotmill.transforms.readers.sniff import HEAD, check_is_text, separator_of
from glotmill.transforms.readers.source import describe

Line = bytes | Reject


def count_lines(path: str, options: BitextOptions) -> int:
    """Count the lines of a file, the last with or without an end.

    Raises:
        FileProblem: If the file cannot be read to its end, or is no text.
    """
    try:
        raw = storage.open_input(path)
    except Exception as error:  # cloud clients raise errors of their own
        raise FileProblem("unreadable_file", describe(error)) from error
    with raw:
        stream = open_stream(raw, path, options.compression)
        check_is_text(stream.peek(HEAD))
        separator = separator_of(stream)
        num_lines, last = 0, separator
        for chunk in stream:
            num_lines += chunk.count(separator)
            last = chunk[-1:] or last
        return num_lines + (last != separator)


def check_aligned(paths: Sequence[str], options: BitextOptions) -> int:
    """Return the number of lines that all files have.

    Raises:
        MisalignedFiles: If they differ.
        FileProblem: If one cannot be read to its end.
    """
    counts = []
    for path in paths:
        try:
            counts.append(count_lines(path, options))
        except FileProblem as problem:
            raise FileProblem(problem.reason, f"{path}: {problem.detail}") from problem
    if len(set(counts)) > 1:
        raise MisalignedFiles(paths, counts)
    return counts[0] if counts else 0


def read_moses(
    paths: Sequence[str],
    start: int,
    end: int | None,
    options: BitextOptions,
    *,
    is_checked: bool = False,
) -> Iterator[ReadBatch]:
    """Read the lines of several files in lockstep, one unit for each line number.

    All files are read once more before, to count their lines. Files of different lengths give no
    unit and one reject, ``misaligned_files``, which names the counts. A file that cannot be read
    to its end (``truncated_stream``, ``corrupt_stream``, ``unreadable_file``, ``not_utf8``,
    ``not_text``) has no known number of lines, and is one reject for the whole source too.

    A unit's identifier is its line number from 1, its offset that of its line in the first file.
    A line that is too long or no UTF-8 rejects its unit (``record_too_long``, ``invalid_utf8``);
    an empty one is an empty text. With `BitextOptions.codes_path`, a line of codes that does not
    have one for each file rejects its unit (``wrong_num_fields``).

    Args:
        paths: The files.
        start: First line, from 0.
        end: Line after the slice, or None for the end.
        options: Codes and limits.
        is_checked: Whether `check_aligned` has been asked; then no lines are counted.
    """
    if len(paths) < options.min_segments:
        wanted = f"{len(paths)} files where at least {options.min_segments} are needed"
        yield rejected([Reject(0, "missing_side", f"{wanted}: {', '.join(paths)}", "")])
        return
    with_codes = (*paths, options.codes_path) if options.codes_path else tuple(paths)
    if not is_checked:
        try:
            check_aligned(with_codes, options)
        except MisalignedFiles as error:
            problem: FileProblem | None = FileProblem("misaligned_files", str(error))
        except FileProblem as error:
            problem = error
        else:
            problem = None
        if problem is not None:
            if start == 0:
                yield rejected([Reject(0, problem.reason, problem.detail, "")])
            return
    with ExitStack() as stack:
        cursors = []
        for path in with_codes:
            try:
                raw = stack.enter_context(storage.open_input(path))
                stream = open_stream(raw, path, options.compression)
            except Exception as error:  # cloud clients raise errors of their own
                reject = Reject(0, "unreadable_file", f"{path}: {describe(error)}", "")
                yield rejected([reject])
                return
            cursors.append(_Cursor(stream, path, options))
        yield from _lockstep(cursors, len(paths), start, end, options)


@dataclass
class _Lines:
    """Lines of one file that follow each other."""

    lines: list[Line] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)


class _Cursor:
    """A file's lines, rejected ones in their places, in portions of any size."""

    def __init__(self, stream: ByteStream, path: str, options: BitextOptions) -> None:
        self.path = path
        self._blocks = read_lines(stream, max_record_bytes=options.max_record_bytes)
        self._held = _Lines()

    def available(self) -> int:
        """Return how many lines can be taken; 0 only at the end."""
        while not self._held.lines and (block := next(self._blocks, None)) is not None:
            lines: list[Line] = list(block.lines)
            offsets = block.offsets.tolist()
            if block.rejects:
                rejects = {reject.offset: reject for reject in block.rejects}
                items: dict[int, Line] = {**dict(zip(offsets, lines, strict=True)), **rejects}
                offsets = sorted(items)
                lines = [items[offset] for offset in offsets]
            self._held = _Lines(lines, offsets)
        return len(self._held.lines)

    def take(self, count: int) -> _Lines:
        """Take as many lines; there must be as many available."""
        held = self._held
        self._held = _Lines(held.lines[count:], held.offsets[count:])
        return _Lines(held.lines[:count], held.offsets[:count])


def _lockstep(
    cursors: list[_Cursor], num_sides: int, start: int, end: int | None, options: BitextOptions
) -> Iterator[ReadBatch]:
    number = 0
    codes = [options.code(index) for index in range(num_sides)]
    while end is None or number < end:
        count = min(cursor.available() for cursor in cursors)
        count = min(count, options.max_rows, *([] if end is None else [end - number]))
        if number < start:
            count = min(count, start - number)
        if not count:
            yield from _after_the_end(cursors)
            return
        taken = [cursor.take(count) for cursor in cursors]
        if number >= start:
            yield from _batches(taken, cursors, number, codes, options)
        number += count


def _after_the_end(cursors: list[_Cursor]) -> Iterator[ReadBatch]:
    """Say so where files turn out to be of different lengths after all."""
    longer = [cursor for cursor in cursors if cursor.available()]
    if longer:
        offset = longer[0].take(1).offsets[0]
        names = ", ".join(cursor.path for cursor in longer)
        detail = f"{names}: lines are left where the other files end"
        yield rejected([Reject(offset, "misaligned_files", detail, "")])


def _batches(
    taken: list[_Lines],
    cursors: list[_Cursor],
    number: int,
    codes: list[str | None],
    options: BitextOptions,
) -> Iterator[ReadBatch]:
    """Make batches of lines, of as many as ``max_bytes`` allows."""
    sizes = np.zeros(len(taken[0].lines), np.int64)
    for side in taken:
        sizes += np.fromiter(
            (len(line) if isinstance(line, bytes) else 0 for line in side.lines), np.int64
        )
    before = np.cumsum(sizes) - sizes
    cuts = np.flatnonzero(np.diff(before // options.max_bytes)) + 1
    bounds = [0, *cuts.tolist(), len(sizes)]
    for begin, end in pairwise(bounds):
        part = [_Lines(side.lines[begin:end], side.offsets[begin:end]) for side in taken]
        yield _batch(part, cursors, number + begin, codes, options)


def _batch(
    sides: list[_Lines],
    cursors: list[_Cursor],
    number: int,
    codes: list[str | None],
    options: BitextOptions,
) -> ReadBatch:
    num_sides, num_rows = len(codes), len(sides[0].lines)
    numbers = np.arange(number + 1, number + num_rows + 1)
    offsets = np.array(sides[0].offsets, np.int64)
    flat: list[Line] = [b""] * (num_rows * num_sides)
    for index in range(num_sides):
        flat[index::num_sides] = sides[index].lines
    rejects: list[Reject] = []
    flat_codes: list[str | None] = codes * num_rows
    try:
        texts = pa.array(flat, pa.binary()).cast(pa.string())
        if len(sides) > num_sides:
            flat_codes = _codes_of(sides[-1].lines, num_sides)
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, ValueError):
        kept, rejects = _check_rows(sides, cursors, num_sides)
        flat = [sides[index].lines[row] for row in kept for index in range(num_sides)]
        texts = pa.array(flat, pa.binary()).cast(pa.string())
        flat_codes = codes * len(kept)
        if len(sides) > num_sides:
            flat_codes = _codes_of([sides[-1].lines[row] for row in kept], num_sides)
        numbers, offsets = numbers[kept], offsets[kept]
    num_rows = len(numbers)
    absent = pa.nulls(num_rows, pa.string())
    columns = [
        segment_lists(
            pa.array(np.arange(num_rows + 1, dtype=np.int32) * num_sides),
            pa.array(flat_codes, pa.string()),
            texts,
        ),
        pa.array(offsets),
        pa.array(numbers).cast(pa.string()),
        absent,
        absent,
        no_scores(num_rows),
    ]
    return ReadBatch(pa.RecordBatch.from_arrays(columns, schema=UNITS), rejects)


def _codes_of(lines: Sequence[Line], num_sides: int) -> list[str | None]:
    """Return the codes in lines, one after the other.

    Raises:
        ValueError: If a line has another number of them.
        TypeError: If a line could not be read.
    """
    found: list[str | None] = []
    for line in lines:
        if isinstance(line, Reject):
            raise TypeError(line.reason)
        codes = line.decode().split("\t")
        if len(codes) != num_sides:
            raise ValueError(f"{len(codes)} codes for {num_sides} files")
        found += (code.strip() or None for code in codes)
    return found


def _check_rows(
    sides: list[_Lines], cursors: list[_Cursor], num_sides: int
) -> tuple[list[int], list[Reject]]:
    """Part rows whose lines are all good from the others."""
    kept, rejects = [], []
    for row, offset in enumerate(sides[0].offsets):
        for index, side in enumerate(sides):
            problem = _problem(side.lines[row], is_codes=index == num_sides, num_sides=num_sides)
            if problem is not None:
                reason, detail, shown = problem
                rejects.append(Reject(offset, reason, f"{cursors[index].path}: {detail}", shown))
                break
        else:
            kept.append(row)
    return kept, rejects


def _problem(line: Line, *, is_codes: bool, num_sides: int) -> tuple[str, str, str] | None:
    if isinstance(line, Reject):
        return line.reason, line.detail, line.excerpt
    if detail := locate_invalid_utf8(line):
        return "invalid_utf8", detail, excerpt(line)
    if is_codes and line.count(b"\t") != num_sides - 1:
        num_codes = line.count(b"\t") + 1
        return "wrong_num_fields", f"{num_codes} codes for {num_sides} files", excerpt(line)
    return None
