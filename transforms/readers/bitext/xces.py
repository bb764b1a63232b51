"""XCES alignments, as OPUS ships them, with the documents whose sentences they pair."""

import re
import zipfile
from collections.abc import Iterator
from typing import BinaryIO
from xml.etree.ElementTree import Element

from glotmill.transforms import storage
from glotmill.transforms.readers.bitext.fields import scores_of
from glotmill.transforms.readers.bitext.options import BitextOptions
from glotmill.transforms.readers.bitext.units import Unit, UnitBatch, rejected
from glotmill.transforms.readers.bitext.xml_cutting import Markup, cut
from glotmill.transforms.readers.bitext.xml_parsing import UnitParser
from glotmill.transforms.readers.bitext.xml_text import detect_encoding, first_tag
from glotmill.transforms.readers.decompress import ByteStream, open_stream
from glotmill.transforms.readers.jsonl import RecordProblem
from glotmill.transforms.readers.records import FileProblem, ReadBatch, Reject, excerpt
from glotmill.transforms.readers.source import describe

_LINKS = Markup("link", (), "cesAlign", allows_text=True, group="linkGrp")
_SENTENCES = Markup("s", (), "", allows_text=True)
_CODE = re.compile(r"[A-Za-z]{2,3}(?:[_-][A-Za-z0-9]+)*")
_CERTAINTY = {"certainty": "certainty"}


def read_xces(stream: ByteStream, options: BitextOptions) -> Iterator[ReadBatch]:
    """Read a unit from each ``link``, with its sentences from the documents of its group.

    Two documents at a time are held. Their names (``fromDoc``, ``toDoc`` of ``linkGrp``) are
    looked up in `BitextOptions.documents`, folders or ZIP files, with and without ``.gz``. The
    sentences of one side are joined by spaces; a sentence of words (``w``) is these with spaces
    between them, any other its text with white space made even. Codes are the first folder of the
    documents' names unless `BitextOptions.codes` gives them. ``document`` is both names, with a
    semicolon between them; the score ``certainty`` is read where a link has it.

    Rejects: ``missing_side`` (a link to nothing), ``missing_document`` (also of a link in no group,
    or in one whose tag cannot be read), ``missing_sentence``, ``invalid_link``, ``invalid_score``,
    ``document_too_long``, ``invalid_xml`` and those of `cut`.
    A document that breaks is read up to there.
    """
    try:
        encoding = detect_encoding(stream)
        if encoding.is_wide:
            raise FileProblem("not_utf8", f"an alignment in {encoding.name}; convert it to UTF-8")
    except FileProblem as problem:
        reject = Reject(0, problem.reason, problem.detail, excerpt(stream.peek(1 << 12)))
        yield rejected([reject])
        return
    blocks = cut(
        iter(stream), _LINKS, position=0, start=0, end=None, limit=options.max_record_bytes
    )
    parser = UnitParser(encoding=encoding.name)
    batch = UnitBatch(options)
    with _Library(options) as library:
        group, last = _Group({}, library, options), b""
        for block in blocks:
            batch.rejects += block.rejects
            if batch.is_full:
                yield batch.take()
            elements = parser.parse(block.units, block.offsets)
            rows = zip(elements, block.offsets, block.units, block.groups, strict=True)
            for element, offset, data, tag in rows:
                if tag != last:
                    found = first_tag(tag.decode(encoding.name, "replace"), "linkGrp")
                    group, last = _Group(found or {}, library, options), tag
                if isinstance(element, Reject):
                    batch.rejects.append(element)
                else:
                    _add(batch, group, element, offset, data)
                if batch.is_full:
                    yield batch.take()
    if not batch.is_empty:
        yield batch.take()


def _add(batch: UnitBatch, group: "_Group", link: Element, offset: int, data: bytes) -> None:
    try:
        unit = group.unit(link)
    except RecordProblem as problem:
        batch.rejects.append(Reject(offset, problem.reason, problem.detail, excerpt(data)))
    else:
        batch.add(unit, offset, len(data) + sum(map(len, unit.texts)))


class _Group:
    """The links between two documents."""

    def __init__(self, tag: dict[str, str], library: "_Library", options: BitextOptions) -> None:
        self._names = tuple(tag.get(key, "") for key in ("fromDoc", "toDoc"))
        self._library = library
        self._codes = [
            options.code(index) or _code_of(name) for index, name in enumerate(self._names)
        ]
        self._scores = options.scores or _CERTAINTY
        self._document = ";".join(self._names)

    def unit(self, link: Element) -> Unit:
        """Return the unit of a link.

        Raises:
            RecordProblem: If it does not lead to sentences.
        """
        targets = link.get("xtargets", "").split(";")
        if len(targets) != 2:
            raise RecordProblem("invalid_link", "xtargets has no two sides")
        codes: list[str | None] = []
        texts: list[str] = []
        for index, (name, wanted) in enumerate(zip(self._names, targets, strict=True)):
            if wanted.strip():
                codes.append(self._codes[index])
                texts.append(self._library.text(index, name, wanted.split()))
        scores = scores_of(link.get, self._scores)
        return Unit(codes, texts, link.get("id"), self._document, scores=scores)


def _code_of(name: str) -> str | None:
    folder, slash, _ = name.partition("/")
    return folder if slash and _CODE.fullmatch(folder) else None


