"""Parallel text in Parquet, by row groups and without a Python object for each value."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as pt

from glotmill.transforms.readers.batches import batch_sizes
from glotmill.transforms.readers.bitext.fields import sides_of
from glotmill.transforms.readers.bitext.options import BitextOptions, Side
from glotmill.transforms.readers.bitext.units import (
    UNITS,
    missing_side,
    rejected,
    score_maps,
    segment_lists,
)
from glotmill.transforms.readers.columns import (
    Column,
    column_names,
    find_column,
    holds_text,
    to_bytes,
    to_strings,
)
from glotmill.transforms.readers.errors import MissingColumn, WrongColumnType
from glotmill.transforms.readers.parquet import first_rows_of_groups, open_parquet
from glotmill.transforms.readers.records import (
    FileProblem,
    ReadBatch,
    Reject,
    excerpt,
    locate_invalid_utf8,
)
from glotmill.transforms.readers.source import describe

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _SidePlan:
    text: Column
    code: str | None
    code_column: Column | None


@dataclass(frozen=True)
class _Plan:
    """The columns of one file that are read."""

    sides: tuple[_SidePlan, ...]
    dictionary: Column | None
    external_id: Column | None
    document: Column | None
    url: Column | None
    scores: dict[str, Column]

    @property
    def paths(self) -> list[str]:
        columns = [side.text for side in self.sides]
        columns += [side.code_column for side in self.sides if side.code_column]
        more = (self.dictionary, self.external_id, self.document, self.url)
        columns += [column for column in more if column]
        return sorted({column.path for column in (*columns, *self.scores.values())})

    @property
    def text_paths(self) -> set[str]:
        dictionary = {self.dictionary.path} if self.dictionary else set()
        return dictionary | {side.text.path for side in self.sides}


def read_columns(
    raw: BinaryIO, path: str, start: int, end: int, options: BitextOptions
) -> Iterator[ReadBatch]:
    """Read the rows of some row groups; their offset is the row's number in the file.

    Texts are in columns (`EMMA_SIDES` unless the options name others), in the fields of a struct,
    which are called by their codes, or in a map from code to text (`BitextOptions.translation`).
    Of entries of a map with one code the last counts. A null text is no segment; a score that is
    null or NaN is left out.

    Rejects: ``missing_side``, ``record_too_long``, ``invalid_utf8``, ``invalid_score``, and
    ``corrupt_file`` or ``unreadable_file`` for the file or for what is lost of a row group.

    Raises:
        MissingColumn: If a column that the options name is not there.
        WrongColumnType: If a column with text holds none.
    """
    try:
        parquet, file = open_parquet(raw)
    except FileProblem as problem:
        yield rejected([Reject(0, problem.reason, problem.detail, "")])
        return
    plan = _plan(parquet.schema_arrow, path, options)
    first_rows = first_rows_of_groups(parquet.metadata)
    for group in range(start, min(end, parquet.metadata.num_row_groups)):
        row = first_rows[group]
        try:
            size = _rows_at_once(parquet.metadata.row_group(group), plan, options)
            for batch in parquet.iter_batches(
                size, row_groups=[group], columns=plan.paths, use_threads=False
            ):
                yield from _convert(batch, plan, row, options)
                row += batch.num_rows
        except Exception as error:
            reason = "unreadable_file" if file.has_failed else "corrupt_file"
            num_lost = first_rows[group + 1] - row
            detail = f"row group {group}: {num_lost} rows from row {row} on are lost: "
            yield rejected([Reject(row, reason, detail + describe(error), "")])


def _plan(schema: pa.Schema, path: str, options: BitextOptions) -> _Plan:
    def find(name: str) -> Column:
        column = find_column(schema, name, path)
        if column is None:
            raise MissingColumn(name, column_names(schema), path)
        return column

    def find_text(side: Side) -> _SidePlan:
        column = find(side.text)
        if not holds_text(column.type):
            raise WrongColumnType(side.text, str(column.type), path)
        code_column = find(side.code_column) if side.code_column is not None else None
        return _SidePlan(column, side.code, code_column)

    sides, dictionary = sides_of(options), None
    if options.translation is not None:
        column = find(options.translation)
        if _is_dictionary(column.type):
            sides, dictionary = (), column
        elif pt.is_struct(column.type):
            names = [column.type.field(i).name for i in range(column.type.num_fields)]
            sides = tuple(Side(text=f"{options.translation}.{name}", code=name) for name in names)
        else:
            raise WrongColumnType(options.translation, str(column.type), path)
    return _Plan(
        sides=tuple(find_text(side) for side in sides),
        dictionary=dictionary,
        external_id=find(options.external_id) if options.external_id is not None else None,
        document=find(options.document) if options.document is not None else None,
        url=find(options.url) if options.url is not None else None,
        scores={name: find(column) for name, column in options.scores.items()},
    )


def _is_dictionary(column_type: pa.DataType) -> bool:
    return bool(
        pt.is_map(column_type)
        and holds_text(column_type.key_type)
        and holds_text(column_type.item_type)
    )


def _rows_at_once(group: pq.RowGroupMetaData, plan: _Plan, options: BitextOptions) -> int:
    """Return how many rows hold about ``max_bytes`` of text."""
    columns = (group.column(i) for i in range(group.num_columns))
    paths = tuple(f"{path}." for path in plan.text_paths)  # keys and values lie below a map's
    num_bytes = sum(
        column.total_uncompressed_size
        for column in columns
        if f"{column.path_in_schema}.".startswith(paths)
    )
    mean = max(1, num_bytes // max(1, group.num_rows))
    return int(max(1, min(options.max_rows, options.max_bytes // mean)))


def _convert(
    batch: pa.RecordBatch, plan: _Plan, first_row: int, options: BitextOptions
) -> Iterator[ReadBatch]:
    """Turn rows of the file into units and rejects."""
    num_rows = batch.num_rows
    codes, data = _codes_and_texts(plan, batch)
    rejects: dict[int, Reject] = {}
    sizes = _check_sizes(data, first_row, options, rejects)
    texts = [_decoded(column, first_row, rejects) for column in data]
    scores = [
        _scores(name, column, batch, first_row, rejects) for name, column in plan.scores.items()
    ]
    has_text = _has_value(texts, num_rows)
    _check_sides(texts, codes, has_text, first_row, options, rejects)
    kept = np.array([row for row in range(num_rows) if row not in rejects], np.int64)
    ends, index = _interleaved(has_text, kept, num_rows)
    score_ends, score_index = _interleaved(_has_value(scores, num_rows), kept, num_rows)
    columns = [
        segment_lists(ends, _taken(codes, index, pa.string()), _taken(texts, index, pa.string())),
        pa.array(kept + first_row),
        *(_optional(column, batch, kept) for column in (plan.external_id, plan.document, plan.url)),
        score_maps(
            score_ends,
            _taken([_repeated(name, num_rows) for name in plan.scores], score_index, pa.string()),
            _taken(scores, score_index, pa.float32()),
        ),
    ]
    records = pa.RecordBatch.from_arrays(columns, schema=UNITS)
    lost = [rejects[row] for row in sorted(rejects)]
    begin = 0
    for size in batch_sizes(sizes[kept], options.limits()):
        yield ReadBatch(records.slice(begin, size), lost)
        begin, lost = begin + size, []
    if begin < records.num_rows or lost:
        yield ReadBatch(records.slice(begin), lost)


def _codes_and_texts(plan: _Plan, batch: pa.RecordBatch) -> tuple[list[pa.Array], list[pa.Array]]:
    """Return columns of codes, and of texts as bytes."""
    if plan.dictionary is None:
        codes = [_codes(side, batch) for side in plan.sides]
        return codes, [to_bytes(side.text.of(batch)) for side in plan.sides]
    maps = plan.dictionary.of(batch)
    offsets = np.asarray(maps.offsets).astype(np.int64)
    lengths = np.where(np.asarray(maps.is_valid()), np.diff(offsets), 0)
    keys, texts = to_strings(maps.keys), to_bytes(maps.items)
    texts = pc.if_else(_is_repeated(keys, offsets), pa.scalar(None, pa.binary()), texts)
    # The first entries of all rows make a column, the second ones another, as many as there are.
    places = [
        pa.array(np.minimum(offsets[:-1] + place, len(keys) - 1), mask=place >= lengths)
        for place in range(lengths.max(initial=0))
    ]
    return [keys.take(index) for index in places], [texts.take(index) for index in places]


def _is_repeated(keys: pa.Array, offsets: npt.NDArray[np.int64]) -> pa.Array:
    """Return for each entry of maps whether a later one of the same row has its key."""
    rows = np.searchsorted(offsets, np.arange(len(keys)), side="right")
    encoded = keys.dictionary_encode()
    entries = rows * len(encoded.dictionary) + np.asarray(encoded.indices)
    _, last = np.unique(entries[::-1], return_index=True)
    repeated = np.ones(len(keys), bool)
    repeated[len(keys) - 1 - last] = False
    return pa.array(repeated)


def _check_sizes(
    data: list[pa.Array], first_row: int, options: BitextOptions, rejects: dict[int, Reject]
) -> npt.NDArray[np.int64]:
    """Return the bytes of each row's texts; reject rows that have too many."""
    num_rows = len(data[0]) if data else 0
    sizes = np.zeros(num_rows, np.int64)
    for column in data:
        lengths = pc.fill_null(pc.binary_length(column), 0)
        sizes += lengths.to_numpy(zero_copy_only=False).astype(np.int64)
    for row in np.flatnonzero(sizes > options.max_record_bytes).tolist():
        limit = f"the limit (max_record_bytes) is {options.max_record_bytes}"
        first = next((column[row].as_buffer() for column in data if column[row].is_valid), None)
        shown = excerpt(first[:800].to_pybytes()) if first is not None else ""
        detail = f"{int(sizes[row])} bytes; {limit}"
        rejects[row] = Reject(first_row + row, "record_too_long", detail, shown)
    return sizes


