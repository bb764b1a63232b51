"""Normalisation: the gate is exact, and what carries meaning comes through."""

import unicodedata

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from glotmill.schemas import recipe
from glotmill.transforms.normalise import (
    Change,
    NormaliseText,
    compose,
    fix_encoding,
    fix_whitespace,
    remove_control_characters,
    strip_markup,
)

WORDS = [
    "égalité", "naïve", "Größe", "Łódź", "Привет", "мир", "ελληνικά", "你好，世界", "日本語です",
    "한국어", "हिन्दी", "বাংলা", "ไทยน้ำ", "ພາສາ", "ភាសា\u200bខ្មែរ", "བོད་ཡིག", "አማርኛ፡ነው",
    "مُحَمَّدٌ", "שָׁלוֹם", "👩\u200d👩\u200d👧", "“quoted”", "it’s", "ﬁne", "Ｆｕｌｌ", "a & b", "x<y",
]  # fmt: skip


def garbled(text: str, encoding: str) -> str:
    """UTF-8 read as another encoding, as it happens on the web."""
    return text.encode().decode(encoding, errors="replace")


# Pieces that repairs look for, glued in any order.
PIECES = st.one_of(
    st.sampled_from(WORDS),
    st.builds(garbled, st.sampled_from(WORDS), st.sampled_from(["latin-1", "cp1252", "cp437"])),
    st.text(st.characters(max_codepoint=0xFF), max_size=4),
    st.text("ÃÂâàÅÐÑØÙð€™œŸ¢£¦©®°´·¸º»¼½¾¿\x80\x82\x85\x91\x9d\xa0\xad", max_size=4),
    st.sampled_from(
        ["&amp;", "&lt;", "&#233;", "&eacute;", "&#x301;", "&nbsp;", "&#0;", "&", ";", "<b>", "<",
         ">", "<!--", "-->", "\x1b[31m", "e\u0301", "\u1100\u1161", "\u2000", "\u212b", "\u0340"]
    ),
    st.sampled_from(list(" \t\n\r\x0b\x0c\x00\x1f\x7f\x85\xa0\u2003\u2028\u2029\u202f\u205f")),
    st.sampled_from(["\ufeff", "\ufffe", "\U0001fffe", "\u200b", "\u200d", "\u3000", "\u1680"]),
    st.text(max_size=3),
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=8).map("".join)
OPTIONS = st.builds(
    recipe.Normalise,
    unicode=st.sampled_from(["NFC", "none"]),
    ftfy=st.booleans(),
    whitespace=st.booleans(),
    control_characters=st.booleans(),
)


def repaired(text: str, options: recipe.Normalise, markup: bool, code: bool) -> tuple[str, int]:
    """All repairs one after another, without a gate."""
    repairs = [
        (markup, Change.MARKUP, strip_markup),
        (options.ftfy and not code, Change.ENCODING, fix_encoding),
        (options.control_characters, Change.CONTROL, remove_control_characters),
        (options.whitespace and not code, Change.WHITESPACE, fix_whitespace),
        (options.unicode == "NFC" and not code, Change.UNICODE, compose),
    ]
    changes = 0
    for wanted, change, repair in repairs:
        if wanted and repair(text) != text:
            text, changes = repair(text), changes | change
    return text, changes


def normalised(texts, options=None, **flags) -> list[tuple[str, int]]:
    batch = pa.record_batch({"text": pa.array(texts, pa.string())})
    after = NormaliseText(options or recipe.Normalise(), **flags).annotate(batch)
    return list(zip(after["text"].to_pylist(), after["changes"].to_pylist(), strict=True))


def one(text: str, **flags) -> str:
    return normalised([text], **flags)[0][0]


@settings(max_examples=600, deadline=None)
@given(st.lists(TEXTS, max_size=6), OPTIONS, st.booleans(), st.booleans())
@example(["e&#x301;"], recipe.Normalise(), False, False)
@example(["a\x00 \x00b", " a", "a ", "\na"], recipe.Normalise(), False, False)
@example(["a\n\n\nb", "a\n \n\nb", "日Ä£日"], recipe.Normalise(), False, False)
@example(["\r\x00\n"], recipe.Normalise(), False, False)
@example(["Ã©", "Ãƒ", "Â ", "à²¹", "Ð¿", "a\x9d"], recipe.Normalise(), False, False)
def test_the_gate_is_exact(texts, options, markup, code):
    expected = [repaired(text, options, markup, code) for text in texts]
    assert normalised(texts, options, strip_markup=markup, code=code) == expected


