"""Sketch: band keys that bring near duplicates together, and bytes to compare them by."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from glotmill.language_registry.scripts import is_spaced
from glotmill.language_registry.unicode_tables import (
    LETTER,
    MARK,
    SCRIPT_CODES,
    category_flags,
    script_index,
    script_table,
)
from glotmill.schemas import recipe
from glotmill.transforms.minhash import band_keys, signatures, sketches
from glotmill.transforms.scan import Scan, scan
from glotmill.transforms.shingles import shingles
from glotmill.transforms.words import (
    Bools,
    Hashes,
    Ints,
    has_katakana,
    hash_words,
    word_characters,
)


@functools.cache
def _has_marks(script: str) -> bool:
    """Whether a script has a mark or more for 20 letters, as Thai has its vowel signs.

    Han has two marks for 90,000 letters.
    """
    if script not in SCRIPT_CODES:  # composite ones: Hans, Jpan
        return False
    flags = category_flags()[script_table() == script_index(script)]
    return bool(np.count_nonzero(flags & MARK) * 20 >= np.count_nonzero(flags & LETTER))


class Lengths(Protocol):
    """How long runs of words are, by how a script is written."""

    @property
    def ngram(self) -> int:
        """In scripts that put spaces between words."""

    @property
    def character_ngram(self) -> int:
        """In scripts without spaces."""

    @property
    def cluster_ngram(self) -> int:
        """In those of them that write vowels as marks."""


def shingle_length(script: str, near: Lengths) -> int:
    """Words in a shingle, in a script without spaces letters with their marks.

    Such a letter is one code point in Han and two or so in Myanmar or Tibetan: three of them are
    about as long as five of the others.

    >>> [shingle_length(script, recipe.Near()) for script in ("Deva", "Hans", "Jpan", "Mymr")]
    [5, 5, 5, 3]
    """
    if is_spaced(script):
        return near.ngram
    return near.cluster_ngram if _has_marks(script) else near.character_ngram


def shingle_lengths(scripts: Sequence[str], near: Lengths) -> Ints:
    """`shingle_length` of each of n documents; int64[n]."""
    known = {script: shingle_length(script, near) for script in set(scripts)}
    return np.array([known[script] for script in scripts], np.int64)


def compared_words(scan: Scan, inside: Bools) -> tuple[Hashes, Ints]:
    """Hashes of the words of n documents, and int64[n] how many each has.

    They are the words that are counted, but Katakana is cut into letters as Hiragana and Han are:
    all of Japanese is compared in the same measure.

    Args:
        scan: the scanned batch.
        inside: bool[m], word characters.
    """
    return hash_words(scan, inside, cut_katakana=True)


def compared_instead(scanned: Scan, words: Hashes, words_per_document: Ints) -> tuple[Hashes, Ints]:
    """`compared_words` of n documents whose words are at hand as they are counted.

    Args:
        scanned: the scanned batch.
        words: uint64[w], hashes of the words of all documents.
        words_per_document: int64[n].
    """
    again = has_katakana(scanned)
    if not again.any():
        return words, words_per_document
    few = scanned if again.all() else scan(scanned.text.filter(pa.array(again)))
    cut, cut_counts = compared_words(few, word_characters(few))
    counts = words_per_document.copy()
    counts[again] = cut_counts
    are_cut = np.repeat(again, counts)
    compared = np.empty(len(are_cut), np.uint64)
    compared[are_cut] = cut
    compared[~are_cut] = words[np.repeat(~again, words_per_document)]
    return compared, counts


def sketch(
    words: Hashes, words_per_document: Ints, scripts: Sequence[str], near: recipe.Near
) -> dict[str, npt.NDArray[np.generic]]:
    """The columns of `sketch_fields` for n documents.

    Args:
        words: uint64[w], what `compared_words` gives.
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
