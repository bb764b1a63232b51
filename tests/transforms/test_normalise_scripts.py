"""No letter, mark, joiner or punctuation of any script is lost in normalisation."""

import unicodedata
from collections import defaultdict

import pyarrow as pa
import pytest

from glotmill.schemas.recipe import Normalise
from glotmill.transforms.measure import MeasureText
from glotmill.transforms.normalise import Change, NormaliseText

# What normalisation may remove or replace: blanks of every kind that is only a gap, line ends.
GAPS = {
    *" \t\n\r\x0b\x0c\x85\u00a0\u205f\u2028\u2029",
    *map(chr, range(0x2000, 0x200B)),
}


def solid(text: str) -> str:
    """The text in NFC without gaps."""
    return "".join(char for char in unicodedata.normalize("NFC", text) if char not in GAPS)


@pytest.fixture(scope="module")
def normalised(sample_rows):
    """(script, text before, text after, changes) of every article of the sample."""
    texts = pa.record_batch({"text": [row["text"] for row in sample_rows]})
    after = MeasureText().annotate(NormaliseText(Normalise()).annotate(texts))
    columns = (after.column(name).to_pylist() for name in ("script", "text", "changes"))
    before = texts.column("text").to_pylist()
    return [
        (script, old, new, changes)
        for old, (script, new, changes) in zip(before, zip(*columns, strict=True), strict=True)
    ]


def test_every_script_keeps_all_that_is_no_gap(normalised):
    seen = defaultdict(int)
    for script, before, after, changes in normalised:
        if not changes & Change.ENCODING:
            assert solid(after) == solid(before)
            seen[script] += 1
    assert len(seen) >= 40
    assert min(seen.values()) >= 1


def test_repaired_encodings_change_nothing_but_the_c1_controls(normalised):
    repaired = [(old, new) for _, old, new, changes in normalised if changes & Change.ENCODING]
    assert len(repaired) == 28  # U+0092 for an apostrophe, in two declarations
    for before, after in repaired:
        assert solid(before).replace("\x92", "\u2019") == solid(after)


# Marks, joiners and punctuation that careless cleaning loses, in a word of their script.
CARRIERS = {
    "Deva": "हिन्दी क्‍ष र्‍य श्री॥ ज़ ऑ",
    "Beng": "র‌্যাব ক্ষ ৎ",
    "Mlym": "ന്‍ ണ്‍ അവന്‌",
    "Sinh": "ශ්‍රී ක්‍ෂ",
    "Thai": "น้ำใจ ๆ ฯ กรุงเทพฯ",
    "Laoo": "ນ້ຳ ໆ",
    "Khmr": "ខ្មែរ\u200bភាសា ។ ៗ",
    "Mymr": "မြန်မာ။ ၊ ဿ",
    "Tibt": "བོད་སྐད་། ༄༅།",
    "Arab": "مُحَمَّدٌ می‌خواهم ۀ ـ ؟ ٪",
    "Hebr": "שָׁלוֹם בְּרֵאשִׁ֖ית ־ ״",
    "Ethi": "ሰላም፡ለዓለም።",
    "Mong": "ᠮᠣᠩᠭᠣᠯ\u202fᠤᠨ ᠪᠠᠢ᠌\u180e᠎ᠠ",
    "Latn": "mãn Ọlọ́run ʻōlelo ’ǂKhomani ɛ̀ ŋ̩ n̈ ŀ",
    "Grek": "ἄνθρωπος ᾧ · ;",
    "Cyrl": "І҆и҃съ и́ ӓ ғ",
    "Hang": "한국어 ㆍ",
    "Jpan": "「日本語」、テキスト。　々〆ヽ～",
    "Hant": "「漢語」，《書》—— ⿰",
    "Adlm": "𞤀𞤣𞤤𞤢𞤥 𞤆𞤵𞤤𞤢𞥄𞤪",
    "Nkoo": "ߒߞߏ ߘߊ߬ߞߎ߲߫",
    "Ogam": "᚛ᚑᚌᚐᚋ\u1680ᚋᚐ᚜",
}


@pytest.mark.parametrize("script", CARRIERS)
def test_what_carries_meaning_survives(script):
    text = unicodedata.normalize("NFC", CARRIERS[script])
    batch = pa.record_batch({"text": [text]})
    (after,) = NormaliseText(Normalise()).annotate(batch).column("text").to_pylist()
    assert after == text
