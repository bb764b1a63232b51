"""What may be drawn, against a count of every row by hand; tokens against their own library."""

from collections import Counter, defaultdict
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from glotmill.pipelines.stages.compose import ComposeStage, included_units
from glotmill.schemas.manifest import MANIFEST, dump_manifest
from glotmill.schemas.tables import AVAILABLE, COUNTS, DRAWABLE_SIZES, DRAWABLES
from glotmill.transforms import pseudo_documents, tables
from glotmill.transforms.compose import (
    AVAILABLE_PATH,
    SIZES_PATH,
    ComposeUnits,
    merge_parts,
)
from glotmill.transforms.drawables import path_of
from glotmill.transforms.draws import sample_draw, split_draw
from glotmill.transforms.each_unit import do_directly
from glotmill.transforms.leaks import read_excluded
from glotmill.transforms.split import read_splitter
from glotmill.transforms.tables import read_table
from glotmill.transforms.tokenize import TextTokenizer
from glotmill.transforms.unit_index import UnitIndex, read_manifest

SEED = 42
# These are in two languages, in one of them in capitals: what is held out of one must not be
# trained on in the other.
SHARED = [f"shared {n} é" for n in range(30)]
UNITS = [
    [("eng", f"an english text {n}") for n in range(120)] + [("eng", text) for text in SHARED],
    [("fra", f"un texte français {n}") for n in range(60)] + [("eng", "an english text 7")] * 2,
    [("fra", text.upper()) for text in SHARED] + [("eng", "<|endoftext|> is spelled [SEP] here")],
    [("eng", f"a book {n}") for n in range(30)] + [("eng", text) for text in SHARED[:5]],
    [("eng", f"code {n}") for n in range(5)],
    [],
]
SOURCES = [{"domain": "news"}, {}, {}, {"category": "book"}, {"category": "code"}, {}]
PAIRS = [{"eng": f"hello number {n}", "swh": f"jambo namba {n}"} for n in range(50)]
TRIPLES = [{"eng": f"tree {n}", "swh": f"mti {n}", "deu": f"Baum {n}"} for n in range(8)]
BITEXT = {"pairs_per_document": 4, "min_pairs": 3, "directions": "both"}
MIX = {"tiers": "uniform", "validation": {"share": 0.1}, "exclude": ["code"]}


@pytest.fixture(scope="module")
def tokens(tokenizer_file):
    return {"tokenizer": tokenizer_file(), "append_eos": True, "prepend_bos": True}


@pytest.fixture(scope="module")
def composed(make_shared_corpus, tokens):
    corpus = make_shared_corpus(
        [*UNITS, PAIRS + TRIPLES], [*SOURCES, {"category": "bitext", "domain": "web"}],
        bitext=BITEXT, mix=MIX, output={"tokens": tokens},
    )  # fmt: skip
    corpus.compose()
    return corpus


def index_of(corpus):
    return UnitIndex(corpus.root, read_manifest(corpus.root, "deduplicate"))


def drawables_of(corpus):
    """Each unit that was composed, with its rows."""
    index = index_of(corpus)
    units = [index.units[ordinal] for ordinal in included(corpus)]
    return [(unit, read_table(f"{corpus.root}/{path_of(unit)}")) for unit in units]


def included(corpus):
    excluded = set(corpus.lock.recipe.mix.exclude)
    return [u.ordinal for u in corpus.index().units if u.category not in excluded]


def left_of(corpus, unit):
    """The documents of a unit that were neither removed nor excluded, one by one."""
    index = index_of(corpus)
    documents = [row for batch in index.batches(unit) for row in batch.to_pylist()]
    removals = index.removals(unit)
    about = {row["row"]: row for row in removals.to_pylist()} if removals else {}
    excluded = set(read_excluded(corpus.root, unit).column("row").to_pylist())
    for row, document in enumerate(documents):
        removal = about.get(row, {"removed": False, "cluster_size": 1})
        if not removal["removed"] and row not in excluded:
            yield {**document, "cluster_size": removal["cluster_size"]}


