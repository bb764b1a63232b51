"""URLs and e-mail addresses in texts: translations have the same, and they are no words of either.

Addresses end at the first character that is not ASCII, since text follows without a blank in
languages that have none, and Korean particles do (https://x.org/d에서). Of an internationalised
address this leaves what is before, on both sides alike.
"""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from glotmill.schemas.tables import WORD_HASHES
from glotmill.transforms.scan import count_letters, pieces, scan
from glotmill.transforms.words import word_characters, word_hashes, word_starts

#: Text without a match has no URL, or no e-mail address: regular expressions of RE2.
MAY_HAVE_URL = r"(?i)://|www\."
MAY_HAVE_EMAIL = "@"

_URL = r"(?<![a-z0-9])(?:https?://|www\.)[!#-&(-;=?-\[\]_a-z~]+"
_EMAIL = r"(?<![a-z0-9._%+-])[a-z0-9._%+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}"
URL = re.compile(_URL, re.ASCII | re.IGNORECASE)
EMAIL = re.compile(_EMAIL, re.ASCII | re.IGNORECASE)
_EITHER = re.compile(f"{_URL}|{_EMAIL}", re.ASCII | re.IGNORECASE)
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
    left = [_EITHER.sub(" ", text) for text in texts.take(pa.array(places)).to_pylist()]
    plain = [_words_and_letters(piece) for piece in pieces(pa.array(left))]
    source = np.arange(len(texts))
    source[places] = len(texts) + np.arange(len(places))
    return [
        pa.concat_arrays(parts).take(pa.array(source))
        for parts in zip(columns, *plain, strict=True)
    ]


def _words_and_letters(text: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Hashes of the words and number of the letters of each text, as `measure` finds them."""
    scanned = scan(text)
    inside = word_characters(scanned)
    begins = word_starts(scanned, inside)
    bounds = np.concatenate(([0], np.cumsum(scanned.sum_by_document(begins)))).astype(np.int32)
    hashes = word_hashes(scanned, inside, np.flatnonzero(begins))
    letters = count_letters(text).by_script.sum(axis=1)
    return (
        pa.ListArray.from_arrays(pa.array(bounds), pa.array(hashes), type=WORD_HASHES.type),
        pa.array(letters, PLAIN_LETTERS.type),
    )
