"""What workers tell of themselves: a file each, in the output directory."""

from __future__ import annotations

import os
import platform
import shutil
import socket
from collections.abc import Iterable, Iterator
from importlib.metadata import version

import apache_beam as beam
from pydantic import BaseModel, ConfigDict

from glotmill.transforms import storage


class WorkerReport(BaseModel):
    """One worker process, as it sees its machine and the output directory.

    Attributes:
        host: name of its machine.
        pid: its process there.
        versions: of Python and of the packages that launcher and workers must share.
        token: what it read of the launcher's token; empty where it cannot see it.
        free_bytes: free disk under the output directory; None where that is not local.
        missing: inputs that it was to look for and cannot see.
    """

    model_config = ConfigDict(frozen=True)

    host: str
    pid: int
    versions: dict[str, str]
    token: str = ""
    free_bytes: int | None = None
    missing: tuple[str, ...] = ()


def versions() -> dict[str, str]:
    """Versions that must be the same here and in the workers."""
    names = ("glotmill", "apache-beam", "pyarrow", "numpy")
    python = ".".join(platform.python_version_tuple()[:2])
    return {"python": python, **{name: version(name) for name in names}}


def free_bytes(root: str) -> int | None:
    """Free disk under a local folder that exists; None elsewhere."""
    return shutil.disk_usage(root).free if storage.is_local(root) and os.path.isdir(root) else None


def reports_folder(root: str) -> str:
    """Where the workers of jobs report, each job's in a folder of its own."""
    return f"{root}/temporary/workers"


def token_path(folder: str) -> str:
    """Where the launcher leaves its token for the workers."""
    return f"{folder}/token"


class ReportWorker(beam.PTransform):
    """Has the workers that come by write their report into a folder.

    Attributes:
        folder: where the reports go.
    """

    def __init__(self, root: str, folder: str, inputs: Iterable[str] = (), num: int = 1) -> None:
        """Takes the output directory, the folder for reports, and inputs to look for.

        Args:
            root: the output directory.
            folder: for the reports.
            inputs: paths of which every worker says whether it sees them.
            num: elements; some more than there are workers, to meet them all.
        """
        super().__init__()
        self.folder = folder
        self._num = num
        self._do = _Report(root, folder, tuple(inputs))

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[str]:
        """Adds the branch to a pipeline."""
        numbers = begin | "Numbers" >> beam.Create(range(self._num), reshuffle=False)
        if self._num > 1:
            numbers |= "Spread" >> beam.Reshuffle()
        return numbers | "Report" >> beam.ParDo(self._do).with_output_types(str)


class _Report(beam.DoFn):
    def __init__(self, root: str, folder: str, inputs: tuple[str, ...]) -> None:
        self._root, self._folder, self._inputs = root, folder, inputs

    def process(self, _number: int) -> Iterator[str]:
        host, pid = socket.gethostname(), os.getpid()
        path = f"{self._folder}/{host}-{pid}.json"
        if not storage.exists(path):
            report = WorkerReport(
                host=host,
                pid=pid,
                versions=versions(),
                token=self._token(),
                free_bytes=free_bytes(self._root),
                missing=tuple(path for path in self._inputs if not storage.exists(path)),
            )
            storage.write_atomically(path, report.model_dump_json().encode())
        yield path

    def _token(self) -> str:
        path = token_path(self._folder)
        return storage.read_bytes(path).decode() if storage.exists(path) else ""


def read_reports(folder: str) -> list[WorkerReport]:
    """Reports that have arrived in a folder."""
    return [
        WorkerReport.model_validate_json(storage.read_bytes(file.path))
        for file in _report_files(folder)
    ]


def num_reports(folder: str) -> int:
    """How many reports have arrived in a folder."""
    return len(_report_files(folder))


def _report_files(folder: str) -> list[storage.InputFile]:
    try:
        return storage.match(f"{storage.escape(folder)}/*.json")
    except LookupError:
        return []
