"""What a command costs."""

from __future__ import annotations

import os
import subprocess
import time
from typing import BinaryIO


def measured(command: list[str], log: BinaryIO | None = None) -> dict[str, float]:
    """Wall and CPU seconds of a command, and MiB of the largest of its processes.

    A process begins with the memory of the one that started it: call this from a small one.

    Args:
        command: to run.
        log: that its output goes to.
    """
    start = time.monotonic()
    child = subprocess.Popen(command, stdout=log, stderr=log)
    _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{command[:3]} ended with {os.waitstatus_to_exitcode(status)}")
    return {
        "wall": time.monotonic() - start,
        "cpu": used.ru_utime + used.ru_stime,
        "peak_mib": used.ru_maxrss / 1024,
    }
