"""Record batches as elements of a pipeline: their coder, and the stages that annotate them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from apache_beam import coders, typehints


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


@typehints.with_input_types(pa.RecordBatch)
@typehints.with_output_types(pa.RecordBatch)
class _AnnotateBatch(beam.DoFn):
    def __init__(self, annotator: Annotator) -> None:
        self._annotator = annotator

    def setup(self) -> None:
        self._annotator.setup()

    def process(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
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
