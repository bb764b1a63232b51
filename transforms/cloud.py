"""Object stores: what Google Cloud Storage and S3 have in common.

Beam's file systems are not used for them: they make a client for every request, rename by copying,
cannot write an empty object to S3, and cannot say "only if nobody else has written".

An object is seen whole or not at all, so it is uploaded under its own name. What cannot be read is
an error of the run and never a reject of a record: `ReadInterrupted` is no `Exception`.
"""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from apache_beam.io.filesystem import FileSystem
from typing_extensions import Buffer

#: How long a request is tried again before the run ends.
PATIENCE_SECONDS = 300.0
#: How long Google's client waits at most before its second try; twice as long before each next.
FIRST_WAIT_SECONDS = 1.0
#: How long one try may take to connect, and to send its next byte.
CONNECT_SECONDS, REQUEST_SECONDS = 10.0, 60.0
#: Objects up to this size are sent in one request, larger ones in parts of it and more.
PART_BYTES = 16 * 2**20
# S3 takes 10,000 parts: after so many of a size they grow by `PART_BYTES`, which makes 1.6 TiB.
_PARTS_OF_A_SIZE = 500
#: What is asked for at once where a file is read from its beginning.
_READ_BYTES = 4 * 2**20
#: `replaces` of an object that must not exist yet.
ABSENT = ""

_NAME = re.compile(r"[a-z0-9]+://([^/]+)/(.*)", re.DOTALL)
# A wildcard in a set of its own is spelled out: `[*]` is a star.
_ESCAPED = re.compile(r"\[([*?[])\]")
_FOLDERS = "/(?:.*/)?"
_HEAD_AND_REST = re.compile(r"\A((?:[^*?[]|\[[*?[]\])*)(.*)\Z", re.DOTALL)
_Result = TypeVar("_Result")


class StoreError(OSError):
    """A request failed for good; the message says which and why."""


class ChangedMeanwhile(StoreError):  # noqa: N818
    """An object is no longer as it was when it was looked at."""


class ReadInterrupted(BaseException):
    """A file cannot be read now, or changed while it was read.

    Readers turn an `Exception` into a reject of the file, which is right for a damaged one. That a
    store does not answer says nothing of the file: the unit fails, and is read again.
    """


@dataclass(frozen=True)
class StoredObject:
    """An object: where it is, its size in bytes, and what changes with its content.

    Attributes:
        path: its URI.
        size: in bytes.
        checksum: as the store keeps it.
        version: what a conditional request names it by.
    """

    path: str
    size: int
    checksum: str
    version: str


class Upload(Protocol):
    """An object that is sent in parts; nobody sees it before `finish`."""

    def send(self, part: bytes) -> None:
        """Sends the next part, of `PART_BYTES` but for the last."""

    def finish(self) -> None:
        """Makes the object appear."""

    def abort(self) -> None:
        """Gives up what was sent."""


class ObjectStore(Protocol):
    """What is asked of a store. All but `read` and `put` may be tried twice without harm."""

    def find(self, path: str) -> StoredObject | None:
        """The object, if it exists."""

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """All objects whose URI begins with a prefix."""

    def read(self, stored: StoredObject, start: int, end: int) -> bytes:
        """Bytes of an object, `end` excluded.

        Raises:
            ChangedMeanwhile: it is another version now.
        """

    def put(self, path: str, content: bytes, replaces: str | None) -> str:
        """Writes an object; gives its version.

        Args:
            path: its URI.
            content: of the object.
            replaces: version that it must have now; None for any, `ABSENT` for none.

        Raises:
            ChangedMeanwhile: it has another.
        """

    def upload(self, path: str) -> Upload:
        """Begins an object that is too large for one request."""

    def delete(self, paths: Sequence[str]) -> None:
        """Deletes objects; one that is not there is no error."""


def store_of(path: str) -> ObjectStore | None:
    """The store of a URI; None for paths that Beam's file systems are asked for.

    Raises:
        ValueError: the packages for that kind of URI are not installed.
    """
    kind, separator, _ = path.partition("://")
    return _store(kind) if separator and kind in ("gs", "s3") else None


@functools.cache
def _store(kind: str) -> ObjectStore:
    """One client for a process: its connections are kept open."""
    try:
        if kind == "gs":
            from glotmill.transforms.cloud_gcs import GoogleStore

            return GoogleStore()
        from glotmill.transforms.cloud_s3 import S3Store

        return S3Store()
    except ImportError as error:
        extra = {"gs": "gcp", "s3": "aws"}[kind]
        message = f"{kind}:// needs the extra: pip install 'glotmill[{extra}]' ({error})"
        raise ValueError(message) from None


def forget_stores() -> None:
    """Makes the next request build its client anew, from the environment as it is then."""
    _store.cache_clear()


def split_uri(path: str) -> tuple[str, str]:
    """Bucket and name of an object.

    Raises:
        ValueError: the URI has no bucket.

    >>> split_uri("gs://corpora/out/shards/0.parquet")
    ('corpora', 'out/shards/0.parquet')
    """
    match = _NAME.fullmatch(path if path.count("/") > 2 else path + "/")
    if match is None:
        raise ValueError(f"{path!r} names no bucket; write it as scheme://bucket/name")
    return match[1], match[2]


def match_objects(store: ObjectStore, pattern: str) -> list[StoredObject]:
    """Objects that match a pattern of Beam's; the URI of an existing object is that object."""
    if split_uri(pattern)[1]:
        for path in dict.fromkeys((pattern, unescaped(pattern))):
            if (found := store.find(path)) is not None:
                return [found]
    prefix, rest = split_pattern(pattern)
    if rest is None:
        return []
    return [each for each in store.list(prefix) if rest.match(each.path, len(prefix))]


