"""Readers: stored bytes in, Arrow batches and rejects out.

Files of corpora are broken in many ways. A reader never ends the job for one, and never passes
over anything in silence: each record is a row or a `Reject` with its place and reason, and what
is lost of a broken file is one reject.

    options = ReadOptions(text_column="text", extra_columns={"language": "meta.lang"})
    for part in split_file(path, size, "jsonl", target_bytes=32 << 20):
        for batch in read_slice(path, "jsonl", part.start, part.end, options):
            ...  # batch.records, batch.rejects
"""

from glotmill.transforms.readers.decompress import ByteStream, open_stream
from glotmill.transforms.readers.errors import (
    ColumnError,
    MissingColumn,
    ProbeError,
    WrongColumnType,
)
from glotmill.transforms.readers.lines import LineBlock, iterate_lines, read_lines
from glotmill.transforms.readers.probe import probe
from glotmill.transforms.readers.records import (
    OFFSET,
    TEXT,
    Compression,
    FileProblem,
    Format,
    Probe,
    ReadBatch,
    ReadOptions,
    Reject,
    Slice,
)
from glotmill.transforms.readers.slices import read_slice, split_file
from glotmill.transforms.readers.source import BrokenStream

__all__ = [
    "OFFSET",
    "TEXT",
    "BrokenStream",
    "ByteStream",
    "ColumnError",
    "Compression",
    "FileProblem",
    "Format",
    "LineBlock",
    "MissingColumn",
    "Probe",
    "ProbeError",
    "ReadBatch",
    "ReadOptions",
    "Reject",
    "Slice",
    "WrongColumnType",
    "iterate_lines",
    "open_stream",
    "probe",
    "read_lines",
    "read_slice",
    "split_file",
]
