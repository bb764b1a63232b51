"""Plain text, a document a line or a file."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import read

from glotmill.transforms.readers.batches import batch_sizes
from glotmill.transforms.readers.records import ReadOptions, excerpt


def test_invalid_lines_are_rejected_with_their_place(write):
    out = read(write(b"good\n\xc3(\nfine \xe0\xb8\x81\ncut \xe0\xb8"))
    assert out.texts == ["good", "fine \u0e01"]
    assert out.offsets == [0, 8]
    assert [(reject.offset, reject.reason) for reject in out.rejects] == [
        (5, "invalid_utf8"),
        (17, "invalid_utf8"),
    ]
    assert out.rejects[1].detail == (
        "unexpected end of data 0xe0 at byte 4 of the record (byte 21 of the file)"
    )
    assert out.rejects[0].excerpt == "\ufffd("


@pytest.mark.parametrize("encoding", ["latin-1", "cp1251", "shift-jis"])
def test_other_encodings_are_rejected_line_by_line(write, encoding):
    text = {"latin-1": "déjà vu", "cp1251": "все люди", "shift-jis": "日本語の文"}[encoding]
    out = read(write((text + "\nascii\n").encode(encoding)))
    assert (out.texts, out.reasons) == (["ascii"], ["invalid_utf8"])


def test_control_characters_are_kept(write):
    assert read(write(b"a\0b\x07\n" + b"plain text\n" * 9)).texts[0] == "a\0b\x07"


def test_blank_lines_are_no_records(write):
    out = read(write(b"\n \n\t\n\r\na\n\n b \n"))
    assert (out.texts, out.offsets) == (["a", " b "], [7, 10])


def test_extra_columns_are_null(write):
    assert read(write(b"a\nb\n"), extra_columns={"url": "url"}).extra == {"url": [None, None]}


def test_batches_do_not_depend_on_chunks(write):
    content = b"".join(b"%d %s\n" % (i, b"x" * (i % 300)) for i in range(20_000))
    plain = read(write(content), max_rows=700, max_bytes=100_000)
    packed = read(write(gzip.compress(content), "a.gz"), max_rows=700, max_bytes=100_000)
    assert len(plain.texts) == 20_000
    sizes = [batch.records.num_rows for batch in plain.batches]
    assert sizes == [batch.records.num_rows for batch in packed.batches]
    assert set(sizes[:-1]) != {700}
    assert max(sizes) <= 700


def test_rejects_do_not_pile_up(write):
    out = read(write(b"\xff\n" * 3000), max_rows=1000)
    assert [len(batch.rejects) for batch in out.batches] == [1000] * 3


def test_a_record_that_is_too_long_is_rejected_in_place(write):
    out = read(write(b"a\n" + b"b" * 50 + b"\n\xff\nc\n"), max_record_bytes=10)
    assert [(reject.offset, reject.reason) for reject in out.rejects] == [
        (2, "record_too_long"),
        (53, "invalid_utf8"),
    ]


@given(
    sizes=st.lists(st.integers(0, 50), max_size=60),
    max_rows=st.integers(1, 20),
    max_bytes=st.integers(1, 200),
)
def test_batch_sizes_are_those_of_the_plain_loop(sizes, max_rows, max_bytes):
    expected, rows, total = [], 0, 0
    for size in sizes:
        rows, total = rows + 1, total + size
        if rows == max_rows or total >= max_bytes:
            expected.append(rows)
            rows, total = 0, 0
    options = ReadOptions(max_rows=max_rows, max_bytes=max_bytes)
    assert list(batch_sizes(sizes, options)) == expected


def test_a_file_is_one_document(write):
    path = write(b"\xef\xbb\xbfone\r\ntwo\n\nthree\n")
    out = read(path, "text_file", extra_columns={"id": "id"})
    assert (out.texts, out.offsets) == (["one\r\ntwo\n\nthree\n"], [0])
    assert read(path, "text_file", start=5).num_read == 0


@pytest.mark.parametrize("content", [b"", b" \n\n", b"\xef\xbb\xbf"])
def test_a_blank_file_is_no_document(write, content):
    assert read(write(content), "text_file").num_read == 0


def test_a_file_may_be_too_long(write):
    content = b"word " * 1_000_000
    for path in (write(content), write(gzip.compress(content), "a.gz")):
        (reject,) = read(path, "text_file", max_record_bytes=1 << 21).rejects
        assert reject.reason == "record_too_long"
        assert reject.detail.startswith("5000000 bytes; the limit")
        assert reject.excerpt == "word " * 40


def test_a_broken_file_is_no_document(write):
    packed = gzip.compress(b"word " * 1000)
    out = read(write(packed[:-9], "a.gz"), "text_file")
    assert (out.texts, out.reasons) == ([], ["truncated_stream"])
    assert out.rejects[0].excerpt.startswith("word word")


def test_a_file_of_another_encoding_is_rejected(write):
    out = read(write(b"caf\xe9\n"), "text_file")
    assert (out.texts, out.reasons) == ([], ["invalid_utf8"])


def test_excerpts_are_printable():
    assert (
        excerpt(b"a\x00b\x1b[1m\n\xff" + "\u202e\u3000é".encode())
        == "a\ufffdb\ufffd[1m \ufffd\ufffd é"
    )
    assert excerpt("日".encode() * 999) == "日" * 200


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_rows": 0}, "max_rows must be at least 1, not 0"),
        ({"max_record_bytes": -1}, "max_record_bytes must be at least 1"),
        ({"compression": "zip"}, "unknown compression 'zip'; one of: auto, none, gzip"),
        ({"extra_columns": {"offset": "x"}}, "an extra column cannot be called 'offset'"),
    ],
)
def test_options_are_checked(options, words):
    with pytest.raises(ValueError, match=words):
        ReadOptions(**options)
