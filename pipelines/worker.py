"""A worker process of the local engine: Beam's own, without its remarks at start.

Importing Beam logs warnings about optional packages to the user's terminal, from every worker.
"""

import logging
import sys


def main() -> None:
    """Runs Beam's worker until the runner has no more work."""
    logging.disable(logging.WARNING)
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main(sys.argv)


if __name__ == "__main__":
    main()
