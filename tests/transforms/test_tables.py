"""Parquet files: the same bytes however rows came, whole or not there at all."""

import gc
import hashlib
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmill.transforms import tables
from glotmill.transforms.tables import TableWriter, read_batches, read_table, write_table

SCHEMA = pa.schema(
    [
        pa.field("text", pa.string(), nullable=False),
        pa.field("label", pa.string()),
        pa.field("n", pa.int64()),
        pa.field("content_hash", pa.binary(16), nullable=False),
    ]
)


def make(num_rows):
    """Texts of very different length, labels too many for a dictionary."""
    return pa.table(
        {
            "text": [f"{n} " * (n * n % 397) for n in range(num_rows)],
            "label": [[None, "eng_Latn", f"l{n}" * 250][n % 3] for n in range(num_rows)],
            "n": pa.array([None if n % 5 == 0 else n for n in range(num_rows)], pa.int64()),
            "content_hash": pa.array(
                [n.to_bytes(16, "big") for n in range(num_rows)], pa.binary(16)
            ),
        },
        schema=SCHEMA,
    ).combine_chunks()  # fmt: skip


WHOLE = make(3_000)


def write(folder, name, batches, **options):
    with TableWriter(str(folder), name, SCHEMA, **options) as writer:
        for batch in batches:
            writer.write(batch)
    return writer.entries


def cut(table, sizes):
    """The table's batches, of the sizes given, over and over."""
    start, turn = 0, 0
    while start < table.num_rows:
        size = sizes[turn % len(sizes)]
        yield from table.slice(start, size).to_batches()
        start, turn = start + size, turn + 1


@pytest.mark.slow
@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.integers(1, 1_700), min_size=1, max_size=4),
    st.sampled_from([7, 1_000, 10_000]),
    st.sampled_from([1, 20_000, 2**26]),
)
def test_bytes_do_not_depend_on_how_rows_came(tmp_path_factory, sizes, rows, group_bytes):
    folder = tmp_path_factory.mktemp("tables")
    part = WHOLE.slice(0, 300) if group_bytes == 1 else WHOLE
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "_ROW_GROUP_BYTES", group_bytes)
        one = write(folder, "a.parquet", part.to_batches(), row_group_rows=rows)
        other = write(folder, "b.parquet", cut(part, sizes), row_group_rows=rows)
    assert one[0].sha256 == other[0].sha256
    assert read_table(f"{folder}/b.parquet").equals(part)


def groups(path):
    metadata = pq.ParquetFile(path).metadata
    return [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]


def test_row_groups_end_by_rows(tmp_path):
    write(tmp_path, "a.parquet", cut(WHOLE, [999]), row_group_rows=1_200)
    assert groups(tmp_path / "a.parquet") == [1_200, 1_200, 600]


def test_row_groups_end_early_where_texts_are_long(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_ROW_GROUP_BYTES", 10_000)
    texts = ["x" * 4_000] * 7 + ["x" * 50_000] + ["x"] * 10
    table = pa.table({"text": texts}, schema=pa.schema([SCHEMA.field("text")]))
    with TableWriter(str(tmp_path), "a.parquet", table.schema) as writer:
        for batch in cut(table, [4]):
            writer.write(batch)
    assert groups(tmp_path / "a.parquet") == [3, 3, 2, 10]


def test_an_entry_says_what_was_written(tmp_path):
    (entry,) = write(tmp_path, "x/a.parquet", cut(WHOLE, [70]))
    content = (tmp_path / "x" / "a.parquet").read_bytes()
    assert (entry.path, entry.num_rows) == ("x/a.parquet", WHOLE.num_rows)
    assert (entry.num_bytes, entry.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_no_rows_no_file(tmp_path):
    assert write(tmp_path, "a.parquet", []) == []
    assert write(tmp_path, "a.parquet", [WHOLE.to_batches()[0].slice(0, 0)]) == []
    assert os.listdir(tmp_path) == []


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("row_group_rows", [10, 10_000])
def test_after_a_failure_an_old_file_stands_and_nothing_else(tmp_path, row_group_rows):
    write(tmp_path, "a.parquet", cut(WHOLE, [70]))
    before = (tmp_path / "a.parquet").read_bytes()

    def batches():
        yield WHOLE.to_batches()[0].slice(0, 100)
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        write(tmp_path, "a.parquet", batches(), row_group_rows=row_group_rows)
    gc.collect()
    assert os.listdir(tmp_path) == ["a.parquet"]
    assert (tmp_path / "a.parquet").read_bytes() == before


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("good_rows", [0, 10, 25])
def test_a_failure_of_the_last_write_leaves_nothing(tmp_path, good_rows):
    batches = [WHOLE.to_batches()[0].slice(0, good_rows), pa.record_batch({"text": [1]})]
    with pytest.raises(pa.ArrowInvalid):
        write(tmp_path, "a.parquet", batches, row_group_rows=10)
    gc.collect()
    assert os.listdir(tmp_path) == []


def test_small_tables_are_written_even_if_empty(tmp_path):
    entry = write_table(str(tmp_path), "a/b.parquet", SCHEMA.empty_table())
    assert entry.num_rows == 0
    assert read_table(f"{tmp_path}/a/b.parquet").schema == SCHEMA
    assert write_table(str(tmp_path), "c.parquet", WHOLE).num_rows == WHOLE.num_rows
    assert read_table(f"{tmp_path}/c.parquet", ["n"]).column_names == ["n"]


def test_batches_come_in_order_and_in_size(tmp_path):
    write(tmp_path, "a.parquet", WHOLE.to_batches(), row_group_rows=1_000)
    batches = list(read_batches(f"{tmp_path}/a.parquet", ["n", "text"], batch_rows=400))
    assert max(batch.num_rows for batch in batches) <= 400
    found = pa.Table.from_batches(batches)
    assert found.equals(WHOLE.select(found.column_names))


def test_no_batch_reaches_across_row_groups(tmp_path):
    """These end by bytes, so that a batch of books stays in memory."""
    rows = make(90)
    pq.write_table(rows, tmp_path / "a.parquet", row_group_size=40)
    batches = list(read_batches(str(tmp_path / "a.parquet"), batch_rows=30))
    assert [batch.num_rows for batch in batches] == [30, 10, 30, 10, 10]
    assert pa.Table.from_batches(batches).equals(rows.cast(batches[0].schema))
