"""Sketch: band keys that bring near duplicates together, and bytes to compare them by."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from glotmill.language_registry.scripts import is_spaced
from glotmill.schemas import recipe
from glotmill.transforms.minhash import band_keys, signatures, sketches
from glotmill.transforms.shingles import shingles
from glotmill.transforms.words import Hashes, Ints

_is_spaced = functools.cache(is_spaced)


def shingle_lengths(scripts: Sequence[str], near: recipe.Near) -> Ints:
    """Words in a shingle of each of n documents, by their scripts; int64[n]."""
    spaced = np.array([_is_spaced(script) for script in scripts], bool)
    return np.where(spaced, near.ngram, near.character_ngram)


def sketch(
    words: Hashes, words_per_document: Ints, scripts: Sequence[str], near: recipe.Near
) -> dict[str, npt.NDArray[np.generic]]:
    """The columns of `sketch_fields` for n documents.

    Args:
        words: uint64[w], hashes of the words of all documents.
        words_per_document: int64[n].
        scripts: n codes of ISO 15924.
        near: how near duplicates are to be found.

    Returns:
        `num_shingles` int32[n], `band_keys` uint64[n, bands], `sketch` uint8[n, bands * rows]; the
        last two are zero where a document has no shingle.
    """
    lengths = shingle_lengths(scripts, near)
    hashes, counts = shingles(words, words_per_document, lengths)
    rows = np.flatnonzero(counts)
    starts = (np.cumsum(counts) - counts)[rows]
    found = signatures(hashes, starts, near.bands * near.rows)
    keys = np.zeros((len(counts), near.bands), "<u8")
    keys[rows] = band_keys(found, near.bands, near.rows)
    values = np.zeros((len(counts), near.bands * near.rows), np.uint8)
    values[rows] = sketches(found)
    return {"num_shingles": counts.astype(np.int32), "band_keys": keys, "sketch": values}
