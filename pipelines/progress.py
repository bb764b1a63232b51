"""Progress of a run: live bars in a terminal, plain lines elsewhere.

A runner says nothing while it works, on any engine alike. What it has finished lies in the output
directory: progress is read off the records of units and shards there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_POLL_SECONDS = 0.5
_PLAIN_SECONDS = 10.0


@dataclass(frozen=True)
class State:
    """How far a stage is."""

    num_done: int
    num_rows: int


Look = Callable[[], State]


class Reporter:
    """Shows the stages of a run as they go; used as a context manager."""

    def __init__(self, console: Console) -> None:
        """Takes the console; whether it is a terminal decides how progress looks."""
        self._console = console
        self._live = console.is_terminal
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rows]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not self._live,
        )
        self._watcher: _Watcher | None = None
        self._task: TaskID | None = None
        self._started = 0.0

    def __enter__(self) -> Reporter:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop_watching()
        self._bars.stop()

    def skipped(self, name: str) -> None:
        """A stage has nothing to do."""
        self._console.print(f"{name}: done before, nothing has changed")

    def started(self, name: str, *, total: int, unit: str, look: Look | None = None) -> None:
        """A stage begins.

        Args:
            name: of the stage.
            total: pieces of work in it, those done before included.
            unit: what a piece is called, in the plural.
            look: tells how far the stage is.
        """
        self._started = time.monotonic()
        state = look() if look else State(0, 0)
        self._task = self._bars.add_task(name, total=total, completed=state.num_done, rows="")
        if not self._live:
            before = f", {state.num_done:,} of them done before" if state.num_done else ""
            self._console.print(f"{name}: {total:,} {unit}{before}")
        if look is not None:
            self._watcher = _Watcher(look, lambda s: self._show(name, total, unit, s), self._live)
            self._watcher.start()

    def finished(self, name: str) -> None:
        """The stage that began last is complete."""
        self._stop_watching()
        if self._task is not None:
            total = self._bars.tasks[self._task].total
            self._bars.update(self._task, completed=total)
            self._bars.stop_task(self._task)
        if not self._live:
            self._console.print(f"{name}: done in {time.monotonic() - self._started:,.1f} s")

    def _show(self, name: str, total: int, unit: str, state: State) -> None:
        if self._live and self._task is not None:
            rows = f"{state.num_rows:,} rows" if state.num_rows else ""
            self._bars.update(self._task, completed=state.num_done, rows=rows)
        elif not self._live:
            spent = time.monotonic() - self._started
            left = spent * (total - state.num_done) / state.num_done if state.num_done else None
            estimate = f", about {left:,.0f} s left" if left is not None else ""
            self._console.print(
                f"{name}: {state.num_done:,} of {total:,} {unit}, {state.num_rows:,} rows{estimate}"
            )

    def _stop_watching(self) -> None:
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher = None


class _Watcher(threading.Thread):
    """Looks how far a stage is, at intervals, until it is stopped."""

    def __init__(self, look: Look, show: Callable[[State], None], live: bool) -> None:
        super().__init__(daemon=True, name="glotmill-progress")
        self._look = look
        self._show = show
        self._interval = _POLL_SECONDS if live else _PLAIN_SECONDS
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(self._interval):
            with suppress(OSError):  # files come and go while one looks
                self._show(self._look())

    def stop(self) -> None:
        self._stopped.set()
        self.join()
