"""Normalise: repairs of the text that change no meaning.

What is changed: mojibake and stray HTML entities (ftfy), canonical composition (NFC), line ends,
runs of blanks, control characters. What is not: quotation marks, full-width forms, ligatures,
joiners, marks, zero-width spaces (they part words in Khmer, Lao and Thai), directional marks.
"""

from __future__ import annotations

import enum
import html
import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import regex
from ftfy.badness import BADNESS_RE
from ftfy.chardata import HTML_ENTITY_RE

from glotmill.schemas import recipe
from glotmill.schemas.tables import ANNOTATIONS
from glotmill.transforms.batches import with_columns
from glotmill.transforms.mojibake import fix_text, is_garbled

Mask = npt.NDArray[np.bool_]

# What ftfy takes for mojibake, and languages write. A lone Â or Ã, for what is left of a blank or
# an à: Sicilian Â, "at the". A capital at the end of a word in capitals before a blank or a
# quotation mark: “RÃ”, «HÂLÂ», SLEGIÐ“, VUOTÂ. Hawaiian KĀ‘ANAPALI, Inari Sami TEHÁLÂŠ, and tones
# of Chinantec, Yáˆ. Before no-break spaces and signs: VERÐ and KURDÎ, for where Р or Π is garbled
# so is the letter before; before no-break spaces AMANHÃ and XÃ HỘI, not what is left of “Là-bas”
# and “Pàgina”, and VUOTÂ JÁ amid capitals, for a garbled no-break space may follow any word.
_WRITTEN_RE = regex.compile(
    r"(?m)(?:^|(?<=\s))[ÂÃ](?= )"
    r"|(?<=\p{Lu})[À-ÞĀ-ſ](?:[ «»‘’‚“”„](?!\w)|$)"
    r"|(?<=\p{Lu})(?:[ÎÐ][\u00a0-»–—•™]|Ã\u00a0(?=[\p{Lu}\d]))"
    r"|(?<=\p{Lu}{2})(?:Ã\u00a0|Â\u00a0(?=\p{Lu}(?!\p{Ll})))"
    r"|[ĀĒĪŌŪ][‘’]|ÂŠ|(?<![ÁÉÍÓÚÑØáéíóúñø])[ÁÉÍÓÚÑØáéíóúñø]++[ˆ˜]"
)

# C0 and C1 controls but tab, line feed and the line ends handled before; byte order marks;
# interlinear annotation; noncharacters. Joiners (U+200C, U+200D), U+200B and bidi marks stay.
_CONTROL = "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff\ufff9-\ufffb\ufffe\uffff"
# Blanks that are nothing but a gap. Left alone: U+202F, which Mongolian spells suffixes with,
# U+1680, the stem line of Ogham, U+3000, and U+200B, which parts words in Khmer, Lao and Thai.
_BLANK = " \t\x0b\x0c\u00a0\u2000-\u200a\u205f"
_LINE_END = "\r\x85\u2028\u2029"

_CONTROL_RE = re.compile(f"[{_CONTROL}]")
_LINE_END_RE = re.compile("\r\n|[\r\x85\u2028\u2029]")
_BLANKS_RE = re.compile(f"[{_BLANK}]{{2,}}|[{_BLANK[1:]}]")
_MARGIN_RE = re.compile(r" ?\n ?")
_EMPTY_LINES_RE = re.compile(r"\n{3,}")
_TAG_RE = re.compile("<[!?/]?[A-Za-z][^<>]*>")
# What begins and ends comments and elements that hold no text. `<script/>` is empty, as in XML.
_HIDDEN_RE = re.compile(r"<!--|<(script|style)(?:\s[^<>]*)?(?<!/)>", re.IGNORECASE)
_HIDDEN_END_RE = {
    kind: re.compile(end, re.IGNORECASE)
    for kind, end in {
        "": "-->",
        "script": r"</script(?:[\s/][^<>]*)?>",
        "style": r"</style(?:[\s/][^<>]*)?>",
    }.items()
}
# Runs that Python would sort in the square of their length.
_MARKS_RE = regex.compile(r"\p{M}{64,}+")
_TWO_MARKS_RE = regex.compile(r"\p{M}{2}")
# A number of more digits than Python takes for one.
_LONG_NUMBER_RE = re.compile("(&#[0-9]{4301,};?)")


