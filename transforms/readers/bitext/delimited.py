"""Delimited text: TSV without quoting, CSV with it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from glotmill.transforms.readers.bitext.fields import unit_of
from glotmill.transforms.readers.bitext.options import BitextFormat, BitextOptions
from glotmill.transforms.readers.bitext.units import UnitBatch
from glotmill.transforms.readers.decompress import ByteStream
from glotmill.transforms.readers.delimited import Split, check_not_repeated, fields_of
from glotmill.transforms.readers.errors import MissingColumn
from glotmill.transforms.readers.jsonl import RecordProblem
from glotmill.transforms.readers.lines import iterate_lines, read_lines
from glotmill.transforms.readers.quoting import Row, join_quoted, split_quoted
from glotmill.transforms.readers.records import (
    ReadBatch,
    Reject,
    excerpt,
)


@dataclass(frozen=True)
class Layout:
    """Where the columns of a file are.

    Attributes:
        names: Column name, or number from 1, to the index of the field.
        num_fields: Fields of every record.
    """

    names: dict[str, int]
    num_fields: int


def wanted_columns(options: BitextOptions) -> list[str]:
    """Return the names of the columns that the options ask for."""
    columns = [side.text for side in options.sides]
    columns += [side.code_column for side in options.sides if side.code_column is not None]
    columns += options.scores.values()
    columns += [
        name for name in (options.external_id, options.document, options.url) if name is not None
    ]
    return columns


def has_header(options: BitextOptions) -> bool:
    """Whether the first line names the columns: not if those asked for are all numbers."""
    return not all(name.isdigit() for name in wanted_columns(options))


def read_delimited(
    stream: ByteStream, path: str, format: BitextFormat, options: BitextOptions
) -> Iterator[ReadBatch]:
    """Read a unit from each record that is no blank line, but for the header.

    TSV is split on tabs, and quotation marks in it are text. CSV follows RFC 4180: fields in
    quotation marks may hold commas, line ends and doubled quotation marks.
    `BitextOptions.delimiter` and `BitextOptions.quoted` say otherwise for both. Columns named by
    numbers are counted from 1, and there is no header if all are.

    Rejects: ``wrong_num_fields`` (not as many as in the first line, or too few in it),
    ``invalid_utf8``, ``invalid_quoting``, ``unclosed_quote``, ``invalid_score``, ``missing_side``
    and those of `read_lines`. After an unclosed quotation mark the line after it is read next.

    Raises:
        MissingColumn: If the header lacks a column, or has it twice.
        ValueError: If no sides are given.
    """
    if not options.sides:
        raise ValueError("delimited text has no columns known by themselves; give sides")
    lines = iterate_lines(read_lines(stream, max_record_bytes=options.max_record_bytes))
    delimiter = options.delimiter or ("," if format == "csv" else "\t")
    quoted = format == "csv" if options.quoted is None else options.quoted

    def split(line: str) -> list[str]:
        return split_quoted(line, delimiter) if quoted else line.split(delimiter)

    limit = options.max_record_bytes
    rows: Iterable[Row] = join_quoted(lines, limit, delimiter) if quoted else lines
    batch = UnitBatch(options)
    layout: Layout | None = None
    for offset, line in rows:
        if isinstance(line, Reject):
            batch.rejects.append(line)
        elif not line.strip(b" \r"):
            continue  # tabs alone are a record of empty texts
        elif layout is None:
            try:
                layout = _layout(line, split, path, options)
            except RecordProblem as problem:
                batch.rejects.append(Reject(offset, problem.reason, problem.detail, excerpt(line)))
            else:
                if not has_header(options):
                    _add(batch, line, offset, split, layout, options)
        else:
            _add(batch, line, offset, split, layout, options)
        if batch.is_full:
            yield batch.take()
    if not batch.is_empty:
        yield batch.take()


def _layout(line: bytes, split: Split, path: str, options: BitextOptions) -> Layout:
    """Return the layout that the first line shows.

    Raises:
        MissingColumn: If it is a header without a column that is asked for, or with two of it.
        RecordProblem: If it has too few fields for columns that are asked for by number, or
            cannot be split.
    """
    names = split(line.decode("utf-8", "replace"))
    found = {str(index + 1): index for index in range(len(names))}
    if has_header(options):
        check_not_repeated(names, wanted_columns(options), path)
        found |= {name: index for index, name in enumerate(names)}
    for column in wanted_columns(options):
        if column not in found:
            if has_header(options):
                raise MissingColumn(column, tuple(names), path)
            raise RecordProblem("wrong_num_fields", f"{len(names)} fields; there is no {column}")
    return Layout(found, len(names))


def _add(
    batch: UnitBatch,
    line: bytes,
    offset: int,
    split: Split,
    layout: Layout,
    options: BitextOptions,
) -> None:
    try:
        fields = fields_of(line, offset, split, layout.num_fields)
        names = layout.names
        unit = unit_of(lambda name: fields[names[name]], options)
    except RecordProblem as problem:
        batch.rejects.append(Reject(offset, problem.reason, problem.detail, excerpt(line)))
    else:
        batch.add(unit, offset, len(line))
