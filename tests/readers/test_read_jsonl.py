"""JSON lines: what is a record, and what each reject says."""

import gzip
import json
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import read

from glotmill.transforms.readers import ProbeError, ReadOptions, probe
from glotmill.transforms.readers.jsonl import as_string, look_up

# Line: reason, words of the detail.
BAD = {
    b'{"text": "unterminated': ("invalid_json", "unexpected end of data (at character 22"),
    b'{"text":"a"} {"text":"b"}': ("invalid_json", "unexpected content after document"),
    b'{"text":"a"}{"text":"b"}': ("invalid_json", "(at character 12 of the record)"),
    b'{"text":"x","score":NaN}': ("invalid_json", "unexpected character"),
    b"{'text':'x'}": ("invalid_json", "at character 1 "),
    b'{"text":"x","m":' + b"[" * 100_000: ("invalid_json", "depth limit"),
    b'{"text":"tab\there"}': ("invalid_json", "character"),
    b'{"text":"\xff\xfe"}': ("invalid_utf8", "invalid start byte 0xff at byte 9 of the record"),
    b'{"text":"\xed\xa0\x80"}': ("invalid_utf8", "0xed at byte 9"),
    rb'{"text":"\ud800"}': ("invalid_utf8", "half of a surrogate pair"),
    rb'{"text":"\udc00\ud800"}': ("invalid_utf8", "half of a surrogate pair"),
    rb'{"text":"x","other":"\ud800x"}': ("invalid_utf8", "half of a surrogate pair"),
    b"null": ("not_an_object", "the line is null, not an object"),
    b"[1,2]": ("not_an_object", "the line is a list, not an object"),
    b'"text"': ("not_an_object", "the line is a string, not an object"),
    b"5": ("not_an_object", "the line is a number, not an object"),
    b"true": ("not_an_object", "the line is a boolean, not an object"),
    b'{"id":"a","txt":1}': ("missing_field", "'text' is missing; keys: 'id', 'txt'"),
    b"{}": ("missing_field", "'text' is missing; keys: none"),
    b'{"text":null}': ("missing_field", "'text' is null; keys: 'text'"),
    b'{"text":5}': ("wrong_type", "'text' is a number, not a string"),
    b'{"text":["x"]}': ("wrong_type", "'text' is a list, not a string"),
    b'{"text":{"a":1}}': ("wrong_type", "'text' is an object, not a string"),
    b'{"text":false}': ("wrong_type", "'text' is a boolean, not a string"),
}


@pytest.mark.parametrize("line", BAD, ids=lambda line: line[:30].decode("latin-1"))
def test_rejects(write, line):
    reason, words = BAD[line]
    out = read(write(b'{"text":"before"}\n' + line + b'\n{"text":"after"}\n'), "jsonl")
    assert out.texts == ["before", "after"]
    (reject,) = out.rejects
    assert (reject.offset, reject.reason) == (18, reason)
    assert words in reject.detail
    assert reject.excerpt == line[:200].decode("utf-8", "replace").replace("\t", " ")


def test_many_keys_are_counted(write):
    line = json.dumps({f"key{i}": i for i in range(50)}).encode()
    (reject,) = read(write(line), "jsonl").rejects
    assert reject.detail.endswith("'key19' and 30 more")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b'{"text":""}', ""),
        (b'{"text":"a","text":"b"}', "b"),
        (b' {"text": "x"} ', "x"),
        (b'{"text":"x"}\r', "x"),
        (rb'{"text":"\ud83d\ude00\u0000\n"}', "\U0001f600\0\n"),
        (b'\xef\xbb\xbf{"text":"x"}', "x"),
        ('{"text":"\u2028\u0085"}'.encode(), "\u2028\u0085"),
        (b'{"text":"x","m":' + b"[" * 900 + b"]" * 900 + b"}", "x"),
    ],
)
def test_records(write, line, text):
    out = read(write(b'{"text":"0"}\n' + line + b"\n"), "jsonl")
    assert (out.texts, out.offsets, out.rejects) == (["0", text], [0, 13], [])


