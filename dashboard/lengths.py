"""Lengths to expect: how many characters of each script say as much as one of Latin script."""

from __future__ import annotations

from collections.abc import Mapping

from glotmill.dashboard.names import languages_of, script_of

# Medians over the languages of four parallel corpora, 1 for Latin script: what
# `benchmarks/pair_lengths.py --characters` prints. The filter `length_ratio` weighs letters alone.
CHARACTER_WEIGHTS: Mapping[str, float] = {
    "Adlm": 1.13,
    "Arab": 1.20,
    "Armn": 1.03,
    "Beng": 1.11,
    "Cakm": 1.19,
    "Cans": 1.12,
    "Cher": 1.46,
    "Copt": 1.27,
    "Cyrl": 1.04,
    "Deva": 1.14,
    "Ethi": 1.66,
    "Geor": 0.99,
    "Gran": 1.14,
    "Grek": 0.91,
    "Gujr": 1.03,
    "Guru": 1.08,
    "Hang": 2.21,
    "Hani": 3.47,
    "Hans": 3.57,
    "Hant": 3.37,
    "Hebr": 1.47,
    "Java": 1.06,
    "Jpan": 2.54,
    "Khmr": 1.01,
    "Knda": 1.02,
    "Kore": 2.21,
    "Lana": 1.14,
    "Laoo": 1.06,
    "Latn": 1.00,
    "Mlym": 0.89,
    "Mymr": 0.84,
    "Nkoo": 0.90,
    "Sinh": 1.08,
    "Syrc": 1.78,
    "Taml": 0.87,
    "Tavt": 1.29,
    "Telu": 1.09,
    "Tfng": 1.21,
    "Thaa": 0.73,
    "Thai": 1.18,
    "Tibt": 0.93,
    "Vaii": 1.42,
    "Yiii": 3.54,
}


def expected_ratio(label: str) -> float | None:
    """Characters of the second language for one of the first, as their scripts lead to expect.

    None where the label is not of two languages, or a script stands in none of the corpora.

    >>> expected_ratio("eng_Latn-zho_Hans")
    0.2801120448179272
    >>> expected_ratio("ces_Latn-deu_Latn-eng_Latn"), expected_ratio("eng_Latn-und_Zyyy")
    (None, None)
    """
    weights = [CHARACTER_WEIGHTS.get(script_of(each)) for each in languages_of(label)]
    if len(weights) != 2 or weights[0] is None or weights[1] is None:
        return None
    return weights[0] / weights[1]
