"""Flink's REST interface: what the cluster has, and what becomes of a job."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from glotmill.pipelines.engines.endpoints import Endpoint

_TIMEOUT_SECONDS = 10.0
#: States in which a job does not change any more.
ENDED = frozenset({"FINISHED", "FAILED", "CANCELED", "SUSPENDED"})


@dataclass(frozen=True)
class Overview:
    """What a cluster says of itself."""

    version: str
    num_task_managers: int
    num_slots: int
    num_free_slots: int


@dataclass(frozen=True)
class FlinkJob:
    """A job on a cluster; `tasks` counts its tasks by state, as `{"RUNNING": 2}`."""

    id: str
    name: str
    state: str
    tasks: dict[str, int]


class FlinkRest:
    """The REST interface of a cluster.

    Every call raises OSError where the cluster cannot be reached or does not answer as Flink does.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        """Takes its address."""
        self.endpoint = endpoint

    def overview(self) -> Overview:
        """Version, TaskManagers and slots."""
        found = self._get("/overview")
        try:
            return Overview(
                str(found["flink-version"]),
                int(found["taskmanagers"]),
                int(found["slots-total"]),
                int(found["slots-available"]),
            )
        except KeyError as error:
            raise OSError(f"no Flink answers there: the answer has no {error}") from None

    def job_named(self, name: str) -> FlinkJob | None:
        """The newest job of a name."""
        jobs = [job for job in self._get("/jobs/overview")["jobs"] if job["name"] == name]
        if not jobs:
            return None
        job = max(jobs, key=lambda each: int(each["start-time"]))
        tasks = {key.upper(): count for key, count in job["tasks"].items() if key != "total"}
        return FlinkJob(job["jid"], name, job["state"], {k: n for k, n in tasks.items() if n})

    def failure(self, job_id: str) -> str:
        """Why a job failed: the root exception as Flink tells it, or an empty text."""
        history = self._get(f"/jobs/{job_id}/exceptions").get("exceptionHistory", {})
        entries = history.get("entries", [])
        return str(entries[0].get("stacktrace", "")) if entries else ""

    def cancel(self, job_id: str) -> None:
        """Asks for a job's end."""
        self._call("PATCH", f"/jobs/{job_id}?mode=cancel")

    def _get(self, path: str) -> Any:
        try:
            return json.loads(self._call("GET", path))
        except ValueError as error:
            raise OSError(f"no Flink answers there: {error}") from None

    def _call(self, method: str, path: str) -> bytes:
        request = urllib.request.Request(f"http://{self.endpoint}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
                return bytes(answer.read())
        except http.client.HTTPException as error:
            raise OSError(f"no HTTP is spoken there: {error!r}") from None
        except urllib.error.URLError as error:
            raise OSError(str(error.reason)) from None
