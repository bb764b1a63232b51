"""Words and sentences of a scanned batch, by the rules of the script.

Where a script puts spaces between words, a word is a run of letters, marks and digits (with an
apostrophe or middle dot between letters, as in UAX #29). Where it does not (Han, Thai, Khmer,
...), every letter with its marks counts as one word, which is what UAX #29 gives without a
dictionary; dictionaries would give Thai words of about four letters.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from glotmill.language_registry.scripts import is_spaced
from glotmill.language_registry.unicode_tables import (
    DIGIT,
    LETTER,
    MARK,
    SCRIPT_CODES,
    SENTENCE_TERMINAL,
    WHITESPACE,
    folded_case,
    script_index,
)
from glotmill.schemas.tables import WORD_HASHES
from glotmill.transforms.scan import (
    JOINER,
    MAYBE_TERMINAL,
    MID_LETTER,
    NEWLINE,
    UNSEEN_MARK,
    Scan,
)

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

# An odd multiplier spreads code points over 64 bits; powers of another give each place in a word
# its own weight. Both are the constants of splitmix64 (Steele et al., OOPSLA 2014).
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_BASE = 0xBF58476D1CE4E5B9
_PLACES = 1 << 12
_TATWEEL = 0x640
_WORD_SPACE = 0x1361  # Ethiopic
_TURKIC_I = (0x130, 0x131)  # of İ and ı the case depends on the language


def next_of(values: Bools, starts: Ints) -> Bools:
    """The value at the next code point of the same document, else false; bool[m]."""
    following = np.zeros_like(values)
    following[:-1] = values[1:]
    following[_last_places(starts)] = False
    return following


def previous_of(values: Bools, starts: Ints) -> Bools:
    """The value at the previous code point of the same document, else false; bool[m]."""
    before = np.zeros_like(values)
    before[1:] = values[:-1]
    before[starts[:-1][starts[:-1] < starts[1:]]] = False
    return before


def _last_places(starts: Ints) -> Ints:
    """Where the last code point of each document is that has any."""
    return starts[1:][starts[1:] > starts[:-1]] - 1


_KATAKANA = "Kana"


@functools.cache
def _unspaced(katakana: bool) -> Bools:
    """Scripts written without spaces between words, by index into SCRIPT_CODES.

    Katakana is one of them where it is asked for: UAX #29 keeps a run of it together.
    """
    alone = np.array([not is_spaced(code) for code in SCRIPT_CODES])
    alone[script_index(_KATAKANA)] = katakana
    return alone


def word_characters(scan: Scan) -> Bools:
    """Code points that are part of a word; bool[m].

    Marks and joiners are where they stand behind a letter or digit, not behind emoji or alone.
    """
    inside = (scan.flags & (LETTER | MARK | DIGIT | JOINER)) != 0
    attached = (scan.flags & (MARK | JOINER)) != 0
    if attached.any() and (attached & ~previous_of(inside, scan.starts)).any():
        inside = _with_marks(inside & ~attached, attached, scan.starts)
    mid = np.flatnonzero(scan.flags & MID_LETTER)
    if mid.size:
        inside[_between_letters(scan, attached, mid)] = True
    return inside


def _between_letters(scan: Scan, attached: Bools, mid: Ints) -> Ints:
    """The places of `MID_LETTER` with a letter right behind and one, with its marks, before."""
    document = np.searchsorted(scan.starts, mid, side="right")
    within = (mid > scan.starts[document - 1]) & (mid + 1 < scan.starts[document])
    mid = mid[within]
    mid = mid[_are_joined(scan, mid, mid + 1)]
    return mid[_are_joined(scan, mid, _bearers(attached, scan.starts, mid - 1))]


def _are_joined(scan: Scan, mid: Ints, sides: Ints) -> Bools:
    """Whether letters of scripts with spaces are beside; Hebrew ones, where `"` is; bool[p]."""
    scripts = scan.scripts[sides]
    letters = ((scan.flags[sides] & LETTER) != 0) & ~_unspaced(katakana=False)[scripts]
    return letters & ((scan.codepoints[mid] != ord('"')) | (scripts == script_index("Hebr")))


def has_katakana(scan: Scan) -> Bools:
    """Which of n documents have Katakana in them, so that it matters how it is cut; bool[n]."""
    return scan.sum_by_document(scan.scripts == script_index(_KATAKANA)) > 0


def word_starts(scan: Scan, inside: Bools, *, cut_katakana: bool = False) -> Bools:
    """Code points that begin a word; bool[m].

    Args:
        scan: the scanned batch.
        inside: what `word_characters` gives.
        cut_katakana: every letter of it begins a word, as those of Hiragana do.
    """
    alone = _unspaced(cut_katakana)[scan.scripts] & ((scan.flags & LETTER) != 0)
    begins = inside & ~previous_of(inside, scan.starts)
    if not alone.any():
        return begins
    attached = (scan.flags & (MARK | JOINER)) != 0
    after_alone = previous_of(_with_marks(alone, attached, scan.starts), scan.starts)
    return begins | alone | (inside & after_alone & ~attached)


def _with_marks(values: Bools, attached: Bools, starts: Ints) -> Bools:
    """The values, an attached code point with that of the one it is attached to; bool[m]."""
    places = np.flatnonzero(attached)
    if not places.size:
        return values
    carried = values.copy()
    carried[places] = values[_bearers_of(places, len(values), starts)]
    return carried


def _bearers(attached: Bools, starts: Ints, places: Ints) -> Ints:
    """Some places, instead of attached code points those that they are attached to; int64[p]."""
    marked = attached[places]
    if not marked.any():
        return places
    marks, bearers = np.flatnonzero(attached), places.copy()
    nearest = np.searchsorted(marks, places[marked])
    bearers[marked] = _bearers_of(marks, len(attached), starts)[nearest]
    return bearers


def _bearers_of(places: Ints, num_codepoints: int, starts: Ints) -> Ints:
    """What the attached code points are attached to; int64[p].

    Args:
        places: int64[p], of all attached ones, one and more.
        num_codepoints: m.
        starts: int64[n + 1], of the documents.
    """
    first = np.zeros(num_codepoints, bool)
    first[starts[:-1][starts[:-1] < starts[1:]]] = True
    alone = first[places]  # the first of a document is its own bearer
    heads = alone.copy()
    heads[0] = True
    heads[1:] |= places[1:] != places[:-1] + 1
    heads_before = np.maximum.accumulate(np.where(heads, np.arange(len(places)), 0))
    return places[heads_before] - ~alone[heads_before]


def whitespace_word_starts(scan: Scan) -> Bools:
    """Code points that begin a run without white space; bool[m]."""
    black = (scan.flags & WHITESPACE) == 0
    return black & ~previous_of(black, scan.starts)


def sentence_ends(scan: Scan, inside: Bools) -> Bools:
    """Code points that end a sentence; bool[m].

    A terminator ends one unless a word goes on right behind it (`3.14`, `U.S.`), which only
    scripts outside ASCII do between sentences; so does the end of a line behind a word.
    """
    terminal = (scan.flags & (SENTENCE_TERMINAL | MAYBE_TERMINAL)) != 0
    last = np.ones(len(terminal), bool)
    last[:-1] = (scan.flags[1:] & NEWLINE) != 0
    last[_last_places(scan.starts)] = True
    places = np.flatnonzero(terminal)
    maybe = places[(scan.flags[places] & MAYBE_TERMINAL) != 0]
    terminal[maybe] = _are_terminal(scan, last, maybe)
    places = places[terminal[places]]
    behind = np.minimum(places + 1, len(terminal) - 1)
    goes_on = terminal[behind] | (inside[behind] & (scan.codepoints[places] < 0x80))
    ends = last & inside
    ends[places[last[places] | ~goes_on]] = True
    return ends


def _are_terminal(scan: Scan, last: Bools, places: Ints) -> Bools:
    """Which of the places of `MAYBE_TERMINAL` are terminators; bool[p].

    `:` is one behind an Armenian letter and `;` behind a Greek one, the second of two Ethiopic
    word spaces is, and so is a shad that stands behind a sign and before white space.
    """
    before, behind = np.maximum(places - 1, 0), np.minimum(places + 1, len(last) - 1)
    here, script = scan.codepoints[places], scan.scripts[before]
    found = (scan.scripts[places] == script_index("Tibt")) & (
        (scan.flags[before] & WHITESPACE) == 0
    )
    found &= last[places] | ((scan.flags[behind] & WHITESPACE) != 0)
    found |= (here == ord(":")) & (script == script_index("Armn"))
    found |= (here == ord(";")) & (script == script_index("Grek"))
    found |= (here == _WORD_SPACE) & (scan.codepoints[before] == _WORD_SPACE)
    return found & (places > scan.starts[np.searchsorted(scan.starts, places, "right") - 1])


@functools.cache
def _folded() -> npt.NDArray[np.uint32]:
    """Code points without case; with a dot or not, an i is an i."""
    table = folded_case().copy()
    table[list(_TURKIC_I)] = ord("i")
    return table


@functools.cache
def _weights() -> Hashes:
    powers = np.full(_PLACES, _BASE, np.uint64)
    powers[0] = 1
    return np.cumprod(powers)


def word_hashes(scan: Scan, inside: Bools, starts: Ints) -> Hashes:
    """A 64-bit hash of each word.

    Neither case nor what stands between words enters it, nor what is written in several ways
    inside them: apostrophes, what is not seen (`JOINER`, `UNSEEN_MARK`), the Arabic tatweel.

    Args:
        scan: the scanned batch.
        inside: bool[m], word characters.
        starts: int64[w], positions of the first code points of the words, ascending.

    Returns:
        uint64[w]. Words longer than 4,096 code points fold onto themselves.
    """
    if not starts.size:
        return np.zeros(0, np.uint64)
    hashed = inside & ((scan.flags & (MID_LETTER | JOINER | UNSEEN_MARK)) == 0)
    hashed &= scan.codepoints != _TATWEEL
    hashed[starts] = True  # no word is empty
    hashed[: starts[0]] = False
    firsts = np.cumsum(hashed)[starts] - 1
    codepoints = scan.codepoints[hashed]
    place = np.arange(len(codepoints)) - np.repeat(firsts, np.diff(firsts, append=len(codepoints)))
    terms = _folded()[codepoints].astype(np.uint64) * _SPREAD
    terms ^= terms >> np.uint64(29)
    terms *= _weights()[place & (_PLACES - 1)]
    sums = np.add.reduceat(terms, firsts)
    return sums ^ (sums >> np.uint64(32))


def hash_words(scan: Scan, inside: Bools, *, cut_katakana: bool = False) -> tuple[Hashes, Ints]:
    """A hash of each word, uint64[w], and how many words each document has, int64[n]."""
    begins = word_starts(scan, inside, cut_katakana=cut_katakana)
    return word_hashes(scan, inside, np.flatnonzero(begins)), scan.sum_by_document(begins)


def words_by_document(words: Hashes, num_words: Ints) -> pa.ListArray:
    """What `hash_words` gives as a column, WORD_HASHES."""
    bounds = np.concatenate(([0], np.cumsum(num_words))).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(bounds), pa.array(words), type=WORD_HASHES.type)


def ngram_hashes(words: Hashes, n: int) -> Hashes:
    """Hashes of all runs of n words; uint64[w - n + 1]."""
    if len(words) < n:
        return np.zeros(0, np.uint64)
    grams = np.zeros(len(words) - n + 1, np.uint64)
    for place in range(n):
        grams = longer_ngrams(grams, words[place : len(words) - n + 1 + place])
    return grams


def longer_ngrams(grams: Hashes, words: Hashes) -> Hashes:
    """Hashes of runs of n + 1 words, of those of n words and the word behind each; uint64[g]."""
    longer = grams * np.uint64(_BASE)
    longer += words
    longer ^= longer >> np.uint64(31)
    return longer
