"""Plain text: one document a line, or one a file."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from glotmill.transforms.readers.batches import batch_sizes
from glotmill.transforms.readers.decompress import ByteStream
from glotmill.transforms.readers.lines import LineBlock, Offsets, read_lines
from glotmill.transforms.readers.records import (
    FileProblem,
    ReadBatch,
    ReadOptions,
    Reject,
    excerpt,
    locate_invalid_utf8,
)
from glotmill.transforms.readers.sniff import BOM, HEAD, check_is_text


def read_text_lines(
    stream: ByteStream, start: int, end: int | None, options: ReadOptions
) -> Iterator[ReadBatch]:
    """Read one document from each line that is not blank.

    Lines that are no UTF-8 are rejected as ``invalid_utf8``. Control characters are kept: the
    normaliser has the say over them. Extra columns are null, as a line has none.
    """
    blocks = read_lines(stream, start=start, end=end, max_record_bytes=options.max_record_bytes)
    for block in _regroup(blocks, options):
        yield _batch(block, options)


def read_text_file(stream: ByteStream, options: ReadOptions) -> Iterator[ReadBatch]:
    """Read a file as one document, its line ends as they are; a blank file is none."""
    data, size = [], 0
    problem: FileProblem | None = None
    try:
        check_is_text(stream.peek(HEAD))
        for chunk in stream:
            size += len(chunk)
            if size - len(chunk) <= options.max_record_bytes:
                data.append(chunk)
    except FileProblem as error:
        problem = error
    content = b"".join(data).removeprefix(BOM)
    if problem is None and size > options.max_record_bytes:
        limit = f"the limit (max_record_bytes) is {options.max_record_bytes}"
        problem = FileProblem("record_too_long", f"{size} bytes; {limit}")
    if problem is not None:
        reject = Reject(0, problem.reason, problem.detail, excerpt(content or stream.peek(HEAD)))
        yield _batch(LineBlock([], np.empty(0, np.int64), [reject]), options)
    elif content.strip():
        yield _batch(LineBlock([content], np.zeros(1, np.int64), []), options)


def _regroup(blocks: Iterator[LineBlock], options: ReadOptions) -> Iterator[LineBlock]:
    """Cut and join blocks to the size of batches."""
    held = LineBlock([], np.empty(0, np.int64), [])
    for block in blocks:
        held = _join(held, block.without_blank_lines())
        for cut in batch_sizes([len(line) for line in held.lines], options):
            yield LineBlock(held.lines[:cut], held.offsets[:cut], held.rejects)
            held = LineBlock(held.lines[cut:], held.offsets[cut:], [])
        if len(held.rejects) >= options.max_rows:
            yield held
            held = LineBlock([], np.empty(0, np.int64), [])
    if held.lines or held.rejects:
        yield held


def _join(first: LineBlock, second: LineBlock) -> LineBlock:
    if not first.lines and not first.rejects:
        return second
    return LineBlock(
        first.lines + second.lines,
        np.concatenate((first.offsets, second.offsets)),
        first.rejects + second.rejects,
    )


def _batch(block: LineBlock, options: ReadOptions) -> ReadBatch:
    """Check that lines are UTF-8 and make a batch of them."""
    offsets, rejects = block.offsets, block.rejects
    try:
        texts = _strings(block.lines)
    except pa.ArrowInvalid:
        lines, offsets, invalid = _part_invalid(block.lines, offsets)
        texts = _strings(lines)
        rejects = sorted((*rejects, *invalid), key=lambda reject: reject.offset)
    extra = [pa.nulls(len(texts), pa.string()) for _ in options.extra_columns]
    columns = [texts, pa.array(offsets, pa.int64()), *extra]
    return ReadBatch(pa.RecordBatch.from_arrays(columns, schema=options.schema), rejects)


def _strings(lines: list[bytes]) -> pa.Array:
    """Return lines as strings; raises `pyarrow.ArrowInvalid` if one is no UTF-8."""
    return pa.array(lines, pa.binary()).cast(pa.string())


def _part_invalid(
    lines: list[bytes], offsets: Offsets
) -> tuple[list[bytes], Offsets, list[Reject]]:
    kept, rejects = [], []
    for i, (line, offset) in enumerate(zip(lines, offsets.tolist(), strict=True)):
        detail = locate_invalid_utf8(line, offset)
        if detail is None:
            kept.append(i)
        else:
            rejects.append(Reject(offset, "invalid_utf8", detail, excerpt(line)))
    return [lines[i] for i in kept], offsets[kept], rejects
