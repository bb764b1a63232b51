"""A first look into a file, so that a wrong column name is an error before a run and not after."""

from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

from glotmill.transforms import storage
from glotmill.transforms.readers.columns import column_names, find_column
from glotmill.transforms.readers.decompress import open_stream
from glotmill.transforms.readers.delimited import first_record, header
from glotmill.transforms.readers.errors import MissingColumn, ProbeError
from glotmill.transforms.readers.jsonl import Json, RecordProblem, look_up, parse_object, text_of
from glotmill.transforms.readers.lines import iterate_lines, read_lines
from glotmill.transforms.readers.parquet import open_parquet, text_column
from glotmill.transforms.readers.records import FileProblem, Format, Probe, ReadOptions, Reject
from glotmill.transforms.readers.slices import read_slice

_NUM_LINES = 200
_NUM_BATCHES = 20


def probe(path: str, format: Format, options: ReadOptions) -> Probe:
    """Look at the first records of a file.

    Raises:
        MissingColumn: If the text column is in none of them, or twice in a file that names its
            columns; names what is there.
        WrongColumnType: If the text column of a Parquet file holds no text.
        ProbeError: If nothing at the beginning of the file can be read as records.
        OSError: If the file cannot be opened.
    """
    if format == "jsonl":
        return _probe_jsonl(path, options)
    if format == "parquet":
        return _probe_parquet(path, options)
    if format in ("tsv", "csv"):
        return _probe_delimited(path, format, options)
    with storage.open_input(path):  # raises what read_slice would turn into a reject
        text = _first_text(path, format, options)
    return Probe((), text, tuple(options.extra_columns.values()))


def _probe_delimited(path: str, format: Format, options: ReadOptions) -> Probe:
    with storage.open_input(path) as raw:
        first = first_record(_first_lines(raw, path, options), format, options)
    names = tuple(header(first, format, options, path)) if first is not None else ()
    if first is not None and options.text_column not in names:
        raise MissingColumn(options.text_column, names, path)
    missing = tuple(name for name in options.extra_columns.values() if name not in names)
    return Probe(names, _first_text(path, format, options), missing)


def _first_text(path: str, format: Format, options: ReadOptions) -> str | None:
    """Return the first text; raise ProbeError if there are only rejects."""
    end = 1 << 62
    first_reject: Reject | None = None
    for batch in islice(read_slice(path, format, 0, end, options), _NUM_BATCHES):
        if batch.records.num_rows:
            return str(batch.records.column(0)[0].as_py())
        if batch.rejects and first_reject is None:
            first_reject = batch.rejects[0]
    if first_reject is not None:
        raise ProbeError(f"no record of {path} can be read; {_describe(first_reject)}")
    return None


def _describe(reject: Reject) -> str:
    return f"the first problem, at offset {reject.offset}, is {reject.reason}: {reject.detail}"


def _probe_parquet(path: str, options: ReadOptions) -> Probe:
    with storage.open_input(path) as raw:
        try:
            schema = open_parquet(raw)[0].schema_arrow
        except FileProblem as problem:
            raise ProbeError(f"{path}: {problem.detail}") from problem
    text_column(schema, path, options)
    extra = options.extra_columns.values()
    missing = [name for name in extra if not find_column(schema, name, path)]
    return Probe(column_names(schema), _first_text(path, "parquet", options), tuple(missing))


def _probe_jsonl(path: str, options: ReadOptions) -> Probe:
    records, rejects = _first_objects(path, options)
    if rejects and not records:
        raise ProbeError(f"no record of {path} can be read; {_describe(rejects[0])}")
    names = tuple(dict.fromkeys(name for record in records for name in _names(record)))
    if records and options.text_key not in names:
        raise MissingColumn(options.text_key, names, path)
    text = next((text for record in records if (text := _text(record, options))), None)
    if records and text is None:
        where = f"any of the first {len(records)} records of {path}"
        raise ProbeError(
            f"{options.text_key!r} is no string in {where}{_list_advice(records, options)}"
        )
    missing = [name for name in options.extra_columns.values() if name not in names]
    return Probe(names, text, tuple(missing))


def _list_advice(records: list[dict[str, Json]], options: ReadOptions) -> str:
    if any(isinstance(look_up(record, options.text_key), list) for record in records):
        return f"; a list of strings is read with 'text: {options.text_key}[]'"
    return ""


def _text(record: dict[str, Json], options: ReadOptions) -> str | None:
    try:
        return text_of(record, options)
    except RecordProblem:
        return None


def _first_objects(path: str, options: ReadOptions) -> tuple[list[dict[str, Json]], list[Reject]]:
    """Return the objects and the problems of the first lines."""
    records: list[dict[str, Json]] = []
    rejects: list[Reject] = []
    with storage.open_input(path) as raw:
        for offset, line in islice(_first_lines(raw, path, options), _NUM_LINES):
            result = line if isinstance(line, Reject) else _parse(line, offset)
            if isinstance(result, Reject):
                rejects.append(result)
            elif result is not None:
                records.append(result)
    return records, rejects


def _parse(line: bytes, offset: int) -> dict[str, Json] | Reject | None:
    """Return the object of a line, what is wrong with it, or None if it is blank."""
    if not line.strip():
        return None
    try:
        return parse_object(line, offset)
    except RecordProblem as problem:
        return Reject(offset, problem.reason, problem.detail + _advice(line), "")


def _first_lines(
    raw: BinaryIO, path: str, options: ReadOptions
) -> Iterator[tuple[int, bytes | Reject]]:
    try:
        stream = open_stream(raw, path, options.compression)
    except FileProblem as problem:
        raise ProbeError(f"{path}: {problem.detail}") from problem
    return iterate_lines(read_lines(stream, max_record_bytes=options.max_record_bytes))


def _advice(line: bytes) -> str:
    """Recognise JSON that is no JSON lines."""
    start = line.strip()
    if start.startswith(b"["):
        return "; if the file is one JSON array, make lines of it: jq -c '.[]' FILE"
    if start == b"{":
        return "; if objects are spread over lines, make one line of each: jq -c . FILE"
    return ""


def _names(record: dict[str, Json], prefix: str = "") -> Iterator[str]:
    """Give the names of an object's keys, those of objects inside it dotted."""
    for name, value in record.items():
        yield prefix + name
        if isinstance(value, dict):
            yield from _names(value, f"{prefix}{name}.")
