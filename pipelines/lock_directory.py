"""One run at a time in an output directory.

The lock is a small file that says who runs, and is renewed while the run lives. It is gone with the
run, or, where the run was killed, is recognised as stale: at once where it was on this machine,
and after some minutes without a renewal elsewhere. A run that lost its lock stops before it marks
anything as complete.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ParamSpec

from glotmill.pipelines.errors import RunError
from glotmill.transforms import versions

LOCK_FILE = "running.json"
#: How often a lock is renewed.
RENEWED_SECONDS = 30.0
#: A lock that was not renewed for so long is watched, and taken over if it stays as it is.
STALE_SECONDS = 300.0

_Arguments = ParamSpec("_Arguments")
# Runs of this process that hold a lock now.
_at_work: set[str] = set()


@dataclass(frozen=True)
class Holder:
    """Who holds a lock.

    Attributes:
        run: a name no other run has.
        host: of the machine.
        machine: what tells its processes from those of others of the same name; empty if unknown.
        pid: number of the process.
        born: when the process started, by the machine's own count; empty if unknown.
        since: when the run began, in seconds of Unix time.
        renewed: when it last said that it lives.
    """

    run: str
    host: str
    machine: str
    pid: int
    born: str
    since: float
    renewed: float

    @property
    def is_gone(self) -> bool:
        """Whether it was a process of this machine that has ended, or ended its run."""
        if not self.machine or self.machine != _machine():
            return False
        if self.pid == os.getpid() and self.run not in _at_work:
            return True
        return _birth(self.pid) != self.born

    def __str__(self) -> str:
        began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"a run on {self.host} (process {self.pid}, since {began})"


class HeldDirectory:
    """An output directory that this process has to itself."""

    def __init__(self, root: str, holder: Holder, version: str) -> None:
        """Takes the lock as it was written."""
        self._path = f"{root}/{LOCK_FILE}"
        self._root = root
        self._holder, self._version = holder, version
        self._lost = ""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True, name="glotmill-lock")
        self._thread.start()

    def check(self) -> None:
        """Makes sure that the lock is still ours.

        Raises:
            RunError: another run has taken the directory.
        """
        there = None if self._lost else _read(self._path)
        if there is None or there[0].run != self._holder.run:
            other = there[0] if there else (self._lost or "somebody who deleted its lock")
            raise RunError(
                f"{self._root} was taken over by {other} while this run was out of reach; nothing "
                "more is written here. Run again when the other is done"
            )

    def guarded(self, work: Callable[_Arguments, None]) -> Callable[_Arguments, None]:
        """The work, after which the lock is checked: what follows marks it as complete."""

        def checked(*arguments: _Arguments.args, **options: _Arguments.kwargs) -> None:
            work(*arguments, **options)
            self.check()

        return checked

    def release(self) -> None:
        """Lets others in."""
        self._stopped.set()
        self._thread.join()
        _at_work.discard(self._holder.run)
        with suppress(OSError):  # it will be found to be stale
            versions.remove(self._path, self._version)

    def _keep(self) -> None:
        while not self._stopped.wait(RENEWED_SECONDS):
            holder = Holder(**{**asdict(self._holder), "renewed": time.time()})
            try:
                self._version = versions.replace(self._path, _dump(holder), self._version)
            except versions.ChangedMeanwhile:
                there = _read(self._path)
                self._lost = str(there[0]) if there else "somebody who deleted its lock"
                return
            except OSError:  # a full disk, a store that is away: try again
                continue


def refuse_if_held(root: str, tell: Callable[[str], None]) -> None:
    """Looks whether another run is at work, to say so before anything costly is done.

    Args:
        root: the output directory.
        tell: shows a line to the person who watches.

    Raises:
        RunError: there is one.
    """
    there = _read(f"{root}/{LOCK_FILE}")
    if there is None:
        return
    if not _looks_stale(there[0]):
        raise RunError(_in_use(root, there[0]))
    watched = "" if there[0].is_gone else f" after a watch of {2 * RENEWED_SECONDS:.0f} s"
    tell(f"{root} still has the lock of {there[0]}, which is gone; it is taken over{watched}")


@contextmanager
def hold_directory(root: str) -> Iterator[HeldDirectory]:
    """Keeps other runs out of an output directory.

    Raises:
        RunError: another run is at work there.
    """
    held = _take(root)
    try:
        yield held
    finally:
        held.release()


def _take(root: str) -> HeldDirectory:
    path = f"{root}/{LOCK_FILE}"
    there = _read(path)
    if there is not None and not _is_stale(path, *there):
        raise RunError(_in_use(root, there[0]))
    ours = _ourselves()
    _at_work.add(ours.run)  # before anybody can read of it
    try:
        version = versions.replace(path, _dump(ours), there[1] if there else versions.ABSENT)
    except BaseException as error:
        _at_work.discard(ours.run)
        if not isinstance(error, versions.ChangedMeanwhile):
            raise
        winner = _read(path)
        raise RunError(_in_use(root, winner[0] if winner else None)) from None
    return HeldDirectory(root, ours, version)


def _in_use(root: str, holder: Holder | None) -> str:
    who = "another run that began just now" if holder is None else str(holder)
    ago = (
        ""
        if holder is None
        else f", last heard of {max(0, time.time() - holder.renewed):.0f} s ago"
    )
    return (
        f"{root} is in use by {who}{ago}. Wait for it or stop it, or name another --out; "
        f"if it is certain that it no longer runs, delete {root}/{LOCK_FILE}"
    )


def _looks_stale(holder: Holder) -> bool:
    return holder.is_gone or time.time() - holder.renewed > STALE_SECONDS


def _is_stale(path: str, holder: Holder, version: str) -> bool:
    """Whether a lock is stale; one that only looks so is watched, as clocks may differ."""
    if holder.is_gone:
        return True
    if not _looks_stale(holder):
        return False
    time.sleep(2 * RENEWED_SECONDS)
    there = _read(path)
    return there is None or there[1] == version


def _read(path: str) -> tuple[Holder, str] | None:
    there = versions.read_version(path)
    if there is None:
        return None
    try:
        return Holder(**json.loads(there[0])), there[1]
    except (ValueError, TypeError):
        # Not ours, or cut short by a crash: nobody can be asked.
        return Holder("", "an unknown machine", "", 0, "", 0.0, 0.0), there[1]


def _dump(holder: Holder) -> bytes:
    return json.dumps(asdict(holder), indent=2).encode() + b"\n"


def _ourselves() -> Holder:
    pid, now = os.getpid(), time.time()
    return Holder(uuid.uuid4().hex, socket.gethostname(), _machine(), pid, _birth(pid), now, now)


def _machine() -> str:
    """This boot of this kernel, and the space in which process numbers count (Linux)."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _birth(pid: int) -> str:
    """When a process started, in clock ticks since boot; empty where there is none (Linux)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()  # a name may hold blanks and brackets
    return "" if fields[0] == "Z" else fields[19]
