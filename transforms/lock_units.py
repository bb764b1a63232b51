"""Units of the lock as a table: workers look up what they ingest, and no graph has to hold it.

The lock itself is YAML for people: to read it takes a minute where there are 100,000 units.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam import typehints

from glotmill.schemas.lock import Unit
from glotmill.transforms import storage

# What is unpacked to look one unit up.
_ROW_GROUP_ROWS = 500

_COMPANION = pa.struct([("path", pa.string()), ("name", pa.string()), ("checksum", pa.string())])
_SLICE = pa.struct(
    [
        ("path", pa.string()),
        ("name", pa.string()),
        ("format", pa.string()),
        ("checksum", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("companions", pa.list_(_COMPANION)),
    ]
)
_SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("source", pa.string()),
        ("num_bytes", pa.int64()),
        ("slices", pa.list_(_SLICE)),
    ]
)


def write_units(path: str, units: Sequence[Unit]) -> None:
    """Writes a table of units; the row of each is its ordinal."""
    left = iter(units)
    with (
        storage.atomic_writer(path) as sink,
        pq.ParquetWriter(sink, _SCHEMA, compression="zstd") as writer,
    ):
        while rows := [unit.model_dump() for unit in islice(left, _ROW_GROUP_ROWS)]:
            writer.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA))


class UnitTable:
    """A table that `write_units` wrote, in memory as it lies on the disk: some 30 bytes a unit."""

    def __init__(self, path: str) -> None:
        """Reads it, at once: a store answers one request sooner than one for every unit."""
        self._file = pq.ParquetFile(pa.BufferReader(storage.read_bytes(path)))

    def unit(self, ordinal: int) -> Unit:
        """The unit of an ordinal."""
        group, row = divmod(ordinal, _ROW_GROUP_ROWS)
        (found,) = self._file.read_row_group(group).slice(row, 1).to_pylist()
        found["slices"] = [
            {**each, "companions": each["companions"] or ()} for each in found["slices"]
        ]
        return Unit.model_validate(found)


@typehints.with_input_types(int)
@typehints.with_output_types(str)
class _ReadUnit(beam.DoFn):
    def __init__(self, path: str) -> None:
        self._path = path

    def setup(self) -> None:
        self._table = UnitTable(self._path)

    def process(self, ordinal: int) -> Iterator[str]:
        yield self._table.unit(ordinal).model_dump_json()


@typehints.with_input_types(int)
@typehints.with_output_types(str)
class ReadUnits(beam.PTransform):
    """Ordinals to units, as JSON."""

    def __init__(self, path: str) -> None:
        """Takes the path of a table that `write_units` wrote."""
        super().__init__()
        self._path = path

    def expand(self, ordinals: beam.PCollection[int]) -> beam.PCollection[str]:
        """Looks up each."""
        return ordinals | "Read" >> beam.ParDo(_ReadUnit(self._path))
