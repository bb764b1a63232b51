"""The stored bytes of a file, whose failures are data and not crashes."""

from collections.abc import Callable
from typing import BinaryIO, TypeVar

from glotmill.transforms.readers.records import FileProblem

_T = TypeVar("_T")


class BrokenStream(FileProblem):
    """The bytes end, or turn wrong, before the stream is whole.

    Attributes:
        reason: ``truncated_stream``, ``corrupt_stream`` or ``unreadable_file``.
        detail: What happened.
        compressed_offset: Up to where the stored file had been read.
    """

    def __init__(self, reason: str, detail: str, compressed_offset: int) -> None:
        super().__init__(reason, detail)
        self.args = (reason, detail, compressed_offset)
        self.compressed_offset = compressed_offset


class RawSource:
    """A stored file that can be looked into before it is read.

    Every failure of the file system raises `BrokenStream`.

    Attributes:
        position: Offset of the next byte that `read` returns.
    """

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._held = b""
        self.position = 0

    def read(self, size: int) -> bytes:
        """Return at most ``size`` bytes; none at the end of the file."""
        if self._held:
            data, self._held = self._held[:size], self._held[size:]
        else:
            data = self._read(size)
        self.position += len(data)
        return data

    def peek(self, size: int) -> bytes:
        """Return the next ``size`` bytes, or all there are, without taking them."""
        while len(self._held) < size and (more := self._read(size - len(self._held))):
            self._held += more
        return self._held[:size]

    def seek(self, offset: int) -> None:
        """Go to an offset of the stored file."""
        self._guard(lambda: self._raw.seek(offset))
        self._held = b""
        self.position = offset

    def _read(self, size: int) -> bytes:
        return self._guard(lambda: self._raw.read(size))

    def _guard(self, action: Callable[[], _T]) -> _T:
        # Cloud clients raise errors of their own that are no OSError.
        try:
            return action()
        except Exception as error:
            raise BrokenStream("unreadable_file", describe(error), self.position) from error


def describe(error: Exception) -> str:
    """Return an error's type and message on one line."""
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
