"""Script and classes of every code point, as arrays to index with an array of code points.

Each table covers all of Unicode, so that text decoded to 32-bit code points is classed by one
indexing operation: ``script_table()[code_points]``. The tables are stored as runs (a first code
point and the value it starts) and need nothing but numpy to load.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from glotmill.language_registry.tables import read_lines, read_rows

NUM_CODE_POINTS = 0x110000

LETTER = 1 << 0  # general category L*, and the signs of Braille and SignWriting
MARK = 1 << 1  # M*: combining marks, among them the vowel signs of Indic scripts
DIGIT = 1 << 2  # Nd
WHITESPACE = 1 << 3  # property White_Space
CONTROL = 1 << 4  # Cc, which includes tab and newline
FORMAT = 1 << 5  # Cf, which includes the zero-width joiners and the bidirectional controls
SENTENCE_TERMINAL = 1 << 6  # property Sentence_Terminal
PRIVATE_USE = 1 << 7  # Co
UNASSIGNED = 1 << 8  # Cn, which includes the noncharacters
HAN_SIMPLIFIED_ONLY = 1 << 9  # occurs in simplified Chinese and not in traditional
HAN_TRADITIONAL_ONLY = 1 << 10  # occurs in traditional Chinese and not in simplified
PUNCTUATION = 1 << 11  # P*
SYMBOL = 1 << 12  # S*, which includes most emoji
SURROGATE = 1 << 13  # Cs: never in well-formed text

SCRIPT_CODES: tuple[str, ...]
"""ISO 15924 code of each index of :func:`script_table`; Zyyy, Zinh and Zzzz come first."""

FIRST_CODES = ("Zyyy", "Zinh", "Zzzz")
COMMON, INHERITED, UNKNOWN = 0, 1, 2


def __getattr__(name: str) -> Any:
    if name == "SCRIPT_CODES":
        return script_codes()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@lru_cache(maxsize=1)
def script_codes() -> tuple[str, ...]:
    """Returns the ISO 15924 codes that :func:`script_table` gives indices of.

    >>> script_codes()[:4]
    ('Zyyy', 'Zinh', 'Zzzz', 'Adlm')
    """
    found = {fields[1] for fields in read_lines("script_runs")[1:]}
    return (*FIRST_CODES, *sorted(found.difference(FIRST_CODES)))


def script_index(code: str) -> int:
    """Returns the index that :func:`script_table` uses for a script.

    Raises:
        ValueError: Unicode gives no character this script (as for the composite ``Jpan``).

    >>> script_codes()[script_index("Deva")]
    'Deva'
    """
    return script_codes().index(code)


@lru_cache(maxsize=1)
def script_table() -> npt.NDArray[np.uint8]:
    """Returns the index into ``SCRIPT_CODES`` of every code point, shape ``(0x110000,)``.

    >>> [script_codes()[index] for index in script_table()[[ord("a"), ord("ж"), ord("。")]]]
    ['Latn', 'Cyrl', 'Zyyy']
    """
    index = {code: number for number, code in enumerate(script_codes())}
    lines = read_lines("script_runs")[1:]
    values = np.array([index[value] for _, value in lines], dtype=np.uint8)
    return _spread(lines, values)


@lru_cache(maxsize=1)
def category_flags() -> npt.NDArray[np.uint16]:
    """Returns the classes of every code point as bits, shape ``(0x110000,)``.

    >>> bool(category_flags()[ord("们")] & HAN_SIMPLIFIED_ONLY)
    True
    >>> bool(category_flags()[ord("ि")] & MARK)
    True
    """
    lines = read_lines("flag_runs")[1:]
    values = np.array([int(value, 16) for _, value in lines], dtype=np.uint16)
    return _spread(lines, values)


@lru_cache(maxsize=1)
def folded_case() -> npt.NDArray[np.uint32]:
    """Returns the code point that each one folds to when case is ignored, shape ``(0x110000,)``.

    >>> "".join(map(chr, folded_case()[[ord(char) for char in "ÉΣДİ"]]))
    'éςдİ'
    """
    table = np.arange(NUM_CODE_POINTS, dtype=np.uint32)
    for code_point, folded in read_lines("case_folds")[1:]:
        table[int(code_point, 16)] = int(folded, 16)
    table.setflags(write=False)
    return table


def unicode_version() -> str:
    """Returns the version of Unicode that the tables hold.

    >>> unicode_version().count(".")
    2
    """
    versions = {row["source"]: row["version"] for row in read_rows("sources")}
    return versions["Unicode"]


def _spread(lines: list[list[str]], values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Repeats the value of each run over its code points; the result cannot be written to."""
    starts = [int(start, 16) for start, _ in lines]
    table = np.repeat(values, np.diff(np.array([*starts, NUM_CODE_POINTS])))
    table.setflags(write=False)
    return table
