"""How many records a batch holds."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from glotmill.transforms.readers.records import ReadOptions


def batch_sizes(
    sizes: Sequence[int] | npt.NDArray[np.int64], options: ReadOptions
) -> Iterator[int]:
    """Give the numbers of records that fill batches, one batch after the other.

    A batch is full with ``max_rows`` records, or with the record that reaches ``max_bytes``.
    Records left over fill no batch and are not counted.

    >>> list(batch_sizes([3, 3, 9, 1, 1], ReadOptions(max_rows=2, max_bytes=8)))
    [2, 1, 2]
    """
    totals = np.cumsum(np.asarray(sizes, np.int64))
    begin = 0
    while begin < len(totals):
        before = int(totals[begin - 1]) if begin else 0
        full = int(np.searchsorted(totals, before + options.max_bytes)) + 1
        end = min(begin + options.max_rows, full)
        if end > len(totals):
            return
        yield end - begin
        begin = end
