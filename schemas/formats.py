"""Formats of input files, and which of them a file's name tells."""

from __future__ import annotations

import posixpath
from typing import Literal

FileFormat = Literal["jsonl", "parquet", "text", "text_file", "tsv", "csv"]
BitextFormat = Literal[
    "tmx", "moses", "tsv", "csv", "jsonl", "parquet", "xces", "po", "xliff", "messages"
]
InputFormat = Literal[
    "jsonl", "parquet", "text", "text_file", "tsv", "csv",
    "tmx", "moses", "xces", "po", "xliff", "messages",
]  # fmt: skip

TEXT_FORMATS: tuple[InputFormat, ...] = ("jsonl", "parquet", "text", "text_file", "tsv", "csv")
BITEXT_FORMATS: tuple[InputFormat, ...] = (
    "tmx", "moses", "tsv", "csv", "jsonl", "parquet", "xces", "po", "xliff", "messages",
)  # fmt: skip

#: What compressed files end in, and how they are packed unless their content says otherwise.
COMPRESSED: dict[str, Literal["gzip", "zstd", "bz2", "xz"]] = {
    ".gz": "gzip",
    ".gzip": "gzip",
    ".bgz": "gzip",
    ".zst": "zstd",
    ".zstd": "zstd",
    ".bz2": "bz2",
    ".xz": "xz",
    ".lzma": "xz",
}

_BY_NAME: dict[str, InputFormat] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".tsv": "tsv",
    ".csv": "csv",
}
_TEXT_BY_NAME: dict[str, InputFormat] = {".json": "jsonl", ".txt": "text", ".text": "text"}
# A .json may hold lines or messages, an .xml anything, and line-aligned files end in a language.
_BITEXT_BY_NAME: dict[str, InputFormat] = {
    ".tmx": "tmx",
    ".po": "po",
    ".xlf": "xliff",
    ".xliff": "xliff",
}


def unpacked_name(path: str) -> str:
    """A path without the endings of compressed files.

    >>> unpacked_name("a/news.en.gz"), unpacked_name("a.jsonl.lzma")
    ('a/news.en', 'a.jsonl')
    """
    for suffix in COMPRESSED:
        if path.lower().endswith(suffix):
            path = path[: -len(suffix)]
    return path


def format_by_name(path: str, *, bitext: bool) -> InputFormat | None:
    """The format that the name of a file tells, if it does.

    >>> format_by_name("a.TSV.gz", bitext=True), format_by_name("a.en", bitext=True)
    ('tsv', None)
    """
    suffix = posixpath.splitext(unpacked_name(path).lower())[1]
    return (_BY_NAME | (_BITEXT_BY_NAME if bitext else _TEXT_BY_NAME)).get(suffix)
