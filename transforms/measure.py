"""Measure: script, counts and repetition of every document, from one scan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from glotmill.schemas import recipe as recipes
from glotmill.schemas.tables import ANNOTATIONS, CONTAMINATED_BY, WORD_HASHES, sketch_fields
from glotmill.transforms.batches import with_columns
from glotmill.transforms.contamination import FIRST, ContaminationIndex
from glotmill.transforms.evaluation_sets import evaluation_index
from glotmill.transforms.scan import Ints, pieces, scan
from glotmill.transforms.script import recognise_scripts
from glotmill.transforms.sketch import compared_instead, shingle_lengths, sketch
from glotmill.transforms.words import (
    Hashes,
    hash_words,
    longer_ngrams,
    ngram_hashes,
    sentence_ends,
    whitespace_word_starts,
    word_characters,
    words_by_document,
)

Shares = npt.NDArray[np.float64]

# A document of fewer words is not judged by its n-grams: a refrain is no fault.
MIN_WORDS_FOR_NGRAMS = 50
_NGRAM = FIRST  # the index of evaluation sets begins with the same
# Bits of an n-gram's hash that are kept beside the document's number when both are sorted.
_GRAM_BITS = np.uint64(44)


class _Lengths(NamedTuple):
    """Words in a run, in the proportions of decontamination; in scripts without spaces letters.

    Five letters of Thai recur as two words do: 42% of those of news without a repetition.
    """

    ngram: int = _NGRAM
    character_ngram: int = 8
    cluster_ngram: int = 15


def repeated_ngram_shares(
    grams: Hashes, words_per_document: Ints, scripts: Sequence[str]
) -> Shares:
    """Share of each document's runs of words that occurred before in it; float64[n].

    Args:
        grams: uint64[w - 4], hashes of the 5-grams of the words of all documents.
        words_per_document: int64[n]; documents under `MIN_WORDS_FOR_NGRAMS` get 0.
        scripts: n codes of ISO 15924, some of which have longer runs.
    """
    lengths = shingle_lengths(scripts, _Lengths())
    lengths[words_per_document < MIN_WORDS_FOR_NGRAMS] = 0
    shares = np.zeros(len(lengths))
    for length in np.unique(lengths[lengths > 0]).tolist():
        rows, counts = lengths == length, words_per_document
        theirs = grams
        if not rows.all():
            theirs, counts = grams[np.repeat(rows, counts)[: len(grams)]], counts[rows]
        shares[rows] = _repeated_shares(_runs(theirs, length, int(counts.sum())), counts, length)
    return shares


def _runs(grams: Hashes, length: int, num_words: int) -> Hashes:
    """Hashes of runs of so many words, each made of the 5-grams that cover it."""
    runs = grams[: num_words - length + 1]
    for place in range(_NGRAM, length, _NGRAM):
        last = min(place, length - _NGRAM)
        runs = longer_ngrams(runs, grams[last : last + len(runs)])
    return runs


def _repeated_shares(runs: Hashes, words_per_document: Ints, length: int) -> Shares:
    """Share of the runs of each document that occurred before in it; float64[n].

    Args:
        runs: uint64[w - length + 1], of all documents.
        words_per_document: int64[n], each as many as a run has, or more.
        length: words in a run.
    """
    n = len(words_per_document)
    document = np.repeat(np.arange(n, dtype=np.uint64), words_per_document)
    whole = document[: len(runs)] == document[length - 1 :]
    keys = document[: len(runs)][whole] << _GRAM_BITS
    keys |= runs[whole] >> (np.uint64(64) - _GRAM_BITS)
    keys.sort()
    again = (keys[1:][keys[1:] == keys[:-1]] >> _GRAM_BITS).astype(np.int64)
    return np.bincount(again, minlength=n) / (words_per_document - length + 1)


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
    """Annotator for script, counts and repetition, and for what near duplicates are found by."""

    name = "measure"
    reads: Sequence[str] = ("text",)

    def __init__(
        self,
        near: recipes.Near | None = None,
        *,
        keeps_words: bool = False,
        recipe: recipes.Recipe | None = None,
    ) -> None:
        """Takes what is to be measured.

        Args:
            near: how near duplicates are to be found, where they are to be.
            keeps_words: add the hashes of the words, which the sides of a pair are compared by.
            recipe: where the text of its evaluation sets is to be found, if it names some.
        """
        self._near = near
        self._keeps_words = keeps_words
        self._recipe = recipe if recipe is not None and recipe.decontaminate else None
        self._index: ContaminationIndex | None = None

    @property
    def adds(self) -> Sequence[pa.Field]:
        """The columns it appends."""
        fields = list(ANNOTATIONS["measure"])
        if self._near is not None:
            fields += sketch_fields(self._near.bands, self._near.rows)
        if self._recipe is not None:
            fields.append(CONTAMINATED_BY)
        return [*fields, WORD_HASHES] if self._keeps_words else fields

    def setup(self) -> None:
        """Reads the Unicode tables, and the evaluation sets.

        Raises:
            EvaluationSetError: one cannot be read.
        """
        scan(pa.array(["a"]))
        if self._recipe is not None:
            self._index = evaluation_index(self._recipe)

    def annotate(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Appends the columns."""
        measured = [
            measure(text, self._near, keeps_words=self._keeps_words, index=self._index)
            for text in pieces(batch.column("text"))
        ]
        arrays = [
            pa.concat_arrays([_array(piece[field.name], field.type) for piece in measured])
            if measured
            else pa.array([], field.type)
            for field in self.adds
        ]
        return with_columns(batch, self.adds, arrays)


def _array(values: npt.NDArray[np.generic] | pa.Array, kind: pa.DataType) -> pa.Array:
    """A column of one value a row, or of equally many bytes a row."""
    if isinstance(values, pa.Array):
        return values
    if not pa.types.is_fixed_size_binary(kind):
        return pa.array(values, kind)
    data = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(kind, len(values), [None, data])


def measure(
    text: pa.Array,
    near: recipes.Near | None = None,
    *,
    keeps_words: bool = False,
    index: ContaminationIndex | None = None,
) -> dict[str, npt.NDArray[np.generic] | pa.Array]:
    """Script, counts and repetition of n texts, by column name; arrays of length n."""
    scanned = scan(text)
    codes, shares, letters = recognise_scripts(scanned)
    inside = word_characters(scanned)
    words, num_words = hash_words(scanned, inside)
    grams = ngram_hashes(words, _NGRAM)
    measured: dict[str, npt.NDArray[np.generic] | pa.Array] = {
        "script": np.array(codes, object),
        "script_share": shares,
        "num_letters": letters,
        "num_bytes": np.asarray(pc.binary_length(text)),
        "num_characters": np.diff(scanned.starts),
        "num_words": num_words,
        "num_whitespace_words": scanned.sum_by_document(whitespace_word_starts(scanned)),
        "num_sentences": scanned.sum_by_document(sentence_ends(scanned, inside)),
        "repeated_line_share": repeated_line_shares(text),
        "repeated_ngram_share": repeated_ngram_shares(grams, num_words, codes),
    }
    if keeps_words:
        measured[WORD_HASHES.name] = words_by_document(words, num_words)
    if index is None and near is None:
        return measured
    compared, num_compared = compared_instead(scanned, words, num_words)
    if index is not None:
        runs = grams if compared is words else ngram_hashes(compared, _NGRAM)
        found = index.find(compared, num_compared, runs)
        measured[CONTAMINATED_BY.name] = pa.array(found, mask=found < 0)
    if near is not None:
        measured |= sketch(compared, num_compared, codes, near)
    return measured
