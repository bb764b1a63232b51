"""A worker process of the local engine that is killed ends the run.

Beam notices that a worker's process has ended, in a thread of its own, and goes on waiting for its
answer for ever.
"""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from glotmill.pipelines.errors import RunError

_ENDED = re.compile(r"Worker subprocess exited with return code (-?\d+)")


class _WorkerEndedError(Exception):
    """Interrupts the wait of the main thread."""


@contextmanager
def watching_workers() -> Iterator[None]:
    """Ends the work within where a worker process ends before its time.

    Outside the main thread, which alone can be interrupted, nothing is watched.

    Raises:
        RunError: one did.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    codes: list[int] = []
    hook, handler = threading.excepthook, signal.getsignal(signal.SIGUSR1)

    def note(failed: threading.ExceptHookArgs) -> None:
        ended = _ENDED.search(str(failed.exc_value))
        if ended is None:
            hook(failed)
        elif not codes:
            codes.append(int(ended[1]))
            os.kill(os.getpid(), signal.SIGUSR1)

    threading.excepthook = note
    signal.signal(signal.SIGUSR1, _interrupt)
    try:
        yield
    except BaseException as error:
        if codes and not isinstance(error, KeyboardInterrupt):
            raise RunError(_message(codes[0])) from error
        raise
    finally:
        signal.signal(signal.SIGUSR1, handler or signal.SIG_DFL)
        threading.excepthook = hook


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise _WorkerEndedError


def _message(code: int) -> str:
    ended = f"with exit code {code}"
    hint = ""
    if code < 0 or code > 128:
        number = -code if code < 0 else code - 128
        ended = f"by signal {number} ({signal.Signals(number).name})"
        if number == signal.SIGKILL:
            hint = "; the system kills a process where memory runs short: use fewer --workers then"
    return f"a worker process was ended {ended}{hint}. Run again to go on with what is not done"
