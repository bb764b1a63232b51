"""Tables over all code points, against other implementations of Unicode."""

import sys
import time
import unicodedata

import numpy as np
import pytest
import regex

from glotmill.language_registry import unicode_tables
from glotmill.language_registry.unicode_tables import (
    NUM_CODE_POINTS,
    SCRIPT_CODES,
    category_flags,
    script_index,
    script_table,
    unicode_version,
)

BY_CATEGORY = {
    "L": unicode_tables.LETTER,
    "M": unicode_tables.MARK,
    "Nd": unicode_tables.DIGIT,
    "Cc": unicode_tables.CONTROL,
    "Cf": unicode_tables.FORMAT,
    "Co": unicode_tables.PRIVATE_USE,
    "Cs": unicode_tables.SURROGATE,
    "P": unicode_tables.PUNCTUATION,
    "S": unicode_tables.SYMBOL,
}
OTHER_FLAGS = [
    (unicode_tables.WHITESPACE, r"\p{White_Space}"),
    (unicode_tables.SENTENCE_TERMINAL, r"\p{Sentence_Terminal}"),
    (unicode_tables.MARK, r"\p{M}"),
    (unicode_tables.LETTER, r"(?V1)[\p{L}[\p{So}&&[\p{Braille}\p{SignWriting}]--\u2800]]"),
]
SYMBOLS_AS_LETTERS = [script_index("Brai"), script_index("Sgnw")]
BLANK_CELL = 0x2800
# Characters whose properties may differ between two versions of Unicode
CHANGED = 20


@pytest.fixture(scope="module")
def everything():
    return "".join(map(chr, range(NUM_CODE_POINTS)))


@pytest.fixture(scope="module")
def categories():
    return np.array([unicodedata.category(chr(point)) for point in range(NUM_CODE_POINTS)])


def version_of(text):
    return tuple(map(int, text.split(".")))


def test_shapes_and_types():
    assert script_table().shape == category_flags().shape == (sys.maxunicode + 1,)
    assert script_table().dtype == np.uint8
    assert category_flags().dtype == np.uint16
    assert SCRIPT_CODES[:3] == ("Zyyy", "Zinh", "Zzzz")
    assert script_table().max() == len(SCRIPT_CODES) - 1


def test_tables_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        script_table()[0] = 1


@pytest.mark.parametrize("category", BY_CATEGORY)
def test_categories_agree_with_the_standard_library(category, categories):
    assigned = categories != "Cn"
    ours = (category_flags() & BY_CATEGORY[category]) != 0
    theirs = np.char.startswith(categories, category)
    if category == "L":
        theirs |= (categories == "So") & np.isin(script_table(), SYMBOLS_AS_LETTERS)
        theirs[BLANK_CELL] = False
    newer = version_of(unicodedata.unidata_version) > version_of(unicode_version())
    assert np.count_nonzero((ours != theirs) & assigned) <= (CHANGED if newer else 0)


def test_what_the_standard_library_knows_is_assigned(categories):
    if version_of(unicodedata.unidata_version) > version_of(unicode_version()):
        pytest.skip("this Python knows a newer Unicode than the tables")
    unassigned = (category_flags() & unicode_tables.UNASSIGNED) != 0
    assert not np.any(unassigned & (categories != "Cn"))


@pytest.mark.parametrize(("flag", "pattern"), OTHER_FLAGS)
def test_properties_agree_with_regex(flag, pattern, everything):
    ours = (category_flags() & flag) != 0
    theirs = np.zeros(NUM_CODE_POINTS, dtype=bool)
    theirs[[ord(char) for char in regex.findall(pattern, everything)]] = True
    known = np.ones(NUM_CODE_POINTS, dtype=bool)
    known[[ord(char) for char in regex.findall(r"\p{Cn}", everything)]] = False
    assert np.count_nonzero((ours != theirs) & known) <= CHANGED


@pytest.mark.parametrize(
    "code",
    [
        "Latn",
        "Cyrl",
        "Arab",
        "Deva",
        "Hani",
        "Hira",
        "Kana",
        "Hang",
        "Thai",
        "Mymr",
        "Tibt",
        "Ethi",
        "Zyyy",
        "Zinh",
    ],
)
def test_scripts_agree_with_regex(code, everything):
    ours = script_table() == script_index(code)
    theirs = np.zeros(NUM_CODE_POINTS, dtype=bool)
    theirs[[ord(char) for char in regex.findall(rf"\p{{Script={code}}}", everything)]] = True
    known = np.zeros(NUM_CODE_POINTS, dtype=bool)
    known[[ord(char) for char in regex.findall(r"\P{Cn}", everything)]] = True
    assert np.count_nonzero((ours != theirs) & known) <= CHANGED


def flags_of(char):
    return int(category_flags()[ord(char)])


@pytest.mark.parametrize(
    ("chars", "flag"),
    [
        ("。।።؟!.", unicode_tables.SENTENCE_TERMINAL),
        ("们这国说书龙", unicode_tables.HAN_SIMPLIFIED_ONLY),
        ("們這國說書龍説", unicode_tables.HAN_TRADITIONAL_ONLY),
        ("\u200b\u200d\u202e\ufeff", unicode_tables.FORMAT),
        (" \t\n\u3000\u00a0", unicode_tables.WHITESPACE),
        ("\ue000", unicode_tables.PRIVATE_USE),
        ("\ufffe\U0010ffff", unicode_tables.UNASSIGNED),
        ("😀€", unicode_tables.SYMBOL),
        ("ि့์", unicode_tables.MARK),
    ],
)
def test_flags_of_known_characters(chars, flag):
    assert all(flags_of(char) & flag for char in chars)


@pytest.mark.parametrize("char", "后云里干人中着台")
def test_shared_han_is_on_neither_side(char):
    one_sided = unicode_tables.HAN_SIMPLIFIED_ONLY | unicode_tables.HAN_TRADITIONAL_ONLY
    assert not flags_of(char) & one_sided


def test_one_sided_han_is_han():
    one_sided = unicode_tables.HAN_SIMPLIFIED_ONLY | unicode_tables.HAN_TRADITIONAL_ONLY
    marked = (category_flags() & one_sided) != 0
    assert 6000 < np.count_nonzero(marked) < 9000
    assert np.all(script_table()[marked] == script_index("Hani"))


def test_unknown_script_index():
    with pytest.raises(ValueError):
        script_index("Jpan")


def test_version_is_recorded():
    assert version_of(unicode_version()) >= (17, 0, 0)


def test_unknown_attribute():
    with pytest.raises(AttributeError, match="no attribute 'SCRIPT_NAMES'"):
        _ = unicode_tables.SCRIPT_NAMES


def test_loading_is_quick():
    def load():
        for function in (unicode_tables.script_codes, script_table, category_flags):
            function.cache_clear()
        start = time.perf_counter()
        script_table(), category_flags()
        return time.perf_counter() - start

    assert min(load() for _ in range(5)) < 0.1  # 0.02 s measured; a loaded machine takes longer
