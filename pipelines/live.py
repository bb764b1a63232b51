"""The live view: the report of a run that goes on, served on this machine alone."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from typing_extensions import Self

from glotmill import dashboard
from glotmill.dashboard.costs import TIMES_PATH
from glotmill.dashboard.live_page import live_page
from glotmill.pipelines.progress import Look, State
from glotmill.pipelines.stages.base import Progress
from glotmill.transforms import storage

_HOST = "127.0.0.1"
# Between two reports of a run that goes on: each costs a second or so of one core.
_REPORT_SECONDS = 5.0
# How long the server stays for a browser that has still to fetch the finished report.
_LAST_SECONDS = 4.0


class TimedProgress:
    """Tells another progress all it hears, and notes when stages begin and end.

    The times of the stages stand in `times.json` of the output directory; those of stages that
    had nothing to do stay what they were.
    """

    def __init__(self, root: str, other: Progress) -> None:
        """Takes the output directory and who else is told."""
        self._path = f"{root}/{TIMES_PATH}"
        self._other = other
        self._started = time.monotonic()
        self._begin = ""
        self._look: Look | None = None
        self.stage, self.total, self.unit = "", 0, ""
        self.done: set[str] = set()

    def skipped(self, name: str) -> None:
        """A stage has nothing to do."""
        self.done.add(name)
        self._other.skipped(name)

    def started(self, name: str, *, total: int, unit: str, look: Look | None = None) -> None:
        """A stage begins."""
        self.stage, self.total, self.unit, self._look = name, total, unit, look
        self._started = time.monotonic()
        self._begin = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self._other.started(name, total=total, unit=unit, look=look)

    def finished(self, name: str) -> None:
        """The stage that began last is complete."""
        self.done.add(name)
        times = json.loads(storage.read_bytes(self._path)) if storage.exists(self._path) else {}
        times[name] = {"started": self._begin, "seconds": round(self.seconds, 3)}
        storage.write_atomically(self._path, (json.dumps(times, indent=2) + "\n").encode())
        self._other.finished(name)

    @property
    def seconds(self) -> float:
        """Since the stage began."""
        return time.monotonic() - self._started

    def state(self) -> State:
        """How far the stage is."""
        with suppress(OSError):  # files come and go while one looks
            if self._look is not None:
                return self._look()
        return State(0, 0)


@dataclass(frozen=True)
class _Seen:
    """What the browser is told, as JSON."""

    stage: str
    unit: str
    total: int
    num_done: int
    num_rows: int
    seconds: float
    version: str
    over: bool


class LiveView(ExitStack):
    """Serves the growing report on the loopback address; used as a context manager.

    `/` is a page that follows the run, `/report.html` its report so far, `/metrics` the same for
    Prometheus, `/state.json` how far it is.
    """

    def __init__(self, root: str, progress: TimedProgress, *, port: int = 0) -> None:
        """Takes the output directory of a run, and who knows how far it is.

        Args:
            root: the output directory.
            progress: that the run tells.
            port: to listen on; 0 takes a free one.
        """
        super().__init__()
        self._root = root
        self._progress = progress
        self._lock = threading.Lock()
        self._made = (b"", b"")
        self._made_at = float("-inf")
        self._version = ""
        self._asked_at = float("-inf")
        self._given = threading.Event()
        routes: dict[str, Callable[[], tuple[str, bytes]]] = {
            "/": lambda: ("text/html", live_page(root)),
            "/report.html": lambda: ("text/html", self._report()[0]),
            "/metrics": lambda: ("text/plain; version=0.0.4", self._report()[1]),
            "/state.json": lambda: ("application/json", self._state()),
        }
        self._server = ThreadingHTTPServer((_HOST, port), _handler(routes))
        self._server.daemon_threads = True

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://{_HOST}:{self._server.server_address[1]}/"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        for each in (self._server.server_close, self._server.shutdown, self._wait_for_browser):
            self.callback(each)  # the last is called first
        return self

    def _wait_for_browser(self) -> None:
        watched = time.monotonic() - self._asked_at < _LAST_SECONDS
        if watched and "report" in self._progress.done:
            self._given.wait(_LAST_SECONDS)

    def _state(self) -> bytes:
        self._asked_at = time.monotonic()
        progress, state = self._progress, self._progress.state()
        over = "report" in progress.done
        version = f"{len(progress.done)}-{progress.stage}-{state.num_done}"
        with self._lock:
            # The version changes no faster than reports are made.
            if over or time.monotonic() - self._made_at > _REPORT_SECONDS:
                self._version = version
        seen = _Seen(
            stage=progress.stage,
            unit=progress.unit,
            total=progress.total,
            num_done=state.num_done,
            num_rows=state.num_rows,
            seconds=progress.seconds,
            version=self._version,
            over=over,
        )
        return json.dumps(asdict(seen)).encode()

    def _report(self) -> tuple[bytes, bytes]:
        """Page and metrics; made anew when the last ones are old enough."""
        with self._lock:
            if "report" in self._progress.done:
                names = ("report.html", "statistics/metrics.prom")
                self._given.set()
                page, metrics = (storage.read_bytes(f"{self._root}/{name}") for name in names)
                return page, metrics
            if time.monotonic() - self._made_at > _REPORT_SECONDS:
                self._made = self._make()
                self._made_at = time.monotonic()
            return self._made

    def _make(self) -> tuple[bytes, bytes]:
        progress, state = self._progress, self._progress.state()
        about = f"{progress.stage}: {state.num_done:,} of {progress.total:,} {progress.unit}."
        return dashboard.growing_report(self._root, frozenset(progress.done), about)


def _handler(
    routes: dict[str, Callable[[], tuple[str, bytes]]],
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # A page of another site could reach this server under a name of its own.
            if self.headers.get("Host", "").rpartition(":")[0] not in (_HOST, "localhost"):
                self.send_error(403, "only this machine is answered")
                return
            route = routes.get(self.path.partition("?")[0])
            if route is None:
                self.send_error(404, f"there are {', '.join(routes)}")
                return
            try:
                kind, content = route()
            except Exception as error:  # files come and go while a run writes them
                self.send_error(503, f"not now: {type(error).__name__}")
                return
            self._answer(kind, content)

        def _answer(self, kind: str, content: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind if "json" in kind else f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Says nothing: the terminal belongs to the run."""

    return Handler
