"""Line-aligned files in lockstep."""

import gzip

import pytest
from bitext_reading import read_units
from hypothesis import given
from hypothesis import strategies as st

from glotmill.transforms.readers.bitext import MisalignedFiles, check_aligned, split_bitext
from glotmill.transforms.readers.bitext.options import BitextOptions

lines = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\n\r"), max_size=9)


@given(
    rows=st.lists(st.tuples(lines, lines, lines), max_size=40),
    max_rows=st.integers(1, 9),
    max_bytes=st.integers(1, 60),
    ends=st.booleans(),
)
def test_round_trip(tmp_path_factory, rows, max_rows, max_bytes, ends):
    folder = tmp_path_factory.mktemp("m")
    paths = []
    for index in range(3):
        path = folder / f"a.{index}"
        # A last line without an end and without a character is none.
        end = "\n" if rows and (ends or not all(rows[-1])) else ""
        path.write_bytes(("\ufeff" + "\n".join(row[index] for row in rows) + end).encode())
        paths.append(path)
    out = read_units(paths, "moses", codes=("a", None), max_rows=max_rows, max_bytes=max_bytes)
    if rows == [("", "", "")] or not rows:
        return  # a mark alone: whether that is a line is of no matter
    assert out.texts == rows
    assert out.rejects == []
    assert out.values("external_id") == [str(n) for n in range(1, len(rows) + 1)]
    assert [code for code, _ in (out.pairs[0] if rows else [])] == ["a", None, None][
        : 3 * len(rows)
    ]


@pytest.fixture
def pair(write):
    def write_pair(first, second):
        return [write(first, "a.en"), write(second, "a.de")]

    return write_pair


def test_misaligned_files_give_nothing_but_both_counts(pair):
    paths = pair(b"1\n2\n3\n" * 1000, b"1\n2")
    out = read_units(paths, "moses")
    assert (out.units, out.reasons) == ([], ["misaligned_files"])
    message = f"{paths[0]} has 3,000, {paths[1]} has 2 lines"
    assert message in out.rejects[0].detail
    with pytest.raises(MisalignedFiles, match="has 3,000") as caught:
        split_bitext(paths, [6000, 3], "moses", 100)
    assert caught.value.counts == (3000, 2)
    assert read_units(paths, "moses", start=1, end=2).rejects == []


def test_compressed_files(write):
    first = write(gzip.compress(b"1\n2\n"), "a.gz")
    assert read_units([first, write(b"x\ny", "b")], "moses").texts == [("1", "x"), ("2", "y")]


def test_bad_lines_reject_their_units(pair):
    paths = pair(b"1\n2\n3\n4\n", b"1\n\xff\n" + b"x" * 99 + b"\n")
    out = read_units(paths, "moses", max_record_bytes=50)
    assert out.reasons == ["misaligned_files"]
    paths = pair(b"1\n2\n3\n4\n", b"1\n\xff\n" + b"x" * 99 + b"\n\n")
    out = read_units(paths, "moses", max_record_bytes=50)
    assert out.texts == [("1", "1"), ("4", "")]
    assert out.values("external_id") == ["1", "4"]
    assert [(r.offset, r.reason) for r in out.rejects] == [
        (2, "invalid_utf8"),
        (4, "record_too_long"),
    ]
    assert paths[1] in out.rejects[0].detail


def test_files_that_cannot_be_read(pair, write):
    paths = pair(b"1\n", b"1\n")
    assert read_units([paths[0], "/nowhere/b"], "moses").reasons == ["unreadable_file"]
    wide = write("a\n".encode("utf-16"), "w")
    assert read_units([paths[0], wide], "moses").reasons == ["not_utf8"]
    cut = write(gzip.compress(b"1\n" * 9999)[:40], "c.gz")
    out = read_units([paths[0], cut], "moses")
    assert (out.units, out.reasons) == ([], ["truncated_stream"])
    assert "c.gz" in out.rejects[0].detail
    assert read_units(paths[:1], "moses").reasons == ["missing_side"]
    assert len(split_bitext([paths[0], cut], [2, 40], "moses", 1)) == 1


def test_codes_of_lines(pair, write):
    paths = pair(b"1\n2\n3\n", b"a\nb\nc\n")
    codes = write(b"en\tde\nen\tgsw\nen\n", "labels")
    out = read_units(paths, "moses", codes_path=codes)
    assert out.pairs == [(("en", "1"), ("de", "a")), (("en", "2"), ("gsw", "b"))]
    assert out.reasons == ["wrong_num_fields"]
    short = write(b"en\tde\n", "short")
    assert read_units(paths, "moses", codes_path=short).reasons == ["misaligned_files"]


@pytest.mark.parametrize("is_checked", [False, True])
def test_slices_by_lines(pair, is_checked):
    rows = [(str(n), f"{n * n:x}" * (n % 7)) for n in range(5000)]
    paths = pair(*("".join(f"{row[i]}\n" for row in rows).encode() for i in range(2)))
    slices = split_bitext(paths, [30_000, 70_000], "moses", 9_000)
    assert (len(slices), slices[0].start, slices[-1].end) == (11, 0, 5000)
    parts = [read_units(paths, "moses", part.start, part.end) for part in slices]
    assert [row for part in parts for row in part.texts] == rows
    offsets = [offset for part in parts for offset in part.offsets]
    assert offsets == read_units(paths, "moses").offsets


def test_count(pair):
    assert check_aligned(pair(b"", b""), BitextOptions()) == 0
    assert check_aligned(pair(b"\n\n", b"1\n2"), BitextOptions()) == 2
