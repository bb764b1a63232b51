"""Warnings: what a person should look at before a label is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from glotmill.dashboard.lengths import expected_ratio

#: From these on a share, or a number of epochs, is worth a warning.
DOMAIN_SHARE = 0.8
CONTRADICTED_SHARE = 0.2
DUPLICATES_SHARE = 0.5
DROPPED_SHARE = 0.5
# Up to four epochs are nearly as good as new text (Muennighoff et al., 2023, arXiv 2305.16264).
MAX_EPOCHS = 4.0
# Of 10,403 pairs of languages of four parallel corpora, 0.2% have a median ratio this many times
# what their scripts lead to expect, all of them verses that one side explains
# (benchmarks/pair_lengths.py --characters; 1.5 times would mark 2%).
RATIO_FACTOR = 2.0
# The logarithms of ratios of sentences vary by about 0.35, so the median of so many is right
# within 6% (one standard error: 1.25 * 0.35 / sqrt(50)).
MIN_RATIOS = 50

#: What each kind of warning means.
WARNINGS: dict[str, str] = {
    "domain": f"One domain gives {DOMAIN_SHARE:.0%} or more of the available words.",
    "epochs": (
        f"More than {MAX_EPOCHS:g} words are drawn for one that is available: repeated text is "
        "worth less from there on."
    ),
    "contradicted": (
        f"The identifier names another language in {CONTRADICTED_SHARE:.0%} or more of the "
        "documents; see Triage."
    ),
    "duplicates": f"{DUPLICATES_SHARE:.0%} or more of the kept documents are duplicates.",
    "dropped": f"{DROPPED_SHARE:.0%} or more of the documents were dropped.",
}


class Warn(NamedTuple):
    """One warning: its kind, and what is said."""

    kind: str
    text: str


def warnings_of(
    *,
    domain: str,
    domain_share: float,
    epochs: float,
    contradicted: float,
    duplicates: float,
    dropped: float,
) -> Sequence[Warn]:
    """What is worth a warning, in the order of WARNINGS.

    Args:
        domain: the largest domain; empty where its sources name none.
        domain_share: its share of the available words.
        epochs: words drawn for one available.
        contradicted: share of documents in which another language was identified.
        duplicates: share of the kept documents.
        dropped: share of the documents kept or dropped.

    >>> warnings_of(domain="religious", domain_share=0.92, epochs=1, contradicted=0,
    ...             duplicates=0.1, dropped=0)
    [Warn(kind='domain', text='92% religious')]
    """
    found = [
        ("domain", domain and domain_share >= DOMAIN_SHARE, f"{domain_share:.0%} {domain}"),
        ("epochs", epochs > MAX_EPOCHS, f"drawn {epochs:.3g}×"),
        (
            "contradicted",
            contradicted >= CONTRADICTED_SHARE,
            f"{contradicted:.0%} contradicted",
        ),
        ("duplicates", duplicates >= DUPLICATES_SHARE, f"{duplicates:.0%} duplicates"),
        ("dropped", dropped >= DROPPED_SHARE, f"{dropped:.0%} dropped"),
    ]
    return [Warn(kind, text) for kind, holds, text in found if holds]


def warnings_of_pairs(label: str, num_ratios: int, median: float) -> Sequence[Warn]:
    """What is worth a warning in the lengths of a label's pairs.

    Args:
        label: of two languages; of others nothing is expected.
        num_ratios: pairs that have a ratio; of fewer than MIN_RATIOS nothing is said.
        median: of the characters of the second language over those of the first.

    >>> warnings_of_pairs("deu_Latn-eng_Latn", 1_000, 2.5)
    [Warn(kind='ratio', text='ratio 2.5, not about 1')]
    >>> warnings_of_pairs("eng_Latn-zho_Hans", 1_000, 0.3)
    []
    """
    expected = expected_ratio(label)
    if expected is None or num_ratios < MIN_RATIOS:
        return []
    if 1 / RATIO_FACTOR <= median / expected <= RATIO_FACTOR:
        return []
    return [Warn("ratio", f"ratio {median:.2g}, not about {expected:.2g}")]