def test_drawables_are_the_documents_that_are_left_in_their_order(composed):
    thresholds = read_splitter(composed.root).thresholds
    num_excluded = 0
    for unit, rows in drawables_of(composed):
        num_excluded += read_excluded(composed.root, unit).num_rows
        if unit.category == "bitext":
            continue
        expected = [
            {
                **{name: row[name] for name in ("label", "content_hash", "cluster_size", *COUNTS)},
                "held_out": split_draw(SEED, row["content_hash"])
                <= thresholds.get((unit.category, row["label"]), -1),
                "draw": sample_draw(SEED, row["content_hash"]),
                "again": False,
                "num_pairs": 1,
            }
            for row in left_of(composed, unit)
        ]
        tokens = ["num_tokens", "num_fallback_tokens", "tokens"]
        assert rows.drop_columns(tokens).to_pylist() == [
            {name: row[name] for name in DRAWABLES.names if name not in tokens} for row in expected
        ]
    assert num_excluded > 2  # of the shared texts


def test_a_unit_without_documents_and_one_that_is_left_out(composed):
    files = {unit.key: rows for unit, rows in drawables_of(composed)}
    assert files["u5"].num_rows == 0
    assert files["u5"].schema.equals(files["u0"].schema)
    assert not (Path(composed.root) / path_of(composed.index().units[4])).exists()


def test_schema_is_what_is_declared(composed):
    for _, rows in drawables_of(composed):
        assert rows.schema.remove(len(rows.schema) - 1).equals(DRAWABLES)
        assert rows.schema.field("tokens").type == pa.list_(pa.uint16())
    assert read_table(f"{composed.root}/{AVAILABLE_PATH}").schema.equals(AVAILABLE)
    assert read_table(f"{composed.root}/{SIZES_PATH}").schema.equals(DRAWABLE_SIZES)


SUMS = ("num_documents", *COUNTS, "num_tokens", "num_fallback_tokens")


def summed(rows, keys):
    """Sums of rows by keys, in a dictionary."""
    sums = defaultdict(lambda: dict.fromkeys(SUMS, 0))
    for row in rows:
        of_group = sums[tuple(row[key] for key in keys)]
        for name in SUMS:
            of_group[name] += row[name]
    return dict(sums)


def test_what_is_available_are_sums_of_the_rows(composed):
    keys = ("category", "label", "domain", "split", "again")
    rows = []
    for unit, drawables in drawables_of(composed):
        about = {"category": unit.category, "domain": unit.domain or ""}
        for row in drawables.to_pylist():
            split = "validation" if row["held_out"] else "train"
            rows.append({**row, **about, "split": split, "num_documents": row["num_pairs"]})
        documents = [row for batch in composed.index().batches(unit) for row in batch.to_pylist()]
        excluded = read_excluded(composed.root, unit).column("row").to_pylist()
        for document in [*(documents[row] for row in excluded), *in_no_document(composed, unit)]:
            none = {"split": "excluded", "again": False, "num_tokens": 0, "num_fallback_tokens": 0}
            rows.append({**document, **about, **none, "num_documents": 1})
    found = read_table(f"{composed.root}/{AVAILABLE_PATH}").to_pylist()
    assert summed(found, keys) == summed(rows, keys)
    assert [tuple(row[key] for key in keys) for row in found] == sorted(summed(rows, keys))
    assert {row["split"] for row in found} == {"train", "validation", "excluded"}


def test_sizes_of_clusters_are_sums_of_what_training_may_draw(composed):
    keys = ("category", "label", "domain", "cluster_size")
    rows = [
        {**row, "category": unit.category, "domain": unit.domain or ""}
        | {"num_documents": row["num_pairs"]}
        for unit, drawables in drawables_of(composed)
        for row in drawables.to_pylist()
        if not row["held_out"]
    ]
    found = read_table(f"{composed.root}/{SIZES_PATH}").to_pylist()
    assert summed(found, keys) == summed(rows, keys)
    assert {row["cluster_size"] for row in found} == {1, 2, 3}


