"""Cutting, opening and probing files of every format."""

import gzip
import io
import json
import os
import pickle

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reading import read

from glotmill.transforms import storage
from glotmill.transforms.readers import (
    MissingColumn,
    Probe,
    ProbeError,
    ReadOptions,
    Slice,
    WrongColumnType,
    probe,
    split_file,
)


class Failing(io.BytesIO):
    """A file whose storage fails after some bytes."""

    def __init__(self, content, num_good):
        super().__init__(content)
        self.num_good = num_good

    def read(self, size=-1):
        if self.tell() >= self.num_good:
            raise RuntimeError("connection reset")
        return super().read(min(size, self.num_good - self.tell()))


@pytest.mark.parametrize("format", ["jsonl", "text", "text_file", "parquet"])
@pytest.mark.parametrize("path", ["/nowhere/a.txt", "/", "nosuch://bucket/a"])
def test_files_that_cannot_be_opened_are_one_reject(format, path):
    out = read(path, format)
    assert (out.texts, out.reasons) == ([], ["unreadable_file"])
    assert "Error: " in out.rejects[0].detail


@pytest.mark.parametrize("format", ["jsonl", "text", "text_file", "parquet"])
def test_storage_that_fails_at_once_is_one_reject(monkeypatch, format):
    monkeypatch.setattr(storage, "open_input", lambda path: Failing(b"x" * 99, 0))
    out = read("a", format)
    assert out.reasons == ["unreadable_file"]
    assert "RuntimeError: connection reset" in out.rejects[0].detail


def test_storage_that_fails_half_way_loses_the_rest_only(monkeypatch):
    content = b"".join(b"line %d\n" % i for i in range(300_000))
    monkeypatch.setattr(storage, "open_input", lambda path: Failing(content, 2_000_000))
    out = read("a.txt")
    assert out.reasons == ["unreadable_file"]
    assert out.rejects[0].offset == content.rindex(b"\n", 0, 2_000_000) + 1
    assert len(out.texts) == content.count(b"\n", 0, 2_000_000)


def test_storage_that_fails_in_a_later_slice(monkeypatch):
    content = b"line\n" * 100_000
    monkeypatch.setattr(storage, "open_input", lambda path: Failing(content, 200_000))
    assert read("a.txt", start=0, end=100_000).rejects == []
    assert read("a.txt", start=300_000).reasons == ["unreadable_file"]


def test_storage_that_fails_in_a_row_group(monkeypatch):
    sink = io.BytesIO()
    pq.write_table(pa.table({"text": ["a", "b"]}), sink)
    raw = Failing(sink.getvalue(), 1 << 30)

    def break_after_the_footer(path):
        raw.seek(0)
        return raw

    monkeypatch.setattr(storage, "open_input", break_after_the_footer)
    good_read = raw.read

    def fail_near_the_start(size=-1):
        if raw.tell() < 50:
            raise RuntimeError("connection reset")
        return good_read(size)

    raw.read = fail_near_the_start
    monkeypatch.setattr("glotmill.transforms.readers.parquet._PAGE_BUFFER", 64)
    assert read("a.parquet", "parquet").reasons == ["unreadable_file"]


