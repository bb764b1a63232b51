"""Record batches as elements of a pipeline: their coder, and the stages that annotate them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from apache_beam import coders, typehints

from glotmill.schemas.tables import RECORDS


class RecordBatchCoder(coders.Coder):
    """Encodes a record batch as one Arrow IPC stream.

    Beam would pickle it, and with a slice the whole parent buffer.
    """

    def encode(self, value: pa.RecordBatch) -> bytes:
        """One IPC stream of schema and batch."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, value.schema) as writer:
            writer.write_batch(value)
        return bytes(sink.getvalue())

    def decode(self, encoded: bytes) -> pa.RecordBatch:
        """The batch of such a stream."""
        return pa.ipc.open_stream(encoded).read_next_batch()

    def is_deterministic(self) -> bool:
        """Equal batches give equal bytes."""
        return True

    def to_type_hint(self) -> type:
        """The type it is registered for."""
        return pa.RecordBatch


coders.registry.register_coder(pa.RecordBatch, RecordBatchCoder)


@runtime_checkable
class Annotator(Protocol):
    """A stage: record batch in, the same rows with more columns out."""

    @property
    def name(self) -> str:
        """Names the stage in messages and profiles."""

    @property
    def reads(self) -> Sequence[str]:
        """Columns it needs."""

    @property
    def adds(self) -> Sequence[pa.Field]:
        """Fields it appends, or replaces where a field of that name exists."""

    def setup(self) -> None:
        """Loads what is costly, once in each worker."""

    def annotate(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with its columns; rows stay as they are, in number and order."""


class StageOrderError(ValueError):
    """A stage reads a column that no stage before it adds."""


class StageFaultError(Exception):
    """A stage gave back something else than its rows with its columns."""


def chained_schema(schema: pa.Schema, annotators: Sequence[Annotator]) -> pa.Schema:
    """Schema after the annotators have run, checked before any data is read.

    Raises:
        StageOrderError: a column is read before it is there.
    """
    for annotator in annotators:
        missing = [name for name in annotator.reads if name not in schema.names]
        if missing:
            raise StageOrderError(
                f"stage '{annotator.name}' reads {', '.join(missing)}, which no stage before it "
                f"adds; there are {', '.join(schema.names)}"
            )
        schema = with_fields(schema, annotator.adds)
    return schema


def with_fields(schema: pa.Schema, fields: Sequence[pa.Field]) -> pa.Schema:
    """The schema with fields appended, those of the same name replaced in place."""
    for field in fields:
        index = schema.get_field_index(field.name)
        schema = schema.append(field) if index < 0 else schema.set(index, field)
    return schema


def with_columns(
    batch: pa.RecordBatch, fields: Sequence[pa.Field], arrays: Sequence[pa.Array]
) -> pa.RecordBatch:
    """The batch with columns appended, those of the same name replaced in place."""
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    for field, array in zip(fields, arrays, strict=True):
        columns[field.name] = array if array.type == field.type else array.cast(field.type)
    schema = with_fields(batch.schema, fields)
    return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)


def annotated(annotator: Annotator, batch: pa.RecordBatch) -> pa.RecordBatch:
    """What a stage makes of a batch, held to what it promises.

    Returns:
        The batch in the schema that `with_fields` gives: in which order a stage leaves its columns,
        and whether it says that they may be null, does not matter.

    Raises:
        StageFaultError: rows or columns are lost, or not as they should be.
    """
    after = annotator.annotate(batch)
    if not isinstance(after, pa.RecordBatch):
        raise StageFaultError(f"gave a {type(after).__name__} back, not a RecordBatch")
    if after.num_rows != batch.num_rows:
        raise StageFaultError(f"gave {after.num_rows} rows back for {batch.num_rows}")
    schema = with_fields(batch.schema, annotator.adds)
    if undeclared := [name for name in after.schema.names if name not in schema.names]:
        raise StageFaultError(f"gave the column '{undeclared[0]}', which is not among its 'adds'")
    added = {field.name for field in annotator.adds}
    columns = [_promised(after, field, is_added=field.name in added) for field in schema]
    _check_provenance(batch, after)
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _promised(after: pa.RecordBatch, field: pa.Field, *, is_added: bool) -> pa.Array:
    """The column of a field.

    Raises:
        StageFaultError: it is not there, or not of that type.
    """
    places = after.schema.get_all_field_indices(field.name)
    if not places:
        raise StageFaultError(
            f"{'did not add its' if is_added else 'lost the'} column '{field.name}'"
        )
    if len(places) > 1:
        raise StageFaultError(f"gave the column '{field.name}' {len(places)} times")
    column = after.column(places[0])
    if column.type != field.type:
        did = "added" if is_added else "gave back"
        raise StageFaultError(f"{did} '{field.name}' as another type than {field.type}")
    if column.null_count and not _may_be_null(field):
        raise StageFaultError(f"left nulls in '{field.name}'")
    return column


def _may_be_null(field: pa.Field) -> bool:
    """A stage may say of its text that it may be null, but the stages after it cannot read that."""
    needed = field.name in RECORDS.names and not RECORDS.field(field.name).nullable
    return bool(field.nullable and not needed)


def _check_provenance(before: pa.RecordBatch, after: pa.RecordBatch) -> None:
    """Where a row is from tells whether it is still in its place.

    Raises:
        StageFaultError: it is not.
    """
    names = [name for name in before.schema.names if name in RECORDS.names and name != "text"]
    for name in names:
        if not after.column(name).equals(before.column(name)):
            raise StageFaultError(f"changed '{name}', or the order of rows")


@typehints.with_input_types(pa.RecordBatch)
@typehints.with_output_types(pa.RecordBatch)
class _AnnotateBatch(beam.DoFn):
    def __init__(self, annotator: Annotator) -> None:
        self._annotator = annotator

    def setup(self) -> None:
        self._annotator.setup()

    def process(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        num_nulls = batch.column("text").null_count if "text" in self._annotator.reads else 0
        if num_nulls:
            raise ValueError(
                f"stage '{self._annotator.name}' reads 'text', which is null in {num_nulls} of "
                f"{batch.num_rows} rows; leave out such rows before"
            )
        yield self._annotator.annotate(batch)


@typehints.with_input_types(pa.RecordBatch)
@typehints.with_output_types(pa.RecordBatch)
class Annotate(beam.PTransform):
    """Runs one annotator over a collection of record batches."""

    def __init__(self, annotator: Annotator) -> None:
        super().__init__(label=f"Annotate[{annotator.name}]")
        self._annotator = annotator

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Annotates each batch."""
        return batches | beam.ParDo(_AnnotateBatch(self._annotator))


def cut_by_bytes(num_bytes: npt.NDArray[np.int64], most: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows that hold about `most` bytes, one row at least; all rows, in order.

    >>> list(cut_by_bytes(np.array([3, 3, 9, 1, 1]), 6))
    [(0, 2), (2, 3), (3, 5)]
    """
    ends = np.cumsum(num_bytes)
    start = 0
    while start < len(ends):
        before = int(ends[start - 1]) if start else 0
        end = max(start + 1, int(np.searchsorted(ends, before + most, side="right")))
        yield start, end
        start = end
