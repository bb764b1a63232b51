"""Texts on which two libraries that split text by one pattern would differ if they ever did."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product

# Every fourth token is enough to go through all scripts of a vocabulary.
_EVERY = 4
# Ranges of characters and the steps in which they are taken: many of those that scripts share, few
# of those that are alike (Han, Hangul, private use); surrogates are no characters.
_RANGES = (
    (0x0, 0x3400, 1), (0x3400, 0xA000, 64), (0xA000, 0xAC00, 3), (0xAC00, 0xD7A4, 64),
    (0xD7A4, 0xD800, 3), (0xE000, 0xF900, 512), (0xF900, 0x10000, 3), (0x10000, 0x17000, 11),
    (0x17000, 0x18D00, 64), (0x18D00, 0x20000, 11), (0x20000, 0x40000, 256),
    (0x40000, 0x110000, 16384),
)  # fmt: skip
_A_TEXT = 64
_SHORT = ("a", "Z", "é", "1", "٣", " ", "\t", "\n", "\r", "\u00a0", "'", ".", "/", "的", "\u0301")
_ODD = (
    "'s 'S 'ſ 'll 'LL 'Ve 're'T don't DON'T we'dn't ''s 's's",
    "1234567890 12 ١٢٣٤٥ १२३४५६ ①②③ Ⅷ ½ ⁵ 𝟘𝟙𝟚𝟛 1a2b3c 3.14159 1,000,000",
    "\r\n\r\nCRLF\r\n \r\n\t\r\n  x\r \n y\n\n\n  \n z \t  ",
    "👩‍👩‍👧‍👦 🏳️‍🌈 🇫🇮🇸🇪 👍🏽 ❤️ ☎ 😀😀😀 #️⃣",
    "e\u0301 क्षि ก็ำ ျြွှ बा\u200dल\u200c \u0915\u094d\u0937 ❤\ufe0f a\u0300\u0301\u0302\u0303 \u0301",
    "<|endoftext|> <|begin_of_text|><s>[INST]</s> <unk> <pad><｜User｜> <0x0A> <|im_start|>",
    "\ufeffBOM \u200b \u2028 \u2029 \x00 \x1f \x7f \x85 \u1680\u180e\u3000 \ufffd \U0010ffff",
    "https://example.org/a_b?c=d&e=%20#f // /* */ == != >= {[()]} \\n __init__ ````",
    "ÀÉÎ ſtraße ŒUVRE İstanbul ǅ ǈ ﬁ Ångström Ω ΑΣ",
)


def probe_texts(pieces: Sequence[bytes]) -> Iterator[str]:
    """Texts of all scripts, of odd characters, and of the tokens themselves.

    Args:
        pieces: tokens of the vocabulary that is probed.
    """
    yield from _fixed()
    whole = [piece.decode(errors="ignore") for piece in pieces[::_EVERY]]
    for start in range(0, len(whole), _A_TEXT):
        part = whole[start : start + _A_TEXT]
        yield " ".join(part)
        yield "".join(part)


@lru_cache(maxsize=1)
def _fixed() -> tuple[str, ...]:
    long = ("a" * 3000, "的" * 3000, " " * 3000 + "x", "\n" * 3000, "=-" * 1500, "ab1" * 1000)
    return ("", *_ODD, *long, *_combinations(), *_characters())


def _combinations() -> Iterator[str]:
    """All ways to put three of the kinds of character that patterns tell apart."""
    short = ["".join(each) for each in product(_SHORT, repeat=3)]
    yield from short
    yield "x".join(short)


def _characters() -> Iterator[str]:
    """Characters of all ranges, each beside a letter, a digit and a mark."""
    codes = [code for first, end, step in _RANGES for code in range(first, end, step)]
    for start in range(0, len(codes), _A_TEXT):
        part = [chr(code) for code in codes[start : start + _A_TEXT]]
        yield "".join(f"{one}a {one}1.{one}{one}\n" for one in part)
        yield unicodedata.normalize("NFC", "".join(part))
