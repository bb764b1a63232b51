"""Preflight: what is checked before anything is submitted; each failure says what to do."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

import grpc

from glotmill.dashboard.formats import size
from glotmill.pipelines.engine import Build
from glotmill.pipelines.engines.beam_options import check_beam_options
from glotmill.pipelines.engines.endpoints import Endpoint
from glotmill.pipelines.engines.flink_rest import FlinkRest, Overview
from glotmill.pipelines.engines.job_service import JobService
from glotmill.pipelines.engines.worker_report import (
    ReportWorker,
    WorkerReport,
    free_bytes,
    read_reports,
    token_path,
    versions,
)
from glotmill.pipelines.errors import RunError, UserError
from glotmill.schemas.lock import Lock, Unit
from glotmill.transforms import storage

#: Minor versions of Flink with which the sample recipe gives the same bytes as in this process.
KNOWN_FLINK = ("1.19",)
#: Graphs are sent once a step to Flink's workers; Dataflow takes none above ten million bytes.
MAX_GRAPH_BYTES = 10_000_000
_CONNECT_SECONDS = 5.0
# Documents and shards are compressed to about a third each, and for a while both are there.
_DISK_PER_TEXT = 0.7
_NUM_INPUTS_LOOKED_FOR = 20

Submit = Callable[[Build, str, ReportWorker], None]


def check_reachable(endpoint: Endpoint, what: str, advice: str) -> None:
    """Checks that something listens at an address.

    Raises:
        UserError: nothing does.
    """
    if refusal := endpoint.refusal(_CONNECT_SECONDS):
        raise UserError(f"no {what} can be reached at {endpoint}: {refusal}\n{advice}")


def check_flink(rest: FlinkRest, tell: Callable[[str], None]) -> Overview:
    """Checks that a Flink cluster answers and has slots.

    Raises:
        UserError: it does not, or has none.
    """
    try:
        overview = rest.overview()
    except OSError as error:
        raise UserError(
            f"{rest.endpoint} does not answer as Flink's REST interface does: {error}\n"
            "--flink-master wants that of the JobManager, by default its port 8081"
        ) from None
    if not overview.num_slots:
        raise UserError(
            f"the Flink cluster at {rest.endpoint} has no slot: {overview.num_task_managers} "
            "TaskManagers have registered; start one, or look into its log"
        )
    minor = ".".join(overview.version.split(".")[:2])
    if minor not in KNOWN_FLINK:
        known = ", ".join(KNOWN_FLINK)
        tell(f"Flink {overview.version} has not been tried; {known} has. The job server must be "
             f"the one for Flink {minor}")  # fmt: skip
    tell(
        f"Flink {overview.version} at {rest.endpoint}: {overview.num_task_managers} TaskManagers, "
        f"{overview.num_free_slots} of {overview.num_slots} slots free"
    )
    return overview


def check_options(service: JobService, options: Sequence[str], wanted: str | None) -> None:
    """Checks that a Beam job server answers, and that somebody knows each option.

    Args:
        service: the job server.
        options: what is passed through to Beam.
        wanted: an option that the engine behind it must have.

    Raises:
        UserError: it does not answer, is another engine's, or an option is unknown or reserved.
    """
    try:
        known = service.option_names()
    except grpc.RpcError as error:
        raise UserError(
            f"{service.endpoint} does not answer as Beam's job server does: {error.details()}\n"
            "--job-server wants the port that its --job-port names, by default 8099"
        ) from None
    if wanted is not None and wanted not in known:
        raise UserError(f"the job server at {service.endpoint} is not that of this engine: "
                        f"it knows no option --{wanted}")  # fmt: skip
    check_beam_options(options, known)


def check_disk(units: Sequence[Unit], root: str) -> None:
    """Checks that what is still to be done fits on the disk, as far as that can be told.

    Raises:
        UserError: it cannot.
    """
    free = free_bytes(root)
    wanted = int(_DISK_PER_TEXT * sum(unit.num_bytes for unit in units))
    if free is not None and free < wanted:
        raise UserError(
            f"{root} has {size(free)} free; about {size(wanted)} are wanted for {len(units):,} "
            "units: name a folder on another disk with --out"
        )


def check_graph(num_bytes: int, stage: str) -> None:
    """Checks that a pipeline's graph can be sent.

    Raises:
        RunError: it is too large.
    """
    if num_bytes > MAX_GRAPH_BYTES:
        raise RunError(
            f"the graph of stage '{stage}' has {num_bytes / 1e6:,.1f} MB; engines take "
            f"{MAX_GRAPH_BYTES / 1e6:,.0f} MB: it holds the recipe and counts of each label; "
            "name many files by one pattern rather than by sources of their own"
        )


def check_workers(submit: Submit, lock: Lock, root: str, num: int) -> list[WorkerReport]:
    """Has workers report, and checks that they see what this process sees.

    Args:
        submit: runs a pipeline.
        lock: whose inputs they look for.
        root: the output directory.
        num: how many tasks work side by side.

    Raises:
        RunError: no worker starts, or one sees something else.
    """
    folder, token = f"{root}/temporary/preflight", uuid.uuid4().hex
    storage.delete([folder])
    storage.write_atomically(token_path(folder), token.encode())
    inputs = [each.path for each in lock.inputs[:_NUM_INPUTS_LOOKED_FOR]]
    try:
        submit(lambda pipeline: None, "preflight", ReportWorker(root, folder, inputs, 4 * num))
        reports = read_reports(folder)
    finally:
        storage.delete([folder])
    _check_reports(reports, token, root)
    return reports


def _check_reports(reports: Sequence[WorkerReport], token: str, root: str) -> None:
    shared = "it has to be a folder that all machines share, or a bucket"
    if not reports:
        raise RunError(
            f"workers run and can write to a folder {root} of their own, but not to this one; "
            f"{shared}"
        )
    problems = []
    for report in reports:
        worker = f"the worker on {report.host}"
        if report.token != token:
            problems.append(f"{worker} does not see what lies in {root}; {shared}")
        if report.missing:
            problems.append(f"{worker} does not see the input {report.missing[0]}; {shared}")
        problems += [
            f"{worker} has {name} {there or 'none'}, and this process {here}; install the same"
            for name, here in versions().items()
            if (there := report.versions.get(name)) != here
        ]
    if problems:
        raise RunError("\n".join(dict.fromkeys(problems)))
