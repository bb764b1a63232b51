"""Repairs of mojibake: what ftfy gives, and an end where ftfy goes on."""

import time

import ftfy
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from glotmill.transforms.mojibake import fix_text

FTFY = ftfy.TextFixerConfig(
    fix_latin_ligatures=False,
    fix_character_width=False,
    uncurl_quotes=False,
    fix_line_breaks=False,
    fix_surrogates=False,
    remove_control_chars=False,
    normalization=None,
)
WORDS = ["égalité", "Łódź", "Привет", "日本語", "हिन्दी", "“it’s”", " à la", "👩", "x < y", "Ünï"]
ENCODINGS = ["latin-1", "sloppy-windows-1252", "sloppy-windows-1251", "macroman", "cp437"]


def garbled(text: str, encodings: list[str]) -> str:
    for encoding in encodings:
        text = text.encode().decode(encoding)
    return text


PIECES = st.one_of(
    st.builds(garbled, st.sampled_from(WORDS), st.lists(st.sampled_from(ENCODINGS), max_size=3)),
    st.sampled_from(
        ["&amp;lt;", "&amp;amp;#233;", "<b>", "\n", "\r", "\x1b[31m", "\x85", "�", "Ã "]
    ),
    st.text("ÃÂâ€™©\x80\xa0 ", max_size=4),
    st.text(max_size=3),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=6).map("".join), st.booleans())
@example("<b>\n&amp;\n", True)
@example("é日 " + garbled("ÂÂÂÂ©", ["latin-1"]), True)
def test_is_what_ftfy_gives(text, encoding):
    expected = ftfy.fix_text(text, FTFY._replace(fix_encoding=encoding))
    assert fix_text(text, encoding=encoding) == expected


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "text",
    [
        "Â" * 10_000 + "©",
        "é日 " + garbled("Â" * 5_000 + "©", ["latin-1"]),  # embedded in what is right
        "&" + "amp;" * 100_000,
        "&#5&#5&#5&#4&#5" * 10_000 + "6" + ";" * 50_000,  # a number in a number
    ],
)
def test_what_changes_a_little_in_each_round_is_left_in_the_end(text):
    start = time.process_time()
    fix_text(text)
    assert time.process_time() - start < 5


def test_a_long_line_is_repaired_in_pieces_as_by_ftfy():
    text = "a" * 999_997 + "Ã© Ã© Ã©"
    assert fix_text(text) == ftfy.fix_text(text, FTFY) != text
