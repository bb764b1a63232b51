"""Workers in this process: Beam's LOOPBACK environment, on the loopback interface alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from apache_beam.portability.api import beam_fn_api_pb2_grpc
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer
from apache_beam.utils.thread_pool_executor import shared_unbounded_instance

_HOST = "127.0.0.1"
_STOP_SECONDS = 1


@contextmanager
def worker_pool() -> Iterator[str]:
    """Serves workers to an engine on this machine; gives the address.

    Beam's own LOOPBACK server listens on all interfaces, and whoever reaches it has a worker run
    code: this one is the same bound to one.
    """
    options = [("grpc.http2.max_pings_without_data", 0), ("grpc.http2.max_ping_strikes", 0)]
    server = grpc.server(shared_unbounded_instance(), options=options)
    port = server.add_insecure_port(f"{_HOST}:0")
    pool = BeamFnExternalWorkerPoolServicer()
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    server.start()
    try:
        yield f"{_HOST}:{port}"
    finally:
        server.stop(_STOP_SECONDS)
