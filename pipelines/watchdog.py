"""Watchdog: notices a job whose workers never start.

An engine shows such a job as running for ever. What tells is that nothing at all has changed since
it was submitted: no worker has reported, and the stage has got no further.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from glotmill.pipelines.errors import RunError
from glotmill.pipelines.progress import Look, State


class Watchdog:
    """Watches one job until a worker of it has shown itself."""

    def __init__(
        self,
        *,
        seconds: float,
        num_reports: Callable[[], int],
        look: Look | None,
        advice: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Starts the time.

        Args:
            seconds: how long workers may take to start.
            num_reports: how many workers have reported.
            look: how far the stage is.
            advice: what to do where none comes.
            clock: seconds, for tests.
        """
        self._seconds, self._num_reports, self._look = seconds, num_reports, look
        self._advice, self._clock = advice, clock
        self._began = clock()
        self._first = self._state()
        self._alive = False

    def check(self) -> None:
        """Looks for a sign of life.

        Raises:
            RunError: there was none for so long.
        """
        if self._alive:
            return
        self._alive = self._num_reports() > 0 or self._state() != self._first
        waited = self._clock() - self._began
        if not self._alive and waited >= self._seconds:
            raise RunError(
                f"no worker has started within {self._seconds:,.0f} s, although the engine shows "
                f"the job as running\n{self._advice}"
            )

    def _state(self) -> State | None:
        try:
            return self._look() if self._look else None
        except OSError:  # files come and go while one looks
            return None
