"""Flink: a job server with Flink inside, or one before a cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from glotmill.pipelines.engines.endpoints import Endpoint
from glotmill.pipelines.engines.environments import (
    LOOPBACK_HOSTS,
    check_on_this_machine,
    environment_of,
)
from glotmill.pipelines.engines.flink_rest import FlinkRest
from glotmill.pipelines.engines.job_service import JobService
from glotmill.pipelines.engines.target import Target, without_environment
from glotmill.pipelines.errors import UserError
from glotmill.pipelines.preflight import check_flink, check_options, check_reachable

#: Flink within the job server, as Beam spells it.
EMBEDDED = "[local]"
DEFAULT_JOB_SERVER = "localhost:8099"
_START = "start one: python deploy/flink/cluster.py start"
# Keeps workers between the steps of a job, which otherwise each start their own. A cluster must
# wait for longer before it tries a failed step again, or it meets the worker that is gone.
_CACHE = "--environment_cache_millis=10000"
# Steps hand over by files: a job then goes on with the TaskManagers that are left.
_BATCH = "--execution_mode_for_batch=BATCH_FORCED"


def flink_target(
    master: str | None,
    job_server: str | None,
    options: Sequence[str],
    workers: int | None,
    tell: Callable[[str], None],
) -> Target:
    """Checks what was asked for and gives the target; nothing is submitted.

    Args:
        master: `[local]`, or the address of a cluster's REST interface.
        job_server: address of Beam's job server.
        options: passed through to Beam.
        workers: tasks that work side by side; None takes all slots.
        tell: shows a line to the person who watches.

    Raises:
        UserError: something is missing, cannot be reached, or does not fit together.
    """
    if master is None:
        raise UserError(
            "--runner flink wants --flink-master: HOST:PORT of a cluster's REST interface, "
            f"or '{EMBEDDED}' for the Flink within the job server"
        )
    rest = None if master == EMBEDDED else FlinkRest(Endpoint.parse(master, "--flink-master"))
    environment = environment_of(options, None if rest else "LOOPBACK")
    server = Endpoint.parse(job_server or DEFAULT_JOB_SERVER, "--job-server")
    check_reachable(server, "Beam job server", _START)
    service = JobService(server)
    try:
        check_options(service, options, "flink_master")
    finally:
        service.close()
    num_task_managers, slots = 1, None
    if rest is not None:
        check_reachable(rest.endpoint, "Flink JobManager", _START)
        overview = check_flink(rest, tell)
        num_task_managers, slots = overview.num_task_managers, overview.num_slots
    if server.host in LOOPBACK_HOSTS and (rest is None or rest.endpoint.host in LOOPBACK_HOSTS):
        check_on_this_machine(environment, num_task_managers)
    elif environment.in_launcher:
        raise UserError(
            "--environment_type=LOOPBACK has workers in this process, which an engine on another "
            "machine cannot reach: take PROCESS, DOCKER or EXTERNAL"
        )
    given = {option.partition("=")[0] for option in options}
    wanted = (_CACHE, _BATCH) if rest else ()
    defaults = [each for each in wanted if each.partition("=")[0] not in given]
    return Target(
        engine="flink",
        job_server=server,
        rest=rest,
        environment=environment,
        options=[f"--flink_master={master}", *defaults, *without_environment(options)],
        parallelism=workers or slots,
    )
