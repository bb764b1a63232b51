"""Script recognition: the main script of a document and its share, over letters only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from glotmill.language_registry.unicode_tables import (
    HAN_SIMPLIFIED_ONLY,
    HAN_TRADITIONAL_ONLY,
    LETTER,
    SCRIPT_CODES,
)
from glotmill.transforms.scan import Scan

_INDEX = {code: index for index, code in enumerate(SCRIPT_CODES)}
_HANI, _HANG, _BOPO = _INDEX["Hani"], _INDEX["Hang"], _INDEX["Bopo"]
_KANA = [_INDEX["Hira"], _INDEX["Kana"]]
# Scripts of no language in particular: common, inherited, unknown.
_NEUTRAL = [_INDEX["Zyyy"], _INDEX["Zinh"], _INDEX["Zzzz"]]

# Least share of kana, or of Hangul, that makes a text with Han characters Japanese, or Korean.
# Ours: running Japanese has 40% kana and more, a Chinese text that quotes a name has hardly any.
_COMPOSITE_SHARE = 0.05
# How many times more characters of one form than of the other settle simplified or traditional.
_HAN_MAJORITY = 4


def recognise_scripts(
    scan: Scan,
) -> tuple[list[str], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Script, its share among the letters, and number of letters, of each document.

    Han, Hiragana and Katakana together are `Jpan`, Hangul with Han is `Hang` as Korean is labelled
    by identifiers, Han alone is `Hans` or `Hant` where its characters decide it, else `Hani`.
    Without letters the script is `Zyyy` and the share 0.

    Returns:
        n ISO 15924 codes; float64[n] in [0, 1]; int64[n].
    """
    letters = scan.count_by_script(LETTER)
    letters[:, _NEUTRAL] = 0
    total = letters.sum(axis=1)
    japanese = _compose(letters, total)
    main = letters.argmax(axis=1)
    shares = letters[np.arange(len(main)), main] / np.maximum(total, 1)
    forms = _han_forms(scan)
    codes = [SCRIPT_CODES[index] for index in main]
    for row in np.flatnonzero((main == _HANI) & (total > 0)):
        codes[row] = "Jpan" if japanese[row] else forms[row]
    for row in np.flatnonzero(total == 0):
        codes[row] = "Zyyy"
    return codes, shares, total


def _compose(letters: npt.NDArray[np.int64], total: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Adds the parts of composite scripts up, in place; tells which rows are Japanese.

    Args:
        letters: int64[n, scripts]; kana moves to Hani in Japanese rows, Hani to Hang in Korean
            ones, Bopomofo to Hani everywhere.
        total: int64[n].
    """
    kana = letters[:, _KANA].sum(axis=1)
    japanese = kana > _COMPOSITE_SHARE * total
    korean = ~japanese & (letters[:, _HANG] > _COMPOSITE_SHARE * total)
    for rows, parts, whole in (
        (japanese, _KANA, _HANI),
        (korean, [_HANI], _HANG),
        (np.ones_like(japanese), [_BOPO], _HANI),
    ):
        letters[:, whole] += np.where(rows, letters[:, parts].sum(axis=1), 0)
        letters[np.ix_(rows, parts)] = 0
    return japanese


def _han_forms(scan: Scan) -> list[str]:
    """Hans, Hant or Hani for each document, by characters that only one form has."""
    simplified = scan.count(HAN_SIMPLIFIED_ONLY)
    traditional = scan.count(HAN_TRADITIONAL_ONLY)
    forms = np.full(scan.num_documents, "Hani")
    forms[simplified > _HAN_MAJORITY * traditional] = "Hans"
    forms[traditional > _HAN_MAJORITY * simplified] = "Hant"
    return [str(form) for form in forms]
