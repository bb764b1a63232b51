"""The scan against counting character by character with the `regex` package."""

import numpy as np
import pyarrow as pa
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmill.language_registry.unicode_tables import (
    DIGIT,
    HAN_SIMPLIFIED_ONLY,
    HAN_TRADITIONAL_ONLY,
    LETTER,
    MARK,
    SCRIPT_CODES,
    SENTENCE_TERMINAL,
    WHITESPACE,
    category_flags,
    script_table,
)
from glotmill.transforms.scan import (
    JOINER,
    MAYBE_TERMINAL,
    MID_LETTER,
    NEWLINE,
    UNSEEN_MARK,
    count_between,
    count_letters,
    count_marks,
    pieces,
    scan,
)

# Assigned since long ago, so that versions of Unicode do not matter.
OLD = (
    "abcABCéßÆıŁøАБвгжΩλάאבשُعَبحिकाপ্রাதமிழ്กข้าำລາວខ្មែរမြန်བོད་አማ한국あいアイー漢字国國ㄅㄆᠮᠣ\u180b\u034f\ufe00"
    "ᏣᎳᎩ𐌰𐌱𐐀𒀀𓀀😀👩🏽०१٣٤０１²½ \t\n\r\x0b\x0c\x1c\x85\u00a0\u1680\u2003\u2028\u202f\u3000"
    "\u200b\u200c\u200d\u200f\ufeff.!?…。！？।॥؟۔።᠃'’·׳״\"ʻʼ‘ꞌ՞⠀⠁𝠀꞉፡།(),;:-–—_@#$%&*+=<>/|~^`\x00\x7f"
)
TEXTS = st.text(st.sampled_from(OLD), max_size=30)
APOSTROPHE_LETTERS = "ʻʼꞌ"  # letters of Unicode, apostrophes of words
CLASSES = {
    LETTER: rf"[\p{{L}}⠁𝠀꞉--{APOSTROPHE_LETTERS}]",
    MARK: r"\p{M}",
    DIGIT: r"\p{Nd}",
    WHITESPACE: r"\p{White_Space}",
    MID_LETTER: f"['’·׳״\"‘՞{APOSTROPHE_LETTERS}]",
    MAYBE_TERMINAL: "[:;፡།]",
    JOINER: r"[\u200c\p{WB=ZWJ}\p{WB=Format}]",
    UNSEEN_MARK: r"[\p{M}&&\p{Default_Ignorable_Code_Point}]",
    NEWLINE: "\n",
    LETTER | DIGIT: rf"[\p{{L}}\p{{Nd}}⠁𝠀꞉--{APOSTROPHE_LETTERS}]",
}


HAN_FORMS = "这们国说对發經濟開關漢字人"
SIMPLIFIED, TRADITIONAL = "这们国说对", "發經濟開關漢"


def array(texts):
    return pa.array(texts, pa.string())


def count(scanned, flag):
    return scanned.sum_by_document((scanned.flags & flag) != 0).tolist()


@settings(deadline=None, max_examples=200)
@given(st.lists(TEXTS, max_size=6))
def test_counts_of_classes(texts):
    scanned = scan(array(texts))
    assert scanned.num_documents == len(texts)
    for flag, pattern in CLASSES.items():
        expected = [len(regex.findall(pattern, text, regex.V1)) for text in texts]
        assert count(scanned, flag) == expected, pattern


def letters_by_script(text):
    """Letters counted one by one."""
    found = {}
    for char in regex.findall(r"[\p{L}⠁𝠀]", text):
        code = next(c for c in SCRIPT_CODES if regex.match(rf"\p{{Script={c}}}", char))
        found[code] = found.get(code, 0) + (code not in ("Zyyy", "Zinh", "Zzzz"))
    return {code: number for code, number in found.items() if number}


@settings(deadline=None, max_examples=200)
@given(st.lists(st.one_of(TEXTS, st.text("aZ@[`{é漢 \n", max_size=600)), max_size=5), st.data())
def test_letters_by_script_of_any_slice(texts, data):
    start = data.draw(st.integers(0, len(texts)))
    length = data.draw(st.integers(0, len(texts) - start))
    for whole in (array(texts), pa.array(texts, pa.large_string())):
        counts = count_letters(whole.slice(start, length)).by_script
        assert counts.shape == (length, len(SCRIPT_CODES))
        found = [{SCRIPT_CODES[i]: int(row[i]) for i in row.nonzero()[0]} for row in counts]
        assert found == [letters_by_script(text) for text in texts[start : start + length]]


