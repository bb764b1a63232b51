"""Files by path or URI.

A path may be local, an object of Google Cloud Storage or S3 (`transforms/cloud.py`), or any other
URI that an installed file system of Beam knows. What is the same for all: raw bytes always, sorted
matches that are never silently empty, whole files or none, and checksums. Patterns are Beam's
everywhere: ``*`` stays inside a folder, ``**`` crosses folders, ``[*]`` is a star; but ``/**/`` may
be no folder at all. A path that begins a pattern goes through `escape`.
"""

import glob
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import BinaryIO, Protocol, cast

import xxhash
from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems
from typing_extensions import Buffer, Self

from glotmill.transforms import cloud
from glotmill.transforms.local_files import TEMPORARY_SUFFIX, match_local, names_near
from glotmill.transforms.local_files import InputFile as InputFile
from glotmill.transforms.local_files import is_local as is_local
from glotmill.transforms.local_files import one_of_each as one_of_each
from glotmill.transforms.local_files import scheme as scheme

_CHUNK = 1 << 20


class NothingMatched(LookupError):  # noqa: N818
    """A pattern matched no file; ``hint`` says what exists near it, where that can be told."""

    def __init__(self, pattern: str, hint: str = "") -> None:
        super().__init__(pattern, hint)
        self.pattern, self.hint = pattern, hint

    def __str__(self) -> str:
        return f"no file matches {self.pattern!r}" + (f"; {self.hint}" if self.hint else "")


def open_input(path: str) -> BinaryIO:
    """Open a file for reading its bytes as they are stored; nothing is decompressed.

    Raises:
        OSError: If the file cannot be opened.
        ValueError: If no installed file system knows the scheme.
        ReadInterrupted: If an object store does not answer.
    """
    if (store := cloud.store_of(path)) is not None:
        return cast(BinaryIO, cloud.open_object(store, path))
    plain = CompressionTypes.UNCOMPRESSED
    return cast(BinaryIO, FileSystems.open(path, compression_type=plain))


def read_bytes(path: str) -> bytes:
    """Return the whole content of a file."""
    with open_input(path) as stream:
        return stream.read()


def exists(path: str) -> bool:
    """Return whether a file, or a folder where the file system has them, exists."""
    if (store := cloud.store_of(path)) is not None:
        return store.find(path) is not None
    return bool(FileSystems.exists(path))


def escape(path: str) -> str:
    """Return a path as the beginning of a pattern: no character of it is a wildcard.

    >>> escape("out/[v2]") + "/*.json"
    'out/[[]v2]/*.json'
    """
    return glob.escape(path)


def match(pattern: str, *, inputs: bool = False) -> list[InputFile]:
    """Return the files that match a pattern, sorted by path, without `atomic_writer`'s temporaries.

    The path of an existing file is that file, even if it holds glob characters.

    Args:
        pattern: of paths.
        inputs: whether they are what a recipe reads: then local folders that are links are looked
            into, of several paths to one file only one is given, and names go into tables.

    Raises:
        NothingMatched: If there is no such file; the message names what is near.
        OSError: If the listing fails.
        ValueError: If no installed file system knows the scheme, or an input's name is not UTF-8.
    """
    matched = _match(pattern, through_links=inputs)
    files = [file for file in matched if not file.path.endswith(TEMPORARY_SUFFIX)]
    if not files:
        raise NothingMatched(
            pattern, names_near(cloud.unescaped(pattern)) if is_local(pattern) else ""
        )
    if inputs:
        _check_names(files)
    return sorted(files, key=lambda file: file.path)


def _check_names(files: Iterable[InputFile]) -> None:
    """Names of inputs go into JSON and tables.

    Raises:
        ValueError: If one is not UTF-8.
    """
    for file in files:
        try:
            file.path.encode()
        except UnicodeEncodeError:
            shown = os.fsencode(file.path).decode("utf-8", "backslashreplace")
            raise ValueError(f"the name of '{shown}' is not UTF-8; rename it") from None


def _match(pattern: str, through_links: bool = False) -> list[InputFile]:
    if (store := cloud.store_of(pattern)) is None:
        local = is_local(pattern)
        return match_local(pattern, through_links) if local else _match_with_beam(pattern)
    found = cloud.match_objects(store, pattern)
    return [InputFile(each.path, each.size, _stored_checksum(each)) for each in found]


def delete_temporaries(folder: str) -> None:
    """Delete what `atomic_writer` left anywhere under a folder where its process was killed.

    In an object store it leaves nothing that could be seen.
    """
    if cloud.store_of(folder) is not None:
        return
    delete(file.path for file in _match(f"{escape(folder)}/**{TEMPORARY_SUFFIX}"))


def _match_with_beam(pattern: str) -> list[InputFile]:
    (result,) = FileSystems.match([pattern])
    return [InputFile(meta.path, meta.size_in_bytes) for meta in result.metadata_list]


def make_directories(path: str) -> None:
    """Make a folder and its parents; one that exists is left alone."""
    if is_local(path):
        os.makedirs(path, exist_ok=True)
    elif cloud.store_of(path) is None and not exists(path):
        FileSystems.mkdirs(path)


def delete(paths: Iterable[str]) -> None:
    """Delete files, and folders with all they hold; one that is not there is no error.

    Local names are taken literally: no character is a wildcard.

    Raises:
        OSError: If something is still there afterwards.
    """
    for path in paths:
        if (store := cloud.store_of(path)) is not None:
            cloud.delete_objects(store, path)
        elif not is_local(path):
            _delete_remote(path)
        elif os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.remove(path)


