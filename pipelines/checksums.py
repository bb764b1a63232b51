"""Checksums of files, kept from one run to the next."""

from __future__ import annotations

import json
import os

from glotmill.transforms import storage

_PATH = "temporary/checksums.json"


class KeptChecksums:
    """Checksums of inputs; local files of unchanged size and time are not read again."""

    def __init__(self, root: str) -> None:
        """Reads what an earlier run kept.

        Args:
            root: the output directory.
        """
        self._path = f"{root}/{_PATH}"
        self._known: dict[str, list[object]] = {}
        if storage.exists(self._path):
            self._known = json.loads(storage.read_bytes(self._path))

    def __call__(self, file: storage.InputFile) -> str:
        """The checksum of a file as it is now."""
        stamp = [file.size, os.stat(file.path).st_mtime_ns] if storage.is_local(file.path) else []
        known = self._known.get(file.path)
        if stamp and known is not None and known[:2] == stamp:
            return str(known[2])
        checksum = storage.checksum_of(file)
        self._known[file.path] = [*stamp, checksum]
        return checksum

    def save(self) -> None:
        """Keeps the checksums for the next run."""
        storage.write_atomically(self._path, json.dumps(self._known).encode())
