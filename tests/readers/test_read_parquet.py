"""Parquet by row groups."""

import datetime
import decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reading import read

from glotmill.transforms import storage
from glotmill.transforms.readers import MissingColumn, ReadOptions, WrongColumnType
from glotmill.transforms.readers.columns import to_strings
from glotmill.transforms.readers.errors import RepeatedColumn
from glotmill.transforms.readers.probe import probe


@pytest.fixture
def table_file(tmp_path):
    def write_table(columns, row_group_size=None, **options):
        path = str(tmp_path / "a.parquet")
        pq.write_table(pa.table(columns), path, row_group_size=row_group_size, **options)
        return path

    return write_table


TEXTS = ["a", "", "ឃ្លា", "d"]


@pytest.mark.parametrize(
    "column_type",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.binary(),
        pa.large_binary(),
        pa.dictionary(pa.int32(), pa.string()),
    ],
    ids=str,
)
def test_types_of_text(table_file, column_type):
    try:
        column = pa.array(TEXTS).cast(column_type)
    except pa.ArrowNotImplementedError:
        pytest.skip(f"this pyarrow does not make {column_type}")
    out = read(table_file({"text": column}), "parquet")
    assert (out.texts, out.offsets) == (TEXTS, [0, 1, 2, 3])


def test_fixed_size_bytes_are_text(table_file):
    assert read(table_file({"text": pa.array([b"abc"], pa.binary(3))}), "parquet").texts == ["abc"]


def test_row_groups_partition_rows(table_file):
    path = table_file({"text": [str(i) for i in range(100)]}, row_group_size=7)
    whole = read(path, "parquet")
    parts = [read(path, "parquet", start, start + 4) for start in range(0, 15, 4)]
    assert whole.offsets == list(range(100))
    assert [text for part in parts for text in part.texts] == whole.texts
    assert [offset for part in parts for offset in part.offsets] == whole.offsets
    assert parts[1].offsets[0] == 28


def test_bad_rows_are_rejected(table_file):
    data = pa.array([b"ok", b"\xff", None, b"x" * 50, b"fine"])
    out = read(table_file({"text": data}), "parquet", max_record_bytes=10)
    assert (out.texts, out.offsets) == (["ok", "fine"], [0, 4])
    assert [(reject.offset, reject.reason, reject.detail) for reject in out.rejects] == [
        (1, "invalid_utf8", "row 1: invalid start byte 0xff at byte 0 of the record"),
        (2, "missing_field", "'text' is null in row 2"),
        (3, "record_too_long", "50 bytes; the limit (max_record_bytes) is 10"),
    ]


def test_strings_that_are_no_utf8_are_rejected_too(table_file):
    data = pa.array([b"\xff", b"ok"])
    lying = pa.StringArray.from_buffers(2, *data.buffers()[1:])
    out = read(table_file({"text": lying}), "parquet")
    assert (out.texts, out.reasons) == (["ok"], ["invalid_utf8"])


def test_extra_columns(table_file):
    path = table_file(
        {
            "text": ["a", None, "c"],
            "lang": pa.array(["swh", "x", None]).dictionary_encode(),
            "n": [1, 2, 3],
            "score": [1.0, None, 0.5],
            "meta": [{"url": "u", "deep": {"k": [1]}}, None, None],
            "tags": [["x", "y"], [], None],
            "raw": [b"ok", b"", b"\xff"],
            "price": [decimal.Decimal("1.50")] * 3,
            "flat.name": ["f", "g", "h"],
        }
    )
    wanted = ["lang", "n", "score", "meta.url", "meta.deep", "tags", "raw", "price", "flat.name"]
    columns = {name.replace(".", "_"): name for name in [*wanted, "absent", "meta.absent"]}
    out = read(path, "parquet", extra_columns=columns)
    assert out.extra == {
        "lang": ["swh", None],
        "n": ["1", "3"],
        "score": ["1.0", "0.5"],
        "meta_url": ["u", None],
        "meta_deep": ['{"k":[1]}', None],
        "tags": ['["x","y"]', None],
        "raw": ["ok", "\\xff"],
        "price": ["1.50", "1.50"],
        "flat_name": ["f", "h"],
        "absent": [None, None],
        "meta_absent": [None, None],
    }


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([datetime.date(2020, 1, 1)]), "2020-01-01"),
        (pa.array([1], pa.timestamp("ns", "UTC")), "1970-01-01 00:00:00.000000001Z"),
        (pa.array([[datetime.datetime(2020, 1, 1)]]), '["2020-01-01T00:00:00"]'),
        (pa.array([[1]], pa.list_(pa.timestamp("ns"))), None),
        (pa.array([(1, 2, 3)], pa.month_day_nano_interval()), None),
        (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), '[["k",1]]'),
        (pa.array([2**63], pa.uint64()), "9223372036854775808"),
        (pa.array([True]), "true"),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_any_value_becomes_a_string(array, expected):
    (value,) = to_strings(array).to_pylist()
    assert value == expected or (expected is None and value)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_json_has_not_are_null(table_file, number):
    path = table_file({"text": ["a", "b"], "id": [number, 1.5]})
    assert read(path, "parquet", extra_columns={"id": "id"}).extra == {"id": [None, "1.5"]}


