"""The scan against counting character by character with the `regex` package."""

import pyarrow as pa
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmill.language_registry.unicode_tables import (
    DIGIT,
    LETTER,
    MARK,
    SCRIPT_CODES,
    SENTENCE_TERMINAL,
    WHITESPACE,
)
from glotmill.transforms.scan import JOINER, MID_LETTER, NEWLINE, scan

# Assigned since long ago, so that versions of Unicode do not matter.
OLD = (
    "abcABCéßÆıŁøАБвгжΩλάאבשُعَبحिकाপ্রাதமிழ്กข้าำລາວខ្មែរမြန်བོད་አማ한국あいアイー漢字国國ㄅㄆᠮᠣ"
    "ᏣᎳᎩ𐌰𐌱𐐀𒀀𓀀😀👩🏽०१٣٤０１²½ \t\n\r\x0b\x0c\x1c\x85\u00a0\u1680\u2003\u2028\u202f\u3000"
    "\u200b\u200c\u200d\u200f\ufeff.!?…。！？।॥؟۔።᠃'’·׳״\"(),;:-–—_@#$%&*+=<>/|~^`\x00\x7f"
)
TEXTS = st.text(st.sampled_from(OLD), max_size=30)
CLASSES = {
    LETTER: r"\p{L}",
    MARK: r"\p{M}",
    DIGIT: r"\p{Nd}",
    WHITESPACE: r"\p{White_Space}",
    MID_LETTER: "['’·׳״]",
    JOINER: "[\u200c\u200d]",
    NEWLINE: "\n",
    LETTER | DIGIT: r"[\p{L}\p{Nd}]",
}


def array(texts):
    return pa.array(texts, pa.string())


@settings(deadline=None, max_examples=200)
@given(st.lists(TEXTS, max_size=6))
def test_counts_of_classes(texts):
    scanned = scan(array(texts))
    assert scanned.num_documents == len(texts)
    for flag, pattern in CLASSES.items():
        expected = [len(regex.findall(pattern, text)) for text in texts]
        assert scanned.count(flag).tolist() == expected, pattern


@settings(deadline=None, max_examples=200)
@given(st.lists(TEXTS, max_size=5))
def test_counts_of_letters_by_script(texts):
    counts = scan(array(texts)).count_by_script(LETTER)
    assert counts.shape == (len(texts), len(SCRIPT_CODES))
    for text, row in zip(texts, counts, strict=True):
        found = {SCRIPT_CODES[i]: int(row[i]) for i in row.nonzero()[0]}
        expected = {}
        for char in regex.findall(r"\p{L}", text):
            code = next(c for c in SCRIPT_CODES if regex.match(rf"\p{{Script={c}}}", char))
            expected[code] = expected.get(code, 0) + 1
        assert found == expected


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
        assert scanned.histogram.sum(axis=1).tolist() == list(map(len, wanted))


@settings(deadline=None, max_examples=100)
@given(st.lists(TEXTS, max_size=6))
def test_each_code_point_has_the_flags_and_script_of_its_class(texts):
    scanned = scan(array(texts))
    for flag, pattern in CLASSES.items():
        carried = (scanned.flags & flag) != 0
        assert carried.tolist() == [bool(regex.match(pattern, c)) for t in texts for c in t]
        assert scanned.sum_by_document(carried).tolist() == scanned.count(flag).tolist()


@pytest.mark.parametrize("texts", [[], [""], ["", "", ""]])
def test_nothing_to_scan(texts):
    scanned = scan(array(texts))
    assert scanned.count(LETTER).tolist() == [0] * len(texts)
    assert scanned.count_by_script(LETTER).sum() == 0
    assert scanned.sum_by_document(scanned.flags > 0).tolist() == [0] * len(texts)


def test_sentence_terminals_of_many_scripts():
    assert scan(array([".!?。！？।॥؟۔።‼⁇"])).count(SENTENCE_TERMINAL).tolist() == [13]
    assert scan(array([",;:、،·…'abc漢"])).count(SENTENCE_TERMINAL).tolist() == [0]