@settings(deadline=None)
@given(st.lists(TEXTS, max_size=5))
def test_marks_by_script(texts):
    marks = count_marks(array(texts))
    pattern = r"[\p{M}&&[^\p{Script=Zyyy}\p{Script=Zinh}]]"
    found = [len(regex.findall(pattern, text, regex.V1)) for text in texts]
    assert marks.sum(axis=1).tolist() == found
    deva = [len(regex.findall(r"[\p{M}&&\p{Deva}]", text, regex.V1)) for text in texts]
    assert marks[:, SCRIPT_CODES.index("Deva")].tolist() == deva


@settings(deadline=None)
@given(st.lists(st.text(HAN_FORMS + "a。🀄", max_size=20), max_size=5))
def test_characters_of_one_form_of_han(texts):
    counts = count_letters(array(texts))
    assert counts.simplified.tolist() == [sum(map(text.count, SIMPLIFIED)) for text in texts]
    assert counts.traditional.tolist() == [sum(map(text.count, TRADITIONAL)) for text in texts]
    han = [len(regex.findall(r"\p{Han}", text)) for text in texts]
    assert counts.by_script[:, SCRIPT_CODES.index("Hani")].tolist() == han


def test_the_characters_of_one_form_are_letters_of_han():
    forms = (category_flags() & (HAN_SIMPLIFIED_ONLY | HAN_TRADITIONAL_ONLY)) != 0
    assert set(script_table()[forms]) == {SCRIPT_CODES.index("Hani")}
    assert (category_flags()[forms] & LETTER).all()
    both = HAN_SIMPLIFIED_ONLY | HAN_TRADITIONAL_ONLY
    assert not ((category_flags() & both) == both).any()


@settings(deadline=None)
@given(st.lists(st.text(max_size=9), max_size=9), st.integers(1, 60))
def test_pieces_are_the_whole(texts, num_bytes):
    whole = array(texts)
    assert [text for piece in pieces(whole, num_bytes) for text in piece.to_pylist()] == texts


@settings(deadline=None)
@given(st.lists(st.lists(st.booleans(), max_size=700), max_size=5))
def test_count_between(lists):
    starts = np.cumsum([0, *map(len, lists)])
    values = np.array([value for values in lists for value in values], bool)
    assert count_between(values, starts).tolist() == list(map(sum, lists))


@settings(deadline=None, max_examples=200)
@given(st.lists(st.text(max_size=12), max_size=6), st.data())
def test_code_points_of_any_text_and_of_any_slice(texts, data):
    start = data.draw(st.integers(0, len(texts)))
    length = data.draw(st.integers(0, len(texts) - start))
    wanted = texts[start : start + length]
    for whole in (array(texts), pa.array(texts, pa.large_string())):
        scanned = scan(whole.slice(start, length))
        assert "".join(map(chr, scanned.codepoints)) == "".join(wanted)
        ends = scanned.starts.tolist()
        assert [ends[i + 1] - ends[i] for i in range(length)] == list(map(len, wanted))


@settings(deadline=None, max_examples=100)
@given(st.lists(TEXTS, max_size=6))
def test_each_code_point_has_its_flags_and_its_script(texts):
    scanned = scan(array(texts))
    chars = [char for text in texts for char in text]
    for flag, pattern in CLASSES.items():
        carried = (scanned.flags & flag) != 0
        assert carried.tolist() == [bool(regex.match(pattern, char, regex.V1)) for char in chars]
    for char, script in zip(chars, scanned.scripts, strict=True):
        assert regex.match(rf"\p{{Script={SCRIPT_CODES[script]}}}", char)


@pytest.mark.parametrize("texts", [[], [""], ["", "", ""]])
def test_nothing_to_scan(texts):
    scanned = scan(array(texts))
    assert count(scanned, LETTER) == [0] * len(texts)
    assert count_letters(array(texts)).by_script.sum() == 0
    assert scanned.sum_by_document(scanned.flags > 0).tolist() == [0] * len(texts)


def test_sentence_terminals_of_many_scripts():
    assert count(scan(array([".!?。！？।॥؟۔።‼⁇"])), SENTENCE_TERMINAL) == [13]
    assert count(scan(array([",;:、،·…'abc漢"])), SENTENCE_TERMINAL) == [0]
