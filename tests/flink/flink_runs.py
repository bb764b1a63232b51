"""Runs of the command for tests, in a terminal or without one, and what they leave."""

import fcntl
import json
import os
import pty
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

GLOTMILL = Path(sys.executable).parent / "glotmill"
RECIPES = Path(__file__).parents[2] / "recipes"
RECIPE = RECIPES / "udhr.yaml"
WAIT_SECONDS = 120


class Run:
    """A run that goes on while a test looks at it.

    Attributes:
        process: the launcher.
        out: the output directory.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", out: Path, screen: int) -> None:
        self.process, self.out, self._screen = process, out, screen
        self._told = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with suppress(OSError):  # a terminal whose last process has ended
            while said := os.read(self._screen, 4096):
                self._told += said

    @property
    def told(self) -> str:
        """All that it has printed."""
        return self._told.decode(errors="replace").replace("\r\n", "\n")

    def wait_until(self, seen: Callable[[], object]) -> None:
        """Waits for something while the run goes on."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not seen():
            assert self.process.poll() is None, self.told
            assert time.monotonic() < deadline, f"it was not seen in time\n{self.told}"
            time.sleep(0.02)

    def type(self, text: str) -> None:
        """Types into the terminal."""
        os.write(self._screen, text.encode())

    def end(self, seconds: float = 240) -> int:
        """Waits for the end of the process; gives its exit code."""
        code = self.process.wait(seconds)
        self._reader.join(10)
        return code


@contextmanager
def running(recipe: Path, out: Path, *options: object, terminal: bool = False) -> Iterator[Run]:
    """Starts a run; at the end of the context it is killed, should it still be there."""
    screen, theirs = pty.openpty() if terminal else os.pipe()
    with subprocess.Popen(
        [GLOTMILL, "run", recipe, "--out", out, *map(str, options)],
        cwd=out.parent,
        stdin=theirs if terminal else subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        # Ctrl-C, typed into a terminal, reaches the processes whose terminal it is.
        preexec_fn=(lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)) if terminal else None,
    ) as process:
        os.close(theirs)
        try:
            yield Run(process, out, screen)
        finally:
            process.kill()
            process.wait()
            os.close(screen)


def succeed(recipe: Path, out: Path, *options: object) -> str:
    """Runs to the end; gives what was printed."""
    with running(recipe, out, *options) as run:
        assert run.end() == 0, run.told
        return run.told


def digests(out: Path) -> dict[str, str]:
    """SHA-256 of every shard and token file, as the corpus's manifest lists them."""
    files = json.loads((out / "manifest.json").read_text())["files"]
    found = {file["path"]: file["sha256"] for file in files}
    return {path: sha for path, sha in found.items() if path.startswith(("shards/", "tokens/"))}


def files(out: Path) -> set[str]:
    """All files, but for the log that each engine keeps in its own way."""
    found = (path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    return set(found) - {"run.log.jsonl"}


def num_units(out: Path) -> int:
    """Units that are finished."""
    return len(list(out.glob("ingest/units/*.json")))


def events(out: Path) -> list[dict[str, object]]:
    """The run log."""
    lines = (out / "run.log.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def events_of_last_run(out: Path) -> list[dict[str, object]]:
    """The run log from where the last run began."""
    found = events(out)
    begun = max(place for place, each in enumerate(found) if each["event"] == "run_started")
    return found[begun:]
