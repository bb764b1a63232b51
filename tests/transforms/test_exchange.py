"""The exchange against grouping by hand: alone, and on Beam's engine."""

import os
from collections import Counter

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmill.transforms import exchange
from glotmill.transforms.exchange import (
    ExchangeBatches,
    Reference,
    read_pieces,
    read_references,
)

SCHEMA = pa.schema(
    [
        pa.field("text", pa.string(), nullable=False),
        pa.field("note", pa.string()),
        pa.field("partition", pa.int32()),
    ]
)
ROWS = st.lists(
    st.tuples(st.text(max_size=8), st.none() | st.text(max_size=3), st.integers(0, 9)), max_size=20
)


def batch(rows):
    columns = [[row[i] for row in rows] for i in range(3)]
    return pa.record_batch(
        [pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
    )


def grouped(batches):
    """Rows by partition, as a multiset."""
    found = {}
    for rows in batches:
        for text, note, partition in rows:
            found.setdefault(partition, Counter())[text, note] += 1
    return found


def written(folder, batches, pieces=1):
    """Runs the writer as an engine would, one bundle for all batches."""
    writer = exchange._WriteReferences(str(folder), pieces)
    writer.start_bundle()
    references = [ref for rows in batches for ref in writer.process(batch(rows))]
    return references + [windowed.value for windowed in writer.finish_bundle()]


def read(references):
    by_partition = {}
    for partition, reference in references:
        by_partition.setdefault(partition, []).append(reference)
    return {
        partition: Counter(
            (row["text"], row["note"])
            for found in read_references(of_partition)
            for row in found.to_pylist()
        )
        for partition, of_partition in by_partition.items()
    }


@settings(deadline=None, max_examples=60)
@given(st.lists(ROWS, max_size=5), st.sampled_from([1, 200, 2**26]))
def test_what_arrives_is_what_a_plain_group_by_gives(tmp_path_factory, batches, buffer_bytes):
    folder = tmp_path_factory.mktemp("exchange")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exchange, "_BUFFER_BYTES", buffer_bytes)
        references = written(folder, batches)
    assert read(references) == grouped(batches)
    assert {str(folder / name) for name in os.listdir(folder)} == {
        Reference.parse(reference).path for _, reference in references
    }


def test_one_file_a_full_buffer_and_one_record_batch_a_partition(tmp_path, monkeypatch):
    monkeypatch.setattr(exchange, "_BUFFER_BYTES", 1_000)
    batches = [[("x" * 300, None, n % 3) for n in range(12)] for _ in range(4)]
    references = written(tmp_path, batches)
    assert len(os.listdir(tmp_path)) == 4
    assert len(references) == 4 * 3
    assert all(Reference.parse(ref).read().num_rows == 4 for _, ref in references)
    assert Reference.parse(references[0][1]).read().schema == SCHEMA.remove(2)


def test_partitions_may_be_many_and_wide(tmp_path):
    rows = [(f"row {n}", None, n * 7919 % 100_000) for n in range(3_000)]
    assert read(written(tmp_path, [rows])) == grouped([rows])


def test_rows_of_a_partition_keep_their_order_within_a_file(tmp_path):
    rows = [(str(n), None, n % 2) for n in range(100)]
    references = dict(written(tmp_path, [rows[:50], rows[50:]]))
    (found,) = read_references([references[1]])
    assert found["text"].to_pylist() == [str(n) for n in range(1, 100, 2)]


def test_an_empty_bundle_writes_nothing(tmp_path):
    assert written(tmp_path, []) == []
    assert os.listdir(tmp_path) == []


def test_a_slice_takes_its_own_rows_and_no_more(tmp_path):
    whole = batch([("x" * 1000, None, 0)] * 1000)
    writer = exchange._WriteReferences(str(tmp_path), 1)
    writer.start_bundle()
    list(writer.process(whole.slice(10, 1)))
    ((_, reference),) = [windowed.value for windowed in writer.finish_bundle()]
    assert Reference.parse(reference).read().num_rows == 1
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 4_000


@pytest.mark.parametrize("path", ["/a/b.arrow", "gs://b/a@1/c.arrow", "0@0", "C:/1:2@3.arrow"])
@pytest.mark.parametrize("piece", [0, 12])
def test_a_reference_comes_back_from_its_text(path, piece):
    assert Reference.parse(str(Reference(path, 7, piece))) == Reference(path, 7, piece)


@settings(deadline=None, max_examples=40)
@given(st.lists(ROWS, max_size=4), st.integers(1, 6), st.sampled_from([1, 200, 2**26]))
def test_pieces_arrive_with_their_partition_one_after_the_other(
    tmp_path_factory, batches, pieces, buffer_bytes
):
    """What is numbered `partition * pieces + piece` comes to the partition, in that order."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exchange, "_BUFFER_BYTES", buffer_bytes)
        references = written(tmp_path_factory.mktemp("exchange"), batches, pieces)
    expected = {}
    for number, rows in sorted(grouped(batches).items()):
        expected.setdefault(number // pieces, []).append(rows)
    found = {
        partition: [
            Counter((row["text"], row["note"]) for part in piece for row in part.to_pylist())
            for piece in read_pieces(text for number, text in references if number == partition)
        ]
        for partition in {number for number, _ in references}
    }
    assert found == expected


def test_one_piece_is_read_at_a_time(tmp_path, monkeypatch):
    """Batches of a piece are opened when they are asked for, not before."""
    rows = [(str(n), None, n % 4) for n in range(40)]
    references = [text for _, text in written(tmp_path, [rows], pieces=4)]
    opened = []
    read = Reference.read
    monkeypatch.setattr(Reference, "read", lambda self: opened.append(self.piece) or read(self))
    for number, piece in enumerate(read_pieces(references)):
        assert opened == list(range(number))
        assert [part.num_rows for part in piece] == [10]
    assert opened == [0, 1, 2, 3]


def test_a_partition_without_references_has_no_pieces():
    assert list(read_pieces([])) == []


@beam.typehints.with_input_types(tuple[int, beam.typehints.Iterable[str]])
@beam.typehints.with_output_types(tuple[int, str])
class _Read(beam.DoFn):
    """Each row of a partition, as text."""

    def process(self, element):
        partition, references = element
        for found in read_references(references):
            for row in found.to_pylist():
                yield partition, repr((row["text"], row["note"]))


@pytest.mark.parametrize("num_rows", [0, 1, 1_000])
def test_on_the_engine(tmp_path, monkeypatch, num_rows):
    from apache_beam.testing.util import assert_that, equal_to

    monkeypatch.setattr(exchange, "_BUFFER_BYTES", 2_000)
    rows = [(f"text {n}", None if n % 3 else "n", n * n % 17) for n in range(num_rows)]
    batches = [batch(rows[start : start + 30]) for start in range(0, num_rows, 30)]
    expected = [(partition, repr((text, note))) for text, note, partition in rows]
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        found = (
            pipeline
            | beam.Create(batches, reshuffle=False).with_output_types(pa.RecordBatch)
            | ExchangeBatches(str(tmp_path / "exchange"))
            | beam.ParDo(_Read())
        )
        assert_that(found, equal_to(expected))