@settings(max_examples=200, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=6), st.data())
def test_neither_the_cut_of_batches_nor_offsets_of_slices_matter(texts, data):
    start = data.draw(st.integers(0, len(texts)))
    end = data.draw(st.integers(start, len(texts)))
    batch = pa.record_batch({"text": pa.array(texts, pa.string()), "n": range(len(texts))})
    stage = NormaliseText(recipe.Normalise())
    assert stage.annotate(batch.slice(start, end - start)) == stage.annotate(batch).slice(
        start, end - start
    )


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        ("Â fini di lu misi", "Â fini di lu misi"),
        ("Iu vaju Â casa &amp; tornu", "Iu vaju Â casa & tornu"),
        ("Ã melendé\nÃ melendé", "Ã melendé\nÃ melendé"),
        ("Ã\u00a0 la carte", "à la carte"),
        ("au marchÃ© Ã  Paris\nÃ la carte", "au marché à Paris\nà la carte"),
        ("voilÃ  le chat", "voilà le chat"),
    ],
)
def test_a_lone_letter_is_a_word_unless_the_text_is_garbled(text, repaired):
    assert normalised([text], recipe.Normalise())[0][0] == repaired


@pytest.mark.parametrize(
    "text",
    [
        "KĀ‘ANAPALI BEACH HOTEL",
        "PHIM “ĐÃ QUÊN” CỦA “MÃ”",
        "“O SOL DE AMANHÃ” E “MINHA IRMÃ”",
        "„LIÐIÐ VAR SLEGIÐ“",
        "«CASA MÂNDRÂ» ȘI «ÎNTÂMPLÂ»",
        "ŞEHİTLER «HÂLÂ»",
        "EROMÂŠ TEHÁLÂŠ",
        "OLMOOŠVUOTÂ JÁ",
        "i̱ siiˋ Yáˆ i̱ nɨninéeˊ",
        "ˈNɄÑÍˆ DO CARTƗ",
        "VERÐ\u00a0500 kr. með sendingu",
        "AMANHÃ\u00a0às 20h",
        "CỘNG HÒA XÃ\u00a0HỘI CHỦ NGHĨA",
        "DÎROKA KURDÎ\u00a0– pirtûkên",
        "OLMOOŠVUOTÂ\u00a0JÁ",
        "HARÐ™",
        "VERÐ–GÆÐI",
        "VERÐ\u00adBRÉF",
    ],
)
def test_words_that_look_garbled_stay(text):
    assert fix_encoding(text) == text


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        ("AMANHÃ&nbsp;às 20h", "AMANHÃ\u00a0às 20h"),
        ("VER&ETH;&#160;500 kr.", "VERÐ\u00a0500 kr."),
        ("VERÐ&amp;nbsp;500 kr.", "VERÐ\u00a0500 kr."),
        ("HARÐ&trade;", "HARÐ™"),
        ("<b>VERÐ</b>&nbsp;500", "<b>VERÐ</b>&nbsp;500"),
        ("VERÐ\u00a0500\n<b>&Atilde;&copy;", "VERÐ\u00a0500\n<b>&Atilde;&copy;"),
        ("VERÐ\u00a0&Atilde;&copy;", "VERР\u00e9"),  # other mojibake
    ],
)
def test_words_that_look_garbled_before_an_entity_stay(text, decoded):
    assert fix_encoding(text) == decoded


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        ("PÃ\u00a0gina 1", "Pàgina 1"),
        ("LÃ\u00a0-bas", "Là-bas"),
        ("PIÃ™ BELLO", "PIÙ BELLO"),
        ("QÉ™dim", "Qədim"),
        ("PRODUCTÂ™", "PRODUCT™"),
        ("USAÂ\u00a0and", "USA\u00a0and"),
        ("ÐŸÐ\u00a0", "ПР"),
        ("ÎŸÎ\u00a0ÎŸ", "ΟΠΟ"),
        ("ÐœÐžÐ™ ÐœÐ˜Ð\u00a0", "МОЙ МИР"),
    ],
)
def test_what_is_garbled_after_a_capital_is_repaired(text, repaired):
    assert fix_encoding(text) == repaired


@pytest.mark.parametrize(
    "text",
    ["Änderung", "ESPAÑA", "ÄRZTE", "Óscar", "hū ki tuʻa", "Și turbinele", "Trump-yň", "ውሃ ነው"],
)
def test_words_that_look_like_others_are_repaired(text):
    assert fix_encoding(text.encode().decode("sloppy-windows-1252")) == text


