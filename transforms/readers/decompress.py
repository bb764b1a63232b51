"""Compressed files as streams of bytes, with every break noticed.

Common readers stop without a word at the end of a truncated file, or after the first of several
frames, and lose what they decoded before a fault. Here what could be decoded is delivered first,
then `BrokenStream` says where and why the rest is missing.
"""

from collections.abc import Iterator
from typing import BinaryIO

from glotmill.schemas.formats import COMPRESSED
from glotmill.transforms.readers.codecs import CHUNK, CodecError, decode_members
from glotmill.transforms.readers.records import Compression
from glotmill.transforms.readers.source import BrokenStream, RawSource
from glotmill.transforms.readers.zstd_frames import decode_zstd, is_zstd

_HEAD = 1 << 16
_MAX_CONTROL_SHARE = 0.01
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\x1b"))


class ByteStream:
    """The decompressed bytes of a file, in chunks.

    Iterating gives the chunks once, and raises `BrokenStream` after the last good one if the
    stored bytes are cut or damaged.

    Attributes:
        compression: How the file is packed; never ``auto``.
    """

    def __init__(self, source: RawSource, compression: Compression) -> None:
        self.compression = compression
        self._source = source
        self._head: list[bytes] = []
        self._error: BrokenStream | None = None
        self._chunks = _chunks(source, compression)

    def __iter__(self) -> Iterator[bytes]:
        head, self._head = self._head, []
        yield from head
        if self._error is not None:
            raise self._error
        yield from self._chunks

    def peek(self, size: int) -> bytes:
        """Return the first bytes, at least ``size`` if there are as many, without taking them.

        A break within them is raised when iterating.
        """
        held = sum(map(len, self._head))
        try:
            while held < size and (chunk := next(self._chunks, None)) is not None:
                self._head.append(chunk)
                held += len(chunk)
        except BrokenStream as error:
            self._error = error
        return b"".join(self._head)

    def seek(self, offset: int) -> None:
        """Go to an offset of an uncompressed file.

        Raises:
            ValueError: If the file is compressed.
            BrokenStream: If the file cannot be sought.
        """
        if self.compression != "none":
            raise ValueError(f"cannot seek in a {self.compression} stream")
        self._source.seek(offset)
        self._head, self._error = [], None
        self._chunks = _chunks(self._source, "none")


def open_stream(raw: BinaryIO, path: str, compression: Compression = "auto") -> ByteStream:
    """Return the decompressed bytes of an opened file.

    Args:
        raw: The file, at its start.
        path: Its name.
        compression: How it is packed. For ``auto`` the first bytes decide; the name does only
            where they are neither a known signature nor text.

    Raises:
        BrokenStream: If the first bytes cannot be read.
    """
    source = RawSource(raw)
    if compression == "auto":
        compression = detect_compression(source.peek(_HEAD), path)
    return ByteStream(source, compression)


def detect_compression(head: bytes, path: str) -> Compression:
    r"""Tell how a file is packed from its first bytes, and from its name where they say nothing.

    >>> detect_compression(b"plain text\n", "a.txt.gz"), detect_compression(b"\x1f\x8b\x08", "a")
    ('none', 'gzip')
    """
    if head.startswith(b"\x1f\x8b\x08"):
        return "gzip"
    if is_zstd(head):
        return "zstd"
    if head.startswith(b"\xfd7zXZ\x00"):
        return "xz"
    if _is_bz2(head):
        return "bz2"
    return "none" if head and _looks_like_text(head) else _named_compression(path)


def _is_bz2(head: bytes) -> bool:
    block, empty = b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90"
    return head[:3] == b"BZh" and head[4:10] in (block, empty)


def _looks_like_text(head: bytes) -> bool:
    """Return whether nearly no byte is a control character, whatever the encoding."""
    num_controls = len(head) - len(head.translate(None, _CONTROLS))
    return num_controls <= _MAX_CONTROL_SHARE * len(head)


def _named_compression(path: str) -> Compression:
    name = path.lower()
    return next((kind for end, kind in COMPRESSED.items() if name.endswith(end)), "none")


def _chunks(source: RawSource, compression: Compression) -> Iterator[bytes]:
    """Decode to the end, naming the place of a fault."""
    try:
        if compression == "none":
            yield from _plain(source)
        elif compression == "zstd":
            yield from _gather(decode_zstd(source.read))
        else:
            yield from _gather(decode_members(source.read, compression))
    except CodecError as error:
        detail = f"{compression}: {error} (at about byte {source.position} of the stored file)"
        raise BrokenStream(error.reason, detail, source.position) from error


def _plain(source: RawSource) -> Iterator[bytes]:
    while chunk := source.read(CHUNK):
        yield chunk


def _gather(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Join small pieces to chunks; those before a fault come before it."""
    held: list[bytes] = []
    size = 0
    try:
        for piece in pieces:
            held.append(piece)
            size += len(piece)
            if size >= CHUNK:
                yield b"".join(held)
                held, size = [], 0
    except (CodecError, BrokenStream):
        if held:
            yield b"".join(held)
        raise
    if held:
        yield b"".join(held)
