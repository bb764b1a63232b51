"""Templates: pairs of texts to one document, and a document back to its pairs.

A parser has to see where each text ends. It looks for the delimiter that the template puts after
it, such as a line feed and `[deu_Latn]: `. Texts come through unchanged unless they hold that
very delimiter; then a backslash stands before its first character, as at the end of a continued
line in a shell:

* Where a delimiter would begin inside a text, its first character gets a backslash before it.
* Backslashes that stand directly before such a character, or at the end of a text, are doubled.

So a character before which an odd number of backslashes stands belongs to the text. A label in a
delimiter counts whatever it is (`[fra_Latn]: ` is escaped like `[deu_Latn]: `), and of one that
holds a language's name what stands before the name is enough: a parser need not know the
languages of a document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from glotmill.language_registry import name
from glotmill.schemas.templates import Slot, Template, Token, tokens

Layout = Literal["pairs", "blocks"]
Row = tuple[str, ...]

_LABEL = r"[a-z]{3}_[A-Z][a-z]{3}"
_LABEL_PATTERN = re.compile(_LABEL)
# What a parser has learned of the languages: kind of placeholder and segment, to text.
_Known = dict[tuple[str, int], str]


class DocumentError(ValueError):
    """A text that the template did not write."""


@dataclass(frozen=True)
class Parsed:
    """What a document holds.

    `labels` are those of the segments in the order of `rows`' texts, None where the template
    writes no labels and none were given; each of `rows` has a text a segment.
    """

    labels: tuple[str | None, ...]
    rows: tuple[Row, ...]


class _Delimiter:
    """What follows a text: its tokens, and the escape that keeps it out of the text."""

    def __init__(self, parts: Sequence[Token]) -> None:
        self.parts = tuple(parts)
        head = ""
        for token in self.parts:
            if isinstance(token, Slot) and token.kind == "name":
                break
            head += _LABEL if isinstance(token, Slot) else re.escape(token)
        if not self.parts or not isinstance(self.parts[0], str):
            raise ValueError("no character of the template follows a text, so it has no end")
        self.is_line_end = head == re.escape("\n")
        self._first = self.parts[0][0]
        first = re.escape(self._first)
        self._at = re.compile(f"(?={head})")
        self._runs = re.compile(rf"(?<!\\)(\\*)({first})|(?<!\\)(\\+)\Z")
        self._escaped = re.compile(rf"(?<!\\)(\\+)({first}|\Z)")

    def escape(self, text: str, following: str) -> str:
        """The text such that the parser finds its end; `following` is the delimiter as written."""
        if self._first not in text and not text.endswith("\\"):
            return text
        found = self._at.finditer(text + following)
        starts = {match.start() for match in found if match.start() < len(text)}

        def escaped(match: re.Match[str]) -> str:
            if match[3]:
                return match[3] * 2
            return match[1] * 2 + "\\" * (match.start(2) in starts) + match[2]

        return self._runs.sub(escaped, text)

    def unescape(self, text: str) -> str:
        """What `escape` was given."""
        if "\\" not in text:
            return text
        return self._escaped.sub(lambda match: "\\" * (len(match[1]) // 2) + match[2], text)

    def find(self, document: str, start: int) -> int:
        """Where the text that starts at `start` ends; -1 where no delimiter follows it."""
        for match in self._at.finditer(document, start):
            end = before = match.start()
            while before > start and document[before - 1] == "\\":
                before -= 1
            if (end - before) % 2 == 0:
                return end
        return -1


_LINE = _Delimiter(["\n"])


@dataclass(frozen=True)
class _Form:
    """A template for a number of segments: what stands before, between and after the texts.

    `order` says which segment each text of a row is; `delimiters` follow them, the last where
    another row follows.
    """

    opening: tuple[Token, ...]
    order: tuple[int, ...]
    delimiters: tuple[_Delimiter, ...]
    closing: tuple[Token, ...]


@lru_cache(maxsize=1024)
def _form(parts: tuple[str, str, str, str, str], num_segments: int, layout: Layout) -> _Form:
    pair, separator, header, footer, segment = parts
    if num_segments == 2:
        row = _of_segments(tokens(pair), 2)
        before, after = _of_segments(tokens(header), 2), _of_segments(tokens(footer), 2)
    else:
        row = [
            Slot(token.kind, number) if isinstance(token, Slot) else token
            for number in range(num_segments)
            for token in tokens(segment)
        ]
        # A header that names two languages does not fit three.
        before, after = (
            [] if any(isinstance(token, Slot) for token in part) else part
            for part in (tokens(header), tokens(footer))
        )
    pieces: list[list[Token]] = [[]]
    order: list[int] = []
    for token in row:
        if isinstance(token, Slot) and token.kind == "text":
            order.append(token.segment)
            pieces.append([])
        else:
            pieces[-1].append(token)
    between = [*pieces[-1], *tokens(separator), *pieces[0]]
    delimiters = [_Delimiter(_joined(piece)) for piece in [*pieces[1:-1], between]]
    if layout == "blocks":
        # A line end alone would end a block at its first line: an empty line ends it there.
        delimiters = [
            _Delimiter(_joined(["\n", *each.parts])) if each.is_line_end else each
            for each in delimiters
        ]
    return _Form(
        _joined([*before, *pieces[0]]),
        tuple(order),
        tuple(delimiters),
        _joined([*pieces[-1], *after]),
    )


def _of_segments(part: list[Token], num_segments: int) -> list[Token]:
    return [
        Slot(token.kind, token.segment % num_segments) if isinstance(token, Slot) else token
        for token in part
    ]


def _joined(part: Sequence[Token]) -> tuple[Token, ...]:
    """The tokens with no two literals side by side."""
    found: list[Token] = []
    for token in part:
        if isinstance(token, str) and found and isinstance(found[-1], str):
            found[-1] += token
        else:
            found.append(token)
    return tuple(found)


def _form_of(template: Template, num_segments: int, layout: Layout) -> _Form:
    parts = (
        template.pair, template.separator, template.header, template.footer, template.segment,
    )  # fmt: skip
    return _form(parts, num_segments, layout)


@lru_cache(maxsize=4096)
def _known(labels: tuple[str, ...]) -> Mapping[tuple[str, int], str]:
    known: _Known = {}
    for number, label in enumerate(labels):
        if not _LABEL_PATTERN.fullmatch(label):
            raise ValueError(f"'{label}' is no label such as 'eng_Latn'")
        known["lang", number] = label
        known["name", number] = name(label)
    return known


def _written(part: Sequence[Token], known: Mapping[tuple[str, int], str]) -> str:
    """The tokens as text.

    Raises:
        DocumentError: of a placeholder it is not known what stands there.
    """
    try:
        return "".join(
            token if isinstance(token, str) else known[token.kind, token.segment] for token in part
        )
    except KeyError:
        raise DocumentError("the document does not say its languages; give their labels") from None


def render(
    template: Template, labels: Sequence[str], rows: Sequence[Row], *, layout: Layout = "pairs"
) -> str:
    """Writes rows of aligned texts as one document.

    Args:
        template: how.
        labels: of the segments, in the order in which they are to stand.
        rows: one or more; each has a text a label.
        layout: `pairs` writes row after row; `blocks` all texts of the first language, a line
            each, then all of the second; an empty line between them where the template puts no
            more than a line end after a text.

    Raises:
        ValueError: a label is none, or there are no rows.

    >>> from glotmill.schemas.templates import TEMPLATES
    >>> rows = [("Good day.", "Guten Tag."), ("Thanks.", "Danke.")]
    >>> print(render(TEMPLATES["emma500"], ["eng_Latn", "deu_Latn"], rows), end="")
    [eng_Latn]: Good day.
    [deu_Latn]: Guten Tag.
    [eng_Latn]: Thanks.
    [deu_Latn]: Danke.
    """
    if not rows:
        raise ValueError("a document has one row or more")
    known = _known(tuple(labels))
    form = _form_of(template, len(labels), layout)
    followings = [_written(delimiter.parts, known) for delimiter in form.delimiters]
    if layout == "blocks":
        columns = zip(*rows, strict=True)
        rows = [tuple("\n".join(_LINE.escape(t, "\n") for t in column) for column in columns)]
    pieces = [_written(form.opening, known)]
    fields = list(zip(form.order, form.delimiters, followings, strict=True))
    for row in rows:
        for segment, delimiter, following in fields:
            pieces.append(delimiter.escape(row[segment], following))
            pieces.append(following)
    pieces[-1] = _written(form.closing, known)
    return "".join(pieces)


def parse(
    template: Template,
    document: str,
    *,
    labels: Sequence[str] | None = None,
    layout: Layout = "pairs",
) -> Parsed:
    r"""Reads the rows back out of a document: exactly those that `render` was given.

    Args:
        template: with which the document was written.
        document: its text.
        labels: of its segments, where they are known. They are needed for three and more, and
            where a template names languages in its footer only, or by names of which one holds
            what the template puts after it.
        layout: with which it was written.

    Raises:
        DocumentError: the template did not write it.

    >>> from glotmill.schemas.templates import TEMPLATES
    >>> row = ("A tag:\n[deu_Latn]: so.", "Ein Etikett.")
    >>> document = render(TEMPLATES["emma500"], ["eng_Latn", "deu_Latn"], [row])
    >>> print(document, end="")
    [eng_Latn]: A tag:\
    [deu_Latn]: so.
    [deu_Latn]: Ein Etikett.
    >>> parse(TEMPLATES["emma500"], document) == Parsed(("eng_Latn", "deu_Latn"), (row,))
    True
    """
    form = _form_of(template, 2 if labels is None else len(labels), layout)
    known = dict(_known(tuple(labels))) if labels is not None else _learned(form, document)
    rows = _rows(form, document, known)
    if layout == "blocks":
        if len(rows) != 1:
            raise DocumentError(f"{len(rows)} pairs of blocks instead of one")
        columns = [_lines(block) for block in rows[0]]
        if len({len(column) for column in columns}) > 1:
            numbers = ", ".join(str(len(column)) for column in columns)
            raise DocumentError(f"blocks of different numbers of texts: {numbers}")
        rows = list(zip(*columns, strict=True))
    found = tuple(known.get(("lang", number)) for number in range(len(form.order)))
    return Parsed(found, tuple(rows))


def _learned(form: _Form, document: str) -> _Known:
    """The languages, from where they first stand."""
    known: _Known = {}
    place = _match(form.opening, document, 0, known)
    for delimiter in form.delimiters[:-1]:
        place = _match(delimiter.parts, document, _end(delimiter, document, place), known)
    return known


def _end(delimiter: _Delimiter, document: str, start: int) -> int:
    end = delimiter.find(document, start)
    if end < 0:
        raise DocumentError(f"the text at character {start} has no end")
    return end


def _match(part: Sequence[Token], document: str, place: int, known: _Known) -> int:
    """The end of what the tokens wrote at a place; learns the languages that stand there."""
    pattern = ""
    slots: list[Slot] = []
    for token in part:
        if isinstance(token, str):
            pattern += re.escape(token)
        elif (token.kind, token.segment) in known:
            pattern += re.escape(known[token.kind, token.segment])
        elif token in slots:
            pattern += rf"(?:\{slots.index(token) + 1})"
        else:
            slots.append(token)
            pattern += f"({_LABEL})" if token.kind == "lang" else r"([^\n]+?)"
    match = re.compile(pattern).match(document, place)
    if match is None:
        raise DocumentError(f"not what the template writes at character {place}")
    known |= {
        (slot.kind, slot.segment): text for slot, text in zip(slots, match.groups(), strict=True)
    }
    return match.end()


def _rows(form: _Form, document: str, known: _Known) -> list[Row]:
    opening, closing = _written(form.opening, known), _written(form.closing, known)
    body_end = len(document) - len(closing)
    if not (document.startswith(opening) and document.endswith(closing)):
        raise DocumentError("the document does not begin and end as the template does")
    if body_end < len(opening):
        raise DocumentError("the document is shorter than the template")
    body = document[:body_end]
    rows: list[Row] = []
    place = len(opening)
    while True:
        row = [""] * len(form.order)
        for segment, delimiter in zip(form.order, form.delimiters, strict=True):
            last = delimiter is form.delimiters[-1]
            end = delimiter.find(body, place) if last else _end(delimiter, body, place)
            row[segment] = delimiter.unescape(body[place : end if end >= 0 else len(body)])
            if end < 0:
                return [*rows, tuple(row)]
            place = _match(delimiter.parts, body, end, known)
        rows.append(tuple(row))


def _lines(block: str) -> list[str]:
    lines = []
    place = 0
    while (end := _LINE.find(block, place)) >= 0:
        lines.append(_LINE.unescape(block[place:end]))
        place = end + 1
    return [*lines, _LINE.unescape(block[place:])]
