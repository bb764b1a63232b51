"""Parallel files cut into slices, and slices read whatever the format."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import BinaryIO

from glotmill.transforms import storage
from glotmill.transforms.readers.bitext.columns import read_columns
from glotmill.transforms.readers.bitext.delimited import read_delimited
from glotmill.transforms.readers.bitext.messages import read_messages
from glotmill.transforms.readers.bitext.moses import check_aligned, read_moses
from glotmill.transforms.readers.bitext.objects import read_objects
from glotmill.transforms.readers.bitext.options import BitextFormat, BitextOptions
from glotmill.transforms.readers.bitext.po import read_po
from glotmill.transforms.readers.bitext.tmx import read_tmx
from glotmill.transforms.readers.bitext.units import rejected
from glotmill.transforms.readers.bitext.xces import read_xces
from glotmill.transforms.readers.bitext.xliff import read_xliff
from glotmill.transforms.readers.bitext.xml_text import detect_encoding
from glotmill.transforms.readers.decompress import open_stream
from glotmill.transforms.readers.records import FileProblem, ReadBatch, Reject, Slice
from glotmill.transforms.readers.slices import split_file
from glotmill.transforms.readers.source import describe

END = 1 << 62
"""The end of a slice that goes to the end of any file."""


def read_bitext(
    paths: Sequence[str],
    format: BitextFormat,
    start: int = 0,
    end: int = END,
    options: BitextOptions | None = None,
    *,
    is_checked: bool = False,
) -> Iterator[ReadBatch]:
    """Read a slice of parallel text.

    A unit belongs to the slice in which it starts, so slices that partition a source give each of
    its units once. A file that cannot be opened or read is one reject, ``unreadable_file``.

    Args:
        paths: The file, local or a URI; for ``moses`` and ``messages`` those that belong
            together, one a language.
        format: What they hold.
        start: First byte (``tmx``, ``jsonl``), row group (``parquet``) or line (``moses``).
        end: What comes after the slice. Other formats, and compressed files of ``tmx`` and
            ``jsonl``, are whole in the slice that starts at 0, wherever it ends.
        options: Columns, codes and limits.
        is_checked: Whether `split_bitext` has cut these files; lines are then not counted again.

    Yields:
        Batches whose records have the schema `UNITS`.

    Raises:
        MissingColumn: If a header, or a Parquet file, lacks a column that the options name.
        WrongColumnType: If a Parquet column with text holds none.
        ValueError: If the number of paths, or the options, do not suit the format.
    """
    options = options or BitextOptions()
    if format == "moses":
        yield from read_moses(
            paths, start, None if end >= END else end, options, is_checked=is_checked
        )
        return
    if format == "messages":
        yield from read_messages(paths, options) if start == 0 else ()
        return
    (path,) = _only(paths, format)
    try:
        raw = storage.open_input(path)
    except Exception as error:  # cloud clients raise errors of their own
        offset = 0 if format == "parquet" else start
        yield rejected([Reject(offset, "unreadable_file", describe(error), "")])
        return
    with raw:
        if format == "parquet":
            yield from read_columns(raw, path, start, end, options)
        else:
            yield from _read_stream(raw, path, format, start, end, options)


def _only(paths: Sequence[str], format: BitextFormat) -> Sequence[str]:
    if len(paths) != 1:
        raise ValueError(f"{format} is read from one file at a time, not from {len(paths)}")
    return paths


def _read_stream(
    raw: BinaryIO, path: str, format: BitextFormat, start: int, end: int, options: BitextOptions
) -> Iterator[ReadBatch]:
    try:
        stream = open_stream(raw, path, options.compression)
    except FileProblem as problem:
        yield rejected([Reject(start, problem.reason, problem.detail, "")])
        return
    if format == "tmx":
        yield from read_tmx(stream, start, end, options)
    elif format == "jsonl":
        yield from read_objects(stream, start, end, options)
    elif start > 0:
        return
    elif format in ("tsv", "csv"):
        yield from read_delimited(stream, path, format, options)
    elif format == "xces":
        yield from read_xces(stream, options)
    elif format == "po":
        yield from read_po(stream, options)
    else:
        yield from read_xliff(stream, options)


def split_bitext(
    paths: Sequence[str],
    sizes: Sequence[int],
    format: BitextFormat,
    target_bytes: int,
    options: BitextOptions | None = None,
) -> list[Slice]:
    """Cut parallel text into slices that can be read apart; always in the same way.

    The lines of line-aligned files are counted. What cannot be opened is one slice, so that
    reading it gives the reject.

    Args:
        paths: The files, as for `read_bitext`.
        sizes: Their stored sizes in bytes.
        format: What they hold.
        target_bytes: Size of a slice of all files together, about.
        options: Says how files are packed.

    Raises:
        MisalignedFiles: If line-aligned files have different numbers of lines.
    """
    options = options or BitextOptions()
    whole = [Slice(0, max(1, sum(sizes)))]
    if format == "moses":
        try:
            num_lines = check_aligned(paths, options)
        except FileProblem:
            return [Slice(0, END)]
        num_slices = max(1, min(num_lines, round(sum(sizes) / target_bytes)))
        cuts = [num_lines * index // num_slices for index in range(num_slices + 1)]
        return [Slice(start, end) for start, end in pairwise(cuts)]
    if format in ("jsonl", "parquet"):
        return split_file(paths[0], sizes[0], format, target_bytes, options.compression)
    if format != "tmx" or _is_wide(paths[0], options):
        return whole
    return split_file(paths[0], sizes[0], "jsonl", target_bytes, options.compression)


def _is_wide(path: str, options: BitextOptions) -> bool:
    """Return whether a file is in UTF-16 or UTF-32, whose bytes cannot be cut."""
    try:
        with storage.open_input(path) as raw:
            return detect_encoding(open_stream(raw, path, options.compression)).is_wide
    except Exception:
        return True
