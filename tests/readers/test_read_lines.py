"""Lines: their ends, their limits, and slices that partition them."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import END, read

from glotmill.transforms.readers import Reject, iterate_lines, open_stream, read_lines
from glotmill.transforms.readers.lines import LineSplitter

LINE = st.binary(max_size=12).map(lambda data: data.replace(b"\n", b"").replace(b"\0", b"_"))
FILES = st.lists(LINE, max_size=30).map(b"\n".join)


def lines_of(content, start=0, end=None, limit=1 << 20):
    stream = open_stream(io.BytesIO(content), "a.txt", "none")
    return list(iterate_lines(read_lines(stream, start=start, end=end, max_record_bytes=limit)))


def expected_lines(content):
    """Split the slow and plain way."""
    out, offset = [], 0
    for line in content.split(b"\n"):
        out.append((offset, line.removesuffix(b"\r")))
        offset += len(line) + 1
    return out if content.rpartition(b"\n")[2] else out[:-1]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"a", [(0, b"a")]),
        (b"a\n", [(0, b"a")]),
        (b"\n\n", [(0, b""), (1, b"")]),
        (b"a\r\nb\r\r\nc", [(0, b"a"), (3, b"b\r"), (7, b"c")]),
        (b"a\rb\nc", [(0, b"a\rb"), (4, b"c")]),
        (b"a\rb\r", [(0, b"a"), (2, b"b")]),
        (b"\xef\xbb\xbfa\nb", [(0, b"a"), (5, b"b")]),
        (b"a\n\xef\xbb\xbfb", [(0, b"a"), (2, b"\xef\xbb\xbfb")]),
        ("a\u2028b\x0bc\x0cd\u0085e\n".encode(), [(0, "a\u2028b\x0bc\x0cd\u0085e".encode())]),
    ],
)
def test_line_ends(content, expected):
    assert lines_of(content) == expected


def test_old_mac_lines_are_seen_from_every_slice(write):
    path = write(b"one\rtwo\rthree\r")
    texts = [read(path, start=start, end=start + 1).texts for start in range(14)]
    assert {i: found for i, found in enumerate(texts) if found} == {
        0: ["one"],
        4: ["two"],
        8: ["three"],
    }


def test_carriage_returns_alone_split_nothing_once_there_is_a_line_feed():
    content = b"a\r" * 1000 + b"\n" + b"b\r" * 1000
    assert len(lines_of(content)) == 2


@given(content=FILES, cuts=st.lists(st.integers(0, 400), max_size=6))
def test_slices_partition_lines(content, cuts):
    content = b"first\n" + content  # no signature of another format by chance
    bounds = sorted({0, *cuts, len(content) + 1})
    found = [lines_of(content, *bounds[i : i + 2]) for i in range(len(bounds) - 1)]
    expected = expected_lines(content)
    assert [line for part in found for line in part] == expected
    for part, start, end in zip(found, bounds, bounds[1:], strict=False):
        assert all(start <= offset < end for offset, _ in part)


@given(
    content=FILES,
    limit=st.integers(1, 8),
    pieces=st.lists(st.integers(1, 20), min_size=1, max_size=50),
)
def test_chunks_of_any_size_give_the_same_lines(content, limit, pieces):
    splitter, blocks, rest = LineSplitter(b"\n", 0, limit), [], content
    for i in range(len(content)):
        size = pieces[i % len(pieces)]
        blocks.append(splitter.feed(rest[:size]))
        rest = rest[size:]
    blocks.append(splitter.finish())
    found = [
        (offset, "long" if isinstance(line, Reject) else line)
        for offset, line in iterate_lines(iter(blocks))
    ]
    raw = content.split(b"\n")
    raw = raw if raw[-1] else raw[:-1]
    starts = [sum(len(line) + 1 for line in raw[:i]) for i in range(len(raw))]
    assert found == [
        (start, "long" if len(line) > limit else line.removesuffix(b"\r"))
        for start, line in zip(starts, raw, strict=True)
    ]


def test_long_lines_are_rejected_with_their_length(write):
    content = b"short\n" + b"x" * 5000 + b"\nshort too\n" + b"y" * 6000
    out = read(write(content), max_record_bytes=100)
    assert out.texts == ["short", "short too"]
    assert [(reject.offset, reject.reason) for reject in out.rejects] == [
        (6, "record_too_long"),
        (5017, "record_too_long"),
    ]
    assert out.rejects[0].detail == "5000 bytes; the limit (max_record_bytes) is 100"
    assert out.rejects[0].excerpt == "x" * 200


def test_a_line_at_the_limit_is_kept(write):
    assert read(write(b"x" * 100 + b"\n"), max_record_bytes=100).texts == ["x" * 100]


def test_a_huge_line_takes_little_memory(write):
    splitter = LineSplitter(b"\n", 0, 1 << 20)
    for _ in range(64):
        splitter.feed(b"x" * (1 << 20))
    assert sum(map(len, splitter._pieces)) < 2000
    (reject,) = splitter.feed(b"\nnext\n").rejects
    assert reject.detail.startswith(f"{64 << 20} bytes")
    assert splitter.start == (64 << 20) + 6


@pytest.mark.parametrize(
    ("content", "reason", "words"),
    [
        ("a\n".encode("utf-16"), "not_utf8", "UTF-16 (BOM); convert the file: iconv -f UTF-16"),
        (b"\xfe\xff\0a", "not_utf8", "UTF-16 (BOM)"),
        ("a\n".encode("utf-32"), "not_utf8", "UTF-32 (BOM)"),
        ("plain\n".encode("utf-16-le") * 9, "not_utf8", "many zero bytes"),
        (b"PAR1....", "not_text", "a Parquet file; set format: parquet"),
        (b"PK\x03\x04....", "not_text", "a ZIP archive; unpack it first"),
        (b"name".ljust(257, b" ") + b"ustar", "not_text", "tar archive"),
    ],
)
@pytest.mark.parametrize("format", ["text", "jsonl", "text_file"])
def test_files_that_are_no_text_are_one_reject(write, content, reason, words, format):
    path = write(content)
    out = read(path, format)
    assert out.texts == []
    assert out.reasons == [reason]
    assert words in out.rejects[0].detail
    assert read(path, format, start=3, end=END).num_read == 0


def test_lines_are_numbered_with_empty_ones_among_them():
    assert [line for _, line in lines_of(b"a\n\n b\n")] == [b"a", b"", b" b"]
