"""JSON lines: one object a line, strictly."""

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import cast

import orjson
import pyarrow as pa

from glotmill.transforms.readers.decompress import ByteStream
from glotmill.transforms.readers.lines import LineBlock, read_lines
from glotmill.transforms.readers.records import (
    ReadBatch,
    ReadOptions,
    Reject,
    excerpt,
    locate_invalid_utf8,
)
from glotmill.transforms.readers.sniff import BOM

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
Parse = Callable[[bytes, int], dict[str, Json]]

_NUM_KEYS_SHOWN = 20
# Integers of more than 64 bits come from orjson as floats, rounded.
_FIRST_ROUNDED = 2.0**63
# What orjson says of a number that no double is as large as.
_TOO_LARGE = "number is infinity"
_STRING_OR_NUMBER = re.compile(
    rb'"[^"\\]*(?:\\.[^"\\]*)*"?|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?'
)


class RecordProblem(Exception):  # noqa: N818
    """A line that is no usable record.

    Attributes:
        reason: The reject's reason.
        detail: What is wrong.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def read_jsonl(
    stream: ByteStream, start: int, end: int | None, options: ReadOptions
) -> Iterator[ReadBatch]:
    """Read the objects of lines that are not blank.

    The last of repeated keys counts. An empty text is a record; one that is null or absent is
    rejected as ``missing_field``. Other reasons are ``invalid_json``, ``not_an_object``,
    ``wrong_type`` and ``invalid_utf8`` (lone surrogate escapes are that too), besides those of
    `read_lines`.
    """
    blocks = read_lines(stream, start=start, end=end, max_record_bytes=options.max_record_bytes)
    yield from read_records(blocks, parse_object, options)


def read_records(
    blocks: Iterable[LineBlock], parse: Parse, options: ReadOptions
) -> Iterator[ReadBatch]:
    """Read a record from each line that is not blank.

    Args:
        blocks: The lines.
        parse: Makes an object of a line and its offset; raises `RecordProblem`.
        options: Columns and limits.
    """
    batch = _Batch(parse, options)
    for block in blocks:
        batch.rejects += block.rejects
        lines = block.without_blank_lines()
        for offset, line in zip(lines.offsets.tolist(), lines.lines, strict=True):
            batch.add(offset, line)
            if batch.is_full:
                yield batch.take()
    if batch.texts or batch.rejects:
        yield batch.take()


class _Batch:
    """Records on their way to Arrow."""

    def __init__(self, parse: Parse, options: ReadOptions) -> None:
        self._parse = parse
        self._options = options
        self._key = options.text_key
        self._paths = list(options.extra_columns.values())
        self._clear()

    def _clear(self) -> None:
        self.texts: list[str] = []
        self.rejects: list[Reject] = []
        self._offsets: list[int] = []
        self._extra: list[list[str | None]] = [[] for _ in self._paths]
        self._num_bytes = 0

    @property
    def is_full(self) -> bool:
        return (
            self._num_bytes >= self._options.max_bytes
            or len(self.texts) >= self._options.max_rows
            or len(self.rejects) >= self._options.max_rows
        )

    def add(self, offset: int, line: bytes) -> None:
        """Parse a line into a row or a reject."""
        try:
            record = self._parse(line, offset)
            text = record.get(self._key)
            if type(text) is not str:
                text = text_of(record, self._options)
            extra = [as_string(look_up(record, path, line)) for path in self._paths]
        except RecordProblem as problem:
            self.rejects.append(Reject(offset, problem.reason, problem.detail, excerpt(line)))
            return
        self.texts.append(text)
        self._offsets.append(offset)
        self._num_bytes += len(line)
        for column, value in zip(self._extra, extra, strict=True):
            column.append(value)

    def take(self) -> ReadBatch:
        """Return what was added since the last time."""
        columns = [pa.array(self.texts, pa.string()), pa.array(self._offsets, pa.int64())]
        columns += [pa.array(column, pa.string()) for column in self._extra]
        records = pa.RecordBatch.from_arrays(columns, schema=self._options.schema)
        rejects = sorted(self.rejects, key=lambda reject: reject.offset)
        self._clear()
        return ReadBatch(records, rejects)


def parse_object(line: bytes, offset: int) -> dict[str, Json]:
    """Parse one line; a number beyond a double's range comes as the string of its characters.

    Args:
        line: The line, without its end.
        offset: Where it starts, for the message.

    Raises:
        RecordProblem: If it is no JSON object.
    """
    try:
        value = cast(Json, orjson.loads(line))
    except orjson.JSONDecodeError as error:
        if line.startswith(BOM):  # left over where files were concatenated
            return parse_object(line[len(BOM) :], offset + len(BOM))
        if error.msg.startswith(_TOO_LARGE):
            return _parse_large(line, offset)
        raise _syntax_problem(line, offset, error) from None
    if type(value) is dict:
        return value
    raise RecordProblem("not_an_object", f"the line is {_kind(value)}, not an object")


def _parse_large(line: bytes, offset: int) -> dict[str, Json]:
    """Parse a line that has a number beyond a double's range."""
    # Of the same length, so that errors are where they are told.
    parse_object(_STRING_OR_NUMBER.sub(_as_one_if_large, line), offset)
    return parse_object(_quote_large(line), offset)


