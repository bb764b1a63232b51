"""Prism: Beam's engine in one binary, started for a run and ended with it; never downloaded."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from glotmill.pipelines.engines.beam_options import check_beam_options
from glotmill.pipelines.engines.endpoints import Endpoint
from glotmill.pipelines.engines.environments import environment_of
from glotmill.pipelines.engines.target import Target, without_environment
from glotmill.pipelines.errors import RunError, UserError

_HOST = "127.0.0.1"
_START_SECONDS = 30.0
# Ends the program when this process is gone, however it went: then the pipe closes. Ends with the
# program, and as it did.
_GUARD = """exec 3<&0
"$@" 3<&- & child=$!
{ cat <&3 >/dev/null; kill $child; } & watch=$!
wait $child; code=$?
kill $watch
exit $code"""


def find_prism(given: Path | None) -> Path:
    """The binary that is named: that file, or one of this name on PATH.

    Raises:
        UserError: there is none.
    """
    # A path has lost its "./" by now, and would be looked for on PATH alone.
    here = shutil.which(os.path.abspath(given)) if given else None
    found = here or shutil.which(str(given or "prism"))
    if found is None:
        what = f"{given} is not here, or not executable" if given else "no prism on PATH"
        raise UserError(
            f"{what}\nbuild one: go install github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0, "
            "and name it with --prism"
        )
    return Path(found)


@contextmanager
def prism_target(binary: Path, options: Sequence[str]) -> Iterator[Target]:
    """Starts Prism for as long as the context lasts.

    Raises:
        RunError: it does not start.
        UserError: an option is one that Beam does not know, or that is not passed through.
    """
    check_beam_options(options)
    environment = environment_of(options, "LOOPBACK")
    endpoint = Endpoint(_HOST, _free_port())
    flags = [f"--job_port={endpoint.port}", "--serve_http=false", "--log_level=warn"]
    with tempfile.TemporaryFile() as log:
        guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "sh", os.fspath(binary), *flags],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Ctrl-C is this process's to handle.
            start_new_session=True,
        )
        with guard:
            _wait_for(endpoint, guard, log)
            yield Target("prism", endpoint, None, environment, without_environment(options))


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((_HOST, 0))
        return int(listener.getsockname()[1])


def _wait_for(endpoint: Endpoint, guard: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    """Waits until Prism listens.

    Raises:
        RunError: it has ended, or takes too long.
    """
    deadline = time.monotonic() + _START_SECONDS
    while guard.poll() is None and time.monotonic() < deadline:
        if endpoint.refusal(1.0) is None:
            return
        time.sleep(0.1)
    ended = guard.poll()
    what = f"does not listen after {_START_SECONDS:.0f} s"
    if ended is not None:
        what = f"ended at once with exit code {ended}"
    log.seek(0)
    tail = log.read().decode(errors="replace").strip().splitlines()[-3:]
    raise RunError(f"Prism {what}: {' '.join(tail) or 'it said nothing'}")
