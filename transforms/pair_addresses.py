"""Addresses in sides of pairs: translations have the same, and they are no words of either."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from glotmill.schemas.tables import WORD_HASHES
from glotmill.transforms.addresses import EMAIL as _EMAIL
from glotmill.transforms.addresses import URL as _URL
from glotmill.transforms.addresses import without_addresses
from glotmill.transforms.scan import count_letters, pieces, scan
from glotmill.transforms.words import hash_words, word_characters, words_by_document

#: Text without a match has no URL, or no e-mail address: regular expressions of RE2.
MAY_HAVE_URL = r"(?i)://|www\."
MAY_HAVE_EMAIL = "@"

# RE2 has no lookbehind. Without one Awww. begins a URL, and Python takes quadratic time for runs of
# what may begin an e-mail address.
URL = re.compile(f"(?<![A-Za-z0-9]){_URL}")
EMAIL = re.compile(f"(?<![A-Za-z0-9._%+-]){_EMAIL}")
# What ends a sentence, brackets of the text around, and a last slash.
_TRAILING = ".,;:!?()[]/"

#: Of a side, while it is filtered: hashes of its words, and its letters, without addresses.
PLAIN_WORDS = pa.field("plain_words", WORD_HASHES.type, nullable=False)
PLAIN_LETTERS = pa.field("plain_letters", pa.int64(), nullable=False)


def addresses(text: str, pattern: re.Pattern[str]) -> list[str]:
    """Addresses in a text, in lower case, without scheme and without what ends a sentence, sorted.

    >>> addresses("见https://A.org/x，谢谢 (http://b.org/).", URL)
    ['a.org/x', 'b.org']
    """
    found = [match.group().lower().rstrip(_TRAILING) for match in pattern.finditer(text)]
    return sorted(each.removeprefix("http://").removeprefix("https://") for each in found)


def plain_columns(sides: pa.RecordBatch) -> list[pa.Array]:
    """The columns PLAIN_WORDS and PLAIN_LETTERS of annotated sides."""
    columns = [sides.column(WORD_HASHES.name), sides.column("num_letters")]
    texts = sides.column("text")
    suspects = pc.match_substring_regex(texts, f"{MAY_HAVE_URL}|{MAY_HAVE_EMAIL}")
    places = np.flatnonzero(suspects)
    if not places.size:
        return columns
    left = without_addresses(texts.take(pa.array(places)))
    plain = [_words_and_letters(piece) for piece in pieces(left)]
    source = np.arange(len(texts))
    source[places] = len(texts) + np.arange(len(places))
    return [
        pa.concat_arrays(parts).take(pa.array(source))
        for parts in zip(columns, *plain, strict=True)
    ]


def _words_and_letters(text: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Hashes of the words and number of the letters of each text, as `measure` finds them."""
    scanned = scan(text)
    words = words_by_document(*hash_words(scanned, word_characters(scanned)))
    letters = count_letters(text).by_script.sum(axis=1)
    return words, pa.array(letters, PLAIN_LETTERS.type)
