"""Counts to plan from: those of a table."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from glotmill.pipelines.errors import UserError
from glotmill.schemas import recipe
from glotmill.schemas.tables import AVAILABLE
from glotmill.schemas.tiers import CategoryTiers
from glotmill.transforms import storage

# What a table of counts need not have: the text is all for training, of one category.
_DEFAULTS: Mapping[str, object] = {
    "category": "monolingual",
    "domain": "",
    "split": "train",
    "again": False,
    "num_documents": 1,
}


def read_counts(path: str, mix: recipe.Mix) -> pa.Table:
    """A table of counts, in the schema AVAILABLE.

    It has a column `label` and one in the unit of the recipe, such as `num_words`, and may have any
    other column of AVAILABLE. All of it is taken to be for training where it names no split.

    Raises:
        UserError: the file cannot be read, lacks a column or rows, or holds what no count is.
    """
    table = _read(path)
    missing = [name for name in ("label", mix.counted) if name not in table.schema.names]
    if missing:
        raise UserError(
            f"{path}: no column '{missing[0]}'; there are {', '.join(table.schema.names)} "
            f"('count_by: {mix.count_by}' in the recipe wants '{mix.counted}')"
        )
    if not table.num_rows:
        raise UserError(f"{path}: no row; a table of counts has one for each label")
    columns = [_column(table, field, path) for field in AVAILABLE]
    counts = pa.Table.from_arrays(columns, schema=AVAILABLE)
    _check_names(counts, "category", set(CategoryTiers.model_fields), path)
    _check_names(counts, "split", {"train", "validation", "excluded"}, path)
    return counts


def _check_names(counts: pa.Table, column: str, known: set[str], path: str) -> None:
    unknown = set(counts.column(column).to_pylist()) - known
    if unknown:
        names = ", ".join(sorted(known))
        raise UserError(f"{path}: unknown {column} '{min(unknown)}'; there are {names}")


def _read(path: str) -> pa.Table:
    try:
        with storage.open_input(path) as source:
            if path.endswith(".parquet"):
                return pq.read_table(source)
            return pa_csv.read_csv(source)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: no table of counts: {error}") from None


def _column(table: pa.Table, field: pa.Field, path: str) -> pa.ChunkedArray:
    if field.name not in table.schema.names:
        value = _DEFAULTS.get(field.name, 0)
        return pa.chunked_array([pa.repeat(pa.scalar(value, field.type), table.num_rows)])
    column = table.column(field.name)
    try:
        column = column.cast(field.type)
    except pa.ArrowException as error:
        raise UserError(f"{path}: column '{field.name}': {error}") from None
    if pa.types.is_string(field.type):
        return pc.fill_null(column, "")
    if column.null_count or (pa.types.is_integer(field.type) and pc.min(column).as_py() < 0):
        raise UserError(f"{path}: column '{field.name}' has rows without a count, or below 0")
    return column
