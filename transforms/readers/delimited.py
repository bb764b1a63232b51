"""Delimited text, columns by header or by number: TSV without quoting, CSV with it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

import numpy as np

from glotmill.transforms.readers.decompress import ByteStream
from glotmill.transforms.readers.errors import RepeatedColumn
from glotmill.transforms.readers.jsonl import Json, RecordProblem, read_records
from glotmill.transforms.readers.lines import LineBlock, iterate_lines, read_lines
from glotmill.transforms.readers.quoting import Row, join_quoted, split_quoted
from glotmill.transforms.readers.records import (
    Format,
    ReadBatch,
    ReadOptions,
    Reject,
    locate_invalid_utf8,
)

Split = Callable[[str], list[str]]


def read_delimited(stream: ByteStream, format: Format, options: ReadOptions) -> Iterator[ReadBatch]:
    """Read a record from each line of TSV, or record of CSV, that is not blank.

    TSV is split on tabs, and quotation marks in it are text. CSV follows RFC 4180: fields in
    quotation marks may hold commas, line ends and doubled quotation marks.

    The first record is the header. Where the text column is a number there is none, and columns
    are called 1, 2, ... Records with another number of fields than the first are rejected as
    ``wrong_num_fields``; a header without the text column rejects them all as ``missing_field``.
    CSV has ``invalid_quoting`` and ``unclosed_quote`` besides.

    Args:
        stream: The file's bytes.
        format: tsv or csv.
        options: Columns and limits.

    Raises:
        RepeatedColumn: If the header has a column twice that the options name.
    """
    blocks = read_lines(stream, max_record_bytes=options.max_record_bytes)
    if format == "csv":
        blocks = _in_blocks(join_quoted(iterate_lines(blocks), options.max_record_bytes))
    block = next(blocks, None)
    while block is not None and not block.without_blank_lines().lines:
        yield from read_records([block], _no_record, options)
        block = next(blocks, None)
    if block is None:
        return
    lines = block.without_blank_lines()
    split, names = _splitter(format), header(lines.lines[0], format, options)
    if not options.text_column.isdigit():
        lines = LineBlock(lines.lines[1:], lines.offsets[1:], lines.rejects)

    def parse(line: bytes, offset: int) -> dict[str, Json]:
        return dict(zip(names, fields_of(line, offset, split, len(names)), strict=True))

    yield from read_records(chain([lines], blocks), parse, options)


def first_record(rows: Iterator[Row], format: Format, options: ReadOptions) -> bytes | None:
    """Return the first record that is not blank, given what `iterate_lines` gives."""
    if format == "csv":
        rows = join_quoted(rows, options.max_record_bytes)
    return next((row for _, row in rows if isinstance(row, bytes) and row.strip()), None)


def header(record: bytes, format: Format, options: ReadOptions, path: str = "") -> list[str]:
    """Return the names of the columns, given the first record that is not blank.

    Raises:
        RepeatedColumn: If one that the options name is there twice.
    """
    text = record.decode("utf-8", "replace")
    try:
        fields = _splitter(format)(text)
    except RecordProblem:
        fields = [text]
    if options.text_column.isdigit():
        return [str(number) for number in range(1, len(fields) + 1)]
    check_not_repeated(fields, (options.text_column, *options.extra_columns.values()), path)
    return fields


def check_not_repeated(names: Sequence[str], wanted: Iterable[str], path: str) -> None:
    """Refuse a header with several columns of a name that is wanted.

    Raises:
        RepeatedColumn: If it has.
    """
    for column in wanted:
        if names.count(column) > 1:
            raise RepeatedColumn(column, tuple(names), path)


def _splitter(format: Format) -> Split:
    return split_quoted if format == "csv" else _split_tabs


def _split_tabs(line: str) -> list[str]:
    return line.split("\t")


def _in_blocks(rows: Iterator[Row]) -> Iterator[LineBlock]:
    """Records one by one, as a few of the largest that are allowed would fill the memory."""
    for offset, row in rows:
        if isinstance(row, Reject):
            yield LineBlock([], np.empty(0, np.int64), [row])
        else:
            yield LineBlock([row], np.array([offset], np.int64), [])


def fields_of(record: bytes, offset: int, split: Split, num_fields: int) -> list[str]:
    """Split a record.

    Args:
        record: Its bytes.
        offset: Where it starts, for the message.
        split: Cuts text into fields.
        num_fields: That it has to have.

    Raises:
        RecordProblem: If it is no UTF-8, cannot be split, or has another number of fields.
    """
    try:
        fields = split(record.decode("utf-8"))
    except UnicodeDecodeError:
        detail = locate_invalid_utf8(record, offset) or ""
        raise RecordProblem("invalid_utf8", detail) from None
    if len(fields) != num_fields:
        found = f"{len(fields)} fields where the first line has {num_fields}"
        raise RecordProblem("wrong_num_fields", found)
    return fields


def _no_record(line: bytes, offset: int) -> dict[str, Json]:
    raise RecordProblem("missing_field", "a line before the header")
