"""Files of this machine that match a pattern: as Beam finds them, and through links of folders."""

import difflib
import errno
import functools
import glob
import math
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import cast

from apache_beam.io.filesystems import FileSystems

from glotmill.transforms import cloud

#: What ends the names of files that are not whole yet.
TEMPORARY_SUFFIX = ".glotmill-tmp"
_NUM_HINTS = 5


def scheme(path: str) -> str | None:
    """Return the URI scheme of a path, or None for a local one.

    >>> scheme("gs://bucket/a.jsonl"), scheme("data/a.jsonl")
    ('gs', None)
    """
    return cast("str | None", FileSystems.get_scheme(path))


def is_local(path: str) -> bool:
    """Return whether a path lies on this machine's file system."""
    return scheme(path) is None


@dataclass(frozen=True)
class InputFile:
    """A file that exists: its path as Beam spells it, and its size in bytes.

    `checksum` is there where the listing gave it.
    """

    path: str
    size: int
    checksum: str | None = field(default=None, compare=False)


def match_local(pattern: str, through_links: bool) -> list[InputFile]:
    """Return the local files that match a pattern, in no order.

    Args:
        pattern: of paths, or the path of a file.
        through_links: whether folders that are links are looked into; of several paths to one file
            only one is given then.

    Raises:
        OSError: If a folder may not be read.
    """
    pattern = re.sub("/+", "/", pattern)
    for path in (pattern, cloud.unescaped(pattern)):
        if os.path.isfile(path):
            return [InputFile(path, os.path.getsize(path))]
    # As Beam does (2.77), but for what lies beside an escaped folder: that is not walked through.
    pattern = f"{pattern}*" if pattern.endswith("/") else pattern
    prefix, rest = cloud.split_pattern(pattern)
    if rest is None:
        return []
    folder = os.path.dirname(prefix)
    depth = math.inf if "**" in pattern else pattern.count("/") - prefix.count("/")
    if not through_links:
        return list(_walk(folder, prefix, rest, depth, None))
    real = PurePath(os.path.realpath(folder))
    above = frozenset(map(str, (real, *real.parents)))
    return one_of_each(_walk(folder, prefix, rest, depth, above))


def _walk(
    folder: str, prefix: str, rest: re.Pattern[str], depth: float, above: frozenset[str] | None
) -> Iterator[InputFile]:
    """Give the files in and under a folder whose paths are a prefix and a rest that is wanted.

    Args:
        folder: where to look.
        prefix: what the paths begin with.
        rest: what they go on with.
        depth: how many folders further down to look.
        above: real paths of the folders that led here, which a link may lead back to; None where
            links are not looked through.

    Raises:
        OSError: If a folder may not be read.
    """
    entries: list[os.DirEntry[str]] = []
    with _passing_over_what_is_gone():
        entries += os.scandir(folder or ".")
    for entry in entries:
        path = entry.path if folder else entry.name
        if not path.startswith(prefix):
            continue
        with _passing_over_what_is_gone():
            if depth and entry.is_dir(follow_symlinks=above is not None):
                below = above and above | {os.path.realpath(path)}
                if above is None or below != above:
                    yield from _walk(path, prefix, rest, depth - 1, below)
            elif rest.match(path, len(prefix)) and entry.is_file():
                yield InputFile(path, entry.stat().st_size)


@contextmanager
def _passing_over_what_is_gone() -> Iterator[None]:
    """Files and folders come and go while one looks, and links lead nowhere."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE):
            raise


def one_of_each(files: Iterable[InputFile]) -> list[InputFile]:
    """Of the paths by which links of folders lead to one file the one without, else the first.

    Files that are links themselves stay: many may lead to one of equal content, as in caches.
    """
    found: dict[str, InputFile] = {}
    real_folder = functools.cache(os.path.realpath)
    for file in sorted(files, key=lambda file: file.path):
        folder, name = os.path.split(file.path)
        real = os.path.join(real_folder(folder), name) if is_local(file.path) else file.path
        if real not in found or real == os.path.abspath(file.path):
            found[real] = file
    return list(found.values())


def names_near(pattern: str) -> str:
    """Say what exists near a local pattern: the nearest folder and names like the one wanted."""
    if os.path.islink(pattern) and not os.path.exists(pattern):
        return f"it is a link to {os.readlink(pattern)!r}, which is not there"
    if os.path.isdir(pattern):
        return f"it is a folder; did you mean {os.path.join(glob.escape(pattern), '*')!r}?"
    parent = PurePath(pattern).parent
    while not os.path.isdir(parent) and parent != parent.parent:
        parent = parent.parent
    names = sorted(name for name in os.listdir(parent) if not name.endswith(TEMPORARY_SUFFIX))
    wanted = PurePath(os.path.relpath(pattern, parent)).parts[0]
    near = difflib.get_close_matches(wanted, names, n=_NUM_HINTS, cutoff=0.5)
    shown = ", ".join(near or names[:_NUM_HINTS]) or "nothing"
    more = "" if near or len(names) <= _NUM_HINTS else f" and {len(names) - _NUM_HINTS} more"
    kind = "has names like it" if near else "holds"
    return f"the nearest existing folder, {str(parent)!r}, {kind}: {shown}{more}"
