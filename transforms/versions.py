"""Small files that are replaced only where nobody else has replaced them meanwhile.

Object stores judge such a condition themselves (generation-match, If-Match). On a disk it is judged
while the folder is locked (flock), which file systems without locks leave out.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from glotmill.transforms import cloud, storage

#: The version of a file that does not exist.
ABSENT = cloud.ABSENT
ChangedMeanwhile = cloud.ChangedMeanwhile


def version_of(path: str) -> str:
    """The version of a file, `ABSENT` where there is none."""
    there = read_version(path)
    return ABSENT if there is None else there[1]


def read_version(path: str) -> tuple[bytes, str] | None:
    """Content and version of a file, if it exists."""
    try:
        if (store := cloud.store_of(path)) is not None:
            stored = cloud.found(store, path)
            return store.read(stored, 0, stored.size) if stored.size else b"", stored.version
        content = storage.read_bytes(path)
    except (FileNotFoundError, ChangedMeanwhile):
        return None
    return content, hashlib.sha256(content).hexdigest()


def replace(path: str, content: bytes, replaces: str) -> str:
    """Writes a file in place of one version of it; gives the new version.

    Args:
        path: of the file.
        content: of it.
        replaces: the version it must have now, `ABSENT` where it must not exist.

    Raises:
        ChangedMeanwhile: it has another version, and other content.
    """
    if (store := cloud.store_of(path)) is not None:
        return cloud.put_if(store, path, content, replaces)
    with _alone(os.path.dirname(path)):
        now = version_of(path)
        digest = hashlib.sha256(content).hexdigest()
        if now not in (replaces, digest):
            raise ChangedMeanwhile(f"{path} was written by another process")
        storage.write_atomically(path, content)
    return digest


def remove(path: str, version: str) -> None:
    """Deletes a file, if it still has a version."""
    with _alone(os.path.dirname(path)):
        if version_of(path) == version:
            storage.delete([path])


@contextmanager
def _alone(folder: str) -> Iterator[None]:
    """Keeps other processes of this machine out of a folder's conditions."""
    if not storage.is_local(folder):
        yield
        return
    os.makedirs(folder or ".", exist_ok=True)
    handle = os.open(folder or ".", os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
