"""Zstandard, frame by frame and block by block.

The zstandard package's stream readers end without a word on a truncated file, and its
``decompressobj`` returns all that its input holds, which may be thousands of times as much. The
frame format (RFC 8878, section 3.1) gives the size of each block of at most 128 KiB: fed one
block at a time, ``decompressobj`` returns little at once, and a file that ends inside a frame is
noticed.
"""

from collections.abc import Callable, Iterator

import zstandard

from glotmill.transforms.readers.codecs import CodecError

_READ = 1 << 20
_MAGIC = b"\x28\xb5\x2f\xfd"
_DICTIONARY_ID_BYTES = (0, 1, 2, 4)
_CONTENT_SIZE_BYTES = (0, 2, 4, 8)
_RLE, _RESERVED = 1, 3
_MAX_WINDOW = 1 << 31  # what `zstd --long=31` needs


class _Buffer:
    """Stored bytes, taken in the sizes that the format names."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._data = b""
        self._at = 0

    def peek(self, size: int) -> bytes:
        """Return the next ``size`` bytes, fewer only at the end of the file."""
        while len(self._data) - self._at < size and (more := self._read(_READ)):
            self._data = self._data[self._at :] + more
            self._at = 0
        return self._data[self._at : self._at + size]

    def take(self, size: int) -> bytes:
        """Return and pass the next ``size`` bytes; raise `CodecError` if there are fewer."""
        data = self.peek(size)
        if len(data) < size:
            raise CodecError("truncated_stream", "the file ends inside a zstd frame")
        self._at += size
        return data


def is_zstd(head: bytes) -> bool:
    """Return whether bytes begin with a zstd frame or a skippable one."""
    skippable = len(head) > 3 and head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F
    return skippable or head.startswith(_MAGIC)


def decode_zstd(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Decode concatenated zstd frames; skippable frames are passed over.

    Args:
        read: Returns at most as many stored bytes as asked for; none at the end.

    Raises:
        CodecError: After the last good chunk, if the stream is cut or damaged.
    """
    buffer = _Buffer(read)
    if not buffer.peek(1):
        raise CodecError("truncated_stream", "the file is empty")
    while head := buffer.peek(4):
        if head == _MAGIC:
            yield from _decode_frame(buffer)
        elif is_zstd(head):
            buffer.take(4)
            _skip(buffer, int.from_bytes(buffer.take(4), "little"))
        elif len(head) < 4 and _MAGIC.startswith(head):
            raise CodecError("truncated_stream", "the file ends inside a zstd frame")
        else:
            raise CodecError("corrupt_stream", f"no zstd frame begins with {head.hex(' ')}")


def _skip(buffer: _Buffer, size: int) -> None:
    while size:
        size -= len(buffer.take(min(size, _READ)))


def _decode_frame(buffer: _Buffer) -> Iterator[bytes]:
    decoder = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW).decompressobj()
    header, has_checksum = _take_header(buffer)
    yield from _decompress(decoder, header)
    is_last = False
    while not is_last:
        block, is_last = _take_block(buffer)
        yield from _decompress(decoder, block)
    if has_checksum:
        yield from _decompress(decoder, buffer.take(4))
    if not decoder.eof:
        raise CodecError("corrupt_stream", "a zstd frame does not end with its last block")


def _take_header(buffer: _Buffer) -> tuple[bytes, bool]:
    """Return a frame's header and whether a checksum follows the last block."""
    descriptor = buffer.take(5)[4]
    is_single_segment = bool(descriptor & 0x20)
    content_size = _CONTENT_SIZE_BYTES[descriptor >> 6] or int(is_single_segment)
    rest = (not is_single_segment) + _DICTIONARY_ID_BYTES[descriptor & 3] + content_size
    header = _MAGIC + bytes([descriptor]) + buffer.take(rest)
    return header, bool(descriptor & 0x04)


def _take_block(buffer: _Buffer) -> tuple[bytes, bool]:
    """Return a block with its header and whether it is the frame's last."""
    header = buffer.take(3)
    fields = int.from_bytes(header, "little")
    kind, size = fields >> 1 & 3, fields >> 3
    if kind == _RESERVED:
        raise CodecError("corrupt_stream", "a zstd block has the reserved type")
    return header + buffer.take(1 if kind == _RLE else size), bool(fields & 1)


def _decompress(decoder: "zstandard.ZstdDecompressionObj", data: bytes) -> Iterator[bytes]:
    try:
        out = decoder.decompress(data)
    except zstandard.ZstdError as error:
        raise CodecError("corrupt_stream", str(error)) from error
    if out:
        yield out
