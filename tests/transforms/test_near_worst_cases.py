"""Corpora made to make near duplicates hang: they end in seconds, and in bounded memory."""

from collections import Counter
from dataclasses import replace

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from glotmill.pipelines import build
from glotmill.schemas.lock import doc_id
from glotmill.schemas.recipe import Deduplicate, Near
from glotmill.transforms.near import num_key_partitions
from glotmill.transforms.records import read_records
from glotmill.transforms.removals import read_oversized
from glotmill.transforms.tables import read_table
from glotmill.transforms.unit_index import write_index

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

TEXT = "one and the same text of a dozen words and no more than these"


def with_rows(corpus, columns, num_rows):
    """The corpus with its only document so many times in its only unit, some columns replaced."""
    (unit,) = corpus.index().units
    path = f"{corpus.root}/{unit.documents}"
    table = read_table(path).take(pa.array(np.zeros(num_rows, np.int64)))
    for name, values in columns.items():
        place = table.schema.get_field_index(name)
        field = table.schema.field(place)
        table = table.set_column(place, field, values.cast(field.type))
    pq.write_table(table, path)
    (record,) = corpus.records
    record = record.model_copy(update={"num_kept": num_rows})
    write_index(corpus.root, corpus.lock, [record])
    return replace(corpus, records=(record,))


def removals(corpus, options):
    units = corpus.index().units
    num_documents = sum(unit.num_rows for unit in units)
    given = (options, corpus.root, range(len(units)), {"eng_Latn": num_documents}, num_documents)
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        build.deduplicate(pipeline, *given)
    tables = [
        read_table(f"{corpus.root}/{entry.path}")
        for entry in read_records(corpus.root, "deduplicate")
        if "/removals/" in entry.path
    ]
    return pa.concat_tables(tables) if tables else None


def fixed(values, width):
    return pa.array([value.tobytes() for value in values], pa.binary(width))


def distinct_hashes(num_rows):
    digests = [xxhash.xxh3_128_digest(str(number).encode()) for number in range(num_rows)]
    return pa.array(digests, pa.binary(16))


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("verify", ["sketch", "none"])
def test_a_hundred_thousand_identical_documents(make_corpus, exact, verify):
    options = Deduplicate(exact=exact, near=Near(verify=verify))
    rows = [("en", TEXT)] * 100_000
    corpus = make_corpus([rows[:70_000], rows[70_000:]], deduplicate=options.model_dump())
    found = removals(corpus, options)
    assert found.num_rows == 100_000
    assert Counter(found.column("removed").to_pylist()) == {True: 99_999, False: 1}
    assert set(found.column("cluster").to_pylist()) == {doc_id(0, 0)}
    reason = "exact_duplicate" if exact else "near_duplicate"
    assert set(found.column("reason").to_pylist()) == {reason}
    # Equal texts are one text, unless nobody looked whether they are equal.
    assert [each.num_texts for each in read_oversized(corpus.root)] == ([] if exact else [100_000])


def test_identical_documents_shingle_by_shingle(make_corpus):
    options = Deduplicate(exact=False, near=Near(verify="jaccard"))
    corpus = make_corpus([[("en", TEXT)] * 20_000], deduplicate=options.model_dump())
    assert sum(removals(corpus, options).column("removed").to_pylist()) == 19_999


def test_a_million_documents_of_one_word(make_corpus):
    options = Deduplicate(near=Near())
    corpus = make_corpus([[("en", "word")]], deduplicate=options.model_dump())
    num_rows, num_words = 1_000_000, 900_000
    places = pa.array(np.arange(num_rows) % num_words)
    corpus = with_rows(corpus, {"content_hash": distinct_hashes(num_words).take(places)}, num_rows)
    found = removals(corpus, options)
    assert found.num_rows == 2 * (num_rows - num_words)
    removed = found.filter(found.column("removed"))
    assert removed.column("row").to_pylist() == list(range(num_words, num_rows))
    assert set(found.column("reason").to_pylist()) == {"exact_duplicate"}


