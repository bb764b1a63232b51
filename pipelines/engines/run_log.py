"""The run log: `OUT/run.log.jsonl`, one event a line, for machines."""

from __future__ import annotations

import os
import threading
import time
from datetime import datetime, timezone

import orjson

from glotmill.pipelines.progress import Look
from glotmill.pipelines.stages.base import Progress
from glotmill.transforms import storage
from glotmill.transforms.unit_index import read_manifest

RUN_LOG = "run.log.jsonl"


class RunLog:
    """Appends events to the log of an output directory; runs follow each other in one file.

    Each line has `time` (UTC, ISO 8601), `event`, the `engine`, and what the event adds. Object
    stores cannot append: there the file is written anew with each event, which are few.
    """

    def __init__(self, root: str, engine: str) -> None:
        """Takes the output directory and the name of the engine."""
        self._path = f"{root}/{RUN_LOG}"
        self._engine = engine
        self._lock = threading.Lock()

    def write(self, event: str, **fields: object) -> None:
        """Adds an event."""
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        line = orjson.dumps({"time": now, "event": event, "engine": self._engine, **fields})
        with self._lock:
            self._append(line + b"\n")

    def _append(self, line: bytes) -> None:
        if storage.is_local(self._path):
            os.makedirs(os.path.dirname(self._path) or ".", exist_ok=True)
            with open(self._path, "ab") as stream:
                stream.write(line)
        else:
            before = storage.read_bytes(self._path) if storage.exists(self._path) else b""
            storage.write_atomically(self._path, before + line)


class LoggedProgress:
    """Tells the log of the stages, and a person too; knows which stage runs and how far it is."""

    def __init__(self, log: RunLog, root: str) -> None:
        """Takes the log and the output directory."""
        self._log, self._root = log, root
        self._progress: Progress | None = None
        self._started = 0.0
        self.stage = ""
        self.look: Look | None = None

    def tell(self, progress: Progress) -> None:
        """Tells a person too, from now on."""
        self._progress = progress

    def skipped(self, name: str) -> None:
        """A stage has nothing to do."""
        self._log.write("stage_skipped", stage=name)
        if self._progress:
            self._progress.skipped(name)

    def started(self, name: str, *, total: int, unit: str, look: Look | None = None) -> None:
        """A stage begins."""
        self.stage, self.look, self._started = name, look, time.monotonic()
        self._log.write("stage_started", stage=name, total=total, unit=unit)
        if self._progress:
            self._progress.started(name, total=total, unit=unit, look=look)

    def finished(self, name: str) -> None:
        """A stage is complete; its counts are those of its manifest."""
        manifest = read_manifest(self._root, name)
        self._log.write(
            "stage_finished",
            stage=name,
            seconds=round(time.monotonic() - self._started, 3),
            counts=manifest.counts if manifest else {},
            num_files=len(manifest.files) if manifest else 0,
        )
        if self._progress:
            self._progress.finished(name)