def test_nothing_is_lost(composed):
    """Kept are removed, excluded, or drawable, or pairs of documents that are too short."""
    index = index_of(composed)
    kept = {record.key: record.num_kept for record in composed.records}
    for unit, rows in drawables_of(composed):
        once = rows.filter(pa.compute.invert(rows.column("again")))
        drawable = sum(once.column("num_pairs").to_pylist())
        gone = int(index.removed_rows(unit).sum()) + read_excluded(composed.root, unit).num_rows
        assert kept[unit.key] == gone + drawable + len(in_no_document(composed, unit))
    counts = read_manifest(composed.root, "compose").counts
    found = summed(read_table(f"{composed.root}/{AVAILABLE_PATH}").to_pylist(), ("split", "again"))
    assert counts == {
        "held_out": found["validation", False]["num_documents"],
        "excluded": found["excluded", False]["num_documents"],
        "tokens": sum(sums["num_tokens"] for sums in found.values()),
    }


def groups_by_hand(corpus, unit):
    """Pairs in their order, by languages and split, in groups of at most so many."""
    splitter = read_splitter(corpus.root)
    held_out = {}
    for batch, _ in index_of(corpus).surviving(unit):
        hashes = batch.column("content_hash").to_pylist()
        held_out |= dict(zip(hashes, splitter.held_out("bitext", batch).tolist(), strict=True))
    groups = defaultdict(list)
    for row in left_of(corpus, unit):
        groups[tuple(row["segment_labels"]), held_out[row["content_hash"]]].append(row)
    most = BITEXT["pairs_per_document"]
    return {
        key: [rows[start : start + most] for start in range(0, len(rows), most)]
        for key, rows in groups.items()
    }


def in_no_document(corpus, unit):
    """Pairs of groups that are too short for training."""
    if unit.category != "bitext":
        return []
    found = groups_by_hand(corpus, unit)
    groups = [group for (_, out), groups in found.items() if not out for group in groups]
    return [pair for group in groups if len(group) < BITEXT["min_pairs"] for pair in group]


def test_pairs_that_no_document_holds_are_counted(composed):
    (unit,) = [unit for unit, _ in drawables_of(composed) if unit.category == "bitext"]
    counted = read_table(f"{composed.root}/compose/statistics/lost-{unit.key}.parquet").to_pylist()
    assert {(row["outcome"], row["reason"]) for row in counted} == {("excluded", "min_pairs")}
    found = {row["label"]: [row["num_documents"], row["num_words"]] for row in counted}
    expected = defaultdict(lambda: [0, 0])
    for pair in in_no_document(composed, unit):
        expected[pair["label"]][0] += 1
        expected[pair["label"]][1] += pair["num_words"]
    assert found == expected
    assert found


