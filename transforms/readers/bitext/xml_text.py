"""The encoding of an XML file, and its first tags.

What cannot be cut at ASCII bytes (UTF-16 and UTF-32) is turned into UTF-8 on the way, with the
way back from its offsets to those of the file.
"""

import codecs
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from glotmill.transforms.readers.decompress import ByteStream
from glotmill.transforms.readers.records import FileProblem
from glotmill.transforms.readers.sniff import BOM, check_is_text

HEAD = 1 << 16
_SAMPLE = 1 << 20
_MIN_NON_ASCII = 16
_PIECE = 1 << 13

_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_ATTRIBUTE = re.compile(r"""([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_REFERENCE = re.compile(r"&(lt|gt|amp|quot|apos|#\d+|#x[0-9A-Fa-f]+);")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}

# UTF-32LE begins with the mark of UTF-16LE and so comes first.
_WIDE_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDE_STARTS = (
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)


@dataclass(frozen=True)
class Encoding:
    """How the characters of a file are written.

    Attributes:
        name: Python's name of it.
        mark: Bytes of the byte order mark.
        is_wide: Whether it has two or four bytes for an ASCII character.
    """

    name: str
    mark: int = 0
    is_wide: bool = False


def detect_encoding(stream: ByteStream) -> Encoding:
    """Tell the encoding of an XML file from its mark, its first bytes and its declaration.

    Bytes go before words: a file that declares UTF-16 and has ASCII bytes is read as UTF-8, and
    so is one that declares an eight-bit encoding where its first MiB is UTF-8 with at least 16
    bytes that are no ASCII. What is then no UTF-8 is rejected unit by unit.

    Raises:
        FileProblem: With reason ``unknown_encoding`` if Python knows none of that name, and
            ``not_text`` for what is no text.
    """
    head = stream.peek(HEAD)[:HEAD]
    for mark, name in _WIDE_MARKS:
        if head.startswith(mark):
            return Encoding(name, len(mark), is_wide=True)
    for start, name in _WIDE_STARTS:
        if head.startswith(start):
            return Encoding(name, is_wide=True)
    check_is_text(head)
    if head.startswith(BOM):
        return Encoding("utf-8", len(BOM))
    declared = _DECLARED.match(head)
    name = _python_name(declared.group(1).decode()) if declared else "utf-8"
    if name == "utf-8" or _is_utf8(stream.peek(_SAMPLE)[:_SAMPLE]):
        return Encoding("utf-8")
    return Encoding(name)


def _python_name(declared: str) -> str:
    try:
        name = codecs.lookup(declared).name
        is_ascii_based = "<tu>".encode(name) == b"<tu>"
    except (LookupError, UnicodeError, TypeError):
        detail = f"the file declares encoding {declared!r}, which is not known; convert it to UTF-8"
        raise FileProblem("unknown_encoding", detail) from None
    return name if is_ascii_based and name != "ascii" else "utf-8"


def _is_utf8(sample: bytes) -> bool:
    """Return whether a sample is surely UTF-8 and not another encoding."""
    num_other = len(sample) - len(sample.translate(None, bytes(range(128, 256))))
    if num_other < _MIN_NON_ASCII:
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


class Transcoded:
    """A stream in a wide encoding as UTF-8.

    Lone surrogates are passed on as they are, so that the unit that holds them is refused.
    """

    def __init__(self, chunks: Iterable[bytes], encoding: Encoding, keep: int) -> None:
        self._chunks = chunks
        self._encoding = encoding
        self._keep = keep
        self._starts: list[int] = [0]  # of pieces, in UTF-8
        self._sources: list[int] = [0]  # the same places in the file
        self._pieces: list[bytes] = [b""]

    def __iter__(self) -> Iterator[bytes]:
        name = self._encoding.name
        # UTF-16 and UTF-32 pass surrogates on under this handler.
        decoder = codecs.getincrementaldecoder(name)("surrogatepass")
        skip = self._encoding.mark
        source, target = skip, 0
        for chunk in self._chunks:
            out = []
            data, skip = chunk[skip:], max(0, skip - len(chunk))
            for begin in range(0, len(data), _PIECE):
                part = data[begin : begin + _PIECE]
                text = self._decode(decoder, part)
                piece = text.encode("utf-8", "surrogatepass")
                self._starts.append(target)
                self._sources.append(source)
                self._pieces.append(piece)
                source += len(text.encode(name, "surrogatepass"))
                target += len(piece)
                out.append(piece)
            self._forget(target)
            yield b"".join(out)
        if decoder.getstate()[0]:
            raise FileProblem("truncated_file", f"the file ends inside a character of {name}")

    def _decode(self, decoder: codecs.IncrementalDecoder, part: bytes) -> str:
        try:
            return decoder.decode(part)
        except UnicodeDecodeError as error:
            detail = f"{error.encoding}: {error.reason}; the rest cannot be read"
            raise FileProblem("invalid_encoding", detail) from error

    def _forget(self, target: int) -> None:
        first = bisect_right(self._starts, target - self._keep) - 1
        if first > len(self._starts) // 2:
            del self._starts[:first], self._sources[:first], self._pieces[:first]

    def locate(self, offset: int) -> int:
        """Return the file's offset of an offset in the UTF-8 given so far."""
        index = max(0, bisect_right(self._starts, offset) - 1)
        piece = self._pieces[index][: max(0, offset - self._starts[index])]
        text = piece.decode("utf-8", "surrogatepass")
        return self._sources[index] + len(text.encode(self._encoding.name, "surrogatepass"))


def head_text(stream: ByteStream, encoding: Encoding) -> str:
    """Return the first 64 KiB as text, for its first tags."""
    head = stream.peek(HEAD)[encoding.mark : HEAD]
    return re.sub(r"<!--.*?-->", "", head.decode(encoding.name, "replace"), flags=re.DOTALL)


def check_root(stream: ByteStream, text: str, name: str) -> None:
    """Refuse a file whose first 64 KiB do not begin the element that they should.

    Raises:
        FileProblem: With reason ``not_`` and the name, or that of a stream that breaks before.
    """
    if f"<{name}" not in text:
        next(iter(stream), None)
        raise FileProblem(f"not_{name}", f"no <{name}> in the first 64 KiB")


def first_tag(text: str, name: str) -> dict[str, str] | None:
    """Return the attributes of the first start tag of a name, or None if there is none.

    >>> first_tag('<tmx version="1.4"><header srclang="en"/>', "header")
    {'srclang': 'en'}
    """
    found = re.search(rf"<{re.escape(name)}(?=[\s/>])((?:[^<>\"']|\"[^<\"]*\"|'[^<']*')*)>", text)
    return attributes(found.group(1)) if found else None


def attributes(tag: str) -> dict[str, str]:
    """Return the attributes in the text of a tag, with XML's own references resolved."""
    return {name: _resolve(a or b) for name, a, b in _ATTRIBUTE.findall(tag)}


def _resolve(value: str) -> str:
    return _REFERENCE.sub(_character, value) if "&" in value else value


def _character(reference: re.Match[str]) -> str:
    name = reference.group(1)
    if not name.startswith("#"):
        return _NAMED[name]
    number = int(name[2:], 16) if name[1] == "x" else int(name[1:])
    is_character = number < 0x110000 and not 0xD800 <= number < 0xE000
    return chr(number) if is_character else "\ufffd"


def wrapper(text: str, root: str) -> bytes:
    """Return a start tag for units parsed by themselves, with the root's name space prefixes."""
    tag = first_tag(text, root) or {}
    spaces = [(name, value) for name, value in tag.items() if name.startswith("xmlns:")]
    return f"<units{''.join(f' {name}={quoteattr(value)}' for name, value in spaces)}>".encode()
