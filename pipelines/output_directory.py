"""Output directories as they are named on the command line."""

from __future__ import annotations

import os
import re
from typing import NoReturn

from apache_beam.io.filesystems import FileSystems

from glotmill.pipelines.errors import UserError
from glotmill.transforms import cloud, storage

# Without the slashes, or without a bucket, it would be a folder of this machine or nothing at all.
_CUT_SHORT = re.compile(r"(gs|s3):(?!//[^/])")


def output_directory(given: str) -> str:
    """The output directory that an argument names, without slashes that mean nothing.

    Raises:
        UserError: it can be none; no store is asked.

    >>> output_directory("gs:a")
    Traceback (most recent call last):
    glotmill.pipelines.errors.UserError: gs:a is no output directory: write gs://BUCKET/FOLDER
    """
    if cut_short := _CUT_SHORT.match(given):
        _refuse(given, f"write {cut_short[1]}://BUCKET/FOLDER")
    if given.startswith("file:"):
        _refuse(given, "write a folder of this machine as a path")
    if storage.is_local(given):
        _check_folder(given)
        return re.sub("/+", "/", given).rstrip("/")  # as listings give it
    _check_file_system(given)
    return given.rstrip("/")


def _check_folder(given: str) -> None:
    path = os.path.abspath(given)
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    if not os.path.isdir(path):
        what = "a file" if os.path.isfile(path) else "no folder"
        _refuse(given, f"{os.path.relpath(path)} is {what}")


def _check_file_system(given: str) -> None:
    """Looks whether anything that is installed reads and writes such URIs."""
    try:
        if cloud.store_of(given) is not None:
            return
    except ValueError as error:  # a package is missing
        _refuse(given, str(error))
    try:
        FileSystems.get_filesystem(given)
    except ValueError:
        kind = storage.scheme(given)
        _refuse(given, f"nothing writes {kind}://; name a folder here, or a gs:// or s3:// path")
    except OSError as error:
        _refuse(given, str(error))


def _refuse(given: str, why: str) -> NoReturn:
    raise UserError(f"{given} is no output directory: {why}")
