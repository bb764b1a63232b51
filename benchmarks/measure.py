"""What a command costs.

Run as `measure.py COST COMMAND...` it measures a command from a process that is itself small: a
child begins with the memory of the process it was forked from, and that would count as its peak.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO


def measured(
    command: list[str],
    log: BinaryIO | None = None,
    environment: Mapping[str, str] | None = None,
    *,
    check: bool = True,
) -> dict[str, float]:
    """Wall and CPU seconds of a command, MiB of the largest of its processes, and its exit code.

    Args:
        command: to run.
        log: that its output goes to.
        environment: of the command.
        check: whether to end where it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cost.json"
        launcher = [sys.executable, "-I", "-S", __file__, str(path)]
        subprocess.run([*launcher, *command], stdout=log, stderr=log, check=True, env=environment)
        cost: dict[str, float] = json.loads(path.read_text())
    if check and cost["exit_code"]:
        raise SystemExit(f"{command[:3]} ended with {cost['exit_code']}")
    return cost


def main() -> None:
    """Measure the command of the arguments."""
    path, *command = sys.argv[1:]
    start = time.monotonic()
    child = subprocess.Popen(command)
    _, status, used = os.wait4(child.pid, 0)
    cost = {
        "wall": time.monotonic() - start,
        "cpu": used.ru_utime + used.ru_stime,
        "peak_mib": used.ru_maxrss / 1024,
        "exit_code": os.waitstatus_to_exitcode(status),
    }
    Path(path).write_text(json.dumps(cost))


if __name__ == "__main__":
    main()
