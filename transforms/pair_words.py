"""Words that two texts share, as hashes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from glotmill.transforms.pairs import Ints
from glotmill.transforms.words import ngram_hashes

# With fewer words a share of shared words says nothing: "Internet" is a word in many languages.
_MIN_WORDS_TO_SHARE = 6
MIN_RUNS_TO_SHARE = 5
"""The same for runs of words."""

_RUN = 3
# Bits of a hash that are kept beside the number of its text when both are sorted.
_PLACE_SHIFT = np.uint64(44)


def shared_words(
    words: pa.Array, first: Ints, other: Ints, *, least: int = _MIN_WORDS_TO_SHARE
) -> npt.NDArray[np.float64]:
    """Share of the different words of the poorer side that the other has too; float64[p].

    Args:
        words: list<uint64>[m], hashes of the words, or of runs of them, of each side.
        first: int64[p], one side of each comparison.
        other: int64[p], the other one.
        least: with fewer words on a side the share is 0, as it says nothing.
    """
    one, one_counts = _word_keys(words, first)
    two, two_counts = _word_keys(words, other)
    common = np.intersect1d(one, two, assume_unique=True) >> _PLACE_SHIFT
    counts = np.bincount(common.astype(np.int64), minlength=len(first))
    poorer = np.minimum(one_counts, two_counts)
    return np.where(poorer >= least, counts / np.maximum(poorer, 1), 0.0)


def word_runs(words: pa.Array) -> pa.Array:
    """Hashes of all runs of three words of each text; list<uint64>[m] to list<uint64>[m]."""
    bounds = np.asarray(words.offsets).astype(np.int64)
    grams = ngram_hashes(words.flatten().to_numpy(), _RUN)
    lengths = np.diff(bounds)
    # A run that crosses into the next text begins in the last two words of one.
    left = np.repeat(bounds[1:] - bounds[0], lengths) - np.arange(int(lengths.sum()))
    starts = np.concatenate(([0], np.cumsum(np.maximum(lengths - _RUN + 1, 0))))
    kept = grams[(left >= _RUN)[: len(grams)]]
    return pa.ListArray.from_arrays(pa.array(starts.astype(np.int32)), pa.array(kept))


def _word_keys(words: pa.Array, rows: Ints) -> tuple[npt.NDArray[np.uint64], Ints]:
    """Each different word of each comparison's side, as one number; and how many there are."""
    taken = words.take(pa.array(rows))
    lengths = np.diff(np.asarray(taken.offsets)).astype(np.int64)
    place = np.repeat(np.arange(len(rows), dtype=np.uint64), lengths)
    keys = place << _PLACE_SHIFT | taken.flatten().to_numpy() >> (np.uint64(64) - _PLACE_SHIFT)
    keys = np.unique(keys)
    return keys, np.bincount((keys >> _PLACE_SHIFT).astype(np.int64), minlength=len(rows))