@settings(deadline=None)
@given(TEXTS)
def test_repairs_of_white_space_controls_and_composition_are_done_in_one_go(text):
    for repair in (fix_whitespace, remove_control_characters, compose):
        assert repair(repair(text)) == repair(text)


@settings(deadline=None)
@given(TEXTS)
def test_what_white_space_is_left_with(text):
    fixed = fix_whitespace(remove_control_characters(text))
    assert not set(fixed) & set("\r\t\x0b\x0c\x85\xa0\u2003\u2028\u2029\u205f")
    assert not any(run in fixed for run in ("  ", " \n", "\n ", "\n\n\n"))
    assert fixed == fixed.strip(" \n")


@settings(deadline=None)
@given(st.text())
def test_nothing_but_space_is_lost_to_white_space(text):
    kept = [char for char in text if not char.isspace()]
    assert [char for char in fix_whitespace(text) if not char.isspace()] == kept


@settings(deadline=None)
@given(st.text())
def test_what_is_taken_out_as_control_is_no_character_of_any_script(text):
    gone = set(text) - set(remove_control_characters(text))
    assert all(unicodedata.category(char) in ("Cc", "Cf", "Cn") for char in gone)
    assert not gone & set("\t\n\r\x0b\x0c\x85\u200b\u200c\u200d\u200e\u200f\u2060\u061c\u00ad")


@pytest.mark.parametrize(
    "text",
    [
        "میروم\u200cکتاب",  # ZWNJ of Persian
        "ක්\u200dෂ ශ්\u200dරී",  # ZWJ of Sinhala
        "ភាសា\u200bខ្មែរ",  # zero-width spaces part words
        "ᠮᠣᠩᠭᠣᠯ\u202fᠤᠨ",  # narrow no-break space before a suffix
        "᚛ᚑᚌᚐᚋ\u1680ᚑᚌᚐᚋ᚜",  # the space mark of Ogham
        "　日本語　です。",  # ideographic spaces, also at the start
        "हिन्दी में लिखी हुई कि",
        "ภาษาไทยที่นี่น้ำ",
        "မြန်မာဘာသာ",
        "བོད་ཡིག་གི་སྐད།",
        "ሰላም፡ዓለም።",
        "الكـــتاب مُحَمَّدٌ",  # tatweel and harakat
        "בְּרֵאשִׁית בָּרָא",  # points, in the order NFC gives
        "👩\u200d👩\u200d👧\u200d👦 👍🏽 🏳️\u200d🌈",
        "عربي \u200fABC\u200e עברית \u061c \u2067abc\u2069",
        "“typographic” ‘quotes’ „here“ «and» it’s",
        "Ｆｕｌｌ ｗｉｄｔｈ １２３ ｶﾀｶﾅ",
        "ﬁne eﬀort ŉ ĳ ﷺ",
        "co\u00adoperate",  # soft hyphen
        "x²  ½ ™ № ℃".replace("  ", " "),
        "a < b && c > d",
        "AT&T R&D",
    ],
)
def test_what_carries_meaning_comes_through(text):
    text = unicodedata.normalize("NFC", text)
    assert normalised([text]) == [(text, 0)]


