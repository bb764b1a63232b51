"""Compressed streams, whole, cut and damaged."""

import bz2
import gzip
import io
import lzma
import random
import tracemalloc

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import read

from glotmill.schemas.formats import COMPRESSED, format_by_name
from glotmill.transforms.readers import BrokenStream, open_stream
from glotmill.transforms.readers.decompress import detect_compression


def zstd(data):
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


PACK = {"gzip": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zstd": zstd}
SUFFIX = {"gzip": ".gz", "bz2": ".bz2", "xz": ".xz", "zstd": ".zst"}
KINDS = pytest.mark.parametrize("kind", PACK)


def numbered_lines(num_lines, seed=0):
    source = random.Random(seed)
    words = [f"{source.getrandbits(64):x}" for _ in range(num_lines)]
    return b"".join(f"line {i} {word}\n".encode() for i, word in enumerate(words))


def unpack(packed, name="a", compression="auto"):
    """Return what could be decoded and the break, if there was one."""
    out = []
    try:
        out.extend(open_stream(io.BytesIO(packed), name, compression))
    except BrokenStream as error:
        return b"".join(out), error
    return b"".join(out), None


@KINDS
def test_compressed_files_read_as_plain_ones(write, kind):
    content = numbered_lines(5000)
    plain = read(write(content))
    packed = read(write(PACK[kind](content), "a.txt" + SUFFIX[kind]))
    assert (packed.texts, packed.offsets) == (plain.texts, plain.offsets)
    assert len(packed.texts) == 5000


@KINDS
def test_members_and_frames_follow_each_other(kind):
    parts = [numbered_lines(3, seed) for seed in range(3)]
    assert unpack(b"".join(map(PACK[kind], parts))) == (b"".join(parts), None)


@KINDS
@settings(deadline=None, max_examples=30)
@given(parts=st.lists(st.binary(max_size=300), min_size=1, max_size=4))
def test_any_content_round_trips(kind, parts):
    packed = b"".join(map(PACK[kind], parts))
    assert unpack(packed) == (b"".join(parts), None)


@KINDS
def test_every_cut_is_noticed(kind):
    content = numbered_lines(40)
    packed = PACK[kind](content)
    for size in range(12, len(packed)):
        data, error = unpack(packed[:size], "a" + SUFFIX[kind])
        assert error is not None, size
        assert error.reason == "truncated_stream"
        assert error.compressed_offset == size
        assert content.startswith(data)


@KINDS
def test_cut_between_members_loses_the_second_one_only(kind):
    first, second = numbered_lines(5), numbered_lines(500, seed=1)
    packed = PACK[kind](first) + PACK[kind](second)
    data, error = unpack(packed[:-40])
    assert error.reason == "truncated_stream"
    assert data.startswith(first)


@KINDS
def test_a_cut_file_is_rows_and_one_reject(write, kind):
    content = numbered_lines(60_000)
    packed = PACK[kind](content)
    out = read(write(packed[: len(packed) * 2 // 3], "a.txt" + SUFFIX[kind]))
    assert out.reasons == ["truncated_stream"]
    lines = content.decode().splitlines()
    assert out.texts == lines[: len(out.texts)]
    assert len(out.texts) > 20_000
    (reject,) = out.rejects
    assert reject.offset == len("\n".join(out.texts)) + 1
    assert content[reject.offset :].startswith(reject.excerpt.encode())


@KINDS
def test_a_damaged_byte_is_noticed(kind):
    content = numbered_lines(20_000)
    packed = bytearray(PACK[kind](content))
    packed[len(packed) // 2] ^= 0x55
    _, error = unpack(bytes(packed))
    assert error.reason == "corrupt_stream"
    assert error.detail.startswith(f"{kind}: ")


def test_gzip_gives_all_that_precedes_the_fault():
    content = numbered_lines(30_000)
    packed = bytearray(gzip.compress(content))
    packed[-8] ^= 1  # the checksum
    data, error = unpack(bytes(packed))
    assert data == content
    assert "incorrect data check" in error.detail


def test_zstd_gives_the_blocks_before_the_fault():
    content = numbered_lines(100_000)
    packed = bytearray(zstd(content))
    packed[-1] ^= 1
    data, error = unpack(bytes(packed))
    assert data == content
    assert "checksum" in error.detail


@KINDS
def test_bytes_after_the_end_are_noticed(kind):
    data, error = unpack(PACK[kind](b"good\n") + b"garbage, more than a few bytes")
    assert (data, error.reason) == (b"good\n", "corrupt_stream")


@pytest.mark.parametrize("kind", ["gzip", "bz2", "xz"])
def test_zero_bytes_after_the_end_are_padding(kind):
    packed = PACK[kind](b"good\n")
    assert unpack(packed + bytes(512)) == (b"good\n", None)
    assert unpack(packed + bytes(1 << 19) + packed) == (b"good\ngood\n", None)


def test_skippable_zstd_frames_are_passed_over():
    skippable = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"size"
    assert unpack(skippable + zstd(b"a\n") + skippable) == (b"a\n", None)
    assert unpack(skippable[:-1])[1].reason == "truncated_stream"


@pytest.mark.parametrize("level", [1, 9])
@pytest.mark.parametrize("num_bytes", [0, 1, 100, 300, 70_000, 3 << 20])
@pytest.mark.parametrize("with_size", [True, False])
def test_zstd_headers_of_all_shapes(level, num_bytes, with_size):
    content = numbered_lines(num_bytes // 20 + 1)[:num_bytes]
    packed = zstandard.ZstdCompressor(level=level, write_content_size=with_size)
    assert unpack(packed.compress(content), compression="zstd") == (content, None)


def test_zstd_stream_flushed_in_small_blocks():
    packer = zstandard.ZstdCompressor().compressobj()
    packed = b""
    for i in range(500):
        packed += packer.compress(b"%d\n" % i) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    packed += packer.flush()
    assert unpack(packed)[0] == b"".join(b"%d\n" % i for i in range(500))


@pytest.mark.parametrize("kind", ["gzip", "zstd", "bz2", "xz"])
def test_bombs_inflate_in_little_memory(kind):
    packed = PACK[kind](bytes(50 << 20))
    tracemalloc.start()
    size = sum(map(len, open_stream(io.BytesIO(packed), "a", kind)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size == 50 << 20
    assert peak < 12 << 20


@pytest.mark.parametrize(
    ("head", "path", "expected"),
    [
        (b"text\n", "a.gz", "none"),
        (b"caf\xe9 \n" * 9, "a.txt.zst", "none"),
        (b"\x1f\x8b\x08\0", "a.txt", "gzip"),
        (zstd(b"x"), "a.txt", "zstd"),
        (b"\x5f\x2a\x4d\x18\0\0\0\0", "a", "zstd"),
        (bz2.compress(b"x"), "a.txt", "bz2"),
        (bz2.compress(b""), "a.txt", "bz2"),
        (b"BZh9 is how this sentence starts", "a.bz2", "none"),
        (lzma.compress(b"x"), "a", "xz"),
        (b"", "a.txt", "none"),
        (b"", "a.txt.GZ", "gzip"),
        (b"\0\x01\x02\x03" * 9, "a.txt.xz", "xz"),
        (b"\0\x01\x02\x03" * 9, "a.txt", "none"),
    ],
)
def test_detection(head, path, expected):
    assert detect_compression(head, path) == expected


def test_plain_text_with_a_compressed_name_is_read(write):
    assert read(write(b"one\ntwo\n", "a.txt.gz")).texts == ["one", "two"]


@pytest.mark.parametrize("name", ["a.gz", "a.zst", "a.bz2", "a.xz"])
def test_an_empty_file_with_a_compressed_name_is_truncated(write, name):
    out = read(write(b"", name))
    assert out.reasons == ["truncated_stream"]
    assert "the file is empty" in out.rejects[0].detail


def test_the_older_format_of_xz_is_told_by_its_name(write):
    packed = lzma.compress(b"one\ntwo\n", format=lzma.FORMAT_ALONE)
    assert read(write(packed, "a.txt.lzma")).texts == ["one", "two"]


def test_a_name_tells_the_format_below_every_compression_that_is_read():
    for suffix in COMPRESSED:
        assert format_by_name(f"a.jsonl{suffix}", bitext=False) == "jsonl", suffix


def test_compression_can_be_forced(write):
    packed = gzip.compress(b"a\n")
    assert read(write(b"plain\n"), compression="gzip").reasons == ["corrupt_stream"]
    assert read(write(packed), compression="gzip").texts == ["a"]


def test_a_compressed_file_is_whole_in_its_first_slice(write):
    path = write(gzip.compress(b"a\nb\n"), "a.gz")
    assert read(path, start=0, end=2).texts == ["a", "b"]
    assert read(path, start=2).num_read == 0


def test_compressed_streams_cannot_be_sought():
    stream = open_stream(io.BytesIO(gzip.compress(b"a")), "a")
    with pytest.raises(ValueError, match="cannot seek in a gzip stream"):
        stream.seek(1)
