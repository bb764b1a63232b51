"""Consistency of a document's language: do its sentences, each for itself, confirm its label?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa

from glotmill.language_registry import confirms
from glotmill.schemas import recipe
from glotmill.schemas.tables import SENTENCE_CONSISTENCY
from glotmill.transforms.batches import with_columns
from glotmill.transforms.identify import load_model
from glotmill.transforms.letter_weights import worth
from glotmill.transforms.lid_candidates import ScriptLabels, restricted
from glotmill.transforms.models.fasttext_model import FastTextModel
from glotmill.transforms.scan import NEWLINE, scan
from glotmill.transforms.script import recognise_scripts
from glotmill.transforms.words import sentence_ends, word_characters

# Sentences of a document that are judged: its first ones, spread over a long document.
_MOST = 20


def split_sentences(text: str) -> list[str]:
    r"""Sentences of a text, which end where `sentence_ends` counts them, and lines.

    To be identified, not to be read: a mark that closes a quotation goes with the next one.

    >>> split_sentences("It was 3.14. Was it?\nस्वतन्त्र हैं। समान हैं।")
    ['It was 3.14.', 'Was it?', 'स्वतन्त्र हैं।', 'समान हैं।']
    """
    scanned = scan(pa.array([text]))
    ends = sentence_ends(scanned, word_characters(scanned)) | ((scanned.flags & NEWLINE) != 0)
    bounds = [0, *(np.flatnonzero(ends) + 1).tolist(), len(text)]
    parts = (text[start:end].strip() for start, end in pairwise(bounds))
    return [part for part in parts if part]


def spread(sentences: Sequence[str], most: int) -> list[str]:
    """At most so many, evenly from the whole.

    >>> spread(["a", "b", "c", "d", "e"], 2)
    ['a', 'c']
    """
    number = min(most, len(sentences))
    return [sentences[place * len(sentences) // number] for place in range(number)]


class JudgeSentences:
    """Annotator for `sentence_consistency`: the share of judged sentences that confirm the label.

    Each sentence is judged in its own script. Sentences of fewer than `min_letters` letters,
    weighed as those of documents are, are not judged; the share is null where none is, and where
    the model knows no language of the label.
    """

    name = "sentences"
    reads: Sequence[str] = ("text", "label", "script")

    def __init__(self, options: recipe.Identify) -> None:
        """Takes the recipe's options; the model is loaded by `setup`."""
        self._options = options
        self._model: FastTextModel | None = None
        self._labels = ScriptLabels("", ())

    @property
    def adds(self) -> Sequence[pa.Field]:
        """The column it appends."""
        return [SENTENCE_CONSISTENCY]

    def setup(self) -> None:
        """Loads the model.

        Raises:
            ModelError: it cannot be used.
        """
        self._model = load_model(self._options.model)
        self._labels = ScriptLabels(self._model.family, self._model.labels)

    def annotate(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Appends the column."""
        columns = (batch.column(name).to_pylist() for name in self.reads)
        shares = [self.consistency(*row) for row in zip(*columns, strict=True)]
        return with_columns(batch, self.adds, [pa.array(shares, SENTENCE_CONSISTENCY.type)])

    def consistency(self, text: str, label: str, script: str) -> float | None:
        """The share of a document's sentences that confirm its label.

        Args:
            text: the document.
            label: its label.
            script: its recognised script.
        """
        known = self._labels.of(script).values()
        sentences = spread(split_sentences(text), _MOST)
        if self._model is None or not sentences or not any(confirms(label, k) for k in known):
            return None
        scripts, _, letters = recognise_scripts(pa.array(sentences))
        judged = [
            self._confirms(label, sentence, written)
            for sentence, written, count in zip(sentences, scripts, letters, strict=True)
            if count >= max(1, worth(self._options.min_letters, written))
        ]
        return sum(judged) / len(judged) if judged else None

    def _confirms(self, label: str, sentence: str, script: str) -> bool:
        if self._model is None:
            return False
        sample = sentence[: self._options.sample_characters]
        found, _ = restricted(self._model, sample, self._labels.of(script))
        return found is not None and confirms(label, found)
