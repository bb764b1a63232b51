"""Confidence that counts, by label: looked up while identifying, estimated from finished runs.

The scores of a model mean different things for different languages: a language that has close
relatives gets low ones even where the model is right. FineWeb2 (arXiv 2506.20920) therefore sets a
threshold a language: the median of the scores less one standard deviation, held within bounds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from glotmill.language_registry import language, split_label
from glotmill.language_registry.scripts import same_family

#: Bounds of an estimate, those of FineWeb2.
LEAST, MOST = 0.3, 0.9
#: Documents that an estimate wants: with fewer the deviation says little.
MIN_DOCUMENTS = 100

COLUMNS = ("identified_label", "identified_score", "verdict")


class Thresholds:
    """The least score that counts for each label.

    An entry holds for its label; else for other forms of its script (`cmn_Hani` for `cmn_Hans`);
    else for the members of a macrolanguage (`swa_Latn` for `swh_Latn`).
    """

    def __init__(self, default: float, by_label: Mapping[str, float]) -> None:
        """Takes the threshold of labels that are not listed, and those that are."""
        self._default = default
        self._by_label = dict(sorted(by_label.items()))
        self._found: dict[str, float] = {}

    def of(self, label: str) -> float:
        """The threshold of a label that was identified.

        >>> thresholds = Thresholds(0.5, {"swa_Latn": 0.3, "cmn_Hani": 0.6})
        >>> [thresholds.of(label) for label in ("swh_Latn", "cmn_Hant", "eng_Latn")]
        [0.3, 0.6, 0.5]
        """
        if label not in self._found:
            self._found[label] = self._nearest(label)
        return self._found[label]

    def _nearest(self, label: str) -> float:
        if label in self._by_label:
            return self._by_label[label]
        code, script = split_label(label)
        for wanted in (code, language(code).macrolanguage):
            for listed, threshold in self._by_label.items():
                if listed[:3] == wanted and same_family(listed[4:], script):
                    return threshold
        return self._default


class Estimate(NamedTuple):
    """The threshold of a label and what it rests on."""

    label: str
    num_documents: int
    median: float
    deviation: float
    threshold: float


def estimate_threshold(scores: npt.NDArray[np.float64]) -> float:
    """Median less one standard deviation, at least `LEAST` and at most `MOST` (FineWeb2).

    >>> estimate_threshold(np.array([0.6, 0.8, 0.8, 1.0])).__round__(3)
    0.659
    """
    return float(np.clip(np.median(scores) - np.std(scores), LEAST, MOST))


def estimate_thresholds(
    batches: Iterable[pa.RecordBatch], min_documents: int = MIN_DOCUMENTS
) -> list[Estimate]:
    """Thresholds of the labels that identified confirmed documents, by label.

    Args:
        batches: with `COLUMNS`. Only rows whose declared language was confirmed are looked at:
            that the model is sure does not make it right.
        min_documents: labels with fewer are left out.
    """
    parts: dict[str, list[npt.NDArray[np.float64]]] = defaultdict(list)
    for batch in batches:
        kept = batch.filter(pc.equal(batch.column("verdict"), "confirmed"))
        labels, scores = kept.column("identified_label"), kept.column("identified_score")
        for label in pc.unique(labels).to_pylist():
            chosen = scores.filter(pc.equal(labels, label))
            parts[label].append(chosen.to_numpy(zero_copy_only=False).astype(np.float64))
    joined = {label: np.concatenate(parts[label]) for label in sorted(parts)}
    return [
        _estimate(label, scores) for label, scores in joined.items() if len(scores) >= min_documents
    ]


def _estimate(label: str, scores: npt.NDArray[np.float64]) -> Estimate:
    spread = float(np.median(scores)), float(np.std(scores))
    return Estimate(label, len(scores), *spread, estimate_threshold(scores))
