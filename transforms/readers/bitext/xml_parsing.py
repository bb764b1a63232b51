"""Units parsed: all of a block at once, and one by one where one is bad.

A unit has no document type of its own, so no entity but XML's five is known in it: neither
expansion bombs nor external entities can do anything.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError, fromstring

from glotmill.transforms.readers.records import Reject, excerpt, locate_invalid_utf8

_END = b"</units>"
_UNDEFINED_ENTITY = 11
_GROUP = 64  # units parsed at once; of more, Python's collector takes half the time
_AMPERSAND = re.compile(rb"&(?!(?:lt|gt|amp|quot|apos|#[0-9]+|#x[0-9A-Fa-f]+);)(\w+;)?")
_DROPPED = frozenset({"bpt", "ept", "ph", "it", "ut", "x", "bx", "ex"})


@dataclass(frozen=True)
class UnitParser:
    """Parses whole elements.

    Attributes:
        wrapper: A start tag around them, which declares name spaces.
        encoding: Their encoding, in which ASCII is itself.
        repairs_entities: Whether a unit with bad entities is mended before it is given up.
    """

    wrapper: bytes = b"<units>"
    encoding: str = "utf-8"
    repairs_entities: bool = False

    def parse(self, units: list[bytes], offsets: list[int]) -> Iterator[Element | Reject]:
        """Give the element of each unit, or what is wrong with it, in order."""
        for begin in range(0, len(units), _GROUP):
            end = begin + _GROUP
            yield from self._parse_group(units[begin:end], offsets[begin:end])

    def _parse_group(self, units: list[bytes], offsets: list[int]) -> Iterator[Element | Reject]:
        if self.encoding == "utf-8":
            try:
                root = fromstring(b"".join((self.wrapper, *units, _END)))
            except (ParseError, ValueError):
                pass
            else:
                if len(root) == len(units):
                    yield from root
                    return
        for unit, offset in zip(units, offsets, strict=True):
            yield self.parse_one(unit, offset)

    def parse_one(self, unit: bytes, offset: int) -> Element | Reject:
        """Return the element of one unit, or what is wrong with it."""
        data = unit
        if self.encoding != "utf-8":
            try:
                data = unit.decode(self.encoding).encode()
            except UnicodeError as error:
                detail = f"{error} (in the unit, which is read as {self.encoding})"
                return Reject(offset, "invalid_encoding", detail, excerpt(unit))
        try:
            return self._element(data)
        except ParseError as error:
            problem = _describe(data, offset, error)
        except ValueError as error:
            problem = Reject(offset, "invalid_xml", str(error), excerpt(data))
        if self.repairs_entities:
            try:
                return self._element(_AMPERSAND.sub(_mended, data))
            except (ParseError, ValueError):
                pass
        return problem

    def _element(self, data: bytes) -> Element:
        root = fromstring(b"".join((self.wrapper, data, _END)))
        if len(root) != 1:
            raise ValueError(f"{len(root)} elements where one was expected")
        return root[0]


def _describe(unit: bytes, offset: int, error: ParseError) -> Reject:
    if detail := locate_invalid_utf8(unit, offset):
        return Reject(offset, "invalid_utf8", detail, excerpt(unit))
    reason = "undefined_entity" if error.code == _UNDEFINED_ENTITY else "invalid_xml"
    message = str(error).rsplit(": ", 1)[0]
    line = error.position[0]
    return Reject(offset, reason, f"{message} in line {line} of the unit", excerpt(unit))


def _mended(match: re.Match[bytes]) -> bytes:
    name = match.group(1)
    if name is None:
        return b"&amp;"
    text = html.unescape(f"&{name.decode('utf-8', 'replace')}")
    if text.startswith("&") and len(text) > 1:
        return b"&amp;" + name
    return text.replace("&", "&amp;").replace("<", "&lt;").encode()


def text_of(element: Element) -> str:
    """Return an element's text without the codes of its markup.

    Codes (``bpt``, ``ept``, ``ph``, ``it``, ``ut``, ``x``, ``bx``, ``ex``) go with all that is in
    them, their sub-flows too; nothing is put in their place. The text inside ``hi``, ``g``,
    ``mrk``, ``pc`` and any other element stays. Comments and processing instructions go.
    """
    if not len(element):
        return element.text or ""
    parts = [element.text or ""]
    # Without recursion: markup may be nested as deeply as the unit is long.
    pending: list[Element | str] = list(_inside(element))
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            parts.append(item)
        elif item.tag.rpartition("}")[2] not in _DROPPED:
            parts.append(item.text or "")
            pending += _inside(item)
    return "".join(parts)


def _inside(element: Element) -> Iterator[Element | str]:
    """Give children and the texts after them, last first."""
    for child in reversed(element):
        if child.tail:
            yield child.tail
        yield child