def _decoded(data: pa.Array, first_row: int, rejects: dict[int, Reject]) -> pa.Array:
    """Return bytes as strings; reject rows that are no UTF-8, which Parquet does not check."""
    try:
        return data.cast(pa.string())
    except pa.ArrowInvalid:
        values = data.to_pylist()
    for row, value in enumerate(values):
        detail = locate_invalid_utf8(value) if value else None
        if detail is not None:
            row_detail = f"row {first_row + row}: {detail}"
            values[row] = b""
            rejects.setdefault(
                row, Reject(first_row + row, "invalid_utf8", row_detail, excerpt(value))
            )
    return pa.array(values, pa.binary()).cast(pa.string())


def _codes(side: _SidePlan, batch: pa.RecordBatch) -> pa.Array:
    if side.code_column is None:
        return _repeated(side.code, batch.num_rows)
    return to_strings(side.code_column.of(batch))


def _repeated(value: str | None, num_rows: int) -> pa.Array:
    return pa.nulls(num_rows, pa.string()) if value is None else pa.repeat(value, num_rows)


def _scores(
    name: str, column: Column, batch: pa.RecordBatch, first_row: int, rejects: dict[int, Reject]
) -> pa.Array:
    """Return a column as numbers, null where it has none; reject rows with something else."""
    values = column.of(batch)
    try:
        # Numbers in strings only, not true and false.
        numbers = (to_strings(values) if holds_text(values.type) else values).cast(
            pa.float32(), safe=False
        )
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        numbers = pa.array(_parsed(name, values, first_row, rejects), pa.float32())
    return pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float32()), numbers)


