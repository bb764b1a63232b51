r"""Lines of a byte stream with their offsets, in bounded memory.

Lines end with ``\n`` and nothing else; one ``\r`` before it is dropped. A file whose first MiB
holds ``\r`` but no ``\n`` (old Mac) is split on ``\r``. `str.splitlines` and text-mode files would
also split on characters that occur inside sentences (U+2028, U+0085, form feed).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import compress
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from glotmill.transforms.readers.decompress import ByteStream
from glotmill.transforms.readers.records import EXCERPT_BYTES, FileProblem, Reject, excerpt
from glotmill.transforms.readers.sniff import BOM, HEAD, check_is_text, separator_of

Offsets = npt.NDArray[np.int64]


@dataclass
class LineBlock:
    """Lines that follow each other, and rejects of the same stretch.

    Attributes:
        lines: The lines without their ends; empty ones too, so that lines can be numbered.
        offsets: Where each starts in the decompressed stream.
        rejects: Lines that are too long, or the broken rest of the stream.
    """

    lines: list[bytes]
    offsets: Offsets
    rejects: list[Reject]

    def without_blank_lines(self) -> "LineBlock":
        """Return the block without lines that are empty or ASCII white space."""
        if b"" not in self.lines and not any(map(bytes.isspace, self.lines)):
            return self
        is_kept = [bool(line) and not line.isspace() for line in self.lines]
        lines = list(compress(self.lines, is_kept))
        return LineBlock(lines, self.offsets[np.array(is_kept, dtype=bool)], self.rejects)


def read_lines(
    stream: ByteStream, *, start: int = 0, end: int | None = None, max_record_bytes: int = 10 << 20
) -> Iterator[LineBlock]:
    """Read the lines that start in a slice of a stream.

    Slices that partition a file give each of its lines once. A compressed stream cannot be cut:
    the slice from 0 is all of it, and any other is empty.

    Args:
        stream: The file's bytes, from its start.
        start: First byte of the slice.
        end: Byte after the slice, or None for the end of the file.
        max_record_bytes: A longer line is passed over and rejected as ``record_too_long``.

    Yields:
        Blocks of lines in order. What cannot be read is one reject: a file that is no UTF-8 text
        (``not_utf8``, ``not_text``), or the rest of a stream that breaks, beginning with its
        partial last line (``truncated_stream``, ``corrupt_stream``, ``unreadable_file``).
    """
    if stream.compression != "none":
        if start > 0:
            return
        end = None
    head = stream.peek(HEAD)
    try:
        check_is_text(head)
    except FileProblem as problem:
        if start == 0:
            yield _block_of(Reject(0, problem.reason, problem.detail, excerpt(head)))
        return
    separator = separator_of(stream)
    if start == 0:
        blocks = _split(stream, LineSplitter(separator, 0, max_record_bytes), end)
        yield from _without_bom(blocks)
    else:
        yield from _split_from(stream, separator, start, end, max_record_bytes)


def iterate_lines(blocks: Iterator[LineBlock]) -> Iterator[tuple[int, bytes | Reject]]:
    """Iterate over single lines and rejects in the order of their offsets."""
    for block in blocks:
        items: list[tuple[int, bytes | Reject]] = []
        items += zip(block.offsets.tolist(), block.lines, strict=True)
        items += [(reject.offset, reject) for reject in block.rejects]
        yield from sorted(items, key=itemgetter(0)) if block.rejects else items


class LineSplitter:
    """Cuts chunks into lines, holding no more than one line of the allowed length.

    Attributes:
        start: Offset of the line that is not yet complete.
    """

    def __init__(self, separator: bytes, start: int, limit: int) -> None:
        self.start = start
        self._separator = separator
        self._limit = limit
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> LineBlock:
        """Take the next bytes; return the lines they complete."""
        last = chunk.rfind(self._separator)
        if last < 0:
            self._hold(chunk)
            return _block_of()
        rejects: list[Reject] = []
        begin = 0
        if self._size > self._limit:
            begin = chunk.find(self._separator) + 1
            self._size += begin - 1
            rejects.append(self._take_reject())
        block = self._lines(chunk[begin:last], rejects) if begin <= last else _block_of(*rejects)
        self._hold(chunk[last + 1 :])
        return block

    def finish(self) -> LineBlock:
        """Return the last line, if it has no end of its own."""
        if not self._size:
            return _block_of()
        if self._size > self._limit:
            return _block_of(self._take_reject())
        return self._lines(b"", [])

    def fail(self, problem: FileProblem) -> LineBlock:
        """Return a reject for the stream from the incomplete line on."""
        held = b"".join(self._pieces)
        return _block_of(Reject(self.start, problem.reason, problem.detail, excerpt(held)))

    def _hold(self, data: bytes) -> None:
        """Keep the beginning of a line; of one that is too long, what an excerpt needs."""
        if self._size <= self._limit:
            self._pieces.append(data)
        self._size += len(data)
        if self._size > self._limit:
            self._pieces = [b"".join(self._pieces)[:EXCERPT_BYTES]]

    def _take_reject(self) -> Reject:
        reject = _too_long(self.start, b"".join(self._pieces), self._size, self._limit)
        self.start += self._size + 1
        self._pieces, self._size = [], 0
        return reject

    def _lines(self, data: bytes, rejects: list[Reject]) -> LineBlock:
        """Split the held beginning and whole lines after it."""
        data = b"".join((*self._pieces, data)) if self._size else data
        self._pieces, self._size = [], 0
        lines = data.split(self._separator)
        sizes = np.fromiter(map(len, lines), np.int64, len(lines))
        ends = np.cumsum(sizes + 1) + self.start
        offsets = ends - sizes - 1
        self.start = int(ends[-1])
        if int(sizes.max()) > self._limit:
            is_kept = sizes <= self._limit
            rejects += [
                _too_long(int(offsets[i]), lines[i], int(sizes[i]), self._limit)
                for i in np.flatnonzero(~is_kept)
            ]
            lines, offsets = list(compress(lines, is_kept)), offsets[is_kept]
        if self._separator == b"\n" and b"\r" in data:
            lines = [line.removesuffix(b"\r") for line in lines]
        return LineBlock(lines, offsets, rejects)


def _block_of(*rejects: Reject) -> LineBlock:
    return LineBlock([], np.empty(0, np.int64), list(rejects))


def _too_long(offset: int, data: bytes, size: int, limit: int) -> Reject:
    detail = f"{size} bytes; the limit (max_record_bytes) is {limit}"
    return Reject(offset, "record_too_long", detail, excerpt(data))


def _split(chunks: Iterable[bytes], splitter: LineSplitter, end: int | None) -> Iterator[LineBlock]:
    """Split until the stream or the slice ends."""
    try:
        for chunk in chunks:
            block = splitter.feed(chunk)
            yield block if end is None else _before(block, end)
            if end is not None and splitter.start >= end:
                return
    except FileProblem as problem:
        yield splitter.fail(problem)
    else:
        yield splitter.finish()


def _split_from(
    stream: ByteStream, separator: bytes, start: int, end: int | None, limit: int
) -> Iterator[LineBlock]:
    """Split from the first line that starts at an offset or after it."""
    position = start - 1
    try:
        stream.seek(position)
        chunks = iter(stream)
        for chunk in chunks:
            found = chunk.find(separator)
            if found >= 0:
                break
            position += len(chunk)
        else:
            return
    except FileProblem as problem:
        yield _block_of(Reject(start, problem.reason, problem.detail, ""))
        return
    splitter = LineSplitter(separator, position + found + 1, limit)
    if end is None or splitter.start < end:
        yield from _split(_chain(chunk[found + 1 :], chunks), splitter, end)


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _before(block: LineBlock, end: int) -> LineBlock:
    """Return the part of a block whose lines start before an offset."""
    if block.offsets.size and block.offsets[-1] >= end:
        num_kept = int(np.searchsorted(block.offsets, end))
        block = LineBlock(block.lines[:num_kept], block.offsets[:num_kept], block.rejects)
    block.rejects = [reject for reject in block.rejects if reject.offset < end]
    return block


def _without_bom(blocks: Iterator[LineBlock]) -> Iterator[LineBlock]:
    """Take the byte order mark off the line at offset 0."""
    for block in blocks:
        if block.lines and block.offsets[0] == 0 and block.lines[0].startswith(BOM):
            block.lines[0] = block.lines[0][len(BOM) :]
        yield block