def test_blank_lines_are_no_records(write):
    out = read(write(b'\n  \n\t\r\n{"text":"a"}\n\n'), "jsonl")
    assert (out.texts, out.num_read) == (["a"], 1)


def test_extra_columns(write):
    lines = [
        {"text": "a", "lang": "swh", "n": 7, "meta": {"url": "u", "tags": ["x", 1]}, "a.b": "flat"},
        {"text": "b", "lang": None, "n": 1.5, "meta": None, "a": {"b": "deep"}},
        {"text": "c", "n": True, "meta": {"url": {"k": "é"}}},
    ]
    columns = {"language": "lang", "n": "n", "url": "meta.url", "tags": "meta.tags", "ab": "a.b"}
    out = read(write("\n".join(map(json.dumps, lines)).encode()), "jsonl", extra_columns=columns)
    assert out.extra == {
        "language": ["swh", None, None],
        "n": ["7", "1.5", "true"],
        "url": ["u", None, '{"k":"é"}'],
        "tags": ['["x",1]', None, None],
        "ab": ["flat", "deep", None],
    }


def test_integers_of_any_size_keep_their_digits(write):
    numbers = ["123456789012345678901234567890", str(2**64), str(-(2**63) - 1), str(2**64 - 1)]
    numbers += ["9" * 308, "1e+30", "1.5"]
    lines = [f'\ufeff{{"text":"x","id":1,"m":{{"id":{number}}}}}\n' for number in numbers]
    content = "".join(lines).encode()
    out = read(write(content), "jsonl", extra_columns={"id": "m.id", "small": "id"})
    assert out.extra == {"id": numbers, "small": ["1"] * len(numbers)}


def test_numbers_beyond_a_double_are_text_and_spoil_no_record(write):
    digits = b"7" * 5_000
    lines = [
        b'{"text":"a","id":1e999}',
        b'\xef\xbb\xbf{"text":"1e999 \\" -1e999","1e999":[-1e999,1],"id":-1.5E+400}',
        b'{"text":"c","m":%b,"id":123456789012345678901}' % digits,
        b'{"text":"d","id":%b}' % digits,
    ]
    out = read(write(b"\n".join(lines)), "jsonl", extra_columns={"id": "id"})
    assert (out.texts, out.rejects) == (["a", '1e999 " -1e999', "c", "d"], [])
    assert out.extra["id"] == ["1e999", "-1.5E+400", "123456789012345678901", digits.decode()]


@pytest.mark.parametrize("wrong", [b"01e999", b"1e999x", b".1e999", b'"1e999', rb'"\ud800"'])
def test_a_number_beyond_a_double_excuses_nothing_else(write, wrong):
    out = read(write(b'{"text":"a","m":[1e999,%b]}' % wrong), "jsonl")
    assert (out.texts, len(out.rejects)) == ([], 1)


def test_errors_behind_a_number_beyond_a_double_are_told_at_their_place(write):
    out = read(write(b'{"text":1e999,"b":}\n{"text":1e100,"b":}'), "jsonl")
    places = [reject.detail.rpartition(" (")[2] for reject in out.rejects]
    assert places == ["at character 18 of the record)"] * 2


def test_large_integers_of_records_that_nest_too_deeply_are_rejected(write):
    depth = sys.getrecursionlimit() - 10
    if depth > 1010:
        pytest.skip("orjson refuses such a record first")
    content = b'{"text":"x","m":%b,"id":%d}' % (b"[" * depth + b"]" * depth, 2**65)
    out = read(write(content), "jsonl", extra_columns={"id": "id"})
    assert (out.texts, out.reasons) == ([], ["wrong_type"])
    assert "more than 64 bits in a record that nests too deeply" in out.rejects[0].detail


