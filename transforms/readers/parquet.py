"""Parquet by row groups: the columns needed, in batches, and nothing of the rest."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from glotmill.transforms.readers.batches import batch_sizes
from glotmill.transforms.readers.columns import (
    Column,
    column_names,
    find_column,
    holds_text,
    to_strings,
)
from glotmill.transforms.readers.errors import MissingColumn, WrongColumnType
from glotmill.transforms.readers.records import (
    FileProblem,
    ReadBatch,
    ReadOptions,
    Reject,
    rejects_only,
)
from glotmill.transforms.readers.source import describe
from glotmill.transforms.readers.text_column import check_text

_PAGE_BUFFER = 4 << 20


class WatchedFile:
    """A stored file that remembers whether it failed.

    pyarrow raises OSError both for storage that fails and for content that is damaged.

    Attributes:
        has_failed: Whether a read of the storage raised an error.
    """

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self.has_failed = False

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        return self._raw.closed

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        try:
            return self._raw.read(size)
        except Exception:
            self.has_failed = True
            raise

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to an offset."""
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        """Return the offset."""
        return self._raw.tell()

    def readable(self) -> bool:
        """Return True."""
        return True

    def writable(self) -> bool:
        """Return False."""
        return False

    def seekable(self) -> bool:
        """Return True."""
        return True

    def close(self) -> None:
        """Do nothing: who opened the file closes it."""


def open_parquet(raw: BinaryIO) -> tuple[pq.ParquetFile, WatchedFile]:
    """Open a Parquet file.

    Raises:
        FileProblem: With reason ``corrupt_file`` if it is truncated or no Parquet, and
            ``unreadable_file`` if its storage fails.
    """
    file = WatchedFile(raw)
    try:
        parquet = pq.ParquetFile(
            pa.PythonFile(file, mode="r"),
            buffer_size=_PAGE_BUFFER,
            pre_buffer=False,
            page_checksum_verification=True,
        )
    except Exception as error:
        raise _problem(file, error, "not a whole Parquet file: ") from error
    return parquet, file


def _problem(file: WatchedFile, error: Exception, context: str) -> FileProblem:
    reason = "unreadable_file" if file.has_failed else "corrupt_file"
    return FileProblem(reason, context + describe(error))


@dataclass(frozen=True)
class _Plan:
    """The columns of one file that are read."""

    text: Column
    extra: tuple[Column | None, ...]

    @property
    def paths(self) -> list[str]:
        return sorted({column.path for column in (self.text, *self.extra) if column})


def read_parquet(
    raw: BinaryIO, path: str, start: int, end: int, options: ReadOptions
) -> Iterator[ReadBatch]:
    """Read the rows of some row groups; their offset is the row's number in the file.

    Null texts are rejected as ``missing_field``, long ones as ``record_too_long``, binary ones
    that are no UTF-8 as ``invalid_utf8``. Extra columns that the file lacks are null. What cannot
    be decoded of a row group is one reject, ``corrupt_file``, and the next group is read.

    Raises:
        MissingColumn: If there is no text column.
        RepeatedColumn: If there are several columns of a name that is wanted.
        WrongColumnType: If the text column holds no text.
    """
    try:
        parquet, file = open_parquet(raw)
    except FileProblem as problem:
        reject = Reject(0, problem.reason, problem.detail, "")
        yield rejects_only([reject], options)
        return
    plan = _plan(parquet.schema_arrow, path, options)
    first_rows = first_rows_of_groups(parquet.metadata)
    for group in range(start, min(end, parquet.metadata.num_row_groups)):
        yield from _read_group(parquet, file, plan, group, first_rows[group], options)


def text_column(schema: pa.Schema, path: str, options: ReadOptions) -> Column:
    """Return the text column of a file.

    Raises:
        MissingColumn: If there is none.
        RepeatedColumn: If there are several.
        WrongColumnType: If it holds no text.
    """
    column = find_column(schema, options.text_column, path)
    if column is None:
        raise MissingColumn(options.text_column, column_names(schema), path)
    if not holds_text(column.type):
        raise WrongColumnType(options.text_column, str(column.type), path)
    return column


def first_rows_of_groups(metadata: pq.FileMetaData) -> list[int]:
    """Return the number of the first row of each row group."""
    sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    return [0, *np.cumsum(sizes, dtype=np.int64).tolist()]


def _plan(schema: pa.Schema, path: str, options: ReadOptions) -> _Plan:
    extra = tuple(find_column(schema, name, path) for name in options.extra_columns.values())
    return _Plan(text_column(schema, path, options), extra)


def _read_group(
    parquet: pq.ParquetFile,
    file: WatchedFile,
    plan: _Plan,
    group: int,
    first_row: int,
    options: ReadOptions,
) -> Iterator[ReadBatch]:
    """Read one row group; a fault in it ends it with one reject."""
    row = first_row
    try:
        size = _rows_at_once(parquet.metadata.row_group(group), plan, options)
        batches = parquet.iter_batches(
            size, row_groups=[group], columns=plan.paths, use_threads=False
        )
        for batch in batches:
            yield from _convert(batch, plan, row, options)
            row += batch.num_rows
    except Exception as error:
        num_lost = first_row + parquet.metadata.row_group(group).num_rows - row
        context = f"row group {group}: {num_lost} rows from row {row} on are lost: "
        problem = _problem(file, error, context)
        reject = Reject(row, problem.reason, problem.detail, "")
        yield rejects_only([reject], options)


def _rows_at_once(group: pq.RowGroupMetaData, plan: _Plan, options: ReadOptions) -> int:
    """Return how many rows hold about ``max_bytes`` of text."""
    columns = (group.column(i) for i in range(group.num_columns))
    num_bytes = sum(
        column.total_uncompressed_size
        for column in columns
        if column.path_in_schema == plan.text.path
    )
    mean = max(1, num_bytes // max(1, group.num_rows))
    return int(max(1, min(options.max_rows, options.max_bytes // mean)))


def _convert(
    batch: pa.RecordBatch, plan: _Plan, first_row: int, options: ReadOptions
) -> Iterator[ReadBatch]:
    """Turn rows of the file into batches of records and rejects."""
    checked = check_text(plan.text.of(batch), first_row, options)
    extra = [
        to_strings(column.of(batch)) if column else pa.nulls(batch.num_rows, pa.string())
        for column in plan.extra
    ]
    kept = pa.array(checked.kept, pa.int64())
    offsets = pa.array(checked.kept + first_row, pa.int64())
    columns = [checked.texts, offsets, *(column.take(kept) for column in extra)]
    records = pa.RecordBatch.from_arrays(columns, schema=options.schema)
    rejects = checked.rejects
    begin = 0
    for size in batch_sizes(checked.sizes, options):
        yield ReadBatch(records.slice(begin, size), rejects)
        begin, rejects = begin + size, []
    if begin < records.num_rows or rejects:
        yield ReadBatch(records.slice(begin), rejects)