@pytest.mark.parametrize(
    ("text", "expected", "changes"),
    [
        ("cafÃ© crÃ¨me", "café crème", Change.ENCODING),
        ("donâ€™t", "don’t", Change.ENCODING),
        ("ÐŸÑ€Ð¸Ð²ÐµÑ‚", "Привет", Change.ENCODING),
        ("bread &amp; butter", "bread & butter", Change.ENCODING),
        ("e\u0301", "é", Change.UNICODE),
        ("한국".replace("한", "\u1112\u1161\u11ab"), "한국", Change.UNICODE),
        ("a\x00b\ufeff", "ab", Change.CONTROL),
        ("a \t b\r\n\r\n\r\nc\u2028d ", "a b\n\nc\nd", Change.WHITESPACE),
        ("a\xa0b\u2003c", "a b c", Change.WHITESPACE),
        ("\x00 a", "a", Change.CONTROL | Change.WHITESPACE),
        ("caf&eacute;\tÃ©", "café é", Change.ENCODING | Change.WHITESPACE),
    ],
)
def test_what_is_repaired_and_what_is_noted(text, expected, changes):
    assert normalised([text]) == [(expected, changes)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p class='a'>caf&eacute;</p>", " café "),
        ("a<!-- <b> --\n>c -->d", "a d"),
        ("<?xml version='1.0'?><!DOCTYPE html>a<br/>b", "  a b"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("i <3 you", "i <3 you"),
        ("&lt;b&gt; &amp;amp;", "<b> &amp;"),
        ("a<SCRIPT type='x'>if (a<b) '</b>'</script >b", "a b"),
        ("a<style>p {}</style\n>b<styles>c</styles>", "a b c "),
        ("<script>'<!--'</script>a<!--<style>-->b</style>-->", " a b -->"),
        ("<script/>a<script src='a'/>b</script>", " a b "),
        ("put <script> into <b>it", "put   into  it"),
        ("<!-- <script> a </script>", "<!--  "),
        ("</script> a <script>", "  a  "),
        ("a <scripture>b</scripture>", "a  b "),
        ("&lt;script&gt;a&lt;/script&gt;", "<script>a</script>"),
    ],
)
def test_markup(text, expected):
    assert strip_markup(text) == expected


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("repair", "text"),
    [
        (fix_encoding, "R&D ja " + "é" * 40_000),
        (strip_markup, "<!-- a --> " + "<!--" * 40_000),
        (strip_markup, "<!-- a -->" + "<script <style " * 40_000),
    ],
)
def test_runs_take_no_quadratic_time(repair, text):
    assert repair(text) == text.replace("<!-- a -->", " ")


# Marks of all classes, of class 0 too, some that decompose to marks, and some that are newer.
MARKS = [chr(code) for code in range(0x300, 0x20000) if unicodedata.category(chr(code))[0] == "M"]
MARKS += ["\u0344", "\u0f73", "\u0f75", "\u0f81", "\u034f", "\U00010efd", "\U0001e4ec"] * 50


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.lists(st.sampled_from(MARKS), max_size=10),
            st.lists(st.sampled_from(MARKS), min_size=64, max_size=100),
            st.text("aeéǖ각\u1100\u1161\u11a8\u0915\u09c7\u0b47\u1b05\u212b", max_size=3),
        ),
        max_size=6,
    ).map(lambda parts: "".join(char for part in parts for char in part))
)
@example("a" + "\u0301\u0316" * 40)
@example("ǖ" + "\u0f81\u0344\u0316\u09be" * 40)
def test_long_runs_of_marks_are_composed_as_others(text):
    assert compose(text) == unicodedata.normalize("NFC", text)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("marks", ["\u0301\u0316", "\u0344\u0316", "\u0f74\u0f71"])
def test_a_long_run_of_marks_takes_no_quadratic_time(marks):
    assert unicodedata.is_normalized("NFC", compose("a" + marks * 200_000))


@pytest.mark.timeout(10)
def test_elements_without_an_end_take_no_quadratic_time():
    assert not strip_markup("<style></style>" + "<script><style>" * 20_000).strip()


@pytest.mark.parametrize("number", ["1" * 4_301, "0" * 4_301 + "65"])
def test_a_number_too_long_for_python_is_no_entity(number):
    text = f"a &#{number}; &amp; b"
    assert strip_markup(text) == fix_encoding(text) == f"a &#{number}; & b"


def test_markup_is_removed_where_asked_for_and_its_space_with_it():
    text = "<ul>\n <li>ein</li>\n <li>zwei &amp; drei</li>\n</ul>"
    expected = ("ein\nzwei & drei", Change.MARKUP | Change.WHITESPACE)
    assert normalised([text], strip_markup=True) == [expected]
    assert "<li>" in one(text)


def test_code_is_left_alone_but_for_controls():
    code = "\tif (a &amp;&amp; b)\r\n\t\tx = 'Ã©';  \n\n\n\n# e\u0301\xa0\n"
    assert normalised([code], code=True) == [(code, 0)]
    assert normalised([code + "\x00"], code=True) == [(code, Change.CONTROL)]


def test_an_empty_batch_and_empty_texts():
    assert normalised([]) == []
    assert normalised(["", " ", "\n"]) == [("", 0), ("", 8), ("", 8)]


def test_other_columns_and_their_order_stay():
    batch = pa.record_batch({"id": [1, 2], "text": ["a  b", "c"], "z": ["x", None]})
    after = NormaliseText(recipe.Normalise()).annotate(batch)
    assert after.schema.names == ["id", "text", "z", "changes"]
    assert after.to_pylist() == [
        {"id": 1, "text": "a b", "z": "x", "changes": 8},
        {"id": 2, "text": "c", "z": None, "changes": 0},
    ]
