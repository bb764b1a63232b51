"""TMX, any number of languages a unit, in a stream that can be cut."""

import math
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from glotmill.transforms.readers.bitext.options import BitextOptions
from glotmill.transforms.readers.bitext.units import Unit, UnitBatch, rejected
from glotmill.transforms.readers.bitext.xml_cutting import MAX_SECTION, Markup, cut
from glotmill.transforms.readers.bitext.xml_parsing import UnitParser, text_of
from glotmill.transforms.readers.bitext.xml_text import (
    Encoding,
    Transcoded,
    check_root,
    detect_encoding,
    first_tag,
    head_text,
    wrapper,
)
from glotmill.transforms.readers.decompress import ByteStream
from glotmill.transforms.readers.records import FileProblem, ReadBatch, Reject, excerpt

_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_MARKUP = Markup("tu", ("tuv", "seg"), "tmx")
_ANY_LANGUAGE = "*all*"


class InvalidScore(ValueError):  # noqa: N818
    """A property that should be a score is no number."""


def read_tmx(
    stream: ByteStream, start: int, end: int | None, options: BitextOptions
) -> Iterator[ReadBatch]:
    """Read the units (``tu``) that start in a slice.

    A segment's code is ``xml:lang`` or the old ``lang``, as it is written. The segment in the
    source language (``srclang`` of the unit, else of the header, but for ``*all*``) comes first,
    the others follow in the file's order. A variant (``tuv``) without ``seg`` is absent; an empty
    ``seg`` is an empty text. Inline markup goes as `text_of` says. Scores are properties of the
    unit or its variants whose type begins with ``score``, unless the options name others; of
    properties of one type the first counts. Files in UTF-16 or UTF-32 and compressed ones cannot
    be cut: the slice from 0 is all of them.

    Rejects have the reasons of `cut` besides ``not_tmx`` and ``unknown_encoding`` (of the whole
    file), ``invalid_xml``, ``undefined_entity``, ``invalid_utf8``, ``invalid_encoding``,
    ``invalid_score`` and ``missing_side``.
    """
    try:
        encoding = detect_encoding(stream)
        is_whole = stream.compression != "none" or encoding.is_wide
        if start > 0 and is_whole:
            return
        head = head_text(stream, encoding)
        check_root(stream, head, "tmx")
    except FileProblem as problem:
        if start == 0:
            reject = Reject(0, problem.reason, problem.detail, excerpt(stream.peek(1 << 12)))
            yield rejected([reject])
        return
    parser = UnitParser(
        wrapper=wrapper(head, "tmx"),
        encoding="utf-8" if encoding.is_wide else encoding.name,
        repairs_entities=options.repair_entities,
    )
    source = (first_tag(head, "header") or {}).get("srclang", _ANY_LANGUAGE)
    yield from _read(stream, start, None if is_whole else end, encoding, parser, source, options)


def _read(
    stream: ByteStream,
    start: int,
    end: int | None,
    encoding: Encoding,
    parser: UnitParser,
    source: str,
    options: BitextOptions,
) -> Iterator[ReadBatch]:
    position = max(0, start - MAX_SECTION)
    if position:
        try:
            stream.seek(position)
        except FileProblem as problem:
            yield rejected([Reject(start, problem.reason, problem.detail, "")])
            return
    limit = options.max_record_bytes
    wide = Transcoded(stream, encoding, 2 * limit + MAX_SECTION) if encoding.is_wide else None
    blocks = cut(
        iter(wide or stream),
        _MARKUP,
        position=position,
        start=start,
        end=end,
        limit=limit,
        locate=wide.locate if wide else int,
    )
    reader = _TuReader(source, options)
    batch = UnitBatch(options)
    for block in blocks:
        batch.rejects += block.rejects
        if batch.is_full:
            yield batch.take()
        elements = parser.parse(block.units, block.offsets)
        for element, offset, data in zip(elements, block.offsets, block.units, strict=True):
            if isinstance(element, Reject):
                batch.rejects.append(element)
            else:
                try:
                    batch.add(reader.unit(element), offset, len(data))
                except InvalidScore as error:
                    batch.rejects.append(Reject(offset, "invalid_score", str(error), excerpt(data)))
            if batch.is_full:
                yield batch.take()
    if not batch.is_empty:
        yield batch.take()


class _TuReader:
    """Makes units of ``tu`` elements."""

    def __init__(self, source: str, options: BitextOptions) -> None:
        self._source = source
        self._options = options
        self._scores = {kind: name for name, kind in options.scores.items()}
        self._has_named = any((options.external_id, options.document, options.url))

    def unit(self, tu: Element) -> Unit:
        """Return the unit of an element.

        Raises:
            InvalidScore: If a property that is a score is no number.
        """
        codes: list[str | None] = []
        texts: list[str] = []
        properties: dict[str, str] = {}
        for child in tu:
            tag = child.tag
            if tag == "tuv":
                seg = None
                for part in child:
                    if part.tag == "seg":
                        seg = part
                    elif part.tag == "prop":
                        properties.setdefault(part.get("type", ""), part.text or "")
                if seg is not None:
                    codes.append(child.get(_LANG) or child.get("lang"))
                    texts.append((seg.text or "") if not len(seg) else text_of(seg))
            elif tag == "prop":
                properties.setdefault(child.get("type", ""), child.text or "")
        self._put_source_first(tu.get("srclang", self._source), codes, texts)
        unit = Unit(codes, texts, tu.get("tuid"))
        if properties:
            self._add_properties(unit, properties)
        return unit

    def _put_source_first(self, source: str, codes: list[str | None], texts: list[str]) -> None:
        if source == _ANY_LANGUAGE or not codes or codes[0] == source:
            return
        wanted = source.lower()
        lowered = [(code or "").lower() for code in codes]
        if wanted not in lowered:
            lowered = [code.replace("_", "-").partition("-")[0] for code in lowered]
            wanted = wanted.replace("_", "-").partition("-")[0]
        if wanted in lowered:
            index = lowered.index(wanted)
            codes.insert(0, codes.pop(index))
            texts.insert(0, texts.pop(index))

    def _add_properties(self, unit: Unit, properties: dict[str, str]) -> None:
        options = self._options
        if self._has_named:
            unit.external_id = properties.get(options.external_id or "", unit.external_id)
            unit.document = properties.get(options.document or "")
            unit.url = properties.get(options.url or "")
        scores = {}
        for kind, value in properties.items():
            name = self._score_name(kind)
            if (
                name is not None
                and value.strip()
                and not math.isnan(number := _number(kind, value))
            ):
                scores[name] = number
        unit.scores = scores

    def _score_name(self, kind: str) -> str | None:
        if self._scores:
            return self._scores.get(kind)
        return kind if kind.lower().startswith("score") else None


def _number(kind: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        detail = f"property {kind!r} is {value[:40]!r}, not a number"
        raise InvalidScore(detail) from None
