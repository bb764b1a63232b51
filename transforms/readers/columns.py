"""Columns of Arrow batches by dotted name, and their values as strings."""

from collections.abc import Iterator
from dataclasses import dataclass

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from glotmill.transforms.readers.errors import RepeatedColumn


@dataclass(frozen=True)
class Column:
    """Where a column lies.

    Attributes:
        names: The top-level field, then the fields of structs below it.
        type: Its type.
    """

    names: tuple[str, ...]
    type: pa.DataType

    @property
    def path(self) -> str:
        """The name that Parquet's reader selects it by."""
        return ".".join(self.names)

    def of(self, batch: pa.RecordBatch) -> pa.Array:
        """Return the column's values; those inside a null struct are null."""
        array = batch.column(batch.schema.get_all_field_indices(self.names[0])[0])
        for name in self.names[1:]:
            array = pc.struct_field(array, name)
        return array


def find_column(schema: pa.Schema, name: str, path: str = "") -> Column | None:
    """Find a column: one of that very name, else one inside structs by its dotted path.

    Raises:
        RepeatedColumn: If there are several of the name.
    """
    first, *rest = [name] if name in schema.names else name.split(".")
    if first not in schema.names:
        return None
    if schema.names.count(first) > 1:
        raise RepeatedColumn(first, column_names(schema), path)
    column_type = schema.field(schema.names.index(first)).type
    for part in rest:
        if not pt.is_struct(column_type) or column_type.get_field_index(part) < 0:
            return None
        column_type = column_type.field(part).type
    return Column((first, *rest), column_type)


def column_names(schema: pa.Schema) -> tuple[str, ...]:
    """Return the names of all columns, those inside structs dotted."""
    return tuple(name for field in schema for name in _names(field, ""))


def _names(field: pa.Field, prefix: str) -> Iterator[str]:
    name = prefix + field.name
    yield name
    if pt.is_struct(field.type):
        for i in range(field.type.num_fields):
            yield from _names(field.type.field(i), name + ".")


def is_string(column_type: pa.DataType) -> bool:
    """Return whether values are declared as strings."""
    return bool(
        pt.is_string(column_type)
        or pt.is_large_string(column_type)
        or pt.is_string_view(column_type)
    )


def is_bytes(column_type: pa.DataType) -> bool:
    """Return whether values are bytes."""
    return bool(
        pt.is_binary(column_type)
        or pt.is_large_binary(column_type)
        or pt.is_binary_view(column_type)
        or pt.is_fixed_size_binary(column_type)
    )


def holds_text(column_type: pa.DataType) -> bool:
    """Return whether a column can be the text: strings, bytes, a dictionary of these, or nulls."""
    if pt.is_dictionary(column_type):
        return holds_text(column_type.value_type)
    return is_string(column_type) or is_bytes(column_type) or bool(pt.is_null(column_type))


def to_bytes(array: pa.Array) -> pa.Array:
    """Return a column for which `holds_text` is true as binary."""
    if pt.is_dictionary(array.type):
        array = array.dictionary_decode()
    return array.cast(pa.binary())


def to_strings(array: pa.Array) -> pa.Array:
    r"""Return any column as strings.

    Bytes that are no UTF-8 stand as escapes such as ``\xff``; numbers, lists and structs become
    JSON text; what has no JSON, as NaN, becomes null; times and decimals are written as Arrow
    writes them.
    """
    if pt.is_dictionary(array.type):
        array = array.dictionary_decode()
    if holds_text(array.type):
        return _decode(to_bytes(array))
    if pt.is_nested(array.type) or pt.is_floating(array.type):
        return pa.array([_json(array, i) for i in range(len(array))], pa.string())
    try:
        return array.cast(pa.string())
    except pa.ArrowNotImplementedError:
        return pa.array([str(value) if value.is_valid else None for value in array], pa.string())


def _decode(array: pa.Array) -> pa.Array:
    try:
        return array.cast(pa.string())
    except pa.ArrowInvalid:
        values = [
            value and value.decode("utf-8", "backslashreplace") for value in array.to_pylist()
        ]
        return pa.array(values, pa.string())


def _json(array: pa.Array, index: int) -> str | None:
    if not array[index].is_valid:
        return None
    try:
        text = orjson.dumps(array[index].as_py(), default=str).decode()
    except (TypeError, ValueError):  # times in nanoseconds, which Python has not
        return str(array.slice(index, 1).to_string(skip_new_lines=True))
    return None if text == "null" else text
