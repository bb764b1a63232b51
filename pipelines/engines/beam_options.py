"""Options behind `--`: each has to be one that Beam or the engine knows, as they spell it."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NoReturn

from apache_beam.options.pipeline_options import PipelineOptions

from glotmill.pipelines.errors import UserError

#: Given by options of our own, or by nobody.
_RESERVED = ("--runner", "--job_endpoint", "--flink_master", "--job_name", "--parallelism")


def check_beam_options(options: Sequence[str], engine: Iterable[str] = ()) -> None:
    """Checks that somebody knows each option: Beam leaves others out with a warning.

    Args:
        options: what is passed through to Beam.
        engine: names of the options that the engine takes besides.

    Raises:
        UserError: an option is unknown, reserved or without a value that it wants, or a word is no
            option.
    """
    left = _left_over(options, engine)
    names = [each.partition("=")[0] for each in left if each.startswith("-")]
    if names:
        raise UserError(f"neither Beam nor the engine knows {', '.join(names)}")
    if left:
        raise UserError(f"{left[0]!r} is no option of Beam's: write it as --name=value")
    for option in options:
        if (name := option.partition("=")[0]) in _RESERVED:
            raise UserError(
                f"{name} is not passed through: "
                "see --runner, --job-server, --flink-master and --workers"
            )


def _left_over(options: Sequence[str], engine: Iterable[str]) -> list[str]:
    """What is neither an option that is known nor the value of one."""
    parsers: list[argparse.ArgumentParser] = []
    # Beam's own parser, with the options of all that is installed.
    PipelineOptions([]).get_all_options(add_extra_args_fn=parsers.append)
    parser = _Parser(parents=parsers, add_help=False, allow_abbrev=False)
    for name in engine:
        with suppress(argparse.ArgumentError):  # Beam in Python knows it too
            parser.add_argument(f"--{name}", nargs="?")
    return parser.parse_known_args(list(options))[1]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"behind --: {message}")
