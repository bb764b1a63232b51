"""Examples of what was rejected and dropped: a few rows of text, cut short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from glotmill.schemas.tables import REJECTED
from glotmill.transforms.tables import read_batches, read_table

_EXCERPT_CHARACTERS = 280
# Examples are worth a look at the beginning of some files, not a scan of all that was dropped.
_MAX_FILES = 64
_MAX_ROWS = 10_000

_KEYS = ("source", "path", "reason")
_EXAMPLE = ("offset", "detail", "excerpt")
_DROPPED_COLUMNS = ("drop_reason", "label", "source", "path", "offset", "text")

#: Rejected records by source, path and reason, with the first of each group as an example.
REJECTED_GROUPS = pa.schema(
    [
        *(REJECTED.field(name) for name in _KEYS),
        pa.field("num_records", pa.int64(), nullable=False),
        *(REJECTED.field(name) for name in _EXAMPLE),
    ]
)


@dataclass(frozen=True)
class Dropped:
    """One dropped document, its text cut short."""

    reason: str
    label: str
    source: str
    path: str
    offset: int
    text: str


def rejected_groups(paths: Sequence[str]) -> pa.Table:
    """Rejected records, counted by source, path and reason.

    The example of a group is its record of the smallest offset, whatever the order of the files.

    Args:
        paths: files in the schema REJECTED.

    Returns:
        A table in the schema REJECTED_GROUPS, sorted by its keys.
    """
    tables = [_grouped(_with_one_each(read_table(path))) for path in paths]
    return _grouped(pa.concat_tables([REJECTED_GROUPS.empty_table(), *tables]))


def _with_one_each(rejected: pa.Table) -> pa.Table:
    ones = pa.repeat(pa.scalar(1, pa.int64()), rejected.num_rows)
    return rejected.append_column(REJECTED_GROUPS.field("num_records"), ones)


def _grouped(table: pa.Table) -> pa.Table:
    """One row a group, in the schema REJECTED_GROUPS."""
    ordered = table.sort_by([(name, "ascending") for name in (*_KEYS, "offset", "detail")])
    aggregations = [("num_records", "sum"), *((name, "first") for name in _EXAMPLE)]
    # "first" is the first of the rows as they stand, which threads would not keep to.
    grouped = ordered.group_by(list(_KEYS), use_threads=False).aggregate(aggregations)
    names = {f"{name}_{how}": name for name, how in aggregations}
    renamed = grouped.rename_columns([names.get(name, name) for name in grouped.schema.names])
    return renamed.select(REJECTED_GROUPS.names).cast(REJECTED_GROUPS)


def dropped_examples(paths: Sequence[str]) -> list[Dropped]:
    """One dropped document for each reason, the first that is found.

    Args:
        paths: files in the schema DROPPED; the beginnings of the first ones are read.
    """
    found: dict[str, Dropped] = {}
    for path in paths[:_MAX_FILES]:
        num_rows = 0
        for batch in read_batches(path, _DROPPED_COLUMNS):
            _add_dropped(found, batch)
            num_rows += batch.num_rows
            if num_rows >= _MAX_ROWS:
                break
    return [found[reason] for reason in sorted(found)]


def _add_dropped(found: dict[str, Dropped], batch: pa.RecordBatch) -> None:
    reasons = batch.column("drop_reason")
    for reason in pc.unique(reasons).to_pylist():
        if reason not in found:
            (row,) = batch.slice(pc.index(reasons, reason).as_py(), 1).to_pylist()
            found[reason] = Dropped(
                reason=row.pop("drop_reason"),
                **{**row, "text": shorten(row["text"], _EXCERPT_CHARACTERS)},
            )


def shorten(text: str, num_characters: int) -> str:
    """The beginning of a text, with a mark where something was cut.

    >>> shorten("sannu duniya", 5)
    'sannu…'
    """
    return text if len(text) <= num_characters else text[:num_characters].rstrip() + "…"
