"""How much a letter of a script says, in letters of Latin script."""

from __future__ import annotations

from collections.abc import Mapping

# How many letters of Latin script say as much as one: medians over the languages of four parallel
# corpora, and of scripts that those lack over the translations of the Declaration
# (benchmarks/pair_lengths.py; docs/bitext.md).
LETTER_WEIGHTS: Mapping[str, float] = {
    "Adlm": 1.32,
    "Arab": 1.27,
    "Armn": 1.00,
    "Beng": 1.75,
    "Cakm": 2.12,
    "Cans": 1.07,
    "Cher": 1.50,
    "Copt": 1.19,
    "Cyrl": 1.01,
    "Deva": 1.86,
    "Ethi": 1.80,
    "Geor": 0.95,
    "Gran": 1.84,
    "Grek": 0.91,
    "Gujr": 1.72,
    "Guru": 1.84,
    "Hang": 2.49,
    "Hani": 3.20,
    "Hans": 3.31,
    "Hant": 3.14,
    "Hebr": 1.51,
    "Java": 1.63,
    "Jpan": 2.31,
    "Khmr": 1.41,
    "Knda": 1.63,
    "Lana": 1.99,
    "Laoo": 1.26,
    "Latn": 1.00,
    "Mlym": 1.39,
    "Mymr": 1.63,
    "Nkoo": 1.27,
    "Sinh": 1.64,
    "Syrc": 1.71,
    "Taml": 1.36,
    "Tavt": 1.77,
    "Telu": 1.86,
    "Tfng": 1.27,
    "Thaa": 1.36,
    "Thai": 1.27,
    "Tibt": 1.56,
    "Vaii": 1.89,
    "Yiii": 3.19,
}
# Of scripts that none of these has: the middle of the others.
_OTHER_WEIGHT = 1.4


def letter_weight(script: str) -> float:
    """Letters of Latin script that one of this script is worth.

    >>> letter_weight("Latn"), letter_weight("Hans")
    (1.0, 3.31)
    """
    return LETTER_WEIGHTS.get(script, _OTHER_WEIGHT)


def worth(number: float, script: str) -> float:
    """How many letters of a script say what so many of Latin script say, and no more than those.

    >>> worth(20, "Latn"), round(worth(20, "Hans"), 2)
    (20.0, 6.04)
    """
    return number / max(1.0, letter_weight(script))