class Change(enum.IntFlag):
    """What normalisation did to a text."""

    ENCODING = 1
    UNICODE = 2
    CONTROL = 4
    WHITESPACE = 8
    MARKUP = 16


def _without_verbose(pattern: str) -> str:
    """A pattern in Python's verbose syntax, in plain syntax."""
    plain: list[str] = []
    in_class = in_comment = False
    previous = ""
    for char in pattern:
        if in_comment:
            in_comment = char != "\n"
        elif previous == "\\":
            plain.append(char)
            char = ""
        elif in_class or char not in " \t\n\r\v\f#":
            in_class = (in_class or char == "[") and not (in_class and char == "]")
            plain.append(char)
        else:
            in_comment = char == "#"
        previous = char
    return "".join(plain)


def _gate_pattern() -> str:
    r"""An RE2 pattern that matches whenever `fix_text` could change a line.

    ftfy repairs an encoding only where its badness expression matches, entities only where there
    is an ampersand, terminal escapes only after ESC. RE2 knows \w and \s in ASCII alone, so both
    become "any character": the gate may let too much through, never too little.
    """
    bad = _without_verbose(BADNESS_RE.pattern).replace(r"\w", ".").replace(r"\s", ".")
    return f"(?sm)[&\x1b]|{bad}"


_FTFY_GATE = _gate_pattern()
_SPACING_GATE = (
    f"[{_CONTROL}{_LINE_END}{_BLANK[1:]}]|  | \n|\n |\n\n\n|^[ \n]|[ \n]$"  # as the repairs below
)


def fix_encoding(text: str) -> str:
    """Repairs mojibake and entities line by line; a lone Â or Ã only where there is other mojibake.

    >>> fix_encoding("Ã‰galitÃ© &amp; fraternitÃ©")
    'Égalité & fraternité'
    >>> fix_encoding("Iu vaju Â casa"), fix_encoding("marchÃ© Ã  Paris")
    ('Iu vaju Â casa', 'marché à Paris')
    """
    decoded = text
    if HTML_ENTITY_RE.search(text):
        decoded = fix_text(text, encoding=False)
        if decoded.isascii():
            return decoded
    written = _WRITTEN_RE.search(decoded) is not None
    return fix_text(text, encoding=not written or is_garbled(_WRITTEN_RE.sub(" ", decoded)))


def fix_whitespace(text: str) -> str:
    r"""One kind of line end, no runs of blanks, at most one empty line in a row.

    >>> fix_whitespace("  a\t b \r\n\r\n\r\n\r\n c ")
    'a b\n\nc'
    """
    text = _BLANKS_RE.sub(" ", _LINE_END_RE.sub("\n", text))
    return _EMPTY_LINES_RE.sub("\n\n", _MARGIN_RE.sub("\n", text)).strip(" \n")


def remove_control_characters(text: str) -> str:
    r"""Removes control characters that are not white space.

    >>> remove_control_characters("a\x00b\u200dc")
    'ab\u200dc'
    """
    return _CONTROL_RE.sub("", text)


def strip_markup(text: str) -> str:
    """Removes tags, comments, scripts and styles of XML and HTML and decodes entities.

    >>> strip_markup("<p>caf&eacute;<br/>noir</p><style>p {color: red}</style>")
    ' café noir  '
    """
    return _unescape(" ".join(_TAG_RE.sub(" ", part) for part in _shown(text)))


def _shown(text: str) -> Iterator[str]:
    """The parts of a text between comments, scripts and styles; one without an end is no such."""
    start = 0
    endless: set[str] = set()
    for found in _HIDDEN_RE.finditer(text):
        kind = (found[1] or "").lower()
        if found.start() < start or kind in endless:
            continue
        end = _HIDDEN_END_RE[kind].search(text, found.end())
        if end is None:
            endless.add(kind)
        else:
            yield text[start : found.start()]
            start = end.end()
    yield text[start:]


