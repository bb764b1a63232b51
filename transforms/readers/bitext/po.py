r"""Message catalogues of GNU gettext (PO), entry by entry.

polib reads a file as a whole and gives up at the first fault. Catalogues are simple enough to be
read in a stream, with offsets, and with one reject for each bad entry; a test holds this reader
against polib on real catalogues.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from glotmill.transforms.readers.bitext.options import BitextOptions
from glotmill.transforms.readers.bitext.units import Unit, UnitBatch
from glotmill.transforms.readers.decompress import ByteStream
from glotmill.transforms.readers.lines import iterate_lines, read_lines
from glotmill.transforms.readers.records import ReadBatch, Reject, excerpt

_KEYWORD = re.compile(r'(msgctxt|msgid_plural|msgid|msgstr(?:\[(\d{1,2})\])?)\s*(".*)$', re.DOTALL)
_STRING = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"\s*$', re.DOTALL)
_BYTE = re.compile(r"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2}))")
_ESCAPE = re.compile(r"((?:\\(?:[0-7]{1,3}|x[0-9A-Fa-f]{1,2}))+)|\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_CHARSET = re.compile(r"charset=([A-Za-z0-9._-]+)", re.IGNORECASE)
_LANGUAGE = re.compile(r"^Language:[ \t]*([^\s]+)", re.MULTILINE | re.IGNORECASE)


@dataclass
class _Entry:
    """One entry on its way."""

    offset: int
    size: int = 0
    first: bytes = b""
    flags: set[str] = field(default_factory=set)
    is_obsolete: bool = False
    texts: dict[str, str] = field(default_factory=dict)
    last: str = ""
    problem: tuple[str, str] | None = None


class _Catalogue:
    """What the header says."""

    def __init__(self) -> None:
        self.encoding = "utf-8"
        self.language: str | None = None

    def read(self, header: str) -> None:
        """Take the header, the translation of the empty text."""
        if (found := _LANGUAGE.search(header)) is not None:
            self.language = found.group(1)
        if (found := _CHARSET.search(header)) is not None:
            try:
                if "<".encode(found.group(1)) == b"<":
                    self.encoding = found.group(1)
            except (LookupError, TypeError):
                pass  # CHARSET, as templates have it


def read_po(stream: ByteStream, options: BitextOptions) -> Iterator[ReadBatch]:
    """Read a unit from each translation, the message first and its translation second.

    The code of messages is `BitextOptions.codes`' first or null, that of translations its second
    or the header's ``Language``. A message with plural forms gives a unit for each form: the
    first with ``msgid``, all others (and the only one of a language that has no singular) with
    ``msgid_plural``. A unit's identifier is its ``msgctxt``; `missing_side`, as no text of a
    catalogue can be empty, does not occur.

    Rejects: ``untranslated``, ``fuzzy`` (unless `BitextOptions.keep_unreviewed`), ``obsolete``,
    ``invalid_po`` (a line that has no place in an entry, or an entry without ``msgid`` or
    ``msgstr``, or with ``msgid_plural`` and a bare ``msgstr`` only), ``invalid_encoding``,
    ``record_too_long`` and those of `read_lines`.
    """
    batch = UnitBatch(options)
    catalogue = _Catalogue()
    for entry in _entries(stream, catalogue, options):
        if isinstance(entry, Reject):
            batch.rejects.append(entry)
        else:
            _add(batch, entry, catalogue, options)
        if batch.is_full:
            yield batch.take()
    if not batch.is_empty:
        yield batch.take()


def _entries(
    stream: ByteStream, catalogue: _Catalogue, options: BitextOptions
) -> Iterator[_Entry | Reject]:
    """Gather lines to entries; one ends where a blank line, comment or new message begins."""
    entry: _Entry | None = None
    lines = iterate_lines(read_lines(stream, max_record_bytes=options.max_record_bytes))
    for offset, line in lines:
        if isinstance(line, Reject):
            if entry is not None:
                yield entry
            entry = None
            yield line
            continue
        if not line.strip():
            if entry is not None and ("msgid" in entry.texts or entry.problem):
                yield entry
                entry = None
            continue
        if entry is not None and _begins_entry(line, entry):
            yield entry
            entry = None
        if entry is None:
            entry = _Entry(offset, first=line)
        _take_line(entry, line, catalogue, options)
    if entry is not None:
        yield entry


def _begins_entry(line: bytes, entry: _Entry) -> bool:
    if line.startswith(b"#~"):
        if not entry.is_obsolete:
            return bool(entry.texts)
        line = line[2:].lstrip()
    elif line.startswith(b"#"):
        return bool(entry.texts)
    has_translation = any(name.startswith("msgstr") for name in entry.texts)
    starts = line.startswith(b"msgctxt") or line.split(b'"', 1)[0].rstrip() == b"msgid"
    return starts and (has_translation or (line.startswith(b"msgid") and "msgid" in entry.texts))


def _take_line(entry: _Entry, line: bytes, catalogue: _Catalogue, options: BitextOptions) -> None:
    entry.size += len(line) + 1
    if entry.size > options.max_record_bytes:
        limit = f"the limit (max_record_bytes) is {options.max_record_bytes}"
        entry.problem = ("record_too_long", f"more than {options.max_record_bytes} bytes; {limit}")
        entry.texts = dict.fromkeys(entry.texts, "")
    if entry.problem is not None:
        return
    try:
        text = line.decode(catalogue.encoding).strip()
    except UnicodeError as error:
        entry.problem = ("invalid_encoding", f"{error} (byte {entry.offset} of the file and after)")
        return
    if text.startswith("#~"):
        entry.is_obsolete = True
        text = text[2:].strip()
        text = "" if text.startswith("|") else text
    if text.startswith("#"):
        if text.startswith("#,"):
            entry.flags |= {flag.strip() for flag in text[2:].split(",")}
        return
    if text:
        _take_text(entry, text, catalogue.encoding)


def _take_text(entry: _Entry, text: str, encoding: str) -> None:
    keyword = _KEYWORD.match(text)
    name, quoted = (keyword.group(1), keyword.group(3)) if keyword else (entry.last, text)
    string = _STRING.match(quoted)
    if string is None or not name:
        entry.problem = ("invalid_po", f"no keyword and no quoted string: {text[:80]!r}")
        return
    if keyword is not None and name in entry.texts:
        entry.problem = ("invalid_po", f"{name} occurs twice in one entry")
        return
    entry.last = name
    value = string.group(1)
    try:
        value = _unescaped(value, encoding) if "\\" in value else value
    except UnicodeError as error:
        entry.problem = ("invalid_encoding", f"the bytes that {text[:80]!r} escapes: {error}")
        return
    entry.texts[name] = entry.texts.get(name, "") + value


def _unescaped(value: str, encoding: str) -> str:
    r"""Resolve escapes; numbers are bytes in the catalogue's encoding, as gettext has it.

    >>> _unescaped(r"\303\251t\xc3\xa9\n", "utf-8")
    'été\n'
    """

    def resolve(escape: re.Match[str]) -> str:
        numbers, character = escape.groups()
        if numbers is None:
            return _ESCAPED.get(character, character)
        found = _BYTE.findall(numbers)
        codes = [int(octal, 8) & 0xFF if octal else int(digits, 16) for octal, digits in found]
        return bytes(codes).decode(encoding)

    return _ESCAPE.sub(resolve, value)


def _add(batch: UnitBatch, entry: _Entry, catalogue: _Catalogue, options: BitextOptions) -> None:
    """Add the units of an entry, or its reject."""
    texts = entry.texts
    if entry.problem is None and not texts:
        return  # comments
    if entry.problem is None and texts.get("msgid") == "" and "msgctxt" not in texts:
        catalogue.read(texts.get("msgstr", ""))
        return
    problem = entry.problem or _problem(entry, options)
    if problem is not None:
        shown = texts.get("msgid", "").encode() or entry.first
        batch.rejects.append(Reject(entry.offset, *problem, excerpt(shown)))
        return
    codes = [options.code(0), options.code(1) or catalogue.language]
    for source, target in _forms(texts):
        if target:
            unit = Unit(codes, [source, target], texts.get("msgctxt"))
            batch.add(unit, entry.offset, entry.size)
        else:
            detail = "one of the plural forms has no translation"
            reject = Reject(entry.offset, "untranslated", detail, excerpt(source.encode()))
            batch.rejects.append(reject)


def _problem(entry: _Entry, options: BitextOptions) -> tuple[str, str] | None:
    if entry.is_obsolete:
        return "obsolete", "the message is no longer in use (#~)"
    translations = {n: text for n, text in entry.texts.items() if n.startswith("msgstr")}
    if "msgid" not in entry.texts or not translations:
        return "invalid_po", f"an entry with {', '.join(entry.texts)} only"
    if "msgid_plural" in entry.texts and translations.keys() == {"msgstr"}:
        detail = "msgid_plural with a bare msgstr; its translations are msgstr[0], msgstr[1], ..."
        return "invalid_po", detail
    if not any(translations.values()):
        return "untranslated", "the translation is empty"
    if "fuzzy" in entry.flags and not options.keep_unreviewed:
        return "fuzzy", "the translation is marked fuzzy; keep_unreviewed reads it"
    return None


def _forms(texts: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Give each pair of a message and its translation."""
    if "msgid_plural" not in texts:
        yield texts["msgid"], texts.get("msgstr", texts.get("msgstr[0]", ""))
        return
    forms = [text for name, text in sorted(texts.items()) if name.startswith("msgstr[")]
    if len(forms) == 1:
        yield texts["msgid_plural"], forms[0]
        return
    for index, text in enumerate(forms):
        yield texts["msgid" if index == 0 else "msgid_plural"], text
