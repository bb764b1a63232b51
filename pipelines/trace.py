"""`glotmill trace`: where a document went, and where a token came from.

All is told from the manifests and tables of a run; nothing is kept for it but those. Of large
files only the columns that are looked at, and the row groups that hold an answer, are read.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from glotmill.pipelines.errors import UserError
from glotmill.pipelines.trace_documents import Key, trace_documents
from glotmill.pipelines.trace_model import Trace
from glotmill.pipelines.trace_run import Run
from glotmill.pipelines.trace_tokens import trace_sequence, trace_tokens

_KEYS: dict[str, Key] = {"id": "external_id", "url": "url", "hash": "content_hash", "text": "text"}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be traced; one of these.

    Attributes:
        token: tokens of a dataset, `DATASET:POSITION[:LENGTH]`.
        sequence: a packed sequence, `SHARD:ROW`.
        id: identifier of documents in their source.
        url: address of documents.
        hash: content hash of documents in hexadecimal, or its beginning.
        text: a part of the text of documents.
    """

    token: str | None = None
    sequence: str | None = None
    id: str | None = None
    url: str | None = None
    hash: str | None = None
    text: str | None = None


def trace(root: str, asked: Asked, limit: int = 20) -> Trace:
    """Finds what is asked for.

    Args:
        root: the output directory.
        asked: one thing to trace.
        limit: most documents.

    Raises:
        UserError: the run has no finished ingest, or not one thing is asked for, or it cannot be.
    """
    given = {f.name: value for f in fields(asked) if (value := getattr(asked, f.name)) is not None}
    if empty := [name for name, value in given.items() if not value]:
        raise UserError(f"--{empty[0]} must not be empty")
    if len(given) != 1:
        options = ", ".join(f"--{field.name}" for field in fields(Asked))
        raise UserError(f"trace wants one of {options}; given: {', '.join(given) or 'none'}")
    ((name, value),) = given.items()
    run = Run(root)
    if name == "token":
        return trace_tokens(run, value, limit)
    if name == "sequence":
        return trace_sequence(run, value, limit)
    return trace_documents(run, _KEYS[name], value, limit)