def unescaped(pattern: str) -> str:
    """A pattern with the wildcards that it spells out as they are in names.

    >>> unescaped("out/[[]v2]/*.json")
    'out/[v2]/*.json'
    """
    return _ESCAPED.sub(r"\1", pattern)


def split_pattern(pattern: str) -> tuple[str, re.Pattern[str] | None]:
    """What every match of a pattern begins with, and what its rest is like; None without wildcard.

    >>> prefix, rest = split_pattern("out/[[]v2]/a*.json")
    >>> prefix, bool(rest.match("out/[v2]/ab.json", len(prefix)))
    ('out/[v2]/a', True)
    """
    [(head, rest)] = _HEAD_AND_REST.findall(pattern)
    if not rest:
        return unescaped(head), None
    # Beam's `/**/` wants a folder between; elsewhere it stands for none as well.
    wanted = FileSystem.translate_pattern(rest).replace("/.*/", _FOLDERS)
    if (not head or head.endswith("/")) and rest.startswith("**/"):
        wanted = wanted.replace(".*/", _FOLDERS.removeprefix("/"), 1)
    return unescaped(head), re.compile(wanted)


def found(store: ObjectStore, path: str) -> StoredObject:
    """The object.

    Raises:
        FileNotFoundError: there is none.
    """
    stored = store.find(path)
    if stored is None:
        raise FileNotFoundError(f"no object {path}")
    return stored


def delete_objects(store: ObjectStore, path: str) -> None:
    """Deletes an object, and all that a folder of that name would hold."""
    under = [each.path for each in store.list(path.rstrip("/") + "/")]
    store.delete([path, *under])


def put_if(store: ObjectStore, path: str, content: bytes, replaces: str | None) -> str:
    """Writes an object, if it still has a version; gives the new one.

    A request whose answer was lost is sent again and then finds its own object there: that is no
    conflict.

    Raises:
        ChangedMeanwhile: something else was written.
    """
    try:
        return store.put(path, content, replaces)
    except ChangedMeanwhile:
        there = store.find(path)
        if there is None or there.size != len(content):
            raise
        if store.read(there, 0, there.size) != content:
            raise
        return there.version


class ObjectReader(io.RawIOBase):
    """Reads one version of an object, by ranges."""

    def __init__(self, store: ObjectStore, stored: StoredObject) -> None:
        """Takes the object as it was found."""
        super().__init__()
        self._store, self._stored = store, stored
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return where the next byte is read from."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset from the beginning, from here, or from the end."""
        start = (0, self._position, self._stored.size)[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: Buffer) -> int:
        """Fill a buffer, or as much of it as there are bytes left."""
        view = memoryview(buffer).cast("B")
        data = self._next(len(view))
        view[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        """Return all that is left; the base class would ask for 8 KiB at a time."""
        return b"".join(iter(lambda: self._next(PART_BYTES), b""))

    def _next(self, size: int) -> bytes:
        start, end = self._position, min(self._position + size, self._stored.size)
        if end <= start:
            return b""
        stored = self._stored
        data = interrupted(stored.path, lambda: self._store.read(stored, start, end))
        self._position += len(data)
        return data


def open_object(store: ObjectStore, path: str) -> io.BufferedReader:
    """Opens an object for reading; all of it is of one version.

    Raises:
        FileNotFoundError: there is none.
        ReadInterrupted: the store does not answer.
    """
    stored = interrupted(path, lambda: found(store, path))
    size = min(_READ_BYTES, max(stored.size, io.DEFAULT_BUFFER_SIZE))
    return io.BufferedReader(ObjectReader(store, stored), size)


def interrupted(path: str, action: Callable[[], _Result]) -> _Result:
    """What an action gives; a failure of the store interrupts the work."""
    try:
        return action()
    except (FileNotFoundError, PermissionError):
        raise
    except ChangedMeanwhile:
        message = f"{path} changed while it was read; run again to read it as it is now"
        raise ReadInterrupted(message) from None
    except StoreError as error:
        raise ReadInterrupted(str(error)) from error


class ObjectSink:
    """Collects an object: one request where it is small, parts where it is not."""

    def __init__(self, store: ObjectStore, path: str) -> None:
        """Takes where it shall appear; sends nothing yet."""
        self._store, self._path = store, path
        self._buffer = bytearray()
        self._upload: Upload | None = None
        self._num_parts = 0

    def write(self, content: bytes) -> None:
        """Appends bytes."""
        self._buffer += content
        while len(self._buffer) > (size := self._part_bytes()):
            self._send(bytes(self._buffer[:size]))
            del self._buffer[:size]

    def _part_bytes(self) -> int:
        return PART_BYTES * (1 + self._num_parts // _PARTS_OF_A_SIZE)

    def _send(self, part: bytes) -> None:
        if self._upload is None:
            self._upload = self._store.upload(self._path)
        self._upload.send(part)
        self._num_parts += 1

    def commit(self) -> None:
        """Makes the object appear, in place of one that may be there."""
        if self._upload is None:
            self._store.put(self._path, bytes(self._buffer), None)
            return
        self._upload.send(bytes(self._buffer))
        self._upload.finish()

    def discard(self) -> None:
        """Leaves nothing behind."""
        if self._upload is not None:
            self._upload.abort()
