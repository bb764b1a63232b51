"""Writers of token files, in a stream and through any file system.

A worker leaves *runs*: each a `.bin` and `.idx` of its own. Runs are joined in their order by
copying bytes; what a writer keeps in memory is four bytes a document of its run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from typing_extensions import Self

from glotmill.schemas.indexed_dataset import (
    HEADER_BYTES,
    POINTER,
    SIZE,
    IndexedDatasetError,
    pack_header,
    parse_header,
    pointers_of,
)
from glotmill.schemas.manifest import FileEntry
from glotmill.transforms import storage

_COPY_BYTES = 8 * 2**20
# Documents of the index that are held in memory at a time.
_INDEX_ROWS = 2**20

#: Sizes of all documents in chunks, as often as they are asked for.
_Sizes = Callable[[], Iterable[npt.NDArray[np.int32]]]


class IndexedDatasetWriter(ExitStack):
    """Writes documents to a `.bin` as they come, and the `.idx` once all have come.

    Used as a context manager. The `.idx` gets its name last: where it is, both are complete. A
    document without tokens is an error: trainers fail on an empty sequence, and one that is left
    out silently would shift all later rows against the table of documents.
    """

    def __init__(self, root: str, prefix: str, dtype: npt.DTypeLike) -> None:
        """Prepares a writer.

        Args:
            root: the output directory.
            prefix: of both files, relative to it, without `.bin` and `.idx`.
            dtype: uint16 or int32, as `token_dtype` gives it.
        """
        super().__init__()
        self.prefix, self.dtype = prefix, np.dtype(dtype)
        self.num_documents = self.num_tokens = 0
        self._root = root
        self._sizes: list[npt.NDArray[np.int32]] = []
        self._sink = storage.atomic_writer(f"{root}/{prefix}.bin")
        self._entries: list[FileEntry] = []

    def append(self, documents: pa.Array | pa.ChunkedArray) -> None:
        """Appends documents.

        Args:
            documents: a list of tokens each, in the type of the writer.

        Raises:
            IndexedDatasetError: a document is null or empty, or tokens are of another type.
        """
        chunks = documents.chunks if isinstance(documents, pa.ChunkedArray) else [documents]
        for chunk in chunks:
            tokens = chunk.flatten()
            if chunk.null_count or tokens.null_count:
                raise IndexedDatasetError(f"{self.prefix}.bin: null among documents or tokens")
            self.append_flat(np.asarray(tokens), np.asarray(pc.list_value_length(chunk)))

    def append_flat(self, tokens: npt.NDArray[Any], sizes: npt.NDArray[Any]) -> None:
        """Appends documents whose tokens lie one after the other.

        Args:
            tokens: of all of them.
            sizes: number of tokens of each.

        Raises:
            IndexedDatasetError: a size is not positive, sizes do not add up to the tokens, or
                tokens are of another type.
        """
        self._check(tokens, sizes)
        self._sink.write(np.ascontiguousarray(tokens).data)
        self._sizes.append(sizes.astype(SIZE))
        self.num_documents += len(sizes)
        self.num_tokens += len(tokens)

    def _check(self, tokens: npt.NDArray[Any], sizes: npt.NDArray[Any]) -> None:
        where = f"{self.prefix}.bin"
        if tokens.dtype != self.dtype:
            raise IndexedDatasetError(f"{where} has {self.dtype} tokens, given are {tokens.dtype}")
        if len(empty := np.flatnonzero(sizes < 1)):
            row = self.num_documents + int(empty[0])
            message = "has no tokens: leave it out here and in the table of documents"
            raise IndexedDatasetError(f"{where}: document {row:,} {message}")
        if (total := _total(sizes)) != len(tokens):
            message = f"sizes add up to {total:,}, but there are {len(tokens):,} tokens"
            raise IndexedDatasetError(f"{where}: {message}")

    def __enter__(self) -> Self:
        self.push(self._finish)  # called after the sink is closed
        self.enter_context(self._sink)
        return self

    def _finish(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            return
        content = _entry(f"{self.prefix}.bin", self._sink, self.num_documents)
        index = _write_index(
            self._root, self.prefix, self.dtype, lambda: self._sizes, self.num_documents
        )
        self._entries = [content, index]

    def entries(self) -> list[FileEntry]:
        """The `.bin` and the `.idx` that were written; their rows are documents."""
        return self._entries


def write_run(
    root: str,
    prefix: str,
    documents: pa.Array | pa.ChunkedArray | Iterable[pa.Array],
    dtype: npt.DTypeLike,
) -> list[FileEntry]:
    """Writes documents to a `.bin` and `.idx` of their own, even where there are none.

    Args:
        root: the output directory.
        prefix: of both files, relative to it.
        documents: lists of tokens, or an iterable of such arrays.
        dtype: uint16 or int32.

    Raises:
        IndexedDatasetError: as `IndexedDatasetWriter.append` does.
    """
    whole = isinstance(documents, pa.Array | pa.ChunkedArray)
    with IndexedDatasetWriter(root, prefix, dtype) as writer:
        for each in [documents] if whole else documents:
            writer.append(each)
    return writer.entries()


@dataclass(frozen=True)
class _Run:
    """A finished `.bin` and `.idx` that is to be joined with others."""

    path: str
    dtype: np.dtype[Any]
    num_documents: int

    def sizes(self) -> Iterator[npt.NDArray[np.int32]]:
        with storage.open_input(f"{self.path}.idx") as stream:
            stream.read(HEADER_BYTES)
            for start in range(0, self.num_documents, _INDEX_ROWS):
                count = min(_INDEX_ROWS, self.num_documents - start)
                yield np.frombuffer(_read(stream, SIZE.itemsize * count, self.path), SIZE)

    def copy_tokens(self, sink: storage.AtomicWriter) -> None:
        before = sink.num_bytes
        with storage.open_input(f"{self.path}.bin") as stream:
            while chunk := stream.read(_COPY_BYTES):
                sink.write(chunk)
        wanted = sum(map(_total, self.sizes())) * self.dtype.itemsize
        if (there := sink.num_bytes - before) != wanted:
            message = f"has {there:,} bytes, but its index wants {wanted:,}"
            raise IndexedDatasetError(f"{self.path}.bin {message}")


def join_runs(root: str, runs: Sequence[str], prefix: str) -> list[FileEntry]:
    """Joins runs, in the order given, into one `.bin` and `.idx`; the runs stay.

    Bytes are copied in a stream, so memory does not grow with the corpus. Nothing is written where
    no run has a document, as trainers cannot open an empty file.

    Args:
        root: the output directory.
        runs: prefixes of the runs, relative to it.
        prefix: of the files to write, relative to it.

    Returns:
        The `.bin` and the `.idx`, or nothing.

    Raises:
        IndexedDatasetError: runs have different types of tokens, or one is not complete.
    """
    opened = [_open_run(f"{root}/{run}") for run in runs]
    num_documents = sum(run.num_documents for run in opened)
    if num_documents == 0:
        return []
    dtype = _common_dtype(opened)
    with storage.atomic_writer(f"{root}/{prefix}.bin") as sink:
        for run in opened:
            run.copy_tokens(sink)

    def sizes() -> Iterator[npt.NDArray[np.int32]]:
        for run in opened:
            yield from run.sizes()

    index = _write_index(root, prefix, dtype, sizes, num_documents)
    return [_entry(f"{prefix}.bin", sink, num_documents), index]


def _open_run(path: str) -> _Run:
    with storage.open_input(f"{path}.idx") as stream:
        header = parse_header(stream.read(HEADER_BYTES), f"{path}.idx")
    return _Run(path, header.dtype, header.num_sequences)


def _common_dtype(runs: Sequence[_Run]) -> np.dtype[Any]:
    for run in runs:
        if run.dtype != runs[0].dtype:
            message = f"{run.path} has {run.dtype} tokens, {runs[0].path} {runs[0].dtype}"
            raise IndexedDatasetError(f"{message}: they cannot be joined")
    return runs[0].dtype


def _write_index(
    root: str, prefix: str, dtype: np.dtype[Any], sizes: _Sizes, num_documents: int
) -> FileEntry:
    """Writes an `.idx` of documents of one sequence each, front to back."""
    with storage.atomic_writer(f"{root}/{prefix}.idx") as sink:
        sink.write(pack_header(dtype, num_documents))
        for chunk in sizes():
            sink.write(chunk.data)
        start = 0
        for chunk in sizes():
            sink.write(pointers_of(chunk, dtype.itemsize, start).data)
            start += _total(chunk) * dtype.itemsize
        for first in range(0, num_documents + 1, _INDEX_ROWS):
            last = min(first + _INDEX_ROWS, num_documents + 1)
            sink.write(np.arange(first, last, dtype=POINTER).data)
    return _entry(f"{prefix}.idx", sink, num_documents)


def _read(stream: BinaryIO, num_bytes: int, path: str) -> bytes:
    content = stream.read(num_bytes)
    if len(content) != num_bytes:
        raise IndexedDatasetError(f"{path}.idx ends within its sizes: it was cut short")
    return content


def _entry(path: str, sink: storage.AtomicWriter, num_documents: int) -> FileEntry:
    return FileEntry(
        path=path, num_rows=num_documents, num_bytes=sink.num_bytes, sha256=sink.sha256
    )


def _total(sizes: npt.NDArray[Any]) -> int:
    return int(sizes.sum(dtype=np.int64))
