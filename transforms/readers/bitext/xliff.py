"""XLIFF 1.2 and 2.0, cut into their units like TMX."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from glotmill.transforms.readers.bitext.options import BitextOptions
from glotmill.transforms.readers.bitext.units import Unit, UnitBatch, rejected
from glotmill.transforms.readers.bitext.xml_cutting import MAX_SECTION, Markup, cut
from glotmill.transforms.readers.bitext.xml_parsing import UnitParser, text_of
from glotmill.transforms.readers.bitext.xml_text import (
    Transcoded,
    check_root,
    detect_encoding,
    first_tag,
    head_text,
    wrapper,
)
from glotmill.transforms.readers.decompress import ByteStream
from glotmill.transforms.readers.records import FileProblem, ReadBatch, Reject, excerpt

_MARKUP_1 = Markup("trans-unit", ("source", "target"), "xliff", allows_text=True, group="file")
_MARKUP_2 = Markup("unit", ("segment", "source", "target"), "xliff", allows_text=True, group="file")
_XML_SPACE = "{http://www.w3.org/XML/1998/namespace}"


def read_xliff(stream: ByteStream, options: BitextOptions) -> Iterator[ReadBatch]:
    """Read a unit from each ``trans-unit`` (1.2), or ``segment`` of a ``unit`` (2.0).

    Codes are the languages that the file declares (``source-language`` of ``file``, ``srcLang``
    of ``xliff``, or ``xml:lang`` of ``source`` and ``target``) unless `BitextOptions.codes` gives
    them. The document is the ``original`` of ``file`` (1.2) or its ``id`` (2.0), the identifier
    that of the unit, with the segment's number where a unit has several. Inline markup goes as
    `text_of` says. Alternatives (``alt-trans``, ``matches``) are not read.

    Rejects: ``untranslated``, ``unreviewed`` (a target whose state begins with ``needs-``, or is
    ``new`` or ``initial``, or a unit with ``approved="no"``, unless
    `BitextOptions.keep_unreviewed`), ``missing_side`` (no source) and those of `read_tmx`, with
    ``not_xliff`` for a file without ``xliff``.
    """
    try:
        encoding = detect_encoding(stream)
        head = head_text(stream, encoding)
        check_root(stream, head, "xliff")
    except FileProblem as problem:
        reject = Reject(0, problem.reason, problem.detail, excerpt(stream.peek(1 << 12)))
        yield rejected([reject])
        return
    root = first_tag(head, "xliff") or {}
    is_first = root.get("version", "1.2").startswith("1")
    name = "utf-8" if encoding.is_wide else encoding.name
    parser = UnitParser(wrapper(head, "xliff"), name, options.repair_entities)
    limit = options.max_record_bytes
    wide = Transcoded(stream, encoding, 2 * limit + MAX_SECTION) if encoding.is_wide else None
    blocks = cut(
        iter(wide or stream),
        _MARKUP_1 if is_first else _MARKUP_2,
        position=0,
        start=0,
        end=None,
        limit=limit,
        locate=wide.locate if wide else int,
    )
    reader = _Reader(root, is_first=is_first, options=options)
    batch, last = UnitBatch(options), b""
    for block in blocks:
        batch.rejects += block.rejects
        if batch.is_full:
            yield batch.take()
        elements = parser.parse(block.units, block.offsets)
        rows = zip(elements, block.offsets, block.units, block.groups, strict=True)
        for element, offset, data, tag in rows:
            if tag != last:
                reader.enter_file(first_tag(tag.decode(name, "replace"), "file") or {})
                last = tag
            if isinstance(element, Reject):
                batch.rejects.append(element)
            else:
                reader.add(batch, element, offset, data)
            if batch.is_full:
                yield batch.take()
    if not batch.is_empty:
        yield batch.take()


class _Reader:
    """Makes units of elements, knowing what stood before them."""

    def __init__(self, root: dict[str, str], *, is_first: bool, options: BitextOptions) -> None:
        self._is_first = is_first
        self._options = options
        self._languages = (root.get("srcLang"), root.get("trgLang"))
        self._document: str | None = None

    def enter_file(self, found: dict[str, str]) -> None:
        """Take note of the attributes of the ``file`` around the units that follow."""
        if self._is_first:
            self._languages = (found.get("source-language"), found.get("target-language"))
            self._document = found.get("original")
        else:
            self._document = found.get("original", found.get("id"))

    def add(self, batch: UnitBatch, element: Element, offset: int, data: bytes) -> None:
        """Add the units of an element, or its rejects."""
        name = element.get("id")
        segments = [element] if self._is_first else element.findall("segment")
        for number, segment in enumerate(segments, 1):
            external_id = name if len(segments) == 1 else f"{name or ''}#{number}"
            self._add_segment(batch, segment, external_id, offset, data)
        if not segments:
            batch.add(Unit([], []), offset, len(data))

    def _add_segment(
        self,
        batch: UnitBatch,
        segment: Element,
        external_id: str | None,
        offset: int,
        data: bytes,
    ) -> None:
        source, target = segment.find("source"), segment.find("target")
        texts = [text_of(side) for side in (source, target) if side is not None]
        if source is not None and (target is None or not texts[1].strip()):
            detail = "there is no target" if target is None else "the target is empty"
            batch.rejects.append(Reject(offset, "untranslated", detail, excerpt(data)))
            return
        state = (target.get("state") if target is not None else None) or segment.get("state") or ""
        is_unreviewed = state.startswith("needs-") or state in ("new", "initial")
        is_unapproved = segment.get("approved") == "no"
        if (is_unreviewed or is_unapproved) and not self._options.keep_unreviewed:
            found = f"state is {state!r}" if is_unreviewed else "unit is not approved"
            detail = f"the target's {found}; keep_unreviewed reads it"
            batch.rejects.append(Reject(offset, "unreviewed", detail, excerpt(data)))
            return
        codes = [
            self._options.code(index) or side.get(f"{_XML_SPACE}lang") or self._languages[index]
            for index, side in enumerate((source, target))
            if side is not None
        ]
        unit = Unit(codes, texts, external_id, self._document)
        batch.add(unit, offset, len(data))
