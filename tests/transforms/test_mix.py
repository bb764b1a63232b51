"""The mixture: what is drawn, how often, into which shard, in which order."""

from collections import Counter
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmill.schemas import recipe
from glotmill.schemas.tables import CORPUS, PLAN, STATISTICS
from glotmill.transforms.deduplicate import RemoveDuplicates
from glotmill.transforms.draws import num_copies, order_draw, partition_of, split_draw
from glotmill.transforms.mix import (
    PLAN_PATH,
    Drawer,
    WriteShards,
    cut_by_bytes,
    num_partitions,
    shard_path,
    write_shard,
)
from glotmill.transforms.plan import available, held_out_counts, make_plan
from glotmill.transforms.records import read_records
from glotmill.transforms.split import FindThresholds, read_thresholds
from glotmill.transforms.tables import read_table, write_table

OUTPUT = recipe.ParquetOutput(shards=3, validation_shards=2)
HASHES = [number.to_bytes(16, "little") for number in range(300)]


def plan(**groups):
    """A plan of labels (category monolingual) to (rate, threshold)."""
    rows = []
    for label, (rate, threshold) in groups.items():
        row = {f.name: "" if pa.types.is_string(f.type) else 0 for f in PLAN}
        row |= {"category": "monolingual", "label": label, "rate": rate}
        rows.append(row | {"validation_threshold": threshold})
    return pa.Table.from_pylist(rows, schema=PLAN)


def drawn(found):
    names = ("row", "copy", "order", "partition")
    return list(zip(*(found[name].tolist() for name in names), strict=True))


