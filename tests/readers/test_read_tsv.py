"""Tab-separated values: no quoting, columns by header or by number."""

import gzip

import pytest
from reading import read

from glotmill.transforms.readers import MissingColumn, ReadOptions, probe

HEADED = (
    b"lang\ttext\tnote\r\n"
    b'en\tA "quoted" text\t\r\n'
    b"fr\tTrop court\r\n\r\n"
    b"de\t \xff\tx\n"
    b"sw\tHabari\ty\n"
)


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "a.tsv"
    file.write_bytes(HEADED)
    return file


def test_rows_and_rejects(path):
    out = read(path, "tsv", extra_columns={"code": "lang"})
    assert out.texts == ['A "quoted" text', "Habari"]
    assert out.extra["code"] == ["en", "sw"]
    assert out.offsets == [HEADED.index(b"en\t"), HEADED.index(b"sw\t")]
    assert [(r.reason, r.offset) for r in out.rejects] == [
        ("wrong_num_fields", HEADED.index(b"fr\t")),
        ("invalid_utf8", HEADED.index(b"de\t")),
    ]
    assert out.rejects[0].detail == "2 fields where the first line has 3"
    assert out.num_read == 4


def test_packed_is_as_plain(path, tmp_path):
    packed = tmp_path / "a.tsv.gz"
    packed.write_bytes(gzip.compress(HEADED))
    assert read(packed, "tsv").texts == read(path, "tsv").texts


def test_columns_by_number_have_no_header(tmp_path):
    path = tmp_path / "b.tsv"
    path.write_bytes(b"\n1\tone\n2\ttwo\n")
    out = read(path, "tsv", text_column="2", extra_columns={"id": "1"})
    assert (out.texts, out.extra["id"]) == (["one", "two"], ["1", "2"])


def test_a_later_slice_is_empty_as_files_are_not_cut(path):
    assert read(path, "tsv", start=1).num_read == 0


def test_empty_file(tmp_path):
    path = tmp_path / "c.tsv"
    path.write_bytes(b"\n\n")
    assert read(path, "tsv").num_read == 0


def test_a_wrong_name_is_seen_before_the_run(path):
    with pytest.raises(MissingColumn, match="did you mean 'text'"):
        probe(str(path), "tsv", ReadOptions(text_column="txt"))
    seen = probe(str(path), "tsv", ReadOptions(extra_columns={"url": "url"}))
    assert seen.columns == ("lang", "text", "note")
    assert seen.missing == ("url",)


@pytest.mark.data
def test_quotes_and_odd_rows(data_folder):
    path = data_folder / "messy" / "raw" / "quotes.tsv"
    rows = path.read_bytes().decode().rstrip("\n").split("\n")
    text_column = rows[0].split("\t")[1]
    out = read(path, "tsv", text_column=text_column)
    wanted = [row.split("\t") for row in rows[1:]]
    assert out.texts == [row[1] for row in wanted if len(row) == len(rows[0].split("\t"))]
    assert out.reasons == ["wrong_num_fields"] * 3  # 3, 1 and 4 fields