def test_extra_values_that_nest_too_deeply_are_rejected(write):
    content = b'{"text":"x","m":' + b"[" * 900 + b"]" * 900 + b"}\n" + b'{"text":"y","m":[]}\n'
    out = read(write(content), "jsonl", extra_columns={"m": "m"})
    assert (out.texts, out.extra["m"], out.reasons) == (["y"], ["[]"], ["wrong_type"])
    assert "an extra column's value: Recursion limit" in out.rejects[0].detail


def test_text_may_lie_inside(write):
    content = b'{"doc":{"body":"a"}}\n{"doc":{}}\n{"doc":{"body":1}}\n{"doc.body":"flat"}\n'
    out = read(write(content), "jsonl", text_column="doc.body")
    assert out.texts == ["a", "flat"]
    assert [reject.detail for reject in out.rejects] == [
        "'doc.body' is missing or null; keys: 'doc'",
        "'doc.body' is a number, not a string",
    ]


def test_batches_hold_what_the_options_say(write):
    content = b"".join(b'{"text":"%s"}\n' % (b"x" * 100) for _ in range(50))
    sizes = [b.records.num_rows for b in read(write(content), "jsonl", max_rows=20).batches]
    assert sizes == [20, 20, 10]
    sizes = [b.records.num_rows for b in read(write(content), "jsonl", max_bytes=1000).batches]
    assert sizes == [10] * 5


def test_rejects_do_not_pile_up(write):
    out = read(write(b"bad\n" * 50), "jsonl", max_rows=20)
    assert [len(batch.rejects) for batch in out.batches] == [20, 20, 10]


RECORDS = st.lists(
    st.one_of(
        st.text(max_size=20).map(lambda text: json.dumps({"text": text}).encode()),
        st.text(max_size=20).map(
            lambda text: json.dumps({"text": text}, ensure_ascii=False).encode()
        ),
        st.sampled_from([*(line for line in BAD if len(line) < 99), b"", b" "]),
        st.binary(max_size=20).map(lambda data: data.replace(b"\n", b"").replace(b"\0", b"")),
    ),
    max_size=20,
)


@given(lines=RECORDS, cuts=st.lists(st.integers(0, 600), max_size=5), max_rows=st.integers(1, 9))
def test_any_cut_gives_the_same_records(tmp_path_factory, lines, cuts, max_rows):
    path = tmp_path_factory.mktemp("cut") / "a.jsonl"
    content = b"{}\n" + b"\n".join(lines)  # not the mark of UTF-16 by chance
    path.write_bytes(content)
    whole = read(path, "jsonl")
    bounds = sorted({0, *cuts, len(content) + 1})
    parts = [read(path, "jsonl", start, end, max_rows=max_rows) for start, end in pairwise(bounds)]
    assert [text for part in parts for text in part.texts] == whole.texts
    assert [offset for part in parts for offset in part.offsets] == whole.offsets
    assert [reject for part in parts for reject in part.rejects] == whole.rejects
    num_lines = sum(1 for line in content.split(b"\n") if line.strip())
    assert whole.num_read == num_lines
    path.write_bytes(gzip.compress(content))
    packed = read(path, "jsonl")
    assert (packed.texts, packed.rejects) == (whole.texts, whole.rejects)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, None), ("a", "a"), (1, "1"), (2.0, "2.0"), (False, "false"), ([], "[]"), ({}, "{}")],
)
def test_values_become_strings(value, expected):
    assert as_string(value) == expected


def test_look_up_stops_at_what_is_no_object():
    assert look_up({"a": "b"}, "a.b.c") is None


def test_a_list_of_strings_is_joined_where_asked_for(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"s":["a","b"]}\n{"s":"c"}\n{"s":[1]}\n{"s":[]}\n')
    out = read(path, "jsonl", text_column="s[]")
    assert (out.texts, out.reasons) == (["a\nb", "c", ""], ["wrong_type"])


def test_a_list_is_advised_on(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"s":["a","b"]}\n')
    with pytest.raises(ProbeError, match=r"read with 'text: s\[\]'"):
        probe(str(path), "jsonl", ReadOptions(text_column="s"))
