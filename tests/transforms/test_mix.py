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
from glotmill.schemas.tables import CORPUS, STATISTICS
from glotmill.transforms.batches import cut_by_bytes
from glotmill.transforms.draws import DRAWS, order_draw, partition_of, sample_draw
from glotmill.transforms.exact_rates import num_copies
from glotmill.transforms.mix import Drawer, Shuffle
from glotmill.transforms.plan import PLAN_PATH
from glotmill.transforms.rehydrate import Weights
from glotmill.transforms.shards import num_shards, shard_path, write_shard
from glotmill.transforms.tables import read_table

PARQUET_OUTPUT = recipe.ParquetOutput(shards=3, validation_shards=2)
HASHES = [number.to_bytes(16, "little") for number in range(300)]


def rows_of(seed, labels, hashes, held_out=None, sizes=None):
    """What was composed of some documents."""
    return pa.table(
        {
            "label": labels,
            "content_hash": pa.array(hashes, pa.binary(16)),
            "held_out": pa.array(held_out or [False] * len(labels), pa.bool_()),
            "draw": pa.array([sample_draw(seed, each) for each in hashes], pa.int64()),
            "cluster_size": pa.array(sizes or [1] * len(labels), pa.int64()),
        }
    )


def drawn(found):
    names = ("row", "copy", "order", "partition")
    return list(zip(*(found[name].tolist() for name in names), strict=True))


@settings(deadline=None)
@given(
    st.floats(0, 5),
    st.floats(0.5, 4) | st.just(np.inf),
    st.lists(st.booleans(), min_size=300, max_size=300),
    st.integers(0, 2**63 - 1),
    st.sampled_from([1, 4]),
)
def test_each_document_has_its_copies_in_the_place_of_its_hash(rate, most, outs, seed, pieces):
    drawer = Drawer({("book", "a", "d"): (rate, most)}, Shuffle(3, 2, pieces), seed)
    expected = []
    for row, (content, out) in enumerate(zip(HASHES, outs, strict=True)):
        draw = np.array([sample_draw(seed, content) / DRAWS])
        copies = 1 if out else int(num_copies(draw, np.ones(1), rate, most)[0])
        for copy in range(copies):
            order = order_draw(seed, content, copy)
            shard = 3 * pieces + partition_of(order, 2 * pieces)
            expected.append((row, copy, order, shard if out else partition_of(order, 3 * pieces)))
    found = drawer.draw("book", "d", rows_of(seed, ["a"] * 300, HASHES, outs))
    assert drawn(found) == expected


def test_what_has_no_rate_is_not_drawn():
    rates = {("monolingual", "a", ""): (1.0, np.inf), ("monolingual", "b", ""): (0.0, np.inf)}
    drawer = Drawer(rates, Shuffle(3, 2), 42)
    rows = rows_of(42, ["a", "b", "c"], HASHES[:3])
    assert [row for row, *_ in drawn(drawer.draw("monolingual", "", rows))] == [0]
    assert drawn(drawer.draw("book", "", rows)) == []
    assert drawn(drawer.draw("monolingual", "news", rows)) == []
    assert drawn(drawer.draw("monolingual", "", rows_of(42, [], []))) == []


def test_what_is_held_out_of_a_label_that_is_not_drawn_is_for_validation_all_the_same():
    for rates in ({("monolingual", "a", ""): (0.0, np.inf)}, {}):
        drawer = Drawer(rates, Shuffle(3, 2), 42)
        rows = rows_of(42, ["a", "a"], HASHES[:2], [True, False])
        assert [row for row, *_ in drawn(drawer.draw("monolingual", "", rows))] == [0]


def test_weights_go_by_the_size_of_the_cluster():
    drawer = Drawer({("m", "a", ""): (1.0, np.inf)}, Shuffle(3, 2), 42, Weights({"": {2: 3.0}}))
    found = drawer.draw("m", "", rows_of(42, ["a"] * 3, HASHES[:3], sizes=[1, 2, 5]))
    assert Counter(found["row"].tolist()) == {0: 1, 1: 3, 2: 3}


@given(st.integers(0, DRAWS - 1), st.booleans(), st.integers(1, 50))
def test_pieces_of_a_shard_are_ranges_of_its_order(order, held_out, pieces):
    whole = Shuffle(3, 2).piece_of(order, held_out)
    assert Shuffle(3, 2, pieces).piece_of(order, held_out) // pieces == whole


def test_paths_of_shards():
    assert [shard_path(PARQUET_OUTPUT, n) for n in range(num_shards(PARQUET_OUTPUT))] == [
        "shards/train-00000-of-00003.parquet",
        "shards/train-00001-of-00003.parquet",
        "shards/train-00002-of-00003.parquet",
        "shards/validation-00000-of-00002.parquet",
        "shards/validation-00001-of-00002.parquet",
    ]


