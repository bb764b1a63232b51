"""Ctrl-C that waits for a step which must not be cut in two."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Has Ctrl-C wait for the end of the context, so that what was begun there is known.

    Pressed once more it does not wait: the step may hang.
    """
    if threading.current_thread() is not threading.main_thread():  # which Ctrl-C does not reach
        yield
        return
    pressed: list[FrameType | None] = []
    before = signal.getsignal(signal.SIGINT)

    def defer(number: int, frame: FrameType | None) -> None:
        pressed.append(frame)
        if len(pressed) > 1:
            _interrupt(before, number, frame)

    signal.signal(signal.SIGINT, defer)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if len(pressed) == 1:
            _interrupt(before, signal.SIGINT, pressed[0])


def _interrupt(handler: object, number: int, frame: FrameType | None) -> None:
    """Does what Ctrl-C did before."""
    if callable(handler):
        handler(number, frame)
    elif handler != signal.SIG_IGN:
        raise KeyboardInterrupt
