"""Parallel text in JSON lines."""

from collections.abc import Iterator

from glotmill.transforms.readers.bitext.fields import Get, unit_of
from glotmill.transforms.readers.bitext.options import BitextOptions
from glotmill.transforms.readers.bitext.units import UnitBatch
from glotmill.transforms.readers.decompress import ByteStream
from glotmill.transforms.readers.jsonl import Json, RecordProblem, look_up, parse_object
from glotmill.transforms.readers.lines import read_lines
from glotmill.transforms.readers.records import ReadBatch, Reject, excerpt


def read_objects(
    stream: ByteStream, start: int, end: int | None, options: BitextOptions
) -> Iterator[ReadBatch]:
    """Read a unit from each line that is not blank and starts in a slice.

    Texts are in columns (`EMMA_SIDES` unless the options name others) or in a dictionary from
    code to text (`BitextOptions.translation`). A null is no segment.

    Rejects: ``invalid_json``, ``not_an_object``, ``invalid_utf8``, ``missing_field`` (no
    dictionary), ``wrong_type``, ``invalid_score``, ``missing_side`` and those of `read_lines`.
    """
    batch = UnitBatch(options)
    limit = options.max_record_bytes
    for block in read_lines(stream, start=start, end=end, max_record_bytes=limit):
        batch.rejects += block.rejects
        lines = block.without_blank_lines()
        for offset, line in zip(lines.offsets.tolist(), lines.lines, strict=True):
            try:
                record = parse_object(line, offset)
                unit = unit_of(_getter(record, line), options)
            except RecordProblem as problem:
                batch.rejects.append(Reject(offset, problem.reason, problem.detail, excerpt(line)))
            else:
                batch.add(unit, offset, len(line))
            if batch.is_full:
                yield batch.take()
    if not batch.is_empty:
        yield batch.take()


def _getter(record: dict[str, Json], line: bytes) -> Get:
    def get(name: str) -> Json:
        return look_up(record, name, line)

    return get
