"""Which labels of a model a text in a given script can have, and the likeliest of them.

A model names a language without having seen in which script a text is written, or in spite of it.
Only labels of languages that are written in the recognised script are taken, however far down the
model's list they stand. The score is the probability that the model gives the label among all of
its labels. It is not made to sum to one over the labels of the script: in a script in which the
model knows one language, that would make every text certain to be in it
(docs/identification.md has the figures).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Protocol

from glotmill.language_registry import UnknownCode, language, lid_label, resolve
from glotmill.language_registry.scripts import same_family

# Likeliest labels that are asked for first: all of them cost twice the time.
_FIRST = 5
# Labels that say what a text is not, such as GlotLID's `und_Mong`: never an answer.
_NO_ANSWER = frozenset({"und", "mul", "mis"})


class Identifier(Protocol):
    """What is asked of a model; `FastTextModel` is one."""

    @property
    def family(self) -> str:
        """Whose label conventions it follows."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Its raw labels."""

    def predict(self, text: str, k: int | None) -> list[tuple[float, str]]:
        """The k likeliest raw labels, or all, with their probabilities, likeliest first."""


@functools.lru_cache(maxsize=100_000)
def candidate_label(family: str, raw: str, script: str) -> str | None:
    """The label of a model's raw label in the recognised script.

    A label that names a script, or is known to have been learned in some, is taken in it. One that
    names a language alone is taken in every script of the language.

    Returns:
        None where the language is not written in that script, or is no language.
    """
    try:
        codes = lid_label(family, raw)
    except UnknownCode:  # a label of the model's own, such as `other`
        return None
    usable = (code for code in codes if code[:3] not in _NO_ANSWER and _written(code, script))
    code = next(usable, None)
    return None if code is None else resolve(code[:3], script=script).label


def _written(code: str, script: str) -> bool:
    """Whether a code of a model, with or without script, can be that of a text in a script."""
    named = code.partition("_")[2]
    if named:
        return same_family(named, script)
    scripts = language(code).scripts
    return not scripts or any(same_family(known, script) for known in scripts)


class ScriptLabels:
    """The labels of a model that texts in a script can have, worked out once a script."""

    def __init__(self, family: str, labels: Iterable[str]) -> None:
        """Takes the model's family and raw labels (see `FastTextModel`)."""
        self._family = family
        self._labels = tuple(labels)
        self._by_script: dict[str, dict[str, str]] = {}

    def of(self, script: str) -> Mapping[str, str]:
        """Raw labels that are written in a script, with the label each stands for."""
        if script not in self._by_script:
            found = {raw: candidate_label(self._family, raw, script) for raw in self._labels}
            self._by_script[script] = {raw: label for raw, label in found.items() if label}
        return self._by_script[script]


def restricted(model: Identifier, text: str, known: Mapping[str, str]) -> tuple[str | None, float]:
    """The likeliest of some labels of a model and its probability among all of them.

    Args:
        model: that is asked.
        text: that is judged.
        known: raw labels that can be the answer, with the label each stands for.

    Returns:
        None and 0 where no label can be the answer.
    """
    if known:
        for k in (_FIRST, None):
            for score, raw in model.predict(text, k):
                if raw in known:
                    return known[raw], score
    return None, 0.0