def test_pseudo_documents_are_groups_of_pairs_twice(composed):
    ((unit, rows),) = [each for each in drawables_of(composed) if each[0].category == "bitext"]
    expected = Counter()
    for (_, out), groups in groups_by_hand(composed, unit).items():
        for group in groups:
            if out or len(group) >= BITEXT["min_pairs"]:
                counts = tuple(sum(pair[name] for pair in group) for name in COUNTS)
                for again in (False, True):
                    expected[group[0]["label"], out, again, len(group), counts] += 1
    about = ("label", "held_out", "again", "num_pairs")
    found = Counter(
        (*(row[name] for name in about), tuple(row[name] for name in COUNTS))
        for row in rows.to_pylist()
    )
    assert found == expected
    hashes = rows.column("content_hash").to_pylist()
    assert len(set(hashes)) == len(hashes)
    # Both directions of a group are drawn together, by the first of them.
    assert rows.column("again").to_pylist() == [False, True] * (len(hashes) // 2)
    firsts = [each for first in hashes[::2] for each in (first, first)]
    assert rows.column("draw").to_pylist() == [sample_draw(SEED, each) for each in firsts]


def texts_of(corpus, unit):
    return [row["text"] for row in left_of(corpus, unit)]


def test_tokens_are_those_of_the_reference(composed, tokens, reference_tokens):
    bos, eos = 300, 301
    for unit, rows in drawables_of(composed):
        if unit.category == "bitext":
            continue
        texts = texts_of(composed, unit)
        expected = [[bos, *ids, eos] for ids in reference_tokens(tokens["tokenizer"], texts)]
        assert rows.column("tokens").to_pylist() == expected
        assert rows.column("num_tokens").to_pylist() == [len(ids) for ids in expected]
        # The tokenizer has seen English only: every byte of another letter is a token.
        assert rows.column("num_fallback_tokens").to_pylist() == [
            sum(len(each.encode()) for each in text if not each.isascii()) for text in texts
        ]
        for text, ids in zip(texts, rows.column("tokens").to_pylist(), strict=True):
            assert ids.count(eos) == ids.count(bos) == 1, text
            assert 302 not in ids, text
    assert any("[SEP]" in text for unit, _ in drawables_of(composed)[:3]
               for text in texts_of(composed, unit))  # fmt: skip


def test_tokens_of_pseudo_documents_are_those_of_their_text(make_corpus, tokens, reference_tokens):
    """The text that a shard holds is what was tokenized before it was drawn."""
    mix = {"tiers": "uniform", "validation": {"share": 0.1}}
    output = {"tokens": {**tokens, "formats": ["parquet"]}, "parquet": {"shards": 1}}
    corpus = make_corpus([PAIRS], [{"category": "bitext"}], bitext=BITEXT, mix=mix, output=output)
    corpus.mix()
    ((_, rows),) = drawables_of(corpus)
    by_hash = {row["content_hash"]: row["tokens"] for row in rows.to_pylist()}
    drawn = [row for split in ("train", "validation") for row in corpus.rows(split)[0].to_pylist()]
    texts = [row["text"] for row in drawn]
    assert all("hello" in text and "jambo" in text for text in texts)
    expected = [[300, *ids, 301] for ids in reference_tokens(tokens["tokenizer"], texts)]
    assert [by_hash[row["content_hash"]] for row in drawn] == expected
    assert len(drawn) == rows.num_rows > 10


def test_each_document_is_tokenized_once_however_often_it_is_drawn(
    make_corpus, tokens, monkeypatch
):
    seen = Counter()
    tokenize = TextTokenizer.tokenize

    def watched(self, texts):
        seen.update(texts)
        return tokenize(self, texts)

    monkeypatch.setattr(TextTokenizer, "tokenize", watched)
    units = [[("eng", f"an english text {n}") for n in range(40)] * 2]
    corpus = make_corpus(
        units, mix={"tiers": [{"name": "a", "at_least": 0, "rate": 5}]},
        output={"parquet": {"shards": 2}, "tokens": tokens},
    )  # fmt: skip
    corpus.mix()
    assert seen == Counter(dict.fromkeys((text for _, text in units[0]), 1))
    assert sum(table.num_rows for table in corpus.rows("train")) > 150


def digests(corpus):
    folder = Path(corpus.root) / "compose"
    paths = (path for path in folder.rglob("*") if path.suffix in (".parquet", ".json"))
    return {str(p.relative_to(folder)): sha256(p.read_bytes()).hexdigest() for p in paths}


def work_of(corpus):
    options = corpus.lock.recipe
    tokens = options.output.tokens
    return ComposeUnits(
        corpus.root, options.bitext.model_dump_json(),
        tokens.model_dump_json() if tokens else None, SEED,
    )  # fmt: skip


@pytest.fixture
def composed_twice(make_corpus, tokens):
    """Two equal corpora, of which the first is composed."""
    made = [
        make_corpus(
            [*UNITS[:2], PAIRS], [{"domain": "news"}, {}, {"category": "bitext"}],
            bitext=BITEXT, mix={"tiers": "uniform"}, output={"tokens": tokens},
        )
        for _ in range(2)
    ]  # fmt: skip
    made[0].compose()
    return made


def test_the_engine_gives_the_same_bytes(composed_twice, monkeypatch):
    one, other = composed_twice
    monkeypatch.setattr("glotmill.pipelines.stages.base._SHARE_WORTH_AN_ENGINE", 0)
    other.compose()
    assert digests(one) == digests(other)
    assert len(digests(one)) > 10


def test_batches_of_any_size_give_the_same_bytes(composed_twice, monkeypatch):
    one, other = composed_twice
    monkeypatch.setitem(tables.read_batches.__kwdefaults__, "batch_rows", 7)
    monkeypatch.setattr(pseudo_documents, "_BATCH_DOCUMENTS", 2)
    other.compose()
    assert digests(one) == digests(other)


def test_another_order_of_units_gives_the_same_rows(composed):
    before = digests(composed)
    do_directly(work_of(composed), reversed(included(composed)))
    assert digests(composed) == before


def test_other_units_give_the_same_rows(make_corpus):
    """Rows and sums of the same documents in one unit, in three, and in reverse."""
    rows = [row for unit in UNITS[:3] for row in unit]
    found = []
    for units in ([rows], [rows[n::3] for n in range(3)], [rows[::-1]]):
        corpus = make_corpus(units, mix={"tiers": "uniform", "validation": {"share": 0.1}})
        corpus.compose()
        drawables = pa.concat_tables(table for _, table in drawables_of(corpus))
        key = [("content_hash", "ascending"), ("label", "ascending")]
        found.append(
            (drawables.sort_by(key), read_table(f"{corpus.root}/{AVAILABLE_PATH}"))
        )  # fmt: skip
    assert found[0] == found[1] == found[2]


def test_without_a_tokenizer_there_are_no_tokens(make_corpus):
    corpus = make_corpus([UNITS[3]], mix={"tiers": "uniform"})
    corpus.compose()
    ((_, rows),) = drawables_of(corpus)
    assert rows.schema.equals(DRAWABLES)
    assert set(rows.column("num_tokens").to_pylist()) == {0}
    assert set(rows.column("num_fallback_tokens").to_pylist()) == {0}


def test_sums_of_units_in_any_order():
    draw = np.random.RandomState(3)
    parts = []
    for _ in range(6):
        rows = [
            {
                "category": str(draw.choice(["book", "code"])),
                "label": str(draw.choice(["a", "b", "c"])),
                "domain": "",
                "cluster_size": int(draw.randint(1, 4)),
                **{name: int(draw.randint(0, 2**40)) for name in SUMS},
            }
            for _ in range(draw.randint(0, 9))
        ]
        parts.append(pa.Table.from_pylist(rows, schema=DRAWABLE_SIZES))
    merged = merge_parts(parts, DRAWABLE_SIZES)
    assert merged.equals(merge_parts(parts[::-1], DRAWABLE_SIZES))
    assert merged.equals(merge_parts([merge_parts(parts[:2], DRAWABLE_SIZES), *parts[2:]],
                                     DRAWABLE_SIZES))  # fmt: skip
    keys = ("category", "label", "domain", "cluster_size")
    rows = [row for part in parts for row in part.to_pylist()]
    assert summed(merged.to_pylist(), keys) == summed(rows, keys)
    assert merge_parts([], DRAWABLE_SIZES).equals(DRAWABLE_SIZES.empty_table())


def test_the_key_goes_by_the_content_of_the_tokenizer(make_corpus, tokens, tmp_path):
    """A copy of the same file under another name changes nothing; another token at the end does."""
    from glotmill.pipelines.stages.base import Job

    copy = tmp_path / "copy.json"
    copy.write_bytes(Path(tokens["tokenizer"]).read_bytes())
    keys = []
    for options in (tokens, {**tokens, "tokenizer": str(copy)}, {**tokens, "eos": "[SEP]"}, None):
        corpus = make_corpus([[("eng", "text")]], output={"tokens": options} if options else {})
        job = Job(corpus.lock, corpus.root, None, 1, None)
        assert included_units(job) == [0]
        keys.append(ComposeStage().key(job, "before"))
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


@pytest.mark.parametrize("change", ["fewer", "more", "others"])
def test_rows_of_other_documents_are_not_drawn_from(make_corpus, change):
    corpus = make_corpus([UNITS[0][:40]], mix={"tiers": "uniform"})
    corpus.compose()
    path = path_of(corpus.index().units[0])
    rows = read_table(f"{corpus.root}/{path}")
    changed = {
        "fewer": rows.slice(0, 30),
        "more": pa.concat_tables([rows, rows.slice(0, 1)]),
        "others": pa.concat_tables([rows.slice(1), rows.slice(0, 1)]),
    }
    compose = read_manifest(corpus.root, "compose")
    entry = tables.write_table(corpus.root, path, changed[change])
    files = [entry if file.path == path else file for file in compose.files]
    dumped = dump_manifest(compose.model_copy(update={"files": tuple(files)}))
    Path(corpus.root, "compose", MANIFEST).write_bytes(dumped)
    with pytest.raises(Exception, match=f"{path} is of other documents; delete the folder"):
        corpus.mix()
