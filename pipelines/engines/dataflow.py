"""Dataflow: Beam's options of the command line, as what the runner wants to know."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from glotmill.pipelines.dataflow import DataflowOptions
from glotmill.pipelines.errors import UserError

_NEEDED = ("project", "region", "temp_location", "sdk_container_image")
_TAKEN = ("machine_type", "service_account_email", "template_location")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"--runner dataflow: {message}")


def dataflow_options(options: Sequence[str], workers: int | None) -> DataflowOptions:
    """What Dataflow needs, out of what is passed through to Beam.

    Args:
        options: as on Beam's command line.
        workers: most machines at a time.

    Raises:
        UserError: something is missing or cannot be right, or Beam does not know an option.
    """
    parser = _Parser(add_help=False, allow_abbrev=False)
    for name in _NEEDED:
        parser.add_argument(f"--{name}", required=True)
    for name in _TAKEN:
        parser.add_argument(f"--{name}")
    parser.add_argument("--max_num_workers", type=int, default=workers)
    # Each pipeline's job has a name of its own, which begins with this one.
    parser.add_argument("--job_name", default="glotmill")
    given, more = parser.parse_known_args(list(options))
    return DataflowOptions(
        project=given.project,
        region=given.region,
        temp_location=given.temp_location,
        image=given.sdk_container_image,
        max_workers=given.max_num_workers,
        machine_type=given.machine_type,
        service_account=given.service_account_email,
        job_name=given.job_name,
        template_location=given.template_location,
        more=tuple(more),
    )
