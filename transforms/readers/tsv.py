"""Tab-separated values: split on tabs, no quoting, columns by header or by number."""

from collections.abc import Iterator
from itertools import chain

from glotmill.transforms.readers.decompress import ByteStream
from glotmill.transforms.readers.jsonl import Json, RecordProblem, read_records
from glotmill.transforms.readers.lines import LineBlock, read_lines
from glotmill.transforms.readers.records import ReadBatch, ReadOptions, locate_invalid_utf8


def read_tsv(stream: ByteStream, options: ReadOptions) -> Iterator[ReadBatch]:
    """Read a record from each line that is not blank, but for the header.

    Where the text column is a number there is no header, and columns are called 1, 2, ...
    Lines with another number of fields than the first are rejected as ``wrong_num_fields``; a
    header without the text column rejects them all as ``missing_field``.
    """
    blocks = read_lines(stream, max_record_bytes=options.max_record_bytes)
    block = next(blocks, None)
    while block is not None and not block.without_blank_lines().lines:
        yield from read_records([block], _no_record, options)
        block = next(blocks, None)
    if block is None:
        return
    lines = block.without_blank_lines()
    names = header(lines.lines[0], options)
    if not options.text_column.isdigit():
        lines = LineBlock(lines.lines[1:], lines.offsets[1:], lines.rejects)

    def parse(line: bytes, offset: int) -> dict[str, Json]:
        return dict(zip(names, _fields(line, offset, len(names)), strict=True))

    yield from read_records(chain([lines], blocks), parse, options)


def header(line: bytes, options: ReadOptions) -> list[str]:
    """Return the names of the columns, given the first line that is not blank."""
    fields = line.decode("utf-8", "replace").split("\t")
    if options.text_column.isdigit():
        return [str(number) for number in range(1, len(fields) + 1)]
    return fields


def _fields(line: bytes, offset: int, num_fields: int) -> list[str]:
    try:
        fields = line.decode("utf-8").split("\t")
    except UnicodeDecodeError:
        detail = locate_invalid_utf8(line, offset) or ""
        raise RecordProblem("invalid_utf8", detail) from None
    if len(fields) != num_fields:
        found = f"{len(fields)} fields where the first line has {num_fields}"
        raise RecordProblem("wrong_num_fields", found)
    return fields


def _no_record(line: bytes, offset: int) -> dict[str, Json]:
    raise RecordProblem("missing_field", "a line before the header")
