"""Candidates: pairs of documents that agree in a band, out of packed keys; no text is read."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from glotmill.schemas.lock import is_foreign

Keys = npt.NDArray[np.uint64]
Ids = npt.NDArray[np.int64]
Pairs = npt.NDArray[np.int64]

# All pairs of a bucket up to this size; 28 of them.
_ALL_PAIRS = 8
# In larger buckets each document is compared with so many leaders, and with its neighbour, so
# that a bucket costs its size, not the square of it. Its pairs meet in other bands as well.
_LEADERS = 4


def candidate_pairs(keys: Keys, ids: Ids) -> Pairs:
    """Pairs of documents to compare, whatever the order of the input.

    Args:
        keys: uint64[m], band keys.
        ids: int64[m], the documents they are of.

    Returns:
        int64[p, 2], the smaller id first, sorted, each pair once. Documents with equal keys are
        connected by them, but for pairs of two documents of other corpora.
    """
    order = np.argsort(keys)
    keys = keys[order]
    same = keys[1:] == keys[:-1]
    shared = np.zeros(len(keys), bool)
    shared[1:] |= same
    shared[:-1] |= same
    keys, ids = keys[shared], ids[order][shared]
    order = np.lexsort((ids, keys))
    keys, ids = keys[order], ids[order]
    first = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])) if len(keys) else _NONE
    sizes = np.diff(first, append=len(keys))
    parts = [
        ids[first[sizes == size][:, None] + places[:, None, :]].reshape(2, -1).T
        for size in np.unique(sizes)
        for places in _places(int(size))
    ]
    return unique_pairs(np.concatenate([_NO_PAIRS, *parts]))


_NONE = np.zeros(0, np.int64)
_NO_PAIRS = np.zeros((0, 2), np.int64)


def _places(size: int) -> Iterator[npt.NDArray[np.int64]]:
    """Places in a bucket to compare with each other; int64[2, pairs] each."""
    if size <= _ALL_PAIRS:
        yield np.array(np.triu_indices(size, 1))
        return
    everyone = np.arange(size)
    for leader in range(_LEADERS):
        others = everyone[leader + 1 :]
        yield np.array([np.full(len(others), leader), others])
    yield np.array([everyone[:-1], everyone[1:]])


def unique_pairs(pairs: Pairs) -> Pairs:
    """Pairs sorted, each once, without those of equal ids and of two foreign documents."""
    useful = (pairs[:, 0] != pairs[:, 1]) & ~is_foreign(pairs).all(axis=1)
    pairs = pairs[useful]
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    new = np.ones(len(pairs), bool)
    new[1:] = (pairs[1:] != pairs[:-1]).any(axis=1)
    return pairs[new]
