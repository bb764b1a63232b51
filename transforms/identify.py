"""Language identification, and what it says of the language that was declared.

The model's candidates are restricted to languages written in the script that was recognised, and
compared with the declared language through the registry's accept-sets: text declared `aze` is
confirmed by `azj`. What was declared and what was found both stay on the row.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

from glotmill.language_registry import UnknownCode, confirms, resolve
from glotmill.schemas import recipe
from glotmill.schemas.tables import ANNOTATIONS
from glotmill.transforms.batches import with_columns
from glotmill.transforms.letter_weights import worth
from glotmill.transforms.lid_candidates import Identifier, ScriptLabels, restricted
from glotmill.transforms.lid_thresholds import Thresholds
from glotmill.transforms.models.fasttext_model import FastTextModel

# Codes that name no language: their text is not identified.
_NO_LANGUAGE = frozenset({"zxx", "mul", "mis"})


class Identification(NamedTuple):
    """What is known of one document's language; the columns that `IdentifyLanguage` adds."""

    declared_label: str | None
    identified_label: str | None
    identified_score: float | None
    verdict: str
    label: str


@functools.lru_cache(maxsize=100_000)
def declared_label(code: str, script: str) -> str | None:
    """The label a source's code stands for, in the recognised script where it names none.

    Returns:
        None where the registry does not know the code.
    """
    try:
        return resolve(code, script=None if script == "Zyyy" else script).label
    except UnknownCode:
        return None


class IdentifyLanguage:
    """Annotator for language: what was declared, what was found, the verdict, the label."""

    name = "identify"
    reads: Sequence[str] = ("text", "original_code", "script", "num_letters")

    def __init__(self, options: recipe.Identify) -> None:
        """Takes the recipe's options; the model is loaded by `setup`."""
        self._options = options
        self._thresholds = Thresholds(options.threshold, options.thresholds)
        self._model: Identifier | None = None
        self._labels = ScriptLabels("", ())
        self._known: dict[str, bool] = {}

    @property
    def adds(self) -> Sequence[pa.Field]:
        """The columns it appends."""
        return ANNOTATIONS["identify"]

    def setup(self) -> None:
        """Loads the model.

        Raises:
            ModelError: it cannot be used.
        """
        if self._options.enabled and self._model is None:
            self.use(load_model(self._options.model))

    def use(self, model: Identifier) -> None:
        """Takes a model that is loaded already."""
        self._model = model
        self._labels = ScriptLabels(model.family, model.labels)

    def annotate(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Appends the columns."""
        columns = [batch.column(name).to_pylist() for name in self.reads]
        rows = [self.identify(*row) for row in zip(*columns, strict=True)]
        found = zip(*rows, strict=True) if rows else ([] for _ in self.adds)
        arrays = [
            pa.array(list(values), field.type)
            for values, field in zip(found, self.adds, strict=True)
        ]
        return with_columns(batch, self.adds, arrays)

    def identify(self, text: str, code: str | None, script: str, letters: int) -> Identification:
        """Judges one document.

        Args:
            text: the document.
            code: the language code its source declares, if any.
            script: ISO 15924 code of the recognised script.
            letters: number of letters in the text.
        """
        declared = None
        if code:
            declared = declared_label(code, script)
            if declared is None:
                return Identification(None, None, None, "unknown_code", f"und_{script}")
            if declared[:3] in _NO_LANGUAGE:
                return Identification(declared, None, None, "unverifiable", declared)
            if declared.startswith("und"):
                declared = None
        if letters < worth(self._options.min_letters, script) or self._model is None:
            verdict = "unverifiable" if self._model is None else "too_short"
            return Identification(declared, None, None, verdict, declared or f"und_{script}")
        sample = text[: self._options.sample_characters]
        found, score = restricted(self._model, sample, self._labels.of(script))
        if declared is None:
            return self._undeclared(found, score, script)
        return self._declared(declared, found, score)

    def _undeclared(self, found: str | None, score: float, script: str) -> Identification:
        if found is None or found[:3] in _NO_LANGUAGE or not self._counts(found, score):
            return Identification(None, found, score, "unidentified", f"und_{script}")
        return Identification(None, found, score, "identified", found)

    def _declared(self, declared: str, found: str | None, score: float) -> Identification:
        label = declared
        if found is not None and confirms(declared, found):
            verdict = "confirmed"
        elif not self._knows(declared):
            verdict = "unverifiable"
        elif found is None or not self._counts(found, score):
            verdict = "unsure"
        else:
            verdict = "contradicted"
            label = found if self._options.on_mismatch == "relabel" else declared
        return Identification(declared, found, score, verdict, label)

    def _counts(self, found: str, score: float) -> bool:
        return score >= self._thresholds.of(found)

    def _knows(self, label: str) -> bool:
        """Whether any label of the model would confirm a declared one."""
        if label not in self._known:
            candidates = self._labels.of(label.partition("_")[2]).values()
            self._known[label] = any(confirms(label, each) for each in candidates)
        return self._known[label]


@functools.lru_cache(maxsize=2)
def load_model(location: str) -> FastTextModel:
    """The model at a location, loaded once in a process."""
    return FastTextModel(location)