def _parsed(
    name: str, values: pa.Array, first_row: int, rejects: dict[int, Reject]
) -> list[float | None]:
    numbers: list[float | None] = []
    for row, value in enumerate(to_strings(values).to_pylist()):
        try:
            numbers.append(float(value) if value else None)
        except ValueError:
            numbers.append(None)
            detail = f"row {first_row + row}: score {name!r} is {value[:40]!r}, not a number"
            rejects.setdefault(row, Reject(first_row + row, "invalid_score", detail, value[:200]))
    return numbers


def _has_value(columns: list[pa.Array], num_rows: int) -> Flags:
    """Return a matrix, rows by columns, of where there are values."""
    flags = np.zeros((num_rows, len(columns)), bool)
    for index, column in enumerate(columns):
        flags[:, index] = column.is_valid().to_numpy(zero_copy_only=False)
    return flags


def _check_sides(
    texts: list[pa.Array],
    codes: list[pa.Array],
    has_text: Flags,
    first_row: int,
    options: BitextOptions,
    rejects: dict[int, Reject],
) -> None:
    for row in np.flatnonzero(has_text.sum(axis=1) < options.min_segments).tolist():
        if row in rejects:
            continue
        present = np.flatnonzero(has_text[row]).tolist()
        row_codes = [codes[index][row].as_py() for index in present]
        row_texts = [texts[index][row].as_py() for index in present]
        rejects[row] = missing_side(row_codes, row_texts, first_row + row, options)


def _interleaved(
    has_value: Flags, kept: npt.NDArray[np.int64], num_rows: int
) -> tuple[pa.Array, npt.NDArray[np.int64]]:
    """Return bounds of the kept rows' values, and where these lie in all columns end to end."""
    flags = has_value[kept]
    index = kept[:, None] + np.arange(has_value.shape[1], dtype=np.int64)[None, :] * num_rows
    ends = np.concatenate(([0], np.cumsum(flags.sum(axis=1))))
    return pa.array(ends.astype(np.int32)), index[flags]


def _taken(columns: list[pa.Array], index: npt.NDArray[np.int64], type: pa.DataType) -> pa.Array:
    if not columns:
        return pa.array([], type)
    return pa.concat_arrays([column.cast(type) for column in columns]).take(pa.array(index))


def _optional(
    column: Column | None, batch: pa.RecordBatch, kept: npt.NDArray[np.int64]
) -> pa.Array:
    if column is None:
        return pa.nulls(len(kept), pa.string())
    return to_strings(column.of(batch)).take(pa.array(kept))
