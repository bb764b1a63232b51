"""Quotation marks of CSV (RFC 4180): fields that hold delimiters, line ends and doubled marks."""

import re
from collections.abc import Callable, Iterator
from functools import cache

import regex

from glotmill.transforms.readers.jsonl import RecordProblem
from glotmill.transforms.readers.records import Reject, excerpt

#: A line or a record with its offset, or what is wrong there.
Row = tuple[int, bytes | Reject]
Matches = Callable[[str], object]


def split_quoted(line: str, delimiter: str = ",") -> list[str]:
    """Split a record in which fields may stand in quotation marks.

    >>> split_quoted('a,"b, c",')
    ['a', 'b, c', '']

    Raises:
        RecordProblem: If quotation marks stand where they cannot.
    """
    if '"' not in line:
        return line.split(delimiter)
    pattern = _field(delimiter)
    fields, at = [], 0
    while True:
        match = pattern.match(line, at)
        if match is None:
            raise RecordProblem("invalid_quoting", f"a quotation mark at character {at} or after")
        quoted = match.group(1)
        fields.append(match.group(2) if quoted is None else quoted.replace('""', '"'))
        at = match.end()
        if match.end(3) == match.start(3):  # the end of the line
            return fields


@cache
def _field(delimiter: str) -> re.Pattern[str]:
    mark = re.escape(delimiter)
    return re.compile(rf'(?:"([^"]*(?:""[^"]*)*)"|([^"{mark}]*))({mark}|\Z)')


def join_quoted(lines: Iterator[Row], limit: int, delimiter: str = ",") -> Iterator[Row]:
    """Join lines while a field in quotation marks is open, to records.

    A mark inside a field opens nothing: such a line is a record, which `split_quoted` rejects. A
    field that is still open after so many bytes, or whose next mark does not close it, is rejected
    as ``unclosed_quote``, and the line after its first is read next.

    Args:
        lines: What `iterate_lines` gives.
        limit: Bytes of a record, at most.
        delimiter: What stands between fields.
    """
    is_open, is_closed = _is_open(delimiter), _is_closed(delimiter)
    again: list[Row] = []  # lines after a mark that was never closed, last first
    held: list[tuple[int, bytes]] = []
    size = 0
    while True:
        row = again.pop() if again else next(lines, None)
        line = None if row is None else row[1]
        if row is not None and isinstance(line, bytes) and size <= limit:
            num_marks = line.count(b'"')
            if not held and not (num_marks % 2 and is_open(_text(line))):
                yield row
                continue
            # The rest of an open field is as one that begins with a mark.
            rest = _text(b'"' + line) if held and num_marks else ""
            if not rest or is_open(rest):
                held.append((row[0], line))
                size += len(line) + 1
                continue
            if is_closed(rest):
                yield held[0][0], b"\n".join([*(data for _, data in held), line])
                held, size = [], 0
                continue
        if held:
            yield held[0][0], _unclosed(held)
            again += [row] if row is not None else []
            again += reversed(held[1:])
            held, size = [], 0
        elif row is not None:
            yield row
        else:
            return


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")


@cache
def _is_open(delimiter: str) -> Matches:
    """Whether a line ends within a field in quotation marks."""
    # Possessive, so that a line takes time in proportion to its length.
    pattern = rf'{_fields_before(delimiter)}"[^"]*+(?:""[^"]*+)*+'
    return regex.compile(pattern).fullmatch


@cache
def _is_closed(delimiter: str) -> Matches:
    """Whether a line ends after a field."""
    pattern = rf"{_fields_before(delimiter)}(?:{_one_field(delimiter)})"
    return regex.compile(pattern).fullmatch


def _fields_before(delimiter: str) -> str:
    return rf"(?:(?:{_one_field(delimiter)}){re.escape(delimiter)})*+"


def _one_field(delimiter: str) -> str:
    return rf'"[^"]*+(?:""[^"]*+)*+"|[^"{re.escape(delimiter)}]*+'


def _unclosed(held: list[tuple[int, bytes]]) -> Reject:
    offset, line = held[0]
    detail = f"a quotation mark is not closed in the {len(held)} lines from here"
    return Reject(offset, "unclosed_quote", detail, excerpt(line))
