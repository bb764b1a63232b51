"""Texts in columns: TSV, CSV, JSON lines and Parquet."""

import csv
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bitext_reading import read_units
from hypothesis import given
from hypothesis import strategies as st

from glotmill.transforms.readers import MissingColumn, WrongColumnType
from glotmill.transforms.readers.bitext import BitextOptions, Side, read_bitext, split_bitext

NUMBERED = (Side(text="1", code="en"), Side(text="2", code="de"))
NAMED = (Side(text="src", code="en"), Side(text="tgt", code_column="lang"))

cells = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"]) | st.sampled_from('",\n'), max_size=9
)


@given(st.lists(st.tuples(cells, cells).filter(lambda row: row[0].strip()), max_size=20))
def test_csv_round_trip(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("c") / "a.csv"
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerows([("src", "x,y"), *rows])
    path.write_bytes(buffer.getvalue().encode())
    sides = (Side(text="src"), Side(text="x,y"))
    out = read_units(path, "csv", sides=sides)
    assert out.texts == rows
    assert out.rejects == []


def test_tsv_does_not_know_quoting(write):
    path = write(b'src\ttgt\tlang\n"a\tx\tde\n"b"\t\tgsw\nc\n\nd\te\tf\tg\n\xff\tb\tc\n')
    out = read_units(path, "tsv", sides=NAMED)
    assert out.pairs == [(("en", '"a'), ("de", "x")), (("en", '"b"'), ("gsw", ""))]
    assert out.reasons == ["wrong_num_fields", "wrong_num_fields", "invalid_utf8"]
    assert out.offsets == [13, 21]


def test_numbered_columns_and_scores(write):
    path = write(b"a\tb\t0.5\td1\nc\td\t\td2\ne\tf\tgood\td2\ng\th\tnan\t\n")
    out = read_units(path, "tsv", sides=NUMBERED, scores={"laser": "3"}, document="4")
    assert out.values("scores") == [{"laser": 0.5}, {}, {}]
    assert out.values("document") == ["d1", "d2", ""]
    assert out.reasons == ["invalid_score"]


def test_missing_columns_are_named(write, tmp_path):
    path = write(b"source\ttgt\n")
    with pytest.raises(MissingColumn, match=r"no column 'src'; it has 'source', 'tgt'"):
        read_units(path, "tsv", sides=NAMED)
    out = read_units(write(b"a\na\tb\n"), "tsv", sides=NUMBERED)
    assert (out.texts, out.reasons) == ([("a", "b")], ["wrong_num_fields"])
    assert out.rejects[0].detail == "1 fields; there is no 2"
    with pytest.raises(ValueError, match="give sides"):
        read_units(path, "tsv")
    with pytest.raises(ValueError, match="give one of them"):
        Side(text="a", code="b", code_column="c")


def test_csv_with_bad_quoting_goes_on(write):
    path = write(b'a,b\n1,"x\ny"\n2,x"y"\n"3"z,"4"\n5,"open\n6,7\n8,9')
    out = read_units(path, "csv", sides=(Side(text="a"), Side(text="b")))
    assert out.texts == [("1", "x\ny"), ("6", "7"), ("8", "9")]
    assert out.reasons == ["invalid_quoting", "invalid_quoting", "unclosed_quote"]


def test_a_line_of_tabs_is_a_record_and_a_blank_line_is_none(write):
    out = read_units(write(b"\n \na\tb\n\t\n\r\n"), "tsv", sides=NUMBERED)
    assert (out.texts, out.rejects) == ([("a", "b"), ("", "")], [])


def test_other_delimiters_and_quoting(write):
    path = write(b'a;"b;c"\nd;e\n')
    assert read_units(path, "csv", sides=NUMBERED, delimiter=";").texts == [
        ("a", "b;c"),
        ("d", "e"),
    ]
    path = write(b'a\t"b\tc"\n"d\ne"\tf\n')
    assert read_units(path, "tsv", sides=NUMBERED, quoted=True).texts == [
        ("a", "b\tc"),
        ("d\ne", "f"),
    ]
    path = write(b'a","b\nc,d\n')
    assert read_units(path, "csv", sides=NUMBERED, quoted=False).texts == [('a"', '"b'), ("c", "d")]


def test_a_mark_inside_a_field_opens_nothing(write):
    path = write(b'a;b\n1;5" disk\n2;"x\ny;z"\n3;5"\n4;good\n')
    out = read_units(path, "csv", sides=(Side(text="a"), Side(text="b")), delimiter=";")
    assert out.texts == [("2", "x\ny;z"), ("4", "good")]
    assert out.reasons == ["invalid_quoting", "invalid_quoting"]


def test_a_column_that_stands_twice_in_the_header(write):
    path = write(b"a,b,a,c,c\n1,2,3,4,5\n", "t.csv")
    with pytest.raises(MissingColumn, match=r"t.csv has 2 columns 'a'; it has 'a', 'b', 'a', 'c'"):
        read_units(path, "csv", sides=(Side(text="a"), Side(text="b")))
    by_number = read_units(path, "csv", sides=(Side(text="b"), Side(text="3")))
    assert by_number.texts == [("2", "3")]


def test_an_open_quote_is_given_up_at_the_limit(write):
    path = write(b'a,b\n"open,1\n' + b"x,y\n" * 1000)
    sides = (Side(text="a"), Side(text="b"))
    out = read_units(path, "csv", sides=sides, max_record_bytes=500)
    assert (len(out.units), out.reasons) == (1000, ["unclosed_quote"])


EMMA = [
    {"src_lang": "eng_Latn", "src_text": "a", "tgt_lang": "deu_Latn", "tgt_text": "b"},
    {"src_lang": "eng_Latn", "src_text": "c", "tgt_lang": "fra_Latn", "tgt_text": ""},
]


def test_emma_columns(write, tmp_path):
    content = "\n".join(map(json.dumps, EMMA)).encode()
    pq.write_table(pa.Table.from_pylist(EMMA), tmp_path / "a.parquet")
    for out in (
        read_units(write(content, "a.jsonl"), "jsonl"),
        read_units(tmp_path / "a.parquet", "parquet"),
    ):
        assert out.pairs == [
            (("eng_Latn", "a"), ("deu_Latn", "b")),
            (("eng_Latn", "c"), ("fra_Latn", "")),
        ]


ROWS = [
    {"id": 1, "translation": {"en": "a", "de": "b", "fr": None}, "laser": 1.5, "u": "x"},
    {"id": 2, "translation": {"en": "c", "de": None, "fr": None}, "laser": None, "u": None},
    {"id": 3, "translation": {"en": "d", "de": "e", "fr": "f"}, "laser": float("nan"), "u": "y"},
    {"id": 4, "translation": None, "laser": 2.0, "u": "z"},
]
OPUS = {
    "translation": "translation",
    "external_id": "id",
    "url": "u",
    "scores": {"l": "laser"},
}


@pytest.mark.parametrize("max_rows", [1, 2, 2000])
def test_translation_dictionaries(write, tmp_path, max_rows):
    content = "\n".join(json.dumps(row).replace("NaN", '"nan"') for row in ROWS).encode()
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet", row_group_size=3)
    lines = read_units(write(content, "a.jsonl"), "jsonl", max_rows=max_rows, **OPUS)
    columns = read_units(tmp_path / "a.parquet", "parquet", max_rows=max_rows, **OPUS)
    for out in (lines, columns):
        assert out.pairs == [
            (("en", "a"), ("de", "b")),
            (("en", "d"), ("de", "e"), ("fr", "f")),
        ]
        assert out.values("external_id") == ["1", "3"]
        assert out.values("url") == ["x", "y"]
        assert out.values("scores") == [{"l": 1.5}, {}]
    assert lines.reasons == ["missing_side", "missing_field"]
    assert columns.reasons == ["missing_side", "missing_side"]
    assert [reject.offset for reject in columns.rejects] == [1, 3]
    assert columns.offsets == [0, 2]


def with_maps(rows):
    """A table whose translations are maps."""
    texts = [None if (t := row["translation"]) is None else list(t.items()) for row in rows]
    table = pa.Table.from_pylist(rows).drop_columns("translation")
    return table.append_column("translation", pa.array(texts, pa.map_(pa.string(), pa.string())))


@pytest.mark.parametrize("max_rows", [1, 2, 2000])
def test_translation_maps_are_read_as_dictionaries(write, tmp_path, max_rows):
    rows = [
        *ROWS,
        {"id": 5, "translation": {"sw": "g", "en": "h"}, "laser": 1.0, "u": "w"},
        {"id": 6, "translation": {}, "laser": 1.0, "u": "w"},
        {"id": 7, "translation": {"en": "", "yo": "i"}, "laser": 1.0, "u": "w"},
    ]
    content = "\n".join(json.dumps(row).replace("NaN", '"nan"') for row in rows).encode()
    pq.write_table(with_maps(rows), tmp_path / "a.parquet", row_group_size=3)
    lines = read_units(write(content, "a.jsonl"), "jsonl", max_rows=max_rows, **OPUS)
    columns = read_units(tmp_path / "a.parquet", "parquet", max_rows=max_rows, **OPUS)
    assert columns.pairs == lines.pairs
    assert columns.pairs[2:] == [(("sw", "g"), ("en", "h")), (("en", ""), ("yo", "i"))]
    for name in ("external_id", "url", "scores"):
        assert columns.values(name) == lines.values(name)
    assert columns.reasons == ["missing_side"] * 3
    assert columns.offsets == [0, 2, 4, 6]


def test_the_last_of_entries_with_one_code_counts(tmp_path):
    rows = [[("en", "a"), ("de", "b"), ("en", "c")], [("en", "d"), ("en", "e")]]
    table = pa.table({"t": pa.array(rows, pa.map_(pa.string(), pa.string()))})
    pq.write_table(table, tmp_path / "a.parquet")
    out = read_units(tmp_path / "a.parquet", "parquet", translation="t")
    assert out.pairs == [(("de", "b"), ("en", "c"))]
    assert out.reasons == ["missing_side"]


def test_maps_with_bad_values(tmp_path):
    rows = [
        [(b"en", b"ok"), (b"de", b"ok")],
        [(b"en", b"ok"), (b"de", b"\xff")],
        [(b"en", b"x" * 99), (b"de", b"ok")],
    ]
    types = pa.map_(pa.binary(), pa.binary())
    table = pa.table({"m": pa.StructArray.from_arrays([pa.array(rows, types)], ["t"])})
    pq.write_table(table, tmp_path / "a.parquet")
    out = read_units(tmp_path / "a.parquet", "parquet", translation="m.t", max_record_bytes=50)
    assert out.pairs == [(("en", "ok"), ("de", "ok"))]
    assert out.reasons == ["invalid_utf8", "record_too_long"]
    numbers = pa.array([[("en", 1)]], pa.map_(pa.string(), pa.int64()))
    pq.write_table(pa.table({"t": numbers}), tmp_path / "b.parquet")
    with pytest.raises(WrongColumnType):
        read_units(tmp_path / "b.parquet", "parquet", translation="t")


def test_large_integers_keep_their_digits(write):
    number = 123456789012345678901234567890
    rows = [
        {"t": {"en": "a", "de": "b"}, "id": number, "s": number},
        {"t": {"en": "a", "de": number}, "id": 2, "s": 1},
    ]
    path = write("\n".join(map(json.dumps, rows)).encode(), "a.jsonl")
    options = {"translation": "t", "external_id": "id", "url": "id", "scores": {"s": "s"}}
    out = read_units(path, "jsonl", **options)
    assert out.values("external_id") == out.values("url") == [str(number)]
    assert out.values("scores")[0]["s"] == pytest.approx(number)
    assert out.reasons == ["wrong_type"]


def test_bad_json(write):
    rows = [b"{", b"[1]", b'{"src_text": 1, "tgt_text": "a"}', b'{"src_text": "a"}', b"\xff"]
    out = read_units(write(b"\n".join(rows)), "jsonl")
    assert out.reasons == [
        "invalid_json",
        "not_an_object",
        "wrong_type",
        "missing_side",
        "invalid_utf8",
    ]
    out = read_units(
        write(b'{"t": [1]}\n{"t": {"a": 1}}\n{"t": {"a": "1"}, "s": true}'),
        "jsonl",
        translation="t",
        scores={"s": "s"},
    )
    assert out.reasons == ["wrong_type", "wrong_type", "invalid_score"]


def test_jsonl_slices(write):
    path = write("".join(json.dumps(EMMA[n % 2]) + "\n" for n in range(100)).encode())
    whole = read_units(path, "jsonl")
    slices = split_bitext([path], [9000], "jsonl", 1000)
    parts = [read_units(path, "jsonl", part.start, part.end) for part in slices]
    assert [offset for part in parts for offset in part.offsets] == whole.offsets


def test_parquet_with_bad_values(tmp_path):
    path = tmp_path / "a.parquet"
    table = pa.table(
        {
            "a": pa.array([b"ok", b"\xff", b"x" * 99, b"ok", b"ok"]),
            "b": pa.array(["1", "2", "3", None, "5"]).dictionary_encode(),
            "s": ["1", "2", "3", "4", "x"],
            "n": [1, 2, 3, 4, 5],
        }
    )
    pq.write_table(table, path)
    sides = (Side(text="a", code="en"), Side(text="b", code_column="n"))
    out = read_units(path, "parquet", sides=sides, scores={"s": "s"}, max_record_bytes=50)
    assert out.pairs == [(("en", "ok"), ("1", "1"))]
    assert out.reasons == ["invalid_utf8", "record_too_long", "missing_side", "invalid_score"]
    assert [reject.offset for reject in out.rejects] == [1, 2, 3, 4]
    with pytest.raises(WrongColumnType):
        read_units(path, "parquet", sides=(Side(text="n"), Side(text="a")))
    with pytest.raises(MissingColumn):
        read_units(path, "parquet")
    with pytest.raises(WrongColumnType):
        read_units(path, "parquet", translation="a")


def test_parquet_slices_and_damage(tmp_path, write):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist(EMMA * 500), path, row_group_size=100)
    slices = split_bitext([str(path)], [path.stat().st_size], "parquet", 1)
    assert len(slices) == 10
    parts = [read_units(path, "parquet", part.start, part.end) for part in slices]
    assert [offset for part in parts for offset in part.offsets] == list(range(1000))
    content = bytearray(path.read_bytes())
    content[100:140] = bytes(40)
    damaged = read_units(write(bytes(content), "b.parquet"), "parquet")
    assert "corrupt_file" in damaged.reasons
    assert len(damaged.units) >= 900
    assert read_units(write(b"no"), "parquet").reasons == ["corrupt_file"]


def test_wrong_options_are_refused():
    for wrong in (
        {"min_segments": 0},
        {"max_rows": 0},
        {"sides": NUMBERED, "translation": "t"},
        {"codes": ("a",), "codes_path": "b"},
        {"compression": "rar"},
        {"delimiter": "||"},
    ):
        with pytest.raises(ValueError):
            BitextOptions(**wrong)


@pytest.mark.parametrize("format", ["tsv", "csv", "jsonl", "parquet", "po", "xliff", "xces"])
def test_files_that_cannot_be_opened_are_one_reject(format):
    assert read_units("/nowhere/a", format, sides=NUMBERED).reasons == ["unreadable_file"]
    assert list(read_bitext(["/nowhere/a"], "messages", 5)) == []
