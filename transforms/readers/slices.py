"""Files cut into slices, and slices read whatever the format."""

from collections.abc import Iterator
from itertools import pairwise
from typing import BinaryIO

from glotmill.transforms import storage
from glotmill.transforms.readers.decompress import open_stream
from glotmill.transforms.readers.delimited import read_delimited
from glotmill.transforms.readers.jsonl import read_jsonl
from glotmill.transforms.readers.parquet import open_parquet, read_parquet
from glotmill.transforms.readers.records import (
    Compression,
    FileProblem,
    Format,
    ReadBatch,
    ReadOptions,
    Reject,
    Slice,
    rejects_only,
)
from glotmill.transforms.readers.source import describe
from glotmill.transforms.readers.text import read_text_file, read_text_lines


def read_slice(
    path: str, format: Format, start: int, end: int, options: ReadOptions
) -> Iterator[ReadBatch]:
    """Read a slice of a file.

    A record belongs to the slice in which it starts, so slices that partition a file give each of
    its records once. A file that cannot be opened or read is one reject, ``unreadable_file``.

    Args:
        path: The file, local or a URI.
        format: What it holds.
        start: First byte, or first row group of Parquet.
        end: Byte or row group after the slice. A compressed file, a ``text_file``, a ``tsv`` and
            a ``csv`` are whole in the slice that starts at 0, wherever it ends.
        options: Columns and limits.

    Raises:
        MissingColumn: If a Parquet file has no text column, or a header has one twice.
        WrongColumnType: If its text column holds no text.
    """
    try:
        raw = storage.open_input(path)
    except Exception as error:  # cloud clients raise errors of their own
        offset = 0 if format == "parquet" else start
        yield rejects_only([Reject(offset, "unreadable_file", describe(error), "")], options)
        return
    with raw:
        if format == "parquet":
            yield from read_parquet(raw, path, start, end, options)
        else:
            yield from _read_stream(raw, path, format, start, end, options)


def _read_stream(
    raw: BinaryIO, path: str, format: Format, start: int, end: int, options: ReadOptions
) -> Iterator[ReadBatch]:
    try:
        stream = open_stream(raw, path, options.compression)
    except FileProblem as problem:
        yield rejects_only([Reject(start, problem.reason, problem.detail, "")], options)
        return
    if format == "jsonl":
        yield from read_jsonl(stream, start, end, options)
    elif format in ("tsv", "csv"):
        yield from read_delimited(stream, format, options) if start == 0 else ()
    elif format == "text":
        yield from read_text_lines(stream, start, end, options)
    elif start == 0:
        yield from read_text_file(stream, options)


def split_file(
    path: str, size: int, format: Format, target_bytes: int, compression: Compression = "auto"
) -> list[Slice]:
    """Cut a file into slices that can be read apart; the same file is always cut the same way.

    A file that cannot be opened is one slice, so that reading it gives the reject.

    Args:
        path: The file, local or a URI.
        size: Its stored size in bytes.
        format: What it holds.
        target_bytes: Size of a slice, about; uncompressed bytes for Parquet.
        compression: How it is packed. Compressed files are one slice.
    """
    if target_bytes < 1:
        raise ValueError(f"target_bytes must be at least 1, not {target_bytes}")
    whole = Slice(0, max(1, size))
    if format in ("text_file", "tsv", "csv"):
        return [whole]
    try:
        with storage.open_input(path) as raw:
            if format == "parquet":
                return _row_groups(raw, target_bytes)
            if open_stream(raw, path, compression).compression != "none":
                return [whole]
    except Exception:
        return [whole]
    return _byte_ranges(size, target_bytes)


def _byte_ranges(size: int, target_bytes: int) -> list[Slice]:
    """Cut evenly into the number of slices that comes nearest to the target."""
    num_slices = max(1, round(size / target_bytes))
    cuts = [size * i // num_slices for i in range(num_slices + 1)]
    return [Slice(start, end) for start, end in pairwise(cuts)]


def _row_groups(raw: BinaryIO, target_bytes: int) -> list[Slice]:
    """Cut after the row group that reaches the target."""
    metadata = open_parquet(raw)[0].metadata
    slices, start, num_bytes = [], 0, 0
    for group in range(metadata.num_row_groups):
        num_bytes += metadata.row_group(group).total_byte_size
        if num_bytes >= target_bytes:
            slices.append(Slice(start, group + 1))
            start, num_bytes = group + 1, 0
    if start < metadata.num_row_groups or not slices:
        slices.append(Slice(start, max(metadata.num_row_groups, start)))
    return slices