@settings(deadline=None)
@given(st.floats(0, 5), st.integers(-1, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_each_document_has_its_copies_in_the_place_of_its_hash(rate, threshold, seed):
    drawer = Drawer(plan(a=(rate, threshold)), OUTPUT, seed)
    expected = []
    for row, content in enumerate(HASHES):
        if split_draw(seed, content) <= threshold:
            order = order_draw(seed, content, 0)
            expected.append((row, 0, order, 3 + partition_of(order, 2)))
            continue
        for copy in range(num_copies(seed, content, rate)):
            order = order_draw(seed, content, copy)
            expected.append((row, copy, order, partition_of(order, 3)))
    assert drawn(drawer.draw("monolingual", ["a"] * 300, HASHES, [1] * 300)) == expected


def test_what_the_plan_does_not_name_is_not_drawn():
    drawer = Drawer(plan(a=(1.0, -1), b=(0.0, -1)), OUTPUT, 42)
    labels, sizes = ["a", "b", "c"], [1, 1, 1]
    assert [row for row, *_ in drawn(drawer.draw("monolingual", labels, HASHES[:3], sizes))] == [0]
    assert drawn(drawer.draw("book", labels, HASHES[:3], sizes)) == []
    assert drawn(drawer.draw("monolingual", [], [], [])) == []


def test_paths_of_shards():
    assert [shard_path(OUTPUT, n) for n in range(num_partitions(OUTPUT))] == [
        "shards/train-00000-of-00003.parquet",
        "shards/train-00001-of-00003.parquet",
        "shards/train-00002-of-00003.parquet",
        "shards/validation-00000-of-00002.parquet",
        "shards/validation-00001-of-00002.parquet",
    ]


def test_a_shard_into_which_nothing_was_drawn(tmp_path):
    (entry,) = write_shard(str(tmp_path), OUTPUT, 4, None)
    assert entry.path == shard_path(OUTPUT, 4)
    assert read_table(f"{tmp_path}/{entry.path}").equals(CORPUS.empty_table())


def statistics(corpus, entries):
    tables = [read_table(f"{corpus.root}/{e.path}") for e in entries if "statistics/" in e.path]
    return pa.concat_tables([STATISTICS.empty_table(), *tables])


def mix(corpus):
    """Deduplication, plan and shards, as a run makes them; gives plan and entries."""
    options, seed = corpus.lock.recipe.mix, corpus.lock.recipe.seed
    output = corpus.lock.recipe.output.parquet
    corpus.run(RemoveDuplicates(corpus.root, corpus.lock.recipe.deduplicate, {}))
    removals = read_records(corpus.root, "deduplicate")
    corpus.complete("deduplicate", removals)
    kept = statistics(corpus, [file for record in corpus.records for file in record.files])
    kept = kept.filter(pc.equal(kept["outcome"], "kept"))
    categories = {source.name: source.category for source in corpus.lock.recipe.sources}
    counts = available(kept, statistics(corpus, removals), categories)
    wanted = held_out_counts(counts, options)
    thresholds = {}
    if any(wanted.values()):
        corpus.run(FindThresholds(corpus.root, wanted, seed))
        thresholds = read_thresholds(corpus.root)
    made = make_plan(counts, thresholds, options)
    write_table(corpus.root, PLAN_PATH, made)
    corpus.run(WriteShards(corpus.root, output, seed))
    return made, read_records(corpus.root, "mix")


def shards(corpus, split):
    files = sorted((Path(corpus.root) / "shards").glob(f"{split}-*.parquet"))
    return [read_table(str(file)) for file in files]


UNITS = [
    [("eng", f"an english text {n}") for n in range(200)] + [("eng", "twice")],
    [("fra", f"un texte français {n}") for n in range(60)] + [("eng", "twice"), ("fra", "twice")],
    [("eng", f"a book {n}") for n in range(30)],
]
SOURCES = [
    {"domain": "news", "licence": "CC0-1.0"}, {"licence": "PD"}, {"category": "book"},
]  # fmt: skip
MIX = {
    "tiers": [
        {"name": "large", "at_least": 500, "rate": 0.5},
        {"name": "small", "at_least": 0, "rate": 2.5},
    ],
    "validation": {"share": 0.05, "max_documents": 6},
}
PARQUET = {"parquet": {"shards": 3, "validation_shards": 2, "row_group_rows": 40}}


@pytest.fixture
def mixed(make_corpus):
    corpus = make_corpus(UNITS, SOURCES, mix=MIX, output=PARQUET)
    return corpus, *mix(corpus)


def test_shards_hold_what_the_plan_says(mixed):
    corpus, made, entries = mixed
    train, validation = (pa.concat_tables(shards(corpus, s)) for s in ("train", "validation"))
    assert train.schema == validation.schema == CORPUS
    for row in made.to_pylist():
        of_group = pc.and_(
            pc.equal(validation["category"], row["category"]),
            pc.equal(validation["label"], row["label"]),
        )
        assert validation.filter(of_group).num_rows == row["num_validation_documents"]
    held_out = {
        (row["category"], row["label"]): row["num_validation_documents"] for row in made.to_pylist()
    }
    assert held_out == {
        ("monolingual", "eng_Latn"): 6, ("monolingual", "fra_Latn"): 3, ("book", "eng_Latn"): 2,
    }  # fmt: skip
    # No text is in both splits of one label; copies count up from 0.
    pairs = [
        set(zip(t["label"].to_pylist(), t["text"].to_pylist(), strict=True))
        for t in (train, validation)
    ]
    assert not pairs[0] & pairs[1]
    assert len(pairs[1]) == validation.num_rows
    copies = Counter()
    for row in train.to_pylist():
        copies[row["label"], row["category"], row["text"]] += 1
    rates = {(row["label"], row["category"]): row["rate"] for row in made.to_pylist()}
    for (label, category, _), number in copies.items():
        assert number in ({1} if rates[label, category] == 0.5 else {2, 3})
    for table in (train, validation):
        for row in table.to_pylist():
            assert row["copy"] < copies.get((row["label"], row["category"], row["text"]), 1)
    assert (
        sum(
            entry.num_rows
            for entry in entries
            if "/train-" in entry.path and entry.path.startswith("shards")
        )
        == train.num_rows
    )


def test_rows_carry_where_they_come_from(mixed):
    corpus, _, _ = mixed
    for table in shards(corpus, "train"):
        for row in table.to_pylist():
            source = SOURCES[int(row["source"][1:])]
            assert row["domain"] == source.get("domain")
            assert row["licence"] == source.get("licence")
            assert row["category"] == source.get("category", "monolingual")
            assert row["path"] == f"{row['source'][1:]}.jsonl"
            assert row["original_code"] == row["label"][:3]
            assert row["cluster_size"] == (
                2 if (row["text"], row["label"]) == ("twice", "eng_Latn") else 1
            )


def test_rows_stand_in_the_order_of_their_hash(mixed):
    corpus, _, _ = mixed
    for split in ("train", "validation"):
        places = [
            order_draw(42, row["content_hash"], row["copy"])
            for table in shards(corpus, split)
            for row in table.to_pylist()
        ]
        assert places == sorted(places)


def test_statistics_are_those_of_the_rows(mixed):
    corpus, _, entries = mixed
    found = statistics(corpus, entries)
    for split in ("train", "validation"):
        rows = pa.concat_tables(shards(corpus, split))
        of_split = found.filter(pc.equal(found["outcome"], split))
        for name in ("num_bytes", "num_words", "num_sentences"):
            assert pc.sum(of_split[name]) == pc.sum(rows[name])
        again = of_split.filter(pc.equal(of_split["reason"], "repeated"))
        more = pc.sum(pc.greater(rows["copy"], 0)).as_py()
        assert pc.sum(again["num_documents"]).as_py() == (more or None)


def digests(corpus):
    return {
        file.name: sha256(file.read_bytes()).hexdigest()
        for file in (Path(corpus.root) / "shards").iterdir()
    }


def test_shards_depend_on_content_and_not_on_the_cut_into_units(make_corpus):
    """Names of files stand on the rows, so the texts and their order are compared."""
    rows = [row for unit in UNITS[:2] for row in unit]
    orders = []
    for units in ([rows], [rows[n::3] for n in range(3)], [list(reversed(rows)), []]):
        corpus = make_corpus(units, mix=MIX, output=PARQUET)
        mix(corpus)
        orders.append({
            split: [table["text"].to_pylist() for table in shards(corpus, split)]
            for split in ("train", "validation")
        })  # fmt: skip
    assert orders[0] == orders[1] == orders[2]


def test_the_same_corpus_gives_the_same_bytes(make_corpus, monkeypatch):
    from glotmill.transforms import exchange

    corpora = [make_corpus(UNITS, SOURCES, mix=MIX, output=PARQUET) for _ in range(2)]
    mix(corpora[0])
    monkeypatch.setattr(exchange, "_BUFFER_BYTES", 5_000)
    mix(corpora[1])
    assert digests(corpora[0]) == digests(corpora[1])


def test_a_source_that_is_added_neither_redraws_nor_reshuffles(make_corpus):
    uniform = {"tiers": [{"name": "a", "at_least": 0, "rate": 0.5}], "validation": {"share": 0}}
    texts = []
    for units in (UNITS[:1], [UNITS[2], *UNITS[:1]]):
        corpus = make_corpus(units, mix=uniform, output=PARQUET)
        mix(corpus)
        texts.append([table["text"].to_pylist() for table in shards(corpus, "train")])
    old = [[text for text in shard if not text.startswith("a book")] for shard in texts[1]]
    assert old == texts[0]
    assert 50 < sum(map(len, old)) < 150


@given(st.lists(st.integers(0, 40)), st.integers(1, 50))
def test_cuts_hold_every_row_once_and_few_bytes(sizes, most):
    num_bytes = np.array(sizes, np.int64)
    cuts = list(cut_by_bytes(num_bytes, most))
    assert [row for start, end in cuts for row in range(start, end)] == list(range(len(sizes)))
    assert all(end - start == 1 or num_bytes[start:end].sum() <= most for start, end in cuts)


def test_parts_of_a_draw_make_no_difference(tmp_path, monkeypatch):
    """However finely drawn copies are cut, the shards are the same."""
    digests = []
    for part_bytes in (1, 10_000, 2**30):
        monkeypatch.setattr("glotmill.transforms.mix._PART_BYTES", part_bytes)
        output = recipe.ParquetOutput(shards=1, row_group_rows=7)
        rows = corpus_rows(50)
        digests.append(write_shard(str(tmp_path), output, 0, rows)[0].sha256)
    assert len(set(digests)) == 1


def corpus_rows(num_rows, text="text "):
    """Rows of a shard before it is sorted."""
    columns = {
        field.name: pa.array([""] * num_rows, pa.string())
        if pa.types.is_string(field.type)
        else pa.array([0] * num_rows, field.type)
        for field in CORPUS
        if field.name != "content_hash"
    }
    columns["text"] = pa.array([text] * num_rows)
    columns["num_bytes"] = pa.array([len(text)] * num_rows, pa.int64())
    columns["content_hash"] = pa.array(
        [n.to_bytes(16, "big") for n in range(num_rows)], pa.binary(16)
    )
    table = pa.table({name: columns[name] for name in CORPUS.names}, schema=CORPUS)
    table = table.append_column("num_pairs", pa.array([1] * num_rows, pa.int64()))
    table = table.append_column("again", pa.array([False] * num_rows))
    return table.append_column("order", pa.array(range(num_rows, 0, -1), pa.int64()))


@pytest.mark.slow
def test_a_shard_of_more_text_than_one_string_array_holds(tmp_path):
    piece = corpus_rows(60, "a" * 2**20)
    table = pa.concat_tables([piece] * 36)
    assert pc.sum(table.column("num_bytes")).as_py() > 2**31
    entry = write_shard(str(tmp_path), recipe.ParquetOutput(shards=1), 0, table)[0]
    assert entry.num_rows == table.num_rows
