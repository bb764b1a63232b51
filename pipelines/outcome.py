"""What becomes of a command: its exit code, and what is said of its errors.

Exit codes: 0 done, 1 the run failed, 2 the recipe or the arguments are wrong, 130 stopped by
Ctrl-C.
"""

from __future__ import annotations

import signal
import tempfile
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from glotmill.pipelines.errors import RunError, UserError
from glotmill.schemas.loading import RecipeError


def exit_code(command: Callable[[], object], console: Console) -> int:
    """Runs a command; known errors become one message each and an exit code.

    Args:
        command: to run.
        console: that errors are told on.
    """
    interrupted = _note_interrupts()
    try:
        command()
    except (RecipeError, UserError) as error:
        _say_errors(str(error), console)
        return 2
    except RunError as error:
        _say_errors(str(error), console)
        return 1
    except BaseException as error:
        if interrupted:  # which Beam and typer wrap into errors of their own
            console.print("stopped; run the same command again to go on")
            return 130
        if isinstance(error, SystemExit):  # typer's, at the end of every command
            return error.code if isinstance(error.code, int) else 0
        return _unforeseen(error, console)
    return 0


def _note_interrupts() -> list[int]:
    """A list that is not empty once Ctrl-C was pressed."""
    seen: list[int] = []

    def note(number: int, _frame: object) -> None:
        seen.append(number)
        # Threads of the engine that fail because the run was stopped have nothing to tell.
        threading.excepthook = lambda _args: None
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, note)
    return seen


def _say_errors(text: str, console: Console) -> None:
    for line in text.splitlines():
        console.print(f"error: {line}", markup=False, emoji=False)


def _unforeseen(error: BaseException, console: Console) -> int:
    """A full disk, a failure in a worker, a bug: the traceback goes into a file."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    console.print(
        f"error: the run failed: {type(error).__name__}: {lines[-1] if lines else ''}", markup=False
    )
    details = _keep_details(traceback.format_exc())
    console.print(f"{details}; run the same command again to go on", markup=False, emoji=False)
    return 1


def _keep_details(text: str) -> str:
    """Writes a traceback where that can be done; says where it is."""
    log = Path("glotmill-error.log")
    try:
        log.write_text(text, encoding="utf-8")
    except OSError:  # a full disk, a folder that is read-only
        return _keep_elsewhere(text)
    return f"details in {log}"


def _keep_elsewhere(text: str) -> str:
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", prefix="glotmill-error-", suffix=".log", delete=False
        ) as log:
            log.write(text)
    except OSError as error:
        return f"details could not be written ({error.strerror or error})"
    return f"details in {log.name}"
