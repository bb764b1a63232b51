"""ftfy's repairs of mojibake and entities, with an end.

ftfy repairs a line again and again until nothing changes, and in the same way what is embedded in
it. A line of `ÂÂÂÂ…©` or of `&amp;amp;amp;…` changes by one character a round, so that the time is
the square of its length. Here the rounds of a line may look at so many times its characters; what
is left then stays as it is. Nothing else differs.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import ftfy
from ftfy import fixes
from ftfy.badness import is_bad
from ftfy.chardata import UTF8_DETECTOR_RE

# Mojibake of mojibake takes a line three or four rounds, each of three or four passes.
_MOST_PASSES = 24
_LONGEST_LINE = 1_000_000  # as in ftfy

_WHOLE = ftfy.TextFixerConfig(decode_inconsistent_utf8=False)


class _Work:
    """How many characters may still be looked at."""

    def __init__(self, text: str) -> None:
        self._left = _MOST_PASSES * len(text)

    def allows(self, text: str) -> bool:
        self._left -= len(text)
        return self._left >= 0


def fix_text(text: str, *, encoding: bool = True) -> str:
    """What `ftfy.fix_text` gives, of entities, mojibake, C1 controls and terminal escapes alone.

    Args:
        text: to repair, line by line.
        encoding: whether mojibake is repaired.

    >>> fix_text("Ã‰galitÃ© &amp;amp; fraternitÃ©")
    'Égalité & fraternité'
    """
    fixed = []
    entities = True
    for line in _lines(text):
        entities = entities and "<" not in line  # what follows a tag is HTML
        fixed.append(_fix_line(line, entities, encoding))
    return "".join(fixed)


def is_garbled(text: str) -> bool:
    """Whether a text has mojibake that can be repaired."""
    return _fix_once(text, _Work(text)) != text


def _lines(text: str) -> Iterator[str]:
    for line in io.StringIO(text, newline="\n"):
        for start in range(0, len(line), _LONGEST_LINE):
            yield line[start : start + _LONGEST_LINE]


def _fix_line(line: str, entities: bool, encoding: bool) -> str:
    """As `ftfy.fix_and_explain`."""
    work = _Work(line)
    while work.allows(line):
        before = line
        if entities:
            line = fixes.unescape_html(line)
        if encoding:
            line = _fix_encoding(line, work)
        line = fixes.remove_terminal_escapes(fixes.fix_c1_controls(line))
        if line == before:
            break
    return line


def _fix_encoding(text: str, work: _Work) -> str:
    """As `ftfy.fix_encoding`."""
    while work.allows(text):
        before = text
        text = _fix_once(text, work)
        if text == before:
            break
    return text


def _fix_once(text: str, work: _Work) -> str:
    """One round of ftfy's, in which it is bounded how often what is embedded is repaired."""
    if text.isascii() or not is_bad(text):
        return text
    whole, steps = ftfy._fix_encoding_one_step_and_explain(text, _WHOLE)
    if steps and steps[-1].parameter.startswith("utf-8"):
        return str(whole)

    def fix_embedded(part: str) -> str:
        return _fix_encoding(part, work) if len(part) < len(text) and is_bad(part) else part

    parts = UTF8_DETECTOR_RE.sub(lambda found: fix_embedded(found[0]), text)
    return str(whole) if parts == text else parts
