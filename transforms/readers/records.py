"""What readers take and give: options in, batches of records and rejects out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

from glotmill.schemas.formats import FileFormat

TEXT = "text"
"""Output column: the record's text, never null."""

OFFSET = "offset"
"""Output column: where the record starts, in bytes of the decompressed stream or rows."""

Format = FileFormat
Compression = Literal["auto", "none", "gzip", "zstd", "bz2", "xz"]

_COMPRESSIONS = ("auto", "none", "gzip", "zstd", "bz2", "xz")
_EXCERPT_CHARACTERS = 200
EXCERPT_BYTES = 4 * _EXCERPT_CHARACTERS
"""As many bytes as `excerpt` can need."""


@dataclass(frozen=True)
class Reject:
    """A record, or a part of a file, that could not be read.

    Attributes:
        offset: Where it starts, counted as the `OFFSET` column is.
        reason: A fixed word to count by, such as ``invalid_json``.
        detail: What is wrong, for a person.
        excerpt: The first 200 characters, printable.
    """

    offset: int
    reason: str
    detail: str
    excerpt: str


@dataclass(frozen=True)
class ReadBatch:
    """Some records of one file and what was rejected near them.

    Attributes:
        records: Columns `TEXT`, `OFFSET` and the extra columns that were asked for.
        rejects: Rejected records; those of a broken file or row group stand for all that is lost.
    """

    records: pa.RecordBatch
    rejects: list[Reject]

    @property
    def num_read(self) -> int:
        """Records read: those kept and those rejected."""
        return int(self.records.num_rows) + len(self.rejects)


@dataclass(frozen=True)
class Slice:
    """A part of a file: bytes of an uncompressed one, row groups of Parquet; ``end`` excluded."""

    start: int
    end: int


@dataclass(frozen=True)
class Probe:
    """What a first look into a file shows.

    Attributes:
        columns: Names that records have, nested ones dotted; empty for plain text.
        first_text: Text of the first good record, or None if the file has no records.
        missing: Extra columns asked for that no record looked at has, by their names in the file.
    """

    columns: tuple[str, ...]
    first_text: str | None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How to read a file.

    Attributes:
        text_column: Key or column with the text. A dotted path reaches into objects or structs,
            unless a column has that very name. In JSON, brackets at the end (``sentences[]``)
            say that it is a list of strings, to be joined by line ends.
        extra_columns: Output name to key or column, dotted as above. Values become strings
            (numbers, lists and objects as JSON); absent ones are null.
        max_record_bytes: Longer records are rejected, unread.
        max_rows: Rows of a batch, at most.
        max_bytes: A batch ends with the record that reaches this many bytes.
        compression: How the bytes are packed; ``auto`` looks at them.
    """

    text_column: str = "text"
    extra_columns: Mapping[str, str] = field(default_factory=dict)
    max_record_bytes: int = 10 << 20
    max_rows: int = 2000
    max_bytes: int = 8 << 20
    compression: Compression = "auto"

    def __post_init__(self) -> None:
        for name in ("max_record_bytes", "max_rows", "max_bytes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.compression not in _COMPRESSIONS:
            known = ", ".join(_COMPRESSIONS)
            raise ValueError(f"unknown compression {self.compression!r}; one of: {known}")
        if taken := {TEXT, OFFSET} & set(self.extra_columns):
            raise ValueError(f"an extra column cannot be called {sorted(taken)[0]!r}")

    @property
    def text_key(self) -> str:
        """The key of the text, without the brackets that say that it is a list."""
        return self.text_column.removesuffix("[]")

    @property
    def text_is_list(self) -> bool:
        """Whether a list of strings makes a text."""
        return self.text_column.endswith("[]")

    @property
    def schema(self) -> pa.Schema:
        """The schema of the record batches."""
        extra = [pa.field(name, pa.string()) for name in self.extra_columns]
        return pa.schema([pa.field(TEXT, pa.string()), pa.field(OFFSET, pa.int64()), *extra])


class FileProblem(Exception):  # noqa: N818
    """A file, or its rest, cannot be read; readers turn it into one reject.

    Attributes:
        reason: The reject's reason.
        detail: What happened and what to do.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


def rejects_only(rejects: list[Reject], options: ReadOptions) -> ReadBatch:
    """Return a batch without records."""
    return ReadBatch(pa.RecordBatch.from_pylist([], schema=options.schema), rejects)


def excerpt(data: bytes) -> str:
    r"""Return the start of some bytes as printable text.

    >>> excerpt(b"caf\xe9\tau lait")
    'caf\ufffd au lait'
    """
    text = data[:EXCERPT_BYTES].decode("utf-8", "replace")[:_EXCERPT_CHARACTERS]
    return "".join(map(_printable, text))


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else "\ufffd"


def locate_invalid_utf8(data: bytes, offset: int | None = None) -> str | None:
    """Say where bytes stop being UTF-8, or return None if they are.

    Args:
        data: The record.
        offset: Where it starts in the file's decompressed bytes, if it has such a place.
    """
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        value = f"0x{data[error.start]:02x}"
        in_file = "" if offset is None else f" (byte {offset + error.start} of the file)"
        return f"{error.reason} {value} at byte {error.start} of the record{in_file}"
    return None
