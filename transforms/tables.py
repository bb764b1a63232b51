"""Tables as files: Parquet with fixed settings, written under a temporary name and renamed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from types import TracebackType

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from glotmill.schemas.manifest import FileEntry
from glotmill.transforms import storage

# Level 3 is zstd's default. Fixed here, as the bytes are promised to be the same everywhere.
_COMPRESSION_LEVEL = 3
# A row group ends early where its texts are long, so that memory stays bounded.
_ROW_GROUP_BYTES = 64 * 2**20
# The text itself, hashes and addresses gain nothing from a dictionary; the rest repeats.
_NO_DICTIONARY = frozenset(
    {
        *("text", "content_hash", "excerpt", "url", "external_id", "band_keys", "sketch"),
        *("draw", "tokens", "input_ids", "document_lengths", "documents"),
    }
)


class TableWriter:
    """Writes record batches to one Parquet file; no file appears where no row was written.

    Used as a context manager: on leaving it the file is complete and renamed, or gone.
    """

    def __init__(
        self, root: str, path: str, schema: pa.Schema, *, row_group_rows: int = 10_000
    ) -> None:
        """Prepares a writer.

        Args:
            root: the output directory.
            path: of the file, relative to it.
            schema: of the batches.
            row_group_rows: rows in a row group.
        """
        self._target = f"{root}/{path}"
        self._path = path
        self._schema = schema
        self._row_group_rows = row_group_rows
        self._pending: list[pa.RecordBatch] = []
        self._num_pending = 0
        self._num_pending_bytes = 0
        self._num_rows = 0
        self._open = ExitStack()
        self._sink: storage.AtomicWriter | None = None
        self._writer: pq.ParquetWriter | None = None

    def write(self, batch: pa.RecordBatch) -> None:
        """Appends rows; the file's bytes depend on the rows, not on how batches cut them."""
        sizes = _row_bytes(batch)
        start = 0
        while start < batch.num_rows:
            room = self._row_group_rows - self._num_pending
            filled = self._num_pending_bytes + np.cumsum(sizes[start : start + room])
            count = min(len(filled), int(np.searchsorted(filled, _ROW_GROUP_BYTES)) + 1)
            self._pending.append(batch.slice(start, count))
            self._num_pending += count
            self._num_pending_bytes = int(filled[count - 1])
            start += count
            if count == room or self._num_pending_bytes >= _ROW_GROUP_BYTES:
                self._write_group()

    def _write_group(self) -> None:
        table = pa.Table.from_batches(self._pending, schema=self._schema)
        if self._writer is None:
            self._writer = self._opened()
        # In one piece, as Parquet ends its pages by the pieces that it is given.
        self._writer.write_table(table.combine_chunks(), row_group_size=table.num_rows)
        self._num_rows += table.num_rows
        self._pending, self._num_pending, self._num_pending_bytes = [], 0, 0

    def _opened(self) -> pq.ParquetWriter:
        self._sink = self._open.enter_context(storage.atomic_writer(self._target))
        writer = pq.ParquetWriter(
            self._sink,
            self._schema,
            compression="zstd",
            compression_level=_COMPRESSION_LEVEL,
            use_dictionary=[n for n in self._schema.names if n not in _NO_DICTIONARY],
            write_statistics=[n for n in self._schema.names if n not in _NO_DICTIONARY],
        )
        return self._open.enter_context(writer)

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None and self._num_pending:
                self._write_group()
        except BaseException:
            self._open.__exit__(*sys.exc_info())
            raise
        self._open.__exit__(kind, error, trace)

    @property
    def entries(self) -> list[FileEntry]:
        """The file written, if there is one."""
        if self._sink is None:
            return []
        return [
            FileEntry(
                path=self._path,
                num_rows=self._num_rows,
                num_bytes=self._sink.num_bytes,
                sha256=self._sink.sha256,
            )
        ]


def _row_bytes(batch: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """Size of each row, about: its texts, and eight bytes for each column."""
    sizes = np.full(batch.num_rows, 8 * batch.num_columns, np.int64)
    for column in batch.columns:
        if pa.types.is_fixed_size_binary(column.type):
            sizes += column.type.byte_width
        elif pa.types.is_list(column.type) and pa.types.is_integer(column.type.value_type):
            width = column.type.value_type.bit_width // 8
            sizes += np.asarray(pc.fill_null(pc.list_value_length(column), 0)) * width
        elif pa.types.is_string(column.type) or pa.types.is_binary(column.type):
            sizes += np.asarray(pc.fill_null(pc.binary_length(column), 0))
    return sizes


def write_table(root: str, path: str, table: pa.Table) -> FileEntry:
    """Writes a small table, even an empty one."""
    with storage.atomic_writer(f"{root}/{path}") as sink:
        pq.write_table(table, sink, compression="zstd", compression_level=_COMPRESSION_LEVEL)
    return FileEntry(
        path=path, num_rows=table.num_rows, num_bytes=sink.num_bytes, sha256=sink.sha256
    )


def write_file(root: str, path: str, content: bytes, num_rows: int = 0) -> FileEntry:
    """Writes a file that is no table; `num_rows` are what it has of the like."""
    sha256 = storage.write_atomically(f"{root}/{path}", content)
    return FileEntry(path=path, num_rows=num_rows, num_bytes=len(content), sha256=sha256)


def read_batches(
    path: str, columns: Sequence[str] | None = None, *, batch_rows: int = 2_000
) -> Iterable[pa.RecordBatch]:
    """Record batches of a Parquet file, in order, none across row groups: these end by bytes."""
    with storage.open_input(path) as source:
        file = pq.ParquetFile(source)
        for group in range(file.num_row_groups):
            yield from file.iter_batches(batch_rows, row_groups=[group], columns=columns)


def read_table(path: str, columns: Sequence[str] | None = None) -> pa.Table:
    """A Parquet file as one table."""
    with storage.open_input(path) as source:
        return pq.ParquetFile(source).read(columns=columns)
