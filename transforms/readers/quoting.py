"""Quotation marks of CSV (RFC 4180): fields that hold delimiters, line ends and doubled marks."""

import re
from collections.abc import Iterator
from functools import cache

from glotmill.transforms.readers.jsonl import RecordProblem
from glotmill.transforms.readers.records import Reject, excerpt

#: A line or a record with its offset, or what is wrong there.
Row = tuple[int, bytes | Reject]


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


def join_quoted(lines: Iterator[Row], limit: int) -> Iterator[Row]:
    """Join lines while a quotation mark is open, to records.

    A mark that is still open after so many bytes is rejected as ``unclosed_quote``, and the line
    after it is read next.

    Args:
        lines: What `iterate_lines` gives.
        limit: Bytes of a record, at most.
    """
    again: list[Row] = []  # lines after a mark that was never closed, last first
    held: list[tuple[int, bytes]] = []
    size = 0
    while True:
        row = again.pop() if again else next(lines, None)
        line = None if row is None else row[1]
        if row is not None and isinstance(line, bytes) and size <= limit:
            is_odd = line.count(b'"') % 2 == 1
            if not held and not is_odd:
                yield row
                continue
            held.append((row[0], line))
            size += len(line) + 1
            if len(held) > 1 and is_odd:
                yield held[0][0], b"\n".join(data for _, data in held)
                held, size = [], 0
        elif held:
            yield held[0][0], _unclosed(held)
            again += [row] if row is not None else []
            again += reversed(held[1:])
            held, size = [], 0
        elif row is not None:
            yield row
        else:
            return


def _unclosed(held: list[tuple[int, bytes]]) -> Reject:
    offset, line = held[0]
    detail = f"a quotation mark is not closed in the {len(held)} lines from here"
    return Reject(offset, "unclosed_quote", detail, excerpt(line))
