"""Script recognition: the main script of a document and its share, from its letters."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from glotmill.language_registry.unicode_tables import SCRIPT_CODES
from glotmill.transforms.addresses import ADDRESS, without_addresses
from glotmill.transforms.scan import Ints, LetterCounts, Scan, count_letters, count_marks, pieces

Shares = npt.NDArray[np.float64]

_INDEX = {code: index for index, code in enumerate(SCRIPT_CODES)}
_HANI, _HANG, _BOPO = _INDEX["Hani"], _INDEX["Hang"], _INDEX["Bopo"]
_LATN = _INDEX["Latn"]
_HIRA, _KANA = _INDEX["Hira"], _INDEX["Kana"]

# Scripts whose letters write a syllable or a word, where Latin needs two letters and more.
_DENSE_CODES = ("Cans", "Cher", "Ethi", "Hang", "Hani", "Hira", "Kana", "Vaii", "Yiii")
_DENSE = [_INDEX[code] for code in _DENSE_CODES]

# Where no script has this share of the letters, marks and dense letters are weighed. Ours.
_CLEAR_SHARE = 0.9
# How many letters a letter of a dense script is worth then. Ours; docs/scripts.md has what 1 and
# 3 would do.
_DENSE_WEIGHT = 2
# Least share of kana, or of Hangul, that makes a text with Han characters Japanese, or Korean.
# Ours: running Japanese has a quarter of kana and more, Chinese that quotes a name has hardly any.
_COMPOSITE_SHARE = 0.05
# How many times more characters of one form than of the other settle simplified or traditional.
_HAN_MAJORITY = 4


def recognise_scripts(text: pa.Array | Scan) -> tuple[list[str], Shares, Ints]:
    """Script, its share as weighed here, and number of letters, of each text.

    Han, Hiragana and Katakana together are `Jpan`, Hangul with Han is `Hang` as Korean is labelled
    by identifiers, Han alone is `Hans` or `Hant` where its characters decide it, else `Hani`.
    Without letters the script is `Zyyy` and the share 0. In a text of several scripts without one
    that has 90% of the letters, marks count as well (a Burmese syllable is a letter and up to four
    marks), and a letter that writes a syllable counts twice, in the share too, so that a few names
    in Latin letters do not make a text Latin. Where there are Latin letters and others, none of
    which is that clear, letters of URLs and e-mail addresses do not count, but in the number of
    letters.

    Args:
        text: an Arrow string array of n texts, or the scan of one.

    Returns:
        n ISO 15924 codes; float64[n] in [0, 1]; int64[n].
    """
    codes: list[str] = []
    shares, totals = [np.zeros(0)], [np.zeros(0, np.int64)]
    for piece in pieces(text.text if isinstance(text, Scan) else text):
        found, share, total = _recognise(piece, count_letters(piece))
        codes += found
        shares.append(share)
        totals.append(total)
    return codes, np.concatenate(shares), np.concatenate(totals)


def _recognise(text: pa.Array, counts: LetterCounts) -> tuple[list[str], Shares, Ints]:
    """What `recognise_scripts` returns, for texts whose letters are counted."""
    letters, total = counts.by_script, counts.by_script.sum(axis=1)
    of_others = np.delete(letters, _LATN, axis=1)
    clear = (of_others.max(axis=1) >= _CLEAR_SHARE * total) | (of_others.sum(axis=1) == 0)
    suspects = np.flatnonzero(~clear)
    codes, shares = _scripts(text, counts)
    places = suspects[np.asarray(pc.match_substring_regex(text.take(pa.array(suspects)), ADDRESS))]
    if places.size:
        without = without_addresses(text.take(pa.array(places)))
        found, shares[places] = _scripts(without, count_letters(without))
        for place, code in zip(places.tolist(), found, strict=True):
            codes[place] = code
    return codes, shares, total


def _scripts(text: pa.Array, counts: LetterCounts) -> tuple[list[str], Shares]:
    """Script and share of each text."""
    letters = counts.by_script
    total = letters.sum(axis=1)
    japanese = _compose(letters, total)
    main, shares = _main_scripts(text, letters, total)
    codes = [SCRIPT_CODES[index] for index in main.tolist()]
    for row in np.flatnonzero((main == _HANI) & (total > 0)).tolist():
        codes[row] = "Jpan" if japanese[row] else _han_form(counts, row)
    for row in np.flatnonzero(total == 0).tolist():
        codes[row] = "Zyyy"
    return codes, shares


def _main_scripts(text: pa.Array, letters: Ints, total: Ints) -> tuple[Ints, Shares]:
    """Index of the main script of each text, int64[n], and its share, float64[n].

    Args:
        text: n texts.
        letters: int64[n, scripts], composite scripts added up.
        total: int64[n].
    """
    mixed = np.flatnonzero(letters.max(axis=1) < _CLEAR_SHARE * total)
    main = letters.argmax(axis=1)
    shares = letters.max(axis=1) / np.maximum(total, 1)
    if mixed.size:
        weights = letters[mixed]
        weights[:, _DENSE] *= _DENSE_WEIGHT
        marks = count_marks(text.take(pa.array(mixed)))
        marks[weights == 0] = 0  # a main script has letters
        weights += marks
        main[mixed] = weights.argmax(axis=1)
        shares[mixed] = weights.max(axis=1) / weights.sum(axis=1)
    return main, shares


def _compose(letters: npt.NDArray[np.int64], total: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Adds the parts of composite scripts up, in place; tells which rows are Japanese.

    Args:
        letters: int64[n, scripts]; kana moves to Hani in Japanese rows, Hani to Hang in Korean
            ones, Bopomofo to Hani everywhere.
        total: int64[n].
    """
    kana = letters[:, _HIRA] + letters[:, _KANA]
    japanese = kana > _COMPOSITE_SHARE * total
    korean = ~japanese & (letters[:, _HANG] > _COMPOSITE_SHARE * total)
    bopomofo = letters[:, _BOPO] > 0
    for rows, parts, whole in (
        (japanese, [_HIRA, _KANA], _HANI),
        (korean, [_HANI], _HANG),
        (bopomofo, [_BOPO], _HANI),
    ):
        for part in parts if rows.any() else []:
            letters[rows, whole] += letters[rows, part]
            letters[rows, part] = 0
    return japanese


def _han_form(counts: LetterCounts, row: int) -> str:
    """Hans, Hant or Hani for a document, by characters that only one form has."""
    simplified, traditional = int(counts.simplified[row]), int(counts.traditional[row])
    if simplified > _HAN_MAJORITY * traditional:
        return "Hans"
    return "Hant" if traditional > _HAN_MAJORITY * simplified else "Hani"
