"""A worker process of the local engine: Beam's own, quiet at its start and at its end."""

import logging
import os
import signal
import sys
import threading
import time
import traceback

_LOOK_SECONDS = 0.5


def end_with(launcher: int) -> None:
    """Ends this process as soon as its parent is not the launcher: Beam asks it for minutes."""
    while os.getppid() == launcher:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)


def main() -> None:
    """Runs Beam's worker until the runner has no more work, or is gone; its process is named."""
    name, launcher = sys.argv
    threading.Thread(target=end_with, args=(int(launcher),), daemon=True).start()
    # Ctrl-C reaches every process of the terminal; the runner stops its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Importing Beam logs warnings about optional packages, from every worker.
    logging.disable(logging.WARNING)
    from apache_beam.runners.worker import sdk_worker_main

    code = 0
    try:
        sdk_worker_main.main([name])
    except Exception:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    # Beam's threads may still be in native code: an interpreter that winds down under them
    # aborts now and then ("PyGILState_Release: thread state must be current").
    os._exit(code)


if __name__ == "__main__":
    main()