def _delete_remote(path: str) -> None:
    try:
        FileSystems.delete([path])
    except BeamIOError:
        if exists(path):
            raise


def checksum(path: str) -> str:
    """Return a checksum of a file's content, prefixed with how it was made.

    Locally it is ``xxh3:`` and the XXH3-128 of the content, read in a stream. Elsewhere it is the
    scheme and what the file system stores (``gs:``, an MD5 or CRC32C), without reading the file.
    """
    if (store := cloud.store_of(path)) is not None:
        return _stored_checksum(cloud.found(store, path))
    if not is_local(path):
        return f"{scheme(path)}:{FileSystems.checksum(path)}"
    digest = xxhash.xxh3_128()
    with open_input(path) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return f"xxh3:{digest.hexdigest()}"


def checksum_of(file: InputFile) -> str:
    """Return the checksum that came with a listing, else `checksum`."""
    return file.checksum or checksum(file.path)


def _stored_checksum(stored: cloud.StoredObject) -> str:
    return f"{scheme(stored.path)}:{stored.checksum}"


def write_atomically(path: str, content: bytes) -> str:
    """Write a whole file so that it is seen complete or not at all; return its SHA-256."""
    with atomic_writer(path) as writer:
        writer.write(content)
    return writer.sha256


def atomic_writer(path: str) -> "AtomicWriter":
    """Open a file that appears under its name only when the ``with`` block ends well.

    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "greeting.txt")
    >>> with atomic_writer(path) as writer:
    ...     _ = writer.write(b"sannu")
    >>> writer.num_bytes, read_bytes(path)
    (5, b'sannu')
    """
    return AtomicWriter(path)


class _Sink(Protocol):
    """Where the bytes of a file go until it is whole."""

    def write(self, content: bytes) -> None:
        """Appends bytes."""

    def commit(self) -> None:
        """Gives the file its name."""

    def discard(self) -> None:
        """Leaves nothing behind."""


class AtomicWriter:
    """A sink whose file appears under its name at the end, whole.

    It is enough of a file for the Parquet and IPC writers of Arrow. These may close it; the file
    waits for the end of the ``with`` block. Attempts at one target never meet, so a retry is safe.
    Nothing is forced to the disk (fsync): manifests carry size and SHA-256.
    """

    mode = "wb"

    def __init__(self, path: str) -> None:
        self.path = path
        self.num_bytes = 0
        self._digest = hashlib.sha256()
        self._sink: _Sink | None = None
        self._closed = True

    @property
    def sha256(self) -> str:
        """The SHA-256 of what was written so far, in hexadecimal."""
        return self._digest.hexdigest()

    @property
    def closed(self) -> bool:
        """Whether the sink takes no more bytes."""
        return self._closed

    def __enter__(self) -> Self:
        store = cloud.store_of(self.path)
        self._sink = (
            _RenamedFile(self.path) if store is None else cloud.ObjectSink(store, self.path)
        )
        self._closed = False
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        sink, self._sink, self._closed = self._sink, None, True
        if sink is None:
            return
        try:
            if kind is None:
                sink.commit()
        except BaseException:
            sink.discard()
            raise
        if kind is not None:
            sink.discard()

    def write(self, data: Buffer) -> int:
        """Append bytes; return how many."""
        if self._closed or self._sink is None:
            raise ValueError(f"{self.path} is not open for writing")
        content = data if isinstance(data, bytes) else bytes(data)
        self._sink.write(content)
        self._digest.update(content)
        self.num_bytes += len(content)
        return len(content)

    def flush(self) -> None:
        """Do nothing: nobody may see the file before it is whole."""

    def close(self) -> None:
        """Take no more bytes. The file gets its name when the ``with`` block ends."""
        self._closed = True

    def tell(self) -> int:
        """Return the number of bytes written so far."""
        return self.num_bytes

    def writable(self) -> bool:
        """Return whether bytes can be written."""
        return not self.closed


class _RenamedFile:
    """A temporary file beside its target, renamed at the end; no two share a temporary name."""

    def __init__(self, target: str) -> None:
        self._target, self._temporary = target, _temporary_name(target)
        # Beam makes the folder of a local file.
        plain = CompressionTypes.UNCOMPRESSED
        self._stream = cast(BinaryIO, FileSystems.create(self._temporary, compression_type=plain))

    def write(self, content: bytes) -> None:
        self._stream.write(content)

    def commit(self) -> None:
        self._stream.close()
        _replace(self._temporary, self._target)

    def discard(self) -> None:
        # What is still buffered may fail to be written once more, as on a full disk.
        with suppress(OSError):
            self._stream.close()
        delete([self._temporary])


def _temporary_name(path: str) -> str:
    """Name a temporary file in the target's folder that no other attempt uses."""
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}.{name}.{os.getpid()}-{uuid.uuid4().hex}{TEMPORARY_SUFFIX}"


def _replace(source: str, target: str) -> None:
    """Rename a file over a target that may exist.

    Object stores overwrite. HDFS refuses to: there the old file goes first, and for a moment
    neither is seen.
    """
    if is_local(target):
        os.replace(source, target)
        return
    try:
        FileSystems.rename([source], [target])
    except BeamIOError:
        if not (exists(source) and exists(target)):
            raise
        FileSystems.delete([target])
        FileSystems.rename([source], [target])