def test_a_shard_into_which_nothing_was_drawn(tmp_path):
    (entry,) = write_shard(str(tmp_path), recipe.Output(parquet=PARQUET_OUTPUT), 4, ())
    assert entry.path == shard_path(PARQUET_OUTPUT, 4)
    assert read_table(f"{tmp_path}/{entry.path}").equals(CORPUS.empty_table())


def statistics(corpus, entries):
    tables = [read_table(f"{corpus.root}/{e.path}") for e in entries if "statistics/" in e.path]
    return pa.concat_tables([STATISTICS.empty_table(), *tables])


def mix(corpus):
    """Plan and shards, as a run makes them; gives the plan and what the stage wrote."""
    entries = corpus.mix()["mix"].files
    return read_table(f"{corpus.root}/{PLAN_PATH}"), entries


def shards(corpus, split):
    return corpus.rows(split)


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


@pytest.mark.slow
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
    """Of its own label the rate moves a little, so that what is drawn meets the plan."""
    uniform = {"tiers": [{"name": "a", "at_least": 0, "rate": 0.5}], "validation": {"share": 0}}
    french, books = UNITS[1][:60], UNITS[2]
    texts = []
    for units in (UNITS[:1], [french, *UNITS[:1]], [books, *UNITS[:1]]):
        corpus = make_corpus(units, mix=uniform, output=PARQUET)
        mix(corpus)
        tables = [table["text"].to_pylist() for table in shards(corpus, "train")]
        texts.append([[t for t in table if t.startswith("an english")] for table in tables])
    alone, beside_french, beside_books = texts
    assert alone == beside_french
    assert 50 < sum(map(len, alone)) < 150
    for one, other in zip(alone, beside_books, strict=True):
        both = [text for text in one if text in other]
        assert both == [text for text in other if text in one]
        assert len(both) >= max(len(one), len(other)) - 10


def test_a_larger_mixture_holds_the_smaller_one(make_corpus):
    drawn_texts = []
    for budget in (300, 700, 2_000):
        options = {"strategy": "temperature", "budget": budget, "validation": {"share": 0}}
        corpus = make_corpus(UNITS, SOURCES, mix=options, output=PARQUET)
        mix(corpus)
        rows = [row for table in shards(corpus, "train") for row in table.to_pylist()]
        drawn_texts.append(Counter((row["label"], row["category"], row["text"]) for row in rows))
        most = max(row["num_words"] for row in rows)
        assert abs(sum(row["num_words"] for row in rows) - budget) <= 3 * most
    assert drawn_texts[0] < drawn_texts[1] < drawn_texts[2]


def test_pieces_of_shards_make_no_difference(make_corpus, monkeypatch):
    corpora = [make_corpus(UNITS, SOURCES, mix=MIX, output=PARQUET) for _ in range(2)]
    mix(corpora[0])
    monkeypatch.setattr("glotmill.pipelines.stages.mix._PIECE_BYTES", 500)
    mix(corpora[1])
    assert digests(corpora[0]) == digests(corpora[1])


@pytest.mark.slow
def test_looks_on_the_engine_give_the_same_rates(make_corpus, monkeypatch):
    corpora = [make_corpus(UNITS, SOURCES, mix=MIX, output=PARQUET) for _ in range(2)]
    mix(corpora[0])
    monkeypatch.setattr("glotmill.pipelines.stages.base._SHARE_WORTH_AN_ENGINE", 0)
    mix(corpora[1])
    assert digests(corpora[0]) == digests(corpora[1])
    rates = [read_table(f"{corpus.root}/mix/rates.parquet") for corpus in corpora]
    assert rates[0].equals(rates[1])


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
        monkeypatch.setattr("glotmill.transforms.shards._PART_BYTES", part_bytes)
        output = recipe.Output(parquet=recipe.ParquetOutput(shards=1, row_group_rows=7))
        digests.append(write_shard(str(tmp_path), output, 0, [corpus_rows(50)])[0].sha256)
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


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_shard_of_more_text_than_one_string_array_holds(tmp_path):
    piece = corpus_rows(60, "a" * 2**20)
    table = pa.concat_tables([piece] * 36)
    assert pc.sum(table.column("num_bytes")).as_py() > 2**31
    output = recipe.Output(parquet=recipe.ParquetOutput(shards=1))
    entry = write_shard(str(tmp_path), output, 0, [table])[0]
    assert entry.num_rows == table.num_rows


@pytest.mark.parametrize("with_tokens", [True, False])
def test_the_key_goes_by_the_name_that_files_for_training_hold(make_corpus, with_tokens):
    from glotmill.pipelines.stages.base import Job
    from glotmill.pipelines.stages.mix import MixStage

    output = {"tokens": {"tokenizer": "tokenizer.json"}} if with_tokens else {}
    corpus = make_corpus([[("eng", "text")]], output=output)
    keys = set()
    for name in ("before", "after"):
        renamed = corpus.lock.recipe.model_copy(update={"name": name})
        lock = corpus.lock.model_copy(update={"recipe": renamed})
        keys.add(MixStage().key(Job(lock, corpus.root, None, 1, None), "compose"))
    assert len(keys) == (2 if with_tokens else 1)