@pytest.mark.parametrize("script", ["Latn", "Hans"])
def test_a_document_of_fifty_megabytes(make_corpus, script):
    options = Deduplicate(near=Near())
    num_bytes = 50_000_000
    draw = np.random.default_rng(1)
    if script == "Latn":
        letters = draw.integers(ord("a"), ord("z") + 1, num_bytes, np.uint8)
        letters[draw.random(num_bytes) < 0.17] = ord(" ")
        text = letters.tobytes().decode()
    else:
        text = (
            draw.integers(0x4E00, 0x9FA0, num_bytes // 3, np.uint32).tobytes().decode("utf-32-le")
        )
    assert len(text.encode()) > 0.99 * num_bytes
    filters = {"min_characters": 0, "max_characters": 10**9}
    corpus = make_corpus(
        [[("en", TEXT), ("en", text), ("en", TEXT + " at all")]],
        deduplicate=options.model_dump(),
        filters=filters,
        ingest={"max_record_bytes": 10**9},
        normalise={"ftfy": False},
    )
    (record,) = corpus.records
    assert (record.num_kept, record.num_rejected) == (3, 0)
    (unit,) = corpus.index().units
    table = read_table(f"{corpus.root}/{unit.documents}", ["num_shingles", "sketch", "num_words"])
    counts = table.column("num_shingles").to_pylist()
    assert counts[1] == table.column("num_words")[1].as_py() - 4 > 5_000_000
    assert len(set(table.column("sketch")[1].as_py())) > 50
    assert removals(corpus, options).column("removed").to_pylist() == [True, False]


@pytest.mark.parametrize("units", [[[]], [[]] * 300])
@pytest.mark.parametrize("verify", ["sketch", "jaccard", "none"])
def test_an_empty_corpus(make_corpus, units, verify):
    options = Deduplicate(near=Near(verify=verify))
    assert removals(make_corpus(units, deduplicate=options.model_dump()), options) is None


@pytest.fixture
def colliding(make_corpus):
    """A hundred thousand texts whose bands all collide, and whose sketches tell them apart."""
    options = Deduplicate(near=Near())
    corpus = make_corpus([[("en", TEXT)]], deduplicate=options.model_dump())
    num_rows, near = 100_000, options.near
    sketches = np.random.default_rng(2).integers(
        0, 256, (num_rows, near.bands * near.rows), np.uint8
    )
    columns = {
        "content_hash": distinct_hashes(num_rows),
        "sketch": fixed(sketches, near.bands * near.rows),
    }
    return with_rows(corpus, columns, num_rows)


def test_collisions_in_every_band_are_told_apart(colliding):
    assert removals(colliding, Deduplicate(near=Near())) is None


def test_collisions_that_nobody_verifies_are_one_oversized_cluster(colliding):
    options = Deduplicate(near=Near(verify="none", on_oversized="keep"))
    assert removals(colliding, options) is None
    (cluster,) = read_oversized(colliding.root)
    assert (cluster.num_documents, cluster.num_texts) == (100_000, 100_000)


def test_collisions_among_which_there_are_true_duplicates(colliding):
    """Of a bucket as large as that, the true pairs meet where the bands do tell them apart."""
    (unit,) = colliding.index().units
    near = Near()
    table = read_table(f"{colliding.root}/{unit.documents}")
    keys = np.frombuffer(b"".join(table.column("band_keys").to_pylist()), "<u8")
    keys = keys.reshape(-1, near.bands).copy()
    # In the last band the second half of the texts meets the first, and its sketches are theirs.
    half = len(keys) // 2
    keys[:, -1] = np.arange(len(keys)) % half
    sketches = table.column("sketch").combine_chunks()
    sketches = pa.concat_arrays([sketches[:half], sketches[:half]])
    columns = {
        "content_hash": table.column("content_hash").combine_chunks(),
        "sketch": sketches,
        "band_keys": fixed(keys, 8 * near.bands),
    }
    found = removals(with_rows(colliding, columns, len(keys)), Deduplicate(near=near))
    removed = found.filter(found.column("removed"))
    assert removed.column("row").to_pylist() == list(range(half, 2 * half))
    assert removed.column("cluster").to_pylist() == list(range(half))


def test_a_partition_of_keys_is_bounded_however_many_documents_there_are():
    for num_documents in (0, 1, 10**6, 10**9):
        per_partition = num_documents * 20 / num_key_partitions(num_documents, Near())
        assert per_partition <= 1 << 20
