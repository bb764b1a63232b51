"""Files of messages in JSON, one a language, joined by their keys."""

import posixpath
from collections.abc import Iterator, Sequence

import orjson

from glotmill.schemas.formats import COMPRESSED
from glotmill.transforms import storage
from glotmill.transforms.readers.bitext.options import BitextOptions
from glotmill.transforms.readers.bitext.units import Unit, UnitBatch
from glotmill.transforms.readers.decompress import open_stream
from glotmill.transforms.readers.jsonl import Json
from glotmill.transforms.readers.records import FileProblem, ReadBatch, Reject, excerpt
from glotmill.transforms.readers.source import describe


def read_messages(paths: Sequence[str], options: BitextOptions) -> Iterator[ReadBatch]:
    """Read a unit for each key, with the message of each file that has it.

    Files are held in memory as wholes, as their keys stand in any order. Objects inside objects
    have dotted keys; names that begin with ``@``, at any depth, are about the file and not read.
    Codes are the files' names without their endings, unless `BitextOptions.codes` gives them. Units
    come in the order in which keys are first met; the offset is their number in it.

    Rejects: ``missing_side``, ``wrong_type`` (a value that is no string), ``repeated_key`` (a file
    has a dotted key twice, so that it is not known which message belongs to those of others), and
    for a file ``invalid_json``, ``not_an_object``, ``document_too_long`` and those of streams, with
    offset 0.
    """
    batch = UnitBatch(options)
    messages: dict[str, list[tuple[str | None, str]]] = {}
    wrong: dict[str, tuple[str, str]] = {}
    repeated: dict[str, tuple[str, str]] = {}
    for index, path in enumerate(paths):
        code = options.code(index) or _stem(path)
        try:
            content = _load(path, options)
        except FileProblem as problem:
            detail = f"{path}: {problem.detail}"
            batch.rejects.append(Reject(0, problem.reason, detail, ""))
            continue
        seen: set[str] = set()
        for key, value in _flattened(content):
            row = messages.setdefault(key, [])
            if key in seen:
                detail = f"{path}: {key!r} is there twice, as a key with dots and in objects"
                repeated.setdefault(key, (detail, excerpt(str(value).encode())))
            seen.add(key)
            if isinstance(value, str):
                row.append((code, value))
            else:
                wrong.setdefault(key, (f"{path}: {key!r} is no string", str(value)[:200]))
    for number, (key, row) in enumerate(messages.items()):
        if key in repeated:
            batch.rejects.append(Reject(number, "repeated_key", *repeated[key]))
            continue
        if key in wrong:
            batch.rejects.append(Reject(number, "wrong_type", *wrong[key]))
            if len(row) < options.min_segments:
                continue  # it counts once
        unit = Unit([code for code, _ in row], [text for _, text in row], key)
        batch.add(unit, number, sum(len(text) for _, text in row))
        if batch.is_full:
            yield batch.take()
    if not batch.is_empty:
        yield batch.take()


def _stem(path: str) -> str:
    """Return a file's name without its endings.

    >>> _stem("i18n/zh-hans.json.gz")
    'zh-hans'
    """
    name = posixpath.basename(path)
    for suffix in COMPRESSED:
        name = name.removesuffix(suffix)
    return name.removesuffix(".json")


def _load(path: str, options: BitextOptions) -> dict[str, Json]:
    try:
        raw = storage.open_input(path)
    except Exception as error:  # cloud clients raise errors of their own
        raise FileProblem("unreadable_file", describe(error)) from error
    chunks, size = [], 0
    with raw:
        for chunk in open_stream(raw, path, options.compression):
            chunks.append(chunk)
            size += len(chunk)
            if size > options.max_document_bytes:
                limit = f"the limit (max_document_bytes) is {options.max_document_bytes}"
                raise FileProblem("document_too_long", limit)
    data = b"".join(chunks).removeprefix(b"\xef\xbb\xbf")
    try:
        content = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise FileProblem("invalid_json", f"{error.msg}: {excerpt(data)[:40]!r}") from error
    if not isinstance(content, dict):
        raise FileProblem("not_an_object", "the file is no JSON object")
    return content


def _flattened(content: dict[str, Json]) -> Iterator[tuple[str, Json]]:
    """Give dotted keys and values, without recursion."""
    pending = list(_named(content))
    while pending:
        key, value = pending.pop()
        if isinstance(value, dict):
            pending += _named(value, f"{key}.")
        else:
            yield key, value


def _named(content: dict[str, Json], prefix: str = "") -> Iterator[tuple[str, Json]]:
    """Give the entries of an object, the last first, without those that are about the file."""
    for name, value in reversed(content.items()):
        if not name.startswith("@"):
            yield prefix + name, value