class _Library:
    """Documents by name, the last of each side kept."""

    def __init__(self, options: BitextOptions) -> None:
        self._options = options
        self._places: list[_Folder | _Zip] = []
        self._held: dict[int, tuple[str, dict[str, str] | RecordProblem, str]] = {}

    def __enter__(self) -> "_Library":
        for path in self._options.documents:
            self._places.append(_Zip(path) if path.lower().endswith(".zip") else _Folder(path))
        return self

    def __exit__(self, *_: object) -> None:
        for place in self._places:
            place.close()

    def text(self, side: int, name: str, wanted: list[str]) -> str:
        """Return some sentences of a document.

        Raises:
            RecordProblem: If the document or one of them is not there.
        """
        if side not in self._held or self._held[side][0] != name:
            self._held.pop(side, None)  # not two of a side at a time
            try:
                sentences, note = self._load(name)
                self._held[side] = name, sentences, note
            except RecordProblem as problem:
                self._held[side] = name, problem, ""
        _, found, note = self._held[side]
        if isinstance(found, RecordProblem):
            raise RecordProblem(found.reason, found.detail)
        missing = [key for key in wanted if key not in found]
        if missing:
            detail = f"{name} has no sentence {', '.join(missing)}{note}"
            raise RecordProblem("missing_sentence", detail)
        return " ".join([found[key] for key in wanted])

    def _load(self, name: str) -> tuple[dict[str, str], str]:
        for place in self._places:
            for spelling in _spellings(name):
                raw = place.open(spelling)
                if raw is not None:
                    with raw:
                        return _sentences(raw, spelling, self._options)
        places = ", ".join(self._options.documents) or "no folder (set documents)"
        raise RecordProblem("missing_document", f"{name!r} is not in {places}")


def _spellings(name: str) -> list[str]:
    """Return what a document may be called; nothing for a name that leaves its folder."""
    parts = name.split("/")
    if not name or name.startswith("/") or ".." in parts or "://" in name:
        return []
    bare = name.removesuffix(".gz")
    return [name, *(other for other in (bare, f"{bare}.gz") if other != name)]


class _Folder:
    """Documents in a folder."""

    def __init__(self, path: str) -> None:
        self._path = path.rstrip("/")

    def open(self, name: str) -> BinaryIO | None:
        """Open a document, or return None if it is not there."""
        path = f"{self._path}/{name}"
        try:
            return storage.open_input(path) if storage.exists(path) else None
        except Exception as error:
            raise RecordProblem("missing_document", f"{path}: {describe(error)}") from error

    def close(self) -> None:
        """Do nothing."""


class _Zip:
    """Documents in a ZIP file, whatever folders they lie in."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._zip: zipfile.ZipFile | None = None
        self._raw: BinaryIO | None = None
        self._prefix = ""

    def open(self, name: str) -> BinaryIO | None:
        """Open a document, or return None if it is not there."""
        try:
            if self._zip is None:
                self._raw = storage.open_input(self._path)
                self._zip = zipfile.ZipFile(self._raw)
            entry = self._find(self._zip, name)
            return self._zip.open(entry) if entry else None  # type: ignore[return-value]
        except Exception as error:  # damaged, encrypted, not there
            raise RecordProblem("missing_document", f"{self._path}: {describe(error)}") from error

    def _find(self, archive: zipfile.ZipFile, name: str) -> str | None:
        if self._prefix + name in archive.NameToInfo:
            return self._prefix + name
        entry = next((key for key in archive.NameToInfo if f"/{key}".endswith(f"/{name}")), None)
        if entry is not None:
            self._prefix = entry.removesuffix(name)
        return entry

    def close(self) -> None:
        """Close the file."""
        if self._zip is not None:
            self._zip.close()
        if self._raw is not None:
            self._raw.close()


def _sentences(raw: BinaryIO, name: str, options: BitextOptions) -> tuple[dict[str, str], str]:
    """Return a document's sentences, and a note on what of it could not be read."""
    try:
        stream = open_stream(raw, name)
        encoding = detect_encoding(stream)
    except FileProblem as problem:
        raise RecordProblem("missing_document", f"{name}: {problem}") from problem
    if encoding.is_wide:
        raise RecordProblem("missing_document", f"{name}: {encoding.name}; convert it to UTF-8")
    parser = UnitParser(encoding=encoding.name)
    found: dict[str, str] = {}
    problems: list[Reject] = []
    chunks = _limited(stream, name, options.max_document_bytes)
    limit = options.max_record_bytes
    for block in cut(chunks, _SENTENCES, position=0, start=0, end=None, limit=limit):
        problems += block.rejects
        for element in parser.parse(block.units, block.offsets):
            if isinstance(element, Reject):
                problems.append(element)
            elif (key := element.get("id")) is not None:
                found.setdefault(key, _sentence(element))
        del problems[1:]
    first = f" ({problems[0].reason} at byte {problems[0].offset} of it)" if problems else ""
    return found, first


def _limited(stream: ByteStream, name: str, limit: int) -> Iterator[bytes]:
    size = 0
    for chunk in stream:
        size += len(chunk)
        if size > limit:
            detail = f"{name}: more than {limit} bytes, the limit (max_document_bytes)"
            raise RecordProblem("document_too_long", detail)
        yield chunk


def _sentence(element: Element) -> str:
    if not len(element):
        return " ".join((element.text or "").split())
    words = [(word.text or "").strip() for word in element.iter("w")]
    return " ".join(words) if words else " ".join("".join(element.itertext()).split())