def _as_one_if_large(found: re.Match[bytes]) -> bytes:
    return b"1".ljust(len(found[0])) if _is_large(found[0]) else found[0]


def _quote_large(line: bytes) -> bytes:
    r"""Return a line whose numbers beyond a double's range are strings of the same characters.

    >>> _quote_large(b'{"1e999": -1e999, "a": [1e99, "\\"1e999"]}')
    b'{"1e999": "-1e999", "a": [1e99, "\\"1e999"]}'
    """
    return _STRING_OR_NUMBER.sub(_as_string_if_large, line)


def _as_string_if_large(found: re.Match[bytes]) -> bytes:
    return b'"%b"' % found[0] if _is_large(found[0]) else found[0]


def _is_large(token: bytes) -> bool:
    return not token.startswith(b'"') and math.isinf(float(token))


def _syntax_problem(line: bytes, offset: int, error: orjson.JSONDecodeError) -> RecordProblem:
    if detail := locate_invalid_utf8(line, offset):
        return RecordProblem("invalid_utf8", detail)
    detail = f"{error.msg} (at character {error.pos} of the record)"
    if "surrogate" in error.msg:
        return RecordProblem("invalid_utf8", f"half of a surrogate pair: {detail}")
    return RecordProblem("invalid_json", detail)


def text_of(record: dict[str, Json], options: ReadOptions) -> str:
    """Return the text of an object; a list of strings is joined by line ends where asked for.

    Raises:
        RecordProblem: If there is none, or if it is no string.
    """
    key, is_list = options.text_key, options.text_is_list
    text = look_up(record, key)
    if type(text) is str:
        return text
    if text is None:
        state = "is null" if key in record else "is missing or null" if "." in key else "is missing"
        raise RecordProblem("missing_field", f"{key!r} {state}; keys: {_names(record)}")
    if is_list and type(text) is list and all(type(part) is str for part in text):
        return "\n".join(cast("list[str]", text))
    raise RecordProblem("wrong_type", f"{key!r} is {_kind(text)}, not a string")


def look_up(record: dict[str, Json], path: str, line: bytes | None = None) -> Json:
    """Return the value under a key, or under a dotted path if no key has that very name.

    Args:
        record: The object of a line.
        path: The key or the path.
        line: The line; with it an integer has all its digits, however many they are.

    Raises:
        RecordProblem: If the line nests too deeply to give them.

    >>> look_up({"meta": {"url": "https://example.org"}}, "meta.url")
    'https://example.org'
    """
    value: Json
    if path in record or "." not in path:
        value = record.get(path)
    else:
        value = record
        for name in path.split("."):
            value = value.get(name) if type(value) is dict else None
    if type(value) is float and line is not None and abs(value) >= _FIRST_ROUNDED:
        return _unrounded(value, path, line)
    return value


def _unrounded(value: float, path: str, line: bytes) -> Json:
    try:
        whole = look_up(json.loads(_quote_large(line.lstrip(BOM))), path)
    except RecursionError:
        detail = f"{path!r} is a number of more than 64 bits in a record that nests too deeply"
        raise RecordProblem("wrong_type", detail) from None
    return whole if type(whole) is int else value


def as_string(value: Json) -> str | None:
    """Return a string as it is, null as None, and any other value as JSON text.

    >>> as_string(7), as_string(2**64), as_string(True), as_string(["a"])
    ('7', '18446744073709551616', 'true', '["a"]')

    Raises:
        RecordProblem: If it nests too deeply to be written.
    """
    if value is None or type(value) is str:
        return value
    if type(value) is int:  # of any size; orjson takes 64 bits
        return str(value)
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        raise RecordProblem("wrong_type", f"an extra column's value: {error}") from None


def _kind(value: Json) -> str:
    if value is None:
        return "null"
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    return kinds.get(type(value), "a number")


def _names(record: dict[str, Json]) -> str:
    names = [repr(name) for name in list(record)[:_NUM_KEYS_SHOWN]]
    more = len(record) - len(names)
    return (", ".join(names) or "none") + (f" and {more} more" if more else "")
