"""What ingest makes of the pairs of a recipe: which it keeps, and why it drops the others."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from glotmill.pipelines.run import prepare
from glotmill.schemas.loading import load_recipe
from glotmill.transforms.ingest import UnitIngester

COLUMNS = ("source", "label", "external_id", "drop_reason")


def outcomes(recipe: Path, root: Path) -> pa.Table:
    """A row for each pair that is kept or dropped; of one that is kept the reason is null.

    Args:
        recipe: what to ingest, in this process.
        root: an empty folder for what it writes.
    """
    lock = prepare(load_recipe(recipe), str(root), lambda line: None)
    ingester = UnitIngester(lock.recipe, str(root))
    ingester.setup()
    records = [ingester.ingest(unit) for unit in lock.units]
    files = [record.file(name) for record in records for name in ("documents", "dropped")]
    return pa.concat_tables(_read(root / file.path) for file in files if file is not None)


def _read(path: Path) -> pa.Table:
    """The columns; what is kept has none for the reason."""
    held = pq.read_schema(path).names
    table = pq.read_table(path, columns=[name for name in COLUMNS if name in held])
    columns = {
        name: table.column(name).cast(pa.string())
        if name in held
        else pa.nulls(len(table), pa.string())
        for name in COLUMNS
    }
    return pa.table(columns)
