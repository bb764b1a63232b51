"""Addresses of servers, as `HOST:PORT`."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from typing_extensions import Self

from glotmill.pipelines.errors import UserError


@dataclass(frozen=True)
class Endpoint:
    """A host and a port.

    >>> str(Endpoint.parse("localhost:8099", "--job-server"))
    'localhost:8099'
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, option: str) -> Self:
        """The address that an option gives.

        Raises:
            UserError: it is no address.
        """
        host, colon, port = text.rpartition(":")
        if not (colon and host and port.isdigit() and 0 < int(port) < 2**16) or "/" in host:
            raise UserError(f"{option} wants HOST:PORT, as localhost:8099, and not {text!r}")
        return cls(host, int(port))

    def refusal(self, timeout: float) -> str | None:
        """Why nothing can be reached there within so many seconds, or None where something is."""
        try:
            with socket.create_connection((self.host, self.port), timeout):
                return None
        except OSError as error:
            return str(error.strerror or error)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"
