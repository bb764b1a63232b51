"""A lock on the folder of a run, by what the system knows of open files.

Nothing is left behind that a process which was killed would have to take away: see docs/log.md.
"""

from __future__ import annotations

import fcntl
import warnings
from pathlib import Path
from typing import IO
from weakref import WeakValueDictionary


class FolderInUseError(Exception):
    """A folder that another run is training into."""


class Lock:
    """A file that is locked until nobody uses this any more, or the process ends."""

    def __init__(self, file: IO[bytes]) -> None:
        """Takes a file that is locked already."""
        self._file = file

    def __del__(self) -> None:
        self._file.close()


# Those of this process, in which the same run may be made again.
_held: WeakValueDictionary[Path, Lock] = WeakValueDictionary()


def hold(folder: Path) -> Lock:
    """Keep other runs out of a folder.

    Raises:
        FolderInUseError: another run has it.
    """
    path = (folder / ".lock").resolve()
    if (held := _held.get(path)) is not None:
        return held
    lock = Lock(file := path.open("ab"))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        message = f"another run is training into {folder}: choose another 'out'"
        raise FolderInUseError(message) from None
    except OSError as error:  # a file system without locks
        warnings.warn(f"nothing keeps a second run out of {folder}: {error}", stacklevel=2)
    _held[path] = lock
    return lock
