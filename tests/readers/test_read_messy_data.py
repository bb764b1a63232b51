"""The byte-level oddities of the larger data set, with the exact counts that must be found."""

import os
from collections import Counter
from pathlib import Path

import pytest
from reading import read

pytestmark = pytest.mark.data

# File: format, rows, rejects by reason.
EXPECTED = {
    "invalid_utf8_lines.txt": ("text", 30, {"invalid_utf8": 10}),
    "truncated_utf8_at_eof.txt": ("text", 3, {"invalid_utf8": 1}),
    "utf8_bom.txt": ("text", 10, {}),
    "utf16le_bom.txt": ("text", 0, {"not_utf8": 1}),
    "latin1.txt": ("text", 10, {}),  # its ten lines are ASCII, whatever the manifest says
    "cp1251.txt": ("text", 0, {"invalid_utf8": 10}),
    "crlf.txt": ("text", 10, {}),
    "cr_only.txt": ("text", 10, {}),
    "nul_bytes.txt": ("text", 8, {"invalid_utf8": 2}),  # two NULs lie inside a character
    "unicode_line_seps.txt": ("text", 3, {}),
    "empty.txt": ("text", 0, {}),
    "only_newlines.txt": ("text", 0, {}),
    "no_final_newline.txt": ("text", 5, {}),
    "huge_line_20MB.txt.gz": ("text", 1, {"record_too_long": 1}),
    "truncated.txt.gz": ("text", 25, {"truncated_stream": 1}),
    "concatenated_members.txt.gz": ("text", 10, {}),
    "not_gzip.txt.gz": ("text", 5, {}),
    "two_frames.txt.zst": ("text", 10, {}),
    "linecount.src": ("text", 10, {}),
    "linecount.tgt": ("text", 9, {}),
    "deep_nesting.jsonl": ("jsonl", 1, {"invalid_json": 1}),
    "broken.jsonl": (
        "jsonl",
        7,
        {
            "invalid_json": 3,
            "not_an_object": 3,
            "missing_field": 2,
            "wrong_type": 2,
            "invalid_utf8": 2,
        },
    ),
}


@pytest.fixture
def raw():
    folder = os.environ.get("GLOTMILL_DATA")
    if not folder:
        pytest.skip("GLOTMILL_DATA does not name the larger data set")
    path = Path(folder) / "messy" / "raw"
    if not path.is_dir():
        pytest.skip(f"GLOTMILL_DATA has no folder {path}")
    return path


@pytest.mark.parametrize("name", EXPECTED)
def test_counts(raw, name):
    format, num_rows, reasons = EXPECTED[name]
    out = read(raw / name, format)
    assert (len(out.texts), Counter(out.reasons)) == (num_rows, Counter(reasons))


def test_every_text_and_jsonl_file_is_expected(raw):
    others = {".tmx", ".po", ".tsv"}
    names = {path.name for path in raw.iterdir() if path.suffix not in others}
    assert names == set(EXPECTED)


def test_every_fourth_line_is_invalid(raw):
    out = read(raw / "invalid_utf8_lines.txt")
    lines = (raw / "invalid_utf8_lines.txt").read_bytes().splitlines(keepends=True)
    starts = [sum(map(len, lines[:i])) for i in range(40)]
    assert [reject.offset for reject in out.rejects] == starts[::4]


def test_good_records_of_broken_jsonl(raw):
    out = read(raw / "broken.jsonl", "jsonl", extra_columns={"id": "id"})
    assert out.extra["id"] == ["ok0", "ok1", "ok2", "dup", "big", "ok3", "ok6"]
    assert out.texts[3] == "b"


def test_bom_is_no_part_of_the_text(raw):
    assert not read(raw / "utf8_bom.txt").texts[0].startswith("\ufeff")


def test_crlf_leaves_no_carriage_return(raw):
    assert not any("\r" in text for text in read(raw / "crlf.txt").texts)


def test_truncated_gzip_is_cut_at_its_last_whole_line(raw):
    out = read(raw / "truncated.txt.gz")
    (reject,) = out.rejects
    assert reject.offset == out.offsets[-1] + len(out.texts[-1].encode()) + 1
    assert "the file ends inside the compressed stream" in reject.detail
