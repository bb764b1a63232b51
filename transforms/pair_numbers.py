"""Numbers in two texts that should be translations: do both have the same?

Digits of every script count as those of ASCII. What stands between digits is no part of a
number: 1,234.5 and 1.234,5 and 1 234,5 are the same, and their order does not matter. Numerals that
are no digits, such as those of Ethiopic and of Han, are not read: each may stand for one number.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import cache

import numpy as np

from glotmill.language_registry.unicode_tables import DIGIT, category_flags

# A separator between digits: point, comma, apostrophes, thin and fixed blanks, Arabic separators.
_NUMBER = re.compile(r"[0-9]+(?:[.,'’\u00a0\u2009\u202f٫٬·][0-9]+)*(?: [0-9]{3}(?![0-9]))*")
_NO_DIGIT = re.compile(r"[^0-9]+")
_NO_NUMERALS = ("<super>", "<sub>", "<fraction>")
# A single character is part of a word as a rule.
_HAN_NUMERAL = "[〇零一二三四五六七八九十百千万萬亿億两兩廿卅]{2,}"

_MOST_WRITTEN_OUT = 20


@cache
def _digit_runs() -> list[tuple[int, int]]:
    """First and last code points of the runs of digits, each of one or more times 0 to 9."""
    digits = np.flatnonzero(category_flags() & DIGIT)
    runs = np.split(digits, np.flatnonzero(np.diff(digits) != 1) + 1)
    return [(int(run[0]), int(run[-1])) for run in runs]


@cache
def digit_class() -> str:
    """Digits of every script, to stand between the brackets of a regular expression.

    >>> digit_class()[:6]
    '0-9٠-٩'
    """
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in _digit_runs())


@cache
def _ascii_digits() -> dict[int, str]:
    """ASCII digits by the code points of all digits."""
    return {
        codepoint: str((codepoint - first) % 10)
        for first, last in _digit_runs()
        for codepoint in range(first, last + 1)
    }


@cache
def _other_numerals() -> re.Pattern[str]:
    """Numerals that are no digits, superscripts and fractions left out."""
    # Categories Nl and No are those without a flag. Python of any version knows all that
    # decompose so: the last came with Unicode 5.2.
    characters = [
        character
        for character in map(chr, np.flatnonzero(category_flags() == 0).tolist())
        if not unicodedata.decomposition(character).startswith(_NO_NUMERALS)
    ]
    return re.compile(f"{_HAN_NUMERAL}|[{''.join(characters)}]+")


def numbers_of(text: str) -> list[str]:
    """The numbers in a text, without what parts their digits, and without zeros in front.

    >>> numbers_of("1,234.5 · ١٩٤٥ · 007 · 12 000")
    ['12345', '1945', '7', '12000']
    """
    folded = text if text.isascii() else text.translate(_ascii_digits())
    found = (_NO_DIGIT.sub("", match) for match in _NUMBER.findall(folded))
    return [number.lstrip("0") or "0" for number in found]


def shared_numbers(one: str, other: str) -> float:
    """Share of the numbers of both texts that are in both; 1 where neither has any.

    Numbers cut up in another way, as dates are, are compared by their digits. Numbers up to 20
    that one text has and the other has nothing instead of may be written out there, and so may as
    many more as the other has numerals that are no digits.

    >>> shared_numbers("In 1990, 1,000 came.", "1.000 kamen 1990.")
    1.0
    >>> shared_numbers("on 2/5/2001", "am 02.05.2001"), shared_numbers("7 of 9", "7 von 8")
    (1.0, 0.5)
    >>> shared_numbers("2 of 1945", "zwei von 1945"), shared_numbers("in 1945", "damals")
    (1.0, 0.0)
    >>> shared_numbers("in 1945", "一九四五年"), shared_numbers("in 1945 and 1948", "一九四五年")
    (1.0, 0.0)
    """
    first, second = Counter(numbers_of(one)), Counter(numbers_of(other))
    if first == second or _digits(first) == _digits(second):
        return 1.0
    shared = 2 * (first & second).total()
    left, right = first - second, second - first
    alone = left if not right else right if not left else None
    if alone is None:
        return shared / (first.total() + second.total())
    num_missing = sum(n for number, n in alone.items() if not _may_be_written_out(number))
    if num_missing:
        num_missing -= len(_other_numerals().findall(other if alone is left else one))
    return shared / (shared + num_missing) if num_missing > 0 else 1.0


def _may_be_written_out(number: str) -> bool:
    return len(number) <= 2 and int(number) <= _MOST_WRITTEN_OUT


def _digits(numbers: Counter[str]) -> list[str]:
    """All digits but zeros, which may or may not stand before a number, sorted."""
    return sorted("".join(numbers.elements()).replace("0", ""))
