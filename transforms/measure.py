"""Measure: script, counts and repetition of every document, from one scan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from glotmill.schemas.tables import ANNOTATIONS
from glotmill.transforms.batches import with_columns
from glotmill.transforms.scan import Ints, Scan, scan
from glotmill.transforms.script import recognise_scripts
from glotmill.transforms.words import (
    Bools,
    ngram_hashes,
    sentence_ends,
    whitespace_word_starts,
    word_characters,
    word_hashes,
    word_starts,
)

Shares = npt.NDArray[np.float64]

# A document of fewer words is not judged by its n-grams: a refrain is no fault.
MIN_WORDS_FOR_NGRAMS = 50
_NGRAM = 5
# Bits of an n-gram's hash that are kept beside the document's number when both are sorted.
_GRAM_BITS = np.uint64(44)
_PIECE_BYTES = 400 * 2**10


def repeated_ngram_shares(
    scanned: Scan, inside: Bools, starts: Ints, words_per_document: Ints
) -> Shares:
    """Share of each document's 5-grams of words that occurred before in it; float64[n].

    Args:
        scanned: the scanned batch.
        inside: bool[m], word characters.
        starts: int64[w], where words begin.
        words_per_document: int64[n]; documents under `MIN_WORDS_FOR_NGRAMS` get 0.
    """
    n = scanned.num_documents
    document = np.repeat(np.arange(n), words_per_document)
    grams = ngram_hashes(word_hashes(scanned, inside, starts), _NGRAM)
    if not grams.size:
        return np.zeros(n)
    whole = document[: len(grams)] == document[_NGRAM - 1 :]
    long = (words_per_document >= MIN_WORDS_FOR_NGRAMS)[document[: len(grams)]]
    kept = whole & long
    keys = document[: len(grams)][kept].astype(np.uint64) << _GRAM_BITS
    keys |= grams[kept] >> (np.uint64(64) - _GRAM_BITS)
    keys.sort()
    again = (keys[1:][keys[1:] == keys[:-1]] >> _GRAM_BITS).astype(np.int64)
    total = np.bincount((keys >> _GRAM_BITS).astype(np.int64), minlength=n)
    return np.bincount(again, minlength=n) / np.maximum(total, 1)


def repeated_line_share(text: str) -> float:
    r"""Share of the characters that stand in lines that stood there before.

    >>> repeated_line_share("one\ntwo\none\none")
    0.5
    """
    lines = [line for line in text.split("\n") if line]
    total = sum(map(len, lines))
    return 1 - sum(map(len, set(lines))) / total if total else 0.0


def repeated_line_shares(text: pa.Array) -> Shares:
    """`repeated_line_share` of every text; only those of several lines are looked at."""
    shares = np.zeros(len(text))
    newlines = np.asarray(pc.count_substring(text, "\n"))
    for row in np.flatnonzero(newlines):
        shares[row] = repeated_line_share(text[row].as_py())
    return shares


class MeasureText:
    """Annotator for script, counts and repetition."""

    name = "measure"
    reads: Sequence[str] = ("text",)

    @property
    def adds(self) -> Sequence[pa.Field]:
        """The columns it appends."""
        return ANNOTATIONS["measure"]

    def setup(self) -> None:
        """Reads the Unicode tables."""
        scan(pa.array(["a"]))

    def annotate(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Appends the columns."""
        pieces = [measure(text) for text in _pieces(batch.column("text"))]
        arrays = [
            pa.array(np.concatenate([piece[field.name] for piece in pieces]), field.type)
            if pieces
            else pa.array([], field.type)
            for field in self.adds
        ]
        return with_columns(batch, self.adds, arrays)


def _pieces(text: pa.Array) -> Iterator[pa.Array]:
    """Slices whose code points fit the processor's cache, which doubles the speed."""
    num_rows = max(1, len(text) * _PIECE_BYTES // max(1, text.nbytes))
    for start in range(0, len(text), num_rows):
        yield text.slice(start, num_rows)


def measure(text: pa.Array) -> dict[str, npt.NDArray[np.generic]]:
    """Script, counts and repetition of n texts, by column name; arrays of length n."""
    scanned = scan(text)
    codes, shares, letters = recognise_scripts(scanned)
    inside = word_characters(scanned)
    begins = word_starts(scanned, inside)
    words = scanned.sum_by_document(begins)
    return {
        "script": np.array(codes, object),
        "script_share": shares,
        "num_letters": letters,
        "num_bytes": np.asarray(pc.binary_length(text)),
        "num_characters": np.diff(scanned.starts),
        "num_words": words,
        "num_whitespace_words": scanned.sum_by_document(whitespace_word_starts(scanned)),
        "num_sentences": scanned.sum_by_document(sentence_ends(scanned, inside)),
        "repeated_line_share": repeated_line_shares(text),
        "repeated_ngram_share": repeated_ngram_shares(
            scanned, inside, np.flatnonzero(begins), words
        ),
    }