def test_a_column_of_nulls_has_no_text(table_file):
    assert read(table_file({"text": pa.nulls(2)}), "parquet").reasons == ["missing_field"] * 2


def test_text_may_lie_in_a_struct(table_file):
    path = table_file({"doc": [{"body": "a"}, None, {"body": None}]})
    out = read(path, "parquet", text_column="doc.body")
    assert (out.texts, out.reasons) == (["a"], ["missing_field"] * 2)


def test_only_the_columns_needed_are_read(table_file, monkeypatch):
    import os

    path = table_file({"text": ["a"], "big": [os.urandom(3 << 20)]}, compression="none")
    sizes = []

    class Counting:
        def __init__(self, raw):
            self._raw = raw

        def __getattr__(self, name):
            return getattr(self._raw, name)

        def read(self, size=-1):
            data = self._raw.read(size)
            sizes.append(len(data))
            return data

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self._raw.close()

    opened = storage.open_input
    monkeypatch.setattr(storage, "open_input", lambda path: Counting(opened(path)))
    assert read(path, "parquet").texts == ["a"]
    assert sum(sizes) < 1 << 20


def test_batches_hold_what_the_options_say(table_file):
    path = table_file({"text": [f"{i:0100}" for i in range(50)]})
    sizes = [b.records.num_rows for b in read(path, "parquet", max_rows=20).batches]
    assert sizes == [20, 20, 10]
    out = read(path, "parquet", max_bytes=1000)
    assert max(batch.records.num_rows for batch in out.batches) <= 10
    assert len(out.texts) == 50


def test_texts_of_uneven_length_are_cut_by_size(table_file):
    path = table_file({"text": ["x"] * 100 + ["y" * 1000] * 10})
    sizes = [batch.records.num_rows for batch in read(path, "parquet", max_bytes=1000).batches]
    assert sizes[-9:] == [1] * 9


def test_missing_column_names_what_there_is(table_file):
    path = table_file({"txt": ["a"], "meta": [{"url": "u"}]})
    with pytest.raises(MissingColumn) as caught:
        read(path, "parquet")
    assert str(caught.value) == (
        f"{path} has no column 'text'; it has 'txt', 'meta', 'meta.url'; did you mean 'txt'?"
    )


def test_wrong_type_is_an_error(table_file):
    with pytest.raises(WrongColumnType, match=r"column 'text' of .* has type int64"):
        read(table_file({"text": [1]}), "parquet")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not parquet at all" * 9, None])
def test_files_that_are_no_parquet_are_one_reject(table_file, content):
    path = table_file({"text": TEXTS})
    with open(path, "rb") as stream:
        whole = stream.read()
    storage.write_atomically(path, whole[: len(whole) // 2] if content is None else content)
    out = read(path, "parquet")
    assert (out.texts, out.reasons) == ([], ["corrupt_file"])
    assert out.rejects[0].detail.startswith("not a whole Parquet file: ")


def test_a_damaged_row_group_is_one_reject(table_file):
    texts = [f"{i} " * 50 for i in range(300)]
    path = table_file(
        {"text": texts}, row_group_size=100, use_dictionary=False, write_page_checksum=True
    )
    column = pq.ParquetFile(path).metadata.row_group(1).column(0)
    content = bytearray(storage.read_bytes(path))
    middle = column.data_page_offset + column.total_compressed_size // 2
    content[middle : middle + 8] = b"\xff" * 8
    storage.write_atomically(path, bytes(content))
    out = read(path, "parquet")
    assert out.texts == texts[:100] + texts[200:]
    assert out.offsets == [*range(100), *range(200, 300)]
    (reject,) = out.rejects
    assert (reject.offset, reject.reason) == (100, "corrupt_file")
    assert "row group 1: 100 rows from row 100 on are lost" in reject.detail


def test_no_rows(table_file):
    path = table_file({"text": pa.array([], pa.string())})
    assert read(path, "parquet").num_read == 0


@pytest.mark.parametrize("wanted", [{}, {"extra_columns": {"url": "link"}}])
def test_a_column_that_stands_twice(tmp_path, wanted):
    names = ["id", "link", "link"] if wanted else ["id", "text", "text"]
    columns = [pa.array(["1"]), pa.array(["a"]), pa.array(["b"])]
    if wanted:
        names, columns = [*names, "text"], [*columns, pa.array(["c"])]
    path = str(tmp_path / "a.parquet")
    pq.write_table(pa.Table.from_arrays(columns, names=names), path)
    message = f"a.parquet has 2 columns '{names[2]}'; it has 'id', '{names[1]}', '{names[2]}'"
    for look in (read, lambda path, kind, **options: probe(path, kind, ReadOptions(**options))):
        with pytest.raises(RepeatedColumn, match=message):
            look(path, "parquet", **wanted)


def test_a_column_that_stands_twice_and_is_not_wanted(tmp_path):
    path = str(tmp_path / "a.parquet")
    columns = [pa.array(["a"]), pa.array([1]), pa.array([2])]
    pq.write_table(pa.Table.from_arrays(columns, names=["text", "n", "n"]), path)
    assert read(path, "parquet").texts == ["a"]
