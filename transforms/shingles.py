"""Shingles: runs of words or characters, whichever fits the script of a document."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from glotmill.transforms.words import Hashes, Ints, ngram_hashes

# Takes the upper half of a product, which every bit of the hash has gone into.
_MIX = np.uint64(0x94D049BB133111EB)


def shingles(
    words: Hashes, words_per_document: Ints, lengths: Ints
) -> tuple[npt.NDArray[np.uint32], Ints]:
    """Hashes of the shingles of n documents, one behind the other.

    Args:
        words: uint64[w], hashes of the words of all documents; in a script without spaces a word
            is a letter with its marks.
        words_per_document: int64[n].
        lengths: int64[n], words in a shingle of each document.

    Returns:
        uint32[s], and int64[n] how many of them each document has: none where it has fewer words
        than a shingle. A shingle that recurs is there as often as it recurs.
    """
    counts = np.maximum(words_per_document - lengths + 1, 0)
    found = np.empty(int(counts.sum()), np.uint32)
    first_word = np.cumsum(words_per_document) - words_per_document
    first_shingle = np.cumsum(counts) - counts
    for length in np.unique(lengths):
        grams = ngram_hashes(words, int(length))
        rows = np.flatnonzero((lengths == length) & (counts > 0))
        taken = _ranges(first_word[rows], counts[rows])
        found[_ranges(first_shingle[rows], counts[rows])] = (grams[taken] * _MIX) >> np.uint64(32)
    return found, counts


def _ranges(starts: Ints, counts: Ints) -> Ints:
    """The integers from each start on, so many of each; concatenated."""
    before = np.cumsum(counts) - counts
    return np.repeat(starts - before, counts) + np.arange(int(counts.sum()))
