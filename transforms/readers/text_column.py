"""The checks that a column of texts must pass."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from glotmill.transforms.readers.columns import to_bytes
from glotmill.transforms.readers.records import (
    ReadOptions,
    Reject,
    excerpt,
    locate_invalid_utf8,
)


@dataclass(frozen=True)
class CheckedText:
    """A text column and what of it was rejected.

    Attributes:
        texts: The good texts.
        kept: Their row numbers in the batch.
        sizes: Their sizes in bytes.
        rejects: One for each other row.
    """

    texts: pa.Array
    kept: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    rejects: list[Reject]


def check_text(column: pa.Array, first_row: int, options: ReadOptions) -> CheckedText:
    """Part good texts from nulls, texts that are too long and bytes that are no UTF-8.

    Args:
        column: A column that holds text. Parquet does not check its strings, so these are too.
        first_row: The row number of its first value, for the rejects.
        options: How long a text may be, and what its column is called.
    """
    data = to_bytes(column)
    sizes = pc.fill_null(pc.binary_length(data), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    is_null = data.is_null().to_numpy(zero_copy_only=False)
    is_kept = ~is_null & (sizes <= options.max_record_bytes)
    try:
        texts = data.filter(pa.array(is_kept)).cast(pa.string())
    except pa.ArrowInvalid:
        is_kept &= _is_utf8(data)
        texts = data.filter(pa.array(is_kept)).cast(pa.string())
    rejects = [_reject(data[int(i)], int(i), first_row, options) for i in np.flatnonzero(~is_kept)]
    kept = np.flatnonzero(is_kept).astype(np.int64)
    return CheckedText(texts, kept, sizes[is_kept], rejects)


def _is_utf8(data: pa.Array) -> npt.NDArray[np.bool_]:
    values = data.to_pylist()
    valid = [value is None or locate_invalid_utf8(value) is None for value in values]
    return np.array(valid, dtype=bool)


def _reject(value: pa.Scalar, index: int, first_row: int, options: ReadOptions) -> Reject:
    row = first_row + index
    if not value.is_valid:
        return Reject(row, "missing_field", f"{options.text_column!r} is null in row {row}", "")
    data = value.as_buffer().to_pybytes()
    if len(data) > options.max_record_bytes:
        limit = f"the limit (max_record_bytes) is {options.max_record_bytes}"
        return Reject(row, "record_too_long", f"{len(data)} bytes; {limit}", excerpt(data))
    detail = locate_invalid_utf8(data) or "not UTF-8"
    return Reject(row, "invalid_utf8", f"row {row}: {detail}", excerpt(data))
