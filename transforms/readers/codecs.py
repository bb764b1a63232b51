"""gzip, bzip2 and xz: concatenated members, decoded to the last good byte."""

import bz2
import lzma
import zlib
from collections.abc import Callable, Generator, Iterator
from typing import Protocol

CHUNK = 1 << 20
"""Bytes of a decompressed chunk, at most."""


class CodecError(Exception):
    """Compressed bytes that end too early or are damaged.

    Attributes:
        reason: ``truncated_stream`` or ``corrupt_stream``.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason

    def __str__(self) -> str:
        return str(self.args[1])


class Decoder(Protocol):
    """A decoder of one member, as `bz2.BZ2Decompressor` is."""

    @property
    def eof(self) -> bool:
        """Whether the member is whole and its checksum right."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes without more input."""

    @property
    def unused_data(self) -> bytes:
        """Input after the end of the member."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take input, if it is needed, and return some output."""


class _GzipDecoder:
    """zlib with the interface of bz2, which returns what it decoded before a fault."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=31)
        self._error: zlib.error | None = None

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail and self._error is None

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        if self._error is not None:
            raise self._error
        before = self._zlib.copy()
        data = self._zlib.unconsumed_tail or data
        try:
            return self._zlib.decompress(data, max_length)
        except zlib.error as error:
            self._error = error
            return _before_fault(before, data, max_length)


# The type of zlib's decompressor objects has no public name.
def _before_fault(state: "zlib._Decompress", data: bytes, max_length: int) -> bytes:
    """Decode up to the first byte that raises, found by halving."""
    out = []
    step = len(data)
    while step := step // 2:
        trial = state.copy()
        try:
            out.append(trial.decompress(data[:step], max_length))
        except zlib.error:
            continue
        state, data = trial, data[step:]
    return b"".join(out)


# Kind to: a maker of decoders, and bytes of input for one call. What bzip2 and xz decode in the
# call that finds a fault is lost, so their calls are small.
_CODECS: dict[str, tuple[Callable[[], Decoder], int]] = {
    "gzip": (_GzipDecoder, 1 << 18),
    "bz2": (bz2.BZ2Decompressor, 1 << 14),
    "xz": (lzma.LZMADecompressor, 1 << 14),
}

_FAULTS = (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError)


def decode_members(read: Callable[[int], bytes], kind: str) -> Iterator[bytes]:
    """Decode concatenated members; zero bytes after a member are padding.

    Args:
        read: Returns at most as many stored bytes as asked for; none at the end.
        kind: ``gzip``, ``bz2`` or ``xz``.

    Raises:
        CodecError: After the last good chunk, if the stream is cut or damaged.
    """
    new_decoder, size = _CODECS[kind]
    data = read(size)
    if not data:
        raise CodecError("truncated_stream", "the file is empty")
    while data:
        data = yield from _decode_member(new_decoder(), data, read, size)
        data = _skip_padding(data, read, size)


def _decode_member(
    decoder: Decoder, data: bytes, read: Callable[[int], bytes], size: int
) -> Generator[bytes, None, bytes]:
    """Decode one member; return the input after it."""
    while True:
        out = _decompress(decoder, data)
        if out:
            yield out
        if decoder.eof:
            return decoder.unused_data
        data = read(size) if decoder.needs_input else b""
        if not data and not out and decoder.needs_input:
            raise CodecError("truncated_stream", "the file ends inside the compressed stream")


def _decompress(decoder: Decoder, data: bytes) -> bytes:
    try:
        return decoder.decompress(data, CHUNK)
    except _FAULTS as error:
        raise CodecError("corrupt_stream", str(error)) from error


def _skip_padding(data: bytes, read: Callable[[int], bytes], size: int) -> bytes:
    while not (data := data.lstrip(b"\0")):
        if not (data := read(size)):
            break
    return data
