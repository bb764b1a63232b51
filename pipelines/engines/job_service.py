"""Beam's job service: submits pipelines to a job server and asks after them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_job_api_pb2 as api
from apache_beam.portability.api import beam_job_api_pb2_grpc as api_grpc
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.portable_runner import JobServiceHandle, PortableRunner
from apache_beam.runners.runner import PipelineResult

from glotmill.pipelines.engine import Build
from glotmill.pipelines.engines.endpoints import Endpoint

_TIMEOUT_SECONDS = 10.0
_COUNTERS = {
    "num_elements": "beam:metric:element_count:v1",
    "busy_milliseconds": "beam:metric:pardo_execution_time:process_bundle_msecs:v1",
}
ENDED = frozenset({"DONE", "DRAINED", "FAILED", "CANCELLED"})
#: A Python traceback inside the Java one that the job server tells.
_PYTHON_ERROR = re.compile(r"Traceback \(most recent call last\):.*?(?=\n\s*at [\w.$]+\(|\Z)", re.S)


class JobGone(Exception):  # noqa: N818
    """The job server does not know the job: it was started anew since."""


class _Prepared(PipelineResult):
    """A pipeline that was built and not submitted."""

    def __init__(self, proto: beam_runner_api_pb2.Pipeline, options: PipelineOptions) -> None:
        super().__init__("STOPPED")
        self.proto, self.options = proto, options


class _Preparing(PortableRunner):
    """Does all that Beam does to a pipeline before it is submitted, and stops there."""

    def run_portable_pipeline(
        self, pipeline: beam_runner_api_pb2.Pipeline, options: PipelineOptions
    ) -> _Prepared:
        # A named runner makes Beam's Java side look for a class of that name.
        options.view_as(beam.options.pipeline_options.StandardOptions).runner = None
        return _Prepared(self._optimize_pipeline(pipeline, options), options)


class Prepared:
    """A built pipeline with its options.

    Attributes:
        proto: the graph, as it is submitted.
        options: Beam's options.
    """

    def __init__(self, build: Build, options: Sequence[str]) -> None:
        """Builds it; `options` are Beam's, as on its command line."""
        pipeline = beam.Pipeline(runner=_Preparing(), options=PipelineOptions(list(options)))
        build(pipeline)
        result = pipeline.run()
        self.proto, self.options = result.proto, result.options

    @property
    def num_bytes(self) -> int:
        """Size of the graph as it is sent."""
        return int(self.proto.ByteSize())


class JobService:
    """A job server at an address; calls raise `grpc.RpcError` where it does not answer."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Takes its address."""
        self._channel = grpc.insecure_channel(str(endpoint))
        self._stub = api_grpc.JobServiceStub(self._channel)
        self.endpoint = endpoint

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()

    def option_names(self) -> set[str]:
        """Names of the options that the engine behind the server takes."""
        request = api.DescribePipelineOptionsRequest()
        answer = self._stub.DescribePipelineOptions(request, timeout=_TIMEOUT_SECONDS)
        return {option.name for option in answer.options}

    def stage(self, prepared: Prepared) -> str:
        """Sends a pipeline with its files; gives what `run` names it by. No job is there yet."""
        handle = JobServiceHandle(self._stub, prepared.options, retain_unknown_options=True)
        answer = handle.prepare(prepared.proto)
        url = handle.artifact_endpoint or answer.artifact_staging_endpoint.url
        handle.stage(prepared.proto, url, answer.staging_session_token)
        return str(answer.preparation_id)

    def run(self, staged: str) -> str:
        """Has a pipeline that was sent run; gives the job's id."""
        return str(self._stub.Run(api.RunJobRequest(preparation_id=staged)).job_id)

    def state(self, job_id: str) -> str:
        """The job's state by its name in Beam, as `RUNNING`.

        Raises:
            JobGone: the server does not know it.
        """
        request = api.GetJobStateRequest(job_id=job_id)
        try:
            answer = self._stub.GetState(request, timeout=_TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            if _knows_no_job(error):
                raise JobGone(str(error.details())) from None
            raise  # a server that is slow, or away, may know it
        return str(api.JobState.Enum.Name(answer.state))

    def cancel(self, job_id: str) -> None:
        """Asks for the job's end."""
        self._stub.Cancel(api.CancelJobRequest(job_id=job_id), timeout=_TIMEOUT_SECONDS)

    def error(self, job_id: str) -> str:
        """What went wrong with a job that has ended, as far as the server was told.

        To be asked at the end only: where a client that listens to a running job is gone, the
        server of Flink fails at its next message, and shows the job as running for ever.
        """
        request = api.JobMessagesRequest(job_id=job_id)
        told: list[str] = []
        with suppress(grpc.RpcError):  # some servers never end the stream, some are gone
            for message in self._stub.GetMessageStream(request, timeout=_TIMEOUT_SECONDS):
                told += _error_in(message.message_response)
        return "\n".join(told)

    def counters(self, job_id: str) -> dict[str, int]:
        """What the engine has counted: elements over all steps, milliseconds spent in them.

        Prism counts while it works; Flink tells at the end.
        """
        request = api.GetJobMetricsRequest(job_id=job_id)
        metrics = self._stub.GetJobMetrics(request, timeout=_TIMEOUT_SECONDS).metrics
        infos = metrics.committed or metrics.attempted
        return {name: _sum(infos, urn) for name, urn in _COUNTERS.items()} if infos else {}


def _knows_no_job(error: grpc.RpcError) -> bool:
    """Whether a server has no job of the id that it was asked for.

    Beam's servers in Java say so by a code of its own, Prism by its words.
    """
    code, told = error.code(), error.details() or ""
    return code == grpc.StatusCode.NOT_FOUND or (
        code == grpc.StatusCode.UNKNOWN and "not found" in told
    )


def _sum(infos: Iterable[Any], urn: str) -> int:
    return sum(_varint(info.payload) for info in infos if info.urn == urn)


def _varint(payload: bytes) -> int:
    """A number as Beam's VarIntCoder writes it.

    >>> _varint(bytes([0xAC, 0x02]))
    300
    """
    return sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(payload))


def _error_in(message: api.JobMessage) -> list[str]:
    return [message.message_text] if message.importance == api.JobMessage.JOB_MESSAGE_ERROR else []


def worker_error(told: str) -> str:
    r"""The traceback of a worker where an engine's message holds one, else the whole message.

    >>> worker_error("Error: Traceback (most recent call last):\nKeyError: 1\n\tat a.B.c(B.java)")
    'Traceback (most recent call last):\nKeyError: 1'
    """
    found = _PYTHON_ERROR.search(told)
    return (found.group() if found else told).strip()
