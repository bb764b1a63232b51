"""Numbers in pairs: digits and numerals are those of the package's Unicode, not of Python's."""

from __future__ import annotations

import sys
import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from glotmill.language_registry.unicode_tables import DIGIT, category_flags
from glotmill.transforms import pair_numbers
from glotmill.transforms.pair_numbers import digit_class, numbers_of, shared_numbers

EVERYTHING = [chr(code) for code in range(sys.maxunicode + 1)]
DIGITS = [chr(code) for code in np.flatnonzero(category_flags() & DIGIT)]


@pytest.mark.parametrize(
    "digits",
    [
        "𞓰𞓱𞓲𞓳𞓴𞓵𞓶𞓷𞓸𞓹",  # Nag Mundari
        "\U0001e5f1\U0001e5f2\U0001e5f3\U0001e5f4\U0001e5f5"
        "\U0001e5f6\U0001e5f7\U0001e5f8\U0001e5f9\U0001e5fa",  # Ol Onal
        "".join(chr(0x10D40 + value) for value in range(10)),  # Garay
        "".join(chr(0x116D0 + value) for value in range(10)),  # Pao Karen, first of two
        "".join(chr(0x116DA + value) for value in range(10)),  # Eastern Pwo Karen, second
        "".join(chr(0x11DE0 + value) for value in range(10)),  # Tolong Siki
        "".join(chr(0x1D7F6 + value) for value in range(10)),  # monospaced, last of five
        "०१२३४५६७८९",
    ],
)
def test_digits_of_new_scripts_are_read(digits):
    number = "".join(digits[int(value)] for value in "1945")
    assert numbers_of(f"{number} {digits[1:]}{digits[0]}") == ["1945", "1234567890"]
    assert shared_numbers("In 1945 the school was opened.", number) == 1.0
    assert shared_numbers("In 1946 the school was opened.", number) == 0.0


def test_digits_are_worth_what_python_says_where_it_knows_them():
    known = [char for char in EVERYTHING if unicodedata.category(char) == "Nd"]
    assert len(known) >= 650
    assert set(known) <= set(DIGITS)
    values = pair_numbers._ascii_digits()
    assert {char: values[ord(char)] for char in known} == {
        char: str(unicodedata.decimal(char)) for char in known
    }


def test_runs_of_digits_are_of_tens():
    runs = pair_numbers._digit_runs()
    assert all((last - first + 1) % 10 == 0 for first, last in runs)
    assert sum(last - first + 1 for first, last in runs) == len(DIGITS) == 770


def test_class_matches_digits_alone():
    characters = pa.array([char for char in EVERYTHING if not "\ud800" <= char <= "\udfff"])
    found = characters.filter(pc.match_substring_regex(characters, f"[{digit_class()}]"))
    assert found.to_pylist() == DIGITS


def test_numerals_are_those_python_knows_and_newer_ones():
    numerals = pair_numbers._other_numerals()
    known = [char for char in EVERYTHING if unicodedata.category(char) in ("Nl", "No")]
    shown = ("<super>", "<sub>", "<fraction>")
    read = [char for char in known if not unicodedata.decomposition(char).startswith(shown)]
    ours = [char for char in EVERYTHING if numerals.fullmatch(char)]
    assert set(read) == set(ours).intersection(known)
    assert {unicodedata.category(char) for char in set(ours).difference(known)} <= {"Cn"}
    assert shared_numbers("in 1945", "𝋁𝋂") == 1.0  # Kaktovik, of Unicode 15
    assert numerals.fullmatch("²") is numerals.fullmatch("½") is None
