"""Delimited text: TSV without quoting, CSV with it, columns by header or by number."""

import csv
import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
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


CSV = (
    b'\xef\xbb\xbf"lang",text,note\r\n'
    b'en,"Two lines,\r\nand a ""mark"" in them",\r\n'
    b"fr,Trop court\r\n\r\n"
    b'de,a "mark" in the middle,x\n'
    b"sw,Habari,y\n"
    b'xx,"never closed,z\n'
    b"am,\xe1\x88\xb0\xe1\x88\x8b\xe1\x88\x9d,z\n"
)


@pytest.mark.parametrize("ending", ["csv", "csv.gz"])
def test_records_of_csv(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    path.write_bytes(gzip.compress(CSV) if ending == "csv.gz" else CSV)
    out = read(path, "csv", extra_columns={"code": "lang"})
    assert out.texts == ['Two lines,\nand a "mark" in them', "Habari", "ሰላም"]
    assert out.extra["code"] == ["en", "sw", "am"]
    assert out.offsets == [CSV.index(part) for part in (b"en,", b"sw,", b"am,")]
    assert [(r.reason, r.offset) for r in sorted(out.rejects, key=lambda r: r.offset)] == [
        ("wrong_num_fields", CSV.index(b"fr,")),
        ("invalid_quoting", CSV.index(b"de,")),
        ("unclosed_quote", CSV.index(b"xx,")),
    ]
    assert out.num_read == 6
    assert read(path, "csv", start=1).num_read == 0


@given(st.lists(st.tuples(st.text('ab,"\n é', max_size=9), st.text('x,"\n', max_size=3))))
def test_csv_is_read_as_it_was_written(tmp_path_factory, rows):
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["id", "text", "note"])
    writer.writerows([number, *row] for number, row in enumerate(rows))
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_bytes(file.getvalue().encode())
    out = read(path, "csv", extra_columns={"id": "id", "note": "note"}, max_rows=3)
    assert out.rejects == []
    assert out.texts == [text for text, _ in rows]
    assert out.extra["note"] == [note for _, note in rows]
    assert out.extra["id"] == [str(number) for number in range(len(rows))]


def test_a_mark_inside_a_field_costs_its_own_line_alone(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b'text,lang\na 5" disk,en\ngood,en\nb 3" disk,en\nx," 3"" ",en\nlast,en\n')
    out = read(path, "csv")
    assert out.texts == ["good", "last"]
    assert out.reasons == ["invalid_quoting", "invalid_quoting", "wrong_num_fields"]


def test_a_mark_that_is_never_closed_costs_its_own_line_alone(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b'text,lang\n"open,en\ngood,en\n"fine, it is",en\nb 3" disk,en\nlast,en\n')
    out = read(path, "csv")
    assert out.texts == ["good", "fine, it is", "last"]
    assert sorted(out.reasons) == ["invalid_quoting", "unclosed_quote"]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", [b'"', b'""', b'"",', b",", b'"a', b'a,"'])
@pytest.mark.parametrize("before", [b"", b'"'])
def test_lines_of_many_marks_take_time_in_proportion(tmp_path, before, piece):
    path = tmp_path / "a.csv"
    path.write_bytes(b"text\n" + before + b"\n" + piece * (1_000_000 // len(piece)) + b'"\nlast\n')
    assert read(path, "csv").texts[-1].endswith("last")


@pytest.mark.parametrize("format", ["csv", "tsv"])
def test_a_column_that_is_read_stands_once_in_a_header(tmp_path, format):
    path = tmp_path / "a"
    path.write_bytes("text,note,text,,\na,b,c,d,e\n".replace(",", ",\t"[format == "tsv"]).encode())
    with pytest.raises(MissingColumn, match=r"a has 2 columns 'text'; it has 'text', 'note', 'te"):
        probe(str(path), format, ReadOptions())
    with pytest.raises(MissingColumn, match="2 columns 'text'"):
        read(path, format)
    assert read(path, format, text_column="note").texts == ["b"]


def test_csv_without_a_header(tmp_path):
    path = tmp_path / "b.csv"
    path.write_bytes(b'1,"one, two"\n2,three\n')
    assert read(path, "csv", text_column="2").texts == ["one, two", "three"]


def test_a_wrong_name_in_csv_is_seen_before_the_run(tmp_path):
    path = tmp_path / "c.csv"
    path.write_bytes(CSV)
    seen = probe(str(path), "csv", ReadOptions(extra_columns={"url": "url"}))
    assert (seen.columns, seen.missing) == (("lang", "text", "note"), ("url",))
    with pytest.raises(MissingColumn, match="did you mean 'text'"):
        probe(str(path), "csv", ReadOptions(text_column="txt"))
    path.write_bytes(b'a "b", text\n1,2\n')
    with pytest.raises(MissingColumn, match="'text'"):
        probe(str(path), "csv", ReadOptions())
    assert read(path, "csv").reasons == ["wrong_num_fields"]


@pytest.mark.data
def test_quotes_and_odd_rows(data_folder):
    path = data_folder / "messy" / "raw" / "quotes.tsv"
    rows = path.read_bytes().decode().rstrip("\n").split("\n")
    text_column = rows[0].split("\t")[1]
    out = read(path, "tsv", text_column=text_column)
    wanted = [row.split("\t") for row in rows[1:]]
    assert out.texts == [row[1] for row in wanted if len(row) == len(rows[0].split("\t"))]
    assert out.reasons == ["wrong_num_fields"] * 3  # 3, 1 and 4 fields