@pytest.mark.parametrize("num_slices", [1, 2, 3, 7, 40])
@pytest.mark.parametrize("format", ["text", "jsonl"])
def test_slices_of_a_file_give_all_of_it_once(write, format, num_slices):
    path = write(b"".join(b'{"text":"%d"}\n' % i for i in range(100)), "a.jsonl")
    size = os.path.getsize(path)
    slices = split_file(path, size, format, size // num_slices + 1)
    assert (slices[0].start, slices[-1].end) == (0, size)
    assert abs(len(slices) - num_slices) <= num_slices // 5
    parts = [read(path, format, part.start, part.end) for part in slices]
    assert [text for part in parts for text in part.texts] == read(path, format).texts


def test_split_of_parquet_aims_at_uncompressed_size(tmp_path):
    path = str(tmp_path / "a.parquet")
    pq.write_table(
        pa.table({"text": ["x" * 1000] * 1000}), path, row_group_size=100, use_dictionary=False
    )
    size = os.path.getsize(path)
    assert split_file(path, size, "parquet", 250_000) == [
        Slice(0, 3),
        Slice(3, 6),
        Slice(6, 9),
        Slice(9, 10),
    ]
    assert split_file(path, size, "parquet", 1 << 30) == [Slice(0, 10)]
    assert len(split_file(path, size, "parquet", 1)) == 10


@pytest.mark.parametrize(
    ("content", "name", "format"),
    [
        (gzip.compress(b"a\n" * 999, mtime=0), "a.gz", "text"),
        (gzip.compress(b"a\n" * 999, mtime=0), "no_suffix", "jsonl"),
        (b"a\n" * 999, "a.txt", "text_file"),
        (b"not parquet", "a.parquet", "parquet"),
        (b"", "a.txt", "text"),
    ],
)
def test_some_files_are_one_slice(write, content, name, format):
    path = write(content, name)
    (part,) = split_file(path, len(content), format, 10)
    whole, once = read(path, format), read(path, format, part.start, part.end)
    assert (once.texts, once.rejects) == (whole.texts, whole.rejects)
    assert part.start == 0


def test_files_that_cannot_be_opened_are_one_slice():
    (part,) = split_file("/nowhere/a", 0, "parquet", 10)
    assert read("/nowhere/a", "parquet", part.start, part.end).reasons == ["unreadable_file"]


def test_target_must_be_positive():
    with pytest.raises(ValueError, match="target_bytes must be at least 1"):
        split_file("a", 1, "text", 0)


def json_lines(*records):
    return "\n".join(map(json.dumps, records)).encode()


def test_probe_of_jsonl(write):
    path = write(json_lines({"id": 1}, {"text": "a", "meta": {"url": "u"}}))
    options = ReadOptions(extra_columns={"url": "meta.url", "language": "lang"})
    assert probe(path, "jsonl", options) == Probe(
        ("id", "text", "meta", "meta.url"), "a", missing=("lang",)
    )


def test_probe_of_jsonl_names_a_missing_column(write):
    path = write(json_lines({"id": 1, "content": "a"}, {"texts": ["b"]}))
    with pytest.raises(MissingColumn) as caught:
        probe(path, "jsonl", ReadOptions())
    assert str(caught.value) == (
        f"{path} has no column 'text'; it has 'id', 'content', 'texts'; did you mean 'texts'?"
    )
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'[\n{"text":"a"}\n', "jq -c '.\\[\\]' FILE"),
        (b'{\n"text":\n"a"\n}\n', "jq -c . FILE"),
        (b"plain text\n", "first problem, at offset 0, is invalid_json"),
        (b'{"text":null}\n{"text":5}', "'text' is no string in any of the first 2 records"),
        (b"PAR1", "set format: parquet"),
        (gzip.compress(b"x" * 99, mtime=0)[:20], "truncated_stream"),
    ],
)
def test_probe_of_what_is_no_jsonl(write, content, words):
    path = write(content)
    # The array's second line is an object, so it has a record.
    if content.startswith(b"["):
        content = content.replace(b'{"text":"a"}', b'[{"text":"a"}]')
        path = write(content)
    with pytest.raises(ProbeError, match=words):
        probe(path, "jsonl", ReadOptions())


@pytest.mark.parametrize("format", ["jsonl", "text", "text_file"])
def test_probe_of_an_empty_file(write, format):
    assert probe(write(b""), format, ReadOptions()) == Probe((), None)


def test_probe_of_text(write):
    options = ReadOptions(extra_columns={"language": "lang"})
    assert probe(write(b"\xff\none\ntwo"), "text", options) == Probe((), "one", ("lang",))
    assert probe(write(b"one\ntwo"), "text_file", ReadOptions()).first_text == "one\ntwo"
    with pytest.raises(ProbeError, match="is invalid_utf8: invalid start byte"):
        probe(write(b"\xff\n"), "text", ReadOptions())


def test_probe_of_parquet(tmp_path, write):
    path = str(tmp_path / "a.parquet")
    pq.write_table(pa.table({"text": [None, "b"], "meta": [{"k": 1}] * 2}), path)
    options = ReadOptions(extra_columns={"k": "meta.k", "x": "x"})
    assert probe(path, "parquet", options) == Probe(("text", "meta", "meta.k"), "b", ("x",))
    with pytest.raises(MissingColumn, match=r"has no column 'txt'.*did you mean 'text'"):
        probe(path, "parquet", ReadOptions(text_column="txt"))
    with pytest.raises(WrongColumnType, match="has type int64"):
        probe(path, "parquet", ReadOptions(text_column="meta.k"))
    with pytest.raises(ProbeError, match="not a whole Parquet file"):
        probe(write(b"PAR1"), "parquet", ReadOptions())


@pytest.mark.parametrize("format", ["jsonl", "text", "parquet", "text_file"])
def test_probe_of_an_absent_file(format):
    with pytest.raises(OSError, match="/nowhere/a"):
        probe("/nowhere/a", format, ReadOptions())