def _unescape(text: str) -> str:
    """Decodes entities; numbers that are too long for Python stay."""
    parts = _LONG_NUMBER_RE.split(text)
    parts[::2] = map(html.unescape, parts[::2])
    return "".join(parts)


class NormaliseText:
    """Annotator that replaces `text` by its normal form and notes what changed."""

    name = "normalise"
    reads: Sequence[str] = ("text",)

    def __init__(
        self, options: recipe.Normalise, *, strip_markup: bool = False, code: bool = False
    ) -> None:
        """Takes the recipe's options.

        Args:
            options: which repairs to do.
            strip_markup: remove tags, comments, scripts and styles first.
            code: the text is source code, whose entities, blanks and code points are its own:
                control characters alone are removed.
        """
        self._ftfy = options.ftfy and not code
        self._whitespace = options.whitespace and not code
        self._control = options.control_characters
        self._nfc = options.unicode == "NFC" and not code
        self._markup = strip_markup

    @property
    def adds(self) -> Sequence[pa.Field]:
        """The columns it appends."""
        return ANNOTATIONS["normalise"]

    def setup(self) -> None:
        """Nothing to load."""

    def annotate(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Replaces `text`; only rows that a repair could change leave Arrow."""
        text = batch.column("text")
        garbled, spaced, composed = self._suspects(text)
        changes = np.zeros(batch.num_rows, np.uint8)
        suspects = np.flatnonzero(garbled | spaced | composed)
        if suspects.size:
            texts = text.to_pylist()
            for row in suspects:
                texts[row], changes[row] = self._repair(texts[row], garbled[row], spaced[row])
            if changes.any():
                text = pa.array(texts, pa.string())
        fields = [batch.schema.field("text"), *self.adds]
        return with_columns(batch, fields, [text, pa.array(changes)])

    def _suspects(self, text: pa.Array) -> tuple[Mask, Mask, Mask]:
        """Rows that repairs of markup and encoding, of spacing, and composition could change."""
        none = np.zeros(len(text), bool)
        garbled = _matches(text, _FTFY_GATE) if self._ftfy else none
        spacing = self._whitespace or self._control
        return (
            garbled | self._markup,
            _matches(text, _SPACING_GATE) if spacing else none,
            ~np.asarray(pc.string_is_ascii(text)) if self._nfc else none,
        )

    def _repair(self, text: str, garbled: bool, spaced: bool) -> tuple[str, int]:
        """The normal form of one text, and the changes made to it, as bits of `Change`."""
        changes = 0
        for wanted, change, repair in (
            (garbled and self._markup, Change.MARKUP, strip_markup),
            (garbled and self._ftfy, Change.ENCODING, fix_encoding),
            # What came out of markup or an entity may need the repairs below.
            ((garbled or spaced) and self._control, Change.CONTROL, remove_control_characters),
            ((garbled or spaced) and self._whitespace, Change.WHITESPACE, fix_whitespace),
            (self._nfc, Change.UNICODE, compose),
        ):
            if wanted and (repaired := repair(text)) != text:
                text, changes = repaired, changes | change
        return text, changes


def compose(text: str) -> str:
    """The text in Unicode normalisation form C."""
    if unicodedata.is_normalized("NFC", text):
        return text
    if _TWO_MARKS_RE.search(text[::32]):  # as in any run of 64
        text = _MARKS_RE.sub(_in_canonical_order, text)
    return unicodedata.normalize("NFC", text)


def _in_canonical_order(marks: regex.Match[str]) -> str:
    """A run of marks, decomposed and sorted by combining class between those of class 0."""
    decomposed = "".join(unicodedata.normalize("NFD", mark) for mark in marks[0])
    parts = groupby(decomposed, lambda mark: unicodedata.combining(mark) == 0)
    return "".join("".join(sorted(part, key=unicodedata.combining)) for _, part in parts)


def _matches(text: pa.Array, pattern: str) -> Mask:
    return np.asarray(pc.match_substring_regex(text, pattern))
