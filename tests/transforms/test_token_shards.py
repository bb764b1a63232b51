"""Token files of a whole mixture hold, document by document, the tokens of the text in the shards.

What is expected is made from the text of the shards by the tokenizer's own library.
"""

import warnings
from collections import Counter, defaultdict
from hashlib import sha256
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from glotmill.schemas.bitext import Bitext
from glotmill.schemas.indexed_dataset import IndexedDataset
from glotmill.schemas.mixture import Mix
from glotmill.schemas.output import TokenOutput
from glotmill.schemas.tables import CORPUS, PACKED, PLAN, TOKEN_DOCUMENTS, TOKEN_ROWS
from glotmill.schemas.training import load_training
from glotmill.transforms.curriculum import read_curriculum
from glotmill.transforms.draws import order_draw
from glotmill.transforms.plan import PLAN_PATH
from glotmill.transforms.tables import read_table
from glotmill.transforms.token_shards import (
    JoinDatasets,
    Naming,
    TokenShard,
    certain_datasets,
    dataset_name,
    runs_of,
)
from glotmill.transforms.training_files import MEGATRON, NEOX

LENGTH = 24
EOS = 301
SOURCES = [
    {"domain": "news", "licence": "CC0-1.0"}, {"category": "book"}, {"category": "code"},
    {"category": "bitext", "licence": "PD"}, {},
]  # fmt: skip
UNITS = [
    [("eng", f"an english text {n} " + "about books " * (n % 9)) for n in range(90)],
    [("eng", f"a book {n} é") for n in range(30)] + [("swh", f"kitabu {n}") for n in range(9)],
    [("eng", f"code {n}") for n in range(20)],
    [{"eng": f"hello {n}", "swh": f"jambo {n}"} for n in range(30)],
    [("fra", "un long texte français " * 12 + str(n)) for n in range(8)],
]
MIX = {
    "count_by": "tokens",
    "tiers": [
        {"name": "very high", "at_least": 500, "rate": 1.5},
        {"name": "low", "at_least": 0, "rate": 3},
    ],
    "labels": {"code/eng_Latn": {"rate": 0}},
    "validation": {"share": 0.1},
}
PARQUET = {"shards": 3, "row_group_rows": 50}
TOKENS = {"formats": ["megatron", "parquet"], "sequence_length": LENGTH}
STAGES = [
    {"name": "broad", "parts": {"*": 3, "bitext": 1}},
    {"name": "end", "parts": {"bitext": 2, "*": 1}},
]


@pytest.fixture(scope="module")
def run(make_shared_corpus, tokenizer_file):
    """Runs a mixture, each with its options once."""
    done = {}

    def mix(name="", *, size=0, stages=(), units=UNITS, **tokens):
        key = (name, size, bool(stages), str(sorted(tokens.items())))
        if key not in done:
            corpus = make_shared_corpus(
                units, SOURCES, bitext={"pairs_per_document": 3},
                mix={**MIX, "stages": list(stages)},
                output={
                    "parquet": PARQUET,
                    "tokens": {**TOKENS, **tokens, "tokenizer": tokenizer_file(size)},
                },
            )  # fmt: skip
            corpus.mix()
            done[key] = corpus
        return done[key]

    return mix


@pytest.fixture(scope="module", params=["category", "tier", "stages"])
def corpus(request, run):
    if request.param == "stages":
        return run(stages=STAGES)
    packing = {"category": "concatenate", "tier": "best_fit"}[request.param]
    return run(datasets=request.param, packing=packing)


@pytest.fixture
def tokens_of(reference_tokens, tokenizer_file):
    """The tokens of the text of rows, by the reference."""

    def encode(rows, size=0):
        texts = [row["text"] for row in rows]
        end = EOS if size == 0 else size + 1
        return [[*ids, end] for ids in reference_tokens(tokenizer_file(size), texts)]

    return encode


def rows_of(corpus, split):
    return [row for table in corpus.rows(split) for row in table.to_pylist()]


def plan_tiers(corpus):
    rows = read_table(f"{corpus.root}/{PLAN_PATH}").to_pylist()
    return {(row["category"], row["label"]): row["tier"] for row in rows}


def stage_of(corpus, row):
    """The stage that a copy was drawn for, by its place in the shuffle."""
    stages = corpus.lock.recipe.mix.stages
    curriculum = read_curriculum(corpus.root, stages)
    draw = np.array([order_draw(42, row["content_hash"], row["copy"])])
    (number,) = curriculum.stage_of(curriculum.place(row["category"], draw)).tolist()
    return stages[number].name


def name_of(corpus, split, row):
    """The dataset of a row of a shard."""
    options = corpus.lock.recipe
    parts = [split, row["category"]]
    if split == "train" and options.mix.stages:
        parts.insert(1, stage_of(corpus, row))
    if options.output.tokens.datasets == "tier":
        parts.append(plan_tiers(corpus)[row["category"], row["label"]].replace(" ", "-"))
    return "-".join(parts)


def by_dataset(corpus):
    """Rows of all shards by the name of their dataset, in the order of the shards."""
    found = defaultdict(list)
    for split in ("train", "validation"):
        for row in rows_of(corpus, split):
            found[name_of(corpus, split, row)].append(row)
    return dict(found)


def datasets_there(corpus):
    folder = Path(corpus.root) / "tokens" / "megatron"
    return {path.name.removesuffix("_text_document.bin") for path in folder.glob("*.bin")}


def prefix_of(corpus, name):
    return f"{corpus.root}/tokens/megatron/{name}_text_document"


def test_each_dataset_holds_the_tokens_of_its_documents(corpus, tokens_of):
    expected = by_dataset(corpus)
    assert datasets_there(corpus) == set(expected)
    for name, rows in expected.items():
        found = IndexedDataset(prefix_of(corpus, name))
        found.check()
        assert found.dtype == np.uint16
        assert [found[i].tolist() for i in range(len(found))] == tokens_of(rows)
    assert sum(map(len, expected.values())) > 250


def test_the_table_beside_a_dataset_says_where_each_document_is_from(corpus):
    tiers = plan_tiers(corpus)
    for name, rows in by_dataset(corpus).items():
        table = read_table(f"{corpus.root}/tokens/megatron/{name}.documents.parquet")
        assert table.schema.equals(TOKEN_DOCUMENTS)
        expected = [{**row, "tier": tiers[row["category"], row["label"]]} for row in rows]
        names = TOKEN_DOCUMENTS.names
        assert table.to_pylist() == [{each: row[each] for each in names} for row in expected]
        sizes = IndexedDataset(prefix_of(corpus, name)).sizes
        assert table.column("num_tokens").to_pylist() == sizes.tolist()


def test_names_of_datasets(run):
    categories = {"monolingual", "book", "bitext"}
    expected = {f"train-{each}" for each in categories}
    expected |= {f"validation-{each}" for each in (*categories, "code")}
    assert datasets_there(run(datasets="category", packing="concatenate")) == expected
    tiered = datasets_there(run(datasets="tier", packing="best_fit"))
    assert {"train-monolingual-very-high", "train-book-low"} <= tiered
    staged = datasets_there(run(stages=STAGES))
    assert {name for name in staged if name.startswith("train-")} == {
        f"train-{stage}-{each}" for stage in ("broad", "end") for each in categories
    }


def test_what_nothing_was_drawn_of_has_no_dataset(run):
    """Code has rate 0: its validation documents are there, and no file for training."""
    corpus = run(datasets="category", packing="concatenate")
    assert {row["category"] for row in rows_of(corpus, "validation")} >= {"code"}
    assert not list(Path(corpus.root).rglob("*train-code*"))
    training = load_training(f"{corpus.root}/training.yaml")
    assert [d.name for d in training.datasets if d.category == "code"] == ["validation-code"]


def shard_files(corpus, kind, split):
    folder = Path(corpus.root) / kind
    return sorted(folder.glob(f"{split}-*.parquet"))


@pytest.mark.parametrize("split", ["train", "validation"])
def test_lists_of_tokens_are_beside_the_shards_row_by_row(corpus, split, tokens_of):
    tiers = plan_tiers(corpus)
    files = shard_files(corpus, "tokens/parquet", split)
    assert [file.name for file in files] == [f.name for f in shard_files(corpus, "shards", split)]
    for file, shard in zip(files, corpus.rows(split), strict=True):
        table = read_table(str(file))
        assert table.schema.equals(TOKEN_ROWS)
        rows = shard.to_pylist()
        assert table.column("input_ids").to_pylist() == tokens_of(rows)
        for found, row in zip(table.drop_columns(["input_ids"]).to_pylist(), rows, strict=True):
            assert found.pop("tier") == tiers[row["category"], row["label"]]
            assert found.pop("dataset") == name_of(corpus, split, row)
            assert found == {name: row[name] for name in found}


@pytest.mark.parametrize("stages", [STAGES, pytest.param((), marks=pytest.mark.slow)])
def test_lists_alone_name_the_datasets_of_bin_and_idx(run, stages):
    """But for their files, the curriculum among what they say."""
    options = {} if stages else {"datasets": "category", "packing": "concatenate"}
    whole = run(stages=stages, **options)
    lists = run(stages=stages, formats=["parquet"], **options)
    indexed, listed = (load_training(f"{each.root}/training.yaml") for each in (whole, lists))
    assert bool(indexed.stages) == bool(stages)
    assert all(dataset.prefix and dataset.documents for dataset in indexed.datasets)
    without = {"prefix": None, "documents": None}
    datasets = [dataset.model_copy(update=without) for dataset in indexed.datasets]
    assert listed == indexed.model_copy(update={"datasets": datasets})


def pieces_of(table):
    """Pieces of packed sequences: (hash, label, tokens), sequence by sequence."""
    for row in table.to_pylist():
        ends = np.cumsum(row["document_lengths"]).tolist()
        ids = row["input_ids"]
        assert ends[-1] == len(ids) <= LENGTH
        starts = [0, *ends[:-1]]
        yield [
            (content, label, ids[start:end])
            for content, label, start, end in zip(
                row["documents"], row["labels"], starts, ends, strict=True
            )
        ]


@pytest.mark.parametrize("split", ["train", "validation"])
def test_concatenated_sequences_hold_every_token_in_order(run, split, tokens_of):
    corpus = run(datasets="category", packing="concatenate")
    for file, shard in zip(
        shard_files(corpus, "tokens/packed", split), corpus.rows(split), strict=True
    ):
        table = read_table(str(file))
        assert table.schema.equals(PACKED)
        rows = shard.to_pylist()
        ids = table.column("input_ids").to_pylist()
        assert list(chain(*ids)) == list(chain(*tokens_of(rows)))
        assert {len(each) for each in ids[:-1]} == {LENGTH}
        pieces = [piece for sequence in pieces_of(table) for piece in sequence]
        owners = [
            (row["content_hash"], row["label"])
            for row, size in zip(rows, tokens_of(rows), strict=True)
            for _ in size
        ]
        assert [(h, label) for h, label, part in pieces for _ in part] == owners


@pytest.mark.parametrize("split", ["train", "validation"])
def test_best_fit_cuts_nothing_that_fits_and_holds_every_token_once(run, split, tokens_of):
    corpus = run(datasets="tier", packing="best_fit")
    num_cut = 0
    for file, shard in zip(
        shard_files(corpus, "tokens/packed", split), corpus.rows(split), strict=True
    ):
        rows = shard.to_pylist()
        expected = Counter()
        for row, ids in zip(rows, tokens_of(rows), strict=True):
            num_cut += len(ids) > LENGTH
            for start in range(0, len(ids), LENGTH):
                part = tuple(ids[start : start + LENGTH])
                expected[row["content_hash"], row["label"], part] += 1
        found = Counter(
            (content, label, tuple(part))
            for sequence in pieces_of(read_table(str(file)))
            for content, label, part in sequence
        )
        assert found == expected
    assert num_cut > 0


def test_the_file_for_training_names_what_is_there(corpus, tokenizer_file):
    root = Path(corpus.root)
    training = load_training(root / "training.yaml")
    expected = by_dataset(corpus)
    assert [d.name for d in training.datasets] == [
        name for split in ("train", "validation")
        for name in sorted(expected) if name.startswith(f"{split}-")
    ]  # fmt: skip
    totals = {
        split: sum(row["num_tokens"] for row in rows_of(corpus, split))
        for split in ("train", "validation")
    }
    for dataset in training.datasets:
        rows = expected[dataset.name]
        num_tokens = sum(row["num_tokens"] for row in rows)
        assert (dataset.num_documents, dataset.num_tokens) == (len(rows), num_tokens)
        found = IndexedDataset(root / dataset.prefix)
        assert (len(found), len(found.tokens)) == (len(rows), num_tokens)
        assert read_table(str(root / dataset.documents)).num_rows == len(rows)
        assert dataset.weight == pytest.approx(num_tokens / totals[dataset.split])
        assert {row["category"] for row in rows} == {dataset.category}
    tokenizer = training.tokenizer
    copied = (root / tokenizer.path).read_bytes()
    assert copied == Path(tokenizer_file()).read_bytes()
    assert tokenizer.sha256 == sha256(copied).hexdigest()
    assert (tokenizer.kind, tokenizer.vocab_size, tokenizer.eos_id) == ("huggingface", 303, EOS)
    for name in (NEOX, MEGATRON):
        content = (root / name).read_text()
        assert all(f"{d.prefix}" in content for d in training.of_split("train"))


def test_labels_for_training_are_sums_of_the_shards(corpus):
    sums = defaultdict(Counter)
    for split in ("train", "validation"):
        for row in rows_of(corpus, split):
            of_label = sums[row["category"], row["label"]]
            of_label[f"{split} tokens"] += row["num_tokens"]
            of_label[f"{split} bytes"] += row["num_bytes"]
    tiers = plan_tiers(corpus)
    labels = load_training(f"{corpus.root}/training.yaml").labels
    assert {(each.category, each.label): each.tier for each in labels} == tiers
    for each in labels:
        expected = sums[each.category, each.label]
        assert each.num_tokens == expected["train tokens"]
        assert each.num_bytes == expected["train bytes"]
        assert each.num_validation_tokens == expected["validation tokens"]


def test_shards_follow_the_stages_and_each_copy_is_in_one(run):
    corpus = run(stages=STAGES)
    rows = rows_of(corpus, "train")
    stages = [stage_of(corpus, row) for row in rows]
    assert stages == sorted(stages)  # "broad" comes before "end" in both orders
    copies = Counter((row["label"], row["content_hash"], row["copy"]) for row in rows)
    assert set(copies.values()) == {1}
    plain = rows_of(run(datasets="category", packing="concatenate"), "train")
    # The same copies as without stages, in another order.
    assert Counter((r["text"], r["label"], r["copy"]) for r in plain) == Counter(
        (r["text"], r["label"], r["copy"]) for r in rows
    )
    shares = Counter((stage, row["category"]) for stage, row in zip(stages, rows, strict=True))
    broad = shares["broad", "monolingual"]
    assert 0.6 < broad / (broad + shares["end", "monolingual"]) < 0.9
    assert shares["broad", "bitext"] < shares["end", "bitext"]


def test_stages_of_the_file_for_training(run):
    corpus = run(stages=STAGES)
    training = load_training(f"{corpus.root}/training.yaml")
    assert [stage.name for stage in training.stages] == ["broad", "end"]
    assert sum(stage.share_of_tokens for stage in training.stages) == pytest.approx(1)
    train = {d.name: d.num_tokens for d in training.of_split("train")}
    named = [name for stage in training.stages for name in stage.weights]
    assert sorted(named) == sorted(train)
    for stage in training.stages:
        own = {name: n for name, n in train.items() if name.startswith(f"train-{stage.name}-")}
        assert stage.weights == own
        assert stage.share_of_tokens == pytest.approx(sum(own.values()) / sum(train.values()))
    assert (
        load_training(f"{run(datasets='tier', packing='best_fit').root}/training.yaml").stages == []
    )


@pytest.mark.slow
def test_a_large_vocabulary_is_written_wide(run, tokens_of):
    """Only what is asked for is written: no lists of tokens, no packed sequences."""
    size = 66_000
    corpus = run(size=size, units=[UNITS[0][:40], [], [], [], []], formats=("megatron",),
                 sequence_length=None)  # fmt: skip
    for name, rows in by_dataset(corpus).items():
        found = IndexedDataset(prefix_of(corpus, name))
        assert found.dtype == np.int32
        tokens = [found[i].tolist() for i in range(len(found))]
        assert tokens == tokens_of(rows, size)
        assert {ids[-1] for ids in tokens} == {size + 1}
    training = load_training(f"{corpus.root}/training.yaml")
    assert (training.dtype, training.tokenizer.vocab_size) == ("int32", size + 3)
    assert {path.name for path in (Path(corpus.root) / "tokens").iterdir()} == {
        "megatron", "tokenizer",
    }  # fmt: skip


def digests(corpus, *folders):
    root = Path(corpus.root)
    paths = [path for folder in folders for path in (root / folder).rglob("*") if path.is_file()]
    return {str(p.relative_to(root)): sha256(p.read_bytes()).hexdigest() for p in paths}


@pytest.mark.parametrize("stages", [(), pytest.param(STAGES, marks=pytest.mark.slow)])
def test_pieces_of_shards_make_no_difference(run, monkeypatch, stages):
    """But for packed sequences, which end with a piece."""
    options = {} if stages else {"datasets": "category", "packing": "concatenate"}
    whole = run(stages=stages, **options)
    pieces = []
    read = TokenShard.end_piece
    monkeypatch.setattr(TokenShard, "end_piece", lambda self: pieces.append(self) or read(self))
    monkeypatch.setattr("glotmill.pipelines.stages.mix._PIECE_BYTES", 1_000)
    cut = run("pieces", stages=stages, **options)
    assert len(pieces) > 3 * 4
    folders = ("shards", "tokens/megatron", "tokens/parquet", "tokens/tokenizer")
    assert digests(whole, *folders) == digests(cut, *folders)
    assert len(digests(whole, *folders)) > 20
    for split in ("train", "validation"):
        ids = [
            [row for file in shard_files(corpus, "tokens/packed", split)
             for each in read_table(str(file)).column("input_ids").to_pylist() for row in each]
            for corpus in (whole, cut)
        ]  # fmt: skip
        assert ids[0] == ids[1]


def test_what_may_not_be_trained_on_has_tokens_for_validation_alone(make_corpus, tokenizer_file):
    corpus = make_corpus(
        [UNITS[0][:20], UNITS[3]], [{}, {"category": "bitext"}],
        bitext={"held_out": ["eng_Latn-swh_Latn"]}, mix={"tiers": "uniform", "count_by": "tokens"},
        output={
            "parquet": {"shards": 1},
            "tokens": {"tokenizer": tokenizer_file(), "datasets": "tier"},
        },
    )  # fmt: skip
    corpus.mix()
    there = datasets_there(corpus)
    assert there == {
        "train-monolingual-all", "validation-monolingual-all", "validation-bitext-all",
    }  # fmt: skip
    labels = load_training(f"{corpus.root}/training.yaml").labels
    (pairs,) = [each for each in labels if each.category == "bitext"]
    assert pairs.num_tokens == 0 < pairs.num_validation_tokens


def token_rows(lengths):
    """Rows of a shard with so many tokens each."""
    columns = {
        field.name: pa.array([""] * len(lengths), pa.string())
        if pa.types.is_string(field.type)
        else pa.array([0] * len(lengths), field.type)
        for field in CORPUS
        if field.name != "content_hash"
    }
    hashes = [n.to_bytes(16, "big") for n in range(len(lengths))]
    columns |= {
        "category": pa.array(["book"] * len(lengths)),
        "content_hash": pa.array(hashes, pa.binary(16)),
        "num_tokens": pa.array(lengths, pa.int64()),
        "order": pa.array(range(len(lengths)), pa.int64()),
        "tokens": pa.array([[n] * length for n, length in enumerate(lengths)],
                           pa.list_(pa.uint16())),
    }  # fmt: skip
    return pa.record_batch(columns)


def test_documents_without_tokens_are_in_no_file_of_tokens(tmp_path):
    options = TokenOutput(tokenizer="-", formats=["megatron", "parquet"], sequence_length=8)
    naming = Naming("train", "category", {("book", ""): "low"})
    with TokenShard(str(tmp_path), options, "train-00000-of-00001", naming) as shard:
        shard.write(token_rows([3, 0, 2]))
        shard.write(token_rows([0, 0]))
        shard.end_piece()
        shard.end_piece()
    rows = read_table(f"{tmp_path}/tokens/parquet/train-00000-of-00001.parquet")
    assert rows.column("input_ids").to_pylist() == [[0, 0, 0], [2, 2]]
    packed = read_table(f"{tmp_path}/tokens/packed/train-00000-of-00001.parquet").to_pylist()
    assert [row["input_ids"] for row in packed] == [[0, 0, 0, 2, 2]]
    assert runs_of(str(tmp_path)) == {
        "train-book": ["temporary/mix/runs/train-book/train-00000-of-00001"]
    }
    join = JoinDatasets(str(tmp_path), ["train-book"])
    join.setup()
    join(0)
    found = IndexedDataset(tmp_path / "tokens/megatron/train-book_text_document")
    assert [found[i].tolist() for i in range(len(found))] == [[0, 0, 0], [2, 2]]
    documents = read_table(f"{tmp_path}/tokens/megatron/train-book.documents.parquet")
    assert documents.column("num_tokens").to_pylist() == [3, 2]


def test_a_shard_of_documents_without_tokens_leaves_no_file(tmp_path):
    options = TokenOutput(tokenizer="-", formats=["megatron", "parquet"], sequence_length=8)
    naming = Naming("train", "category", {("book", ""): "low"})
    with TokenShard(str(tmp_path), options, "train-00000-of-00001", naming) as shard:
        shard.write(token_rows([0]))
        shard.end_piece()
    assert shard.entries() == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert runs_of(str(tmp_path)) == {}


def test_a_shard_that_fails_leaves_no_file(tmp_path):
    options = TokenOutput(tokenizer="-", formats=["megatron", "parquet"], sequence_length=8)
    naming = Naming("train", "category", {("book", ""): "low"})

    def fail():
        with TokenShard(str(tmp_path), options, "train-00000-of-00001", naming) as shard:
            shard.write(token_rows([3, 2]))
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="the disk is full"):
        fail()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_names_have_no_signs_that_paths_dislike():
    assert dataset_name("train", "book", "Very / high!") == "train-book-Very-high"


def test_tiers_with_names_in_other_scripts_have_datasets_of_their_own():
    names = ["高", "中", "низкий", "très_bas"]
    found = [dataset_name("train", "book", name) for name in names]
    assert found == ["train-book-高", "train-book-中", "train-book-низкий", "train-book-très-bas"]


def test_datasets_that_are_certain_from_the_plan(corpus):
    plan, recipe = read_table(f"{corpus.root}/{PLAN_PATH}"), corpus.lock.recipe
    found = certain_datasets(plan, recipe.output.tokens.datasets, recipe.mix, recipe.bitext)
    rows = {n: len(own) for n, own in by_dataset(corpus).items() if n.startswith("train-")}
    assert found <= rows.keys()
    assert {name for name, number in rows.items() if number >= 100} <= found
    assert found


def planned(category, num_documents, planned_count, tier="all"):
    """A row of a plan by words, of documents that have ten each."""
    empty = dict.fromkeys(PLAN.names, 0)
    return empty | {
        "category": category, "label": f"{category}-{tier}", "tier": tier, "binding": "",
        "relaxed": "", "num_documents": num_documents, "num_words": 10 * num_documents,
        "planned_count": planned_count,
    }  # fmt: skip


def certain(rows, by="tier", **options):
    plan = pa.Table.from_pylist(rows, schema=PLAN)
    return certain_datasets(plan, by, Mix(**options), Bitext(pairs_per_document=10))


def test_datasets_that_may_stay_empty_are_not_certain():
    rows = [planned("code", 100, 490, "low"), planned("code", 100, 500, "high")]
    assert certain(rows) == {"train-code-high"}
    assert certain(rows, by="category") == {"train-code"}
    assert certain([planned("code", 0, 0)]) == set()
    # Copies are in datasets of their own.
    assert certain([planned("code", 10, 500)]) == {"train-code-all"}


def test_pairs_are_not_documents():
    assert certain([planned("bitext", 1_000, 4_990)], by="category") == set()
    assert certain([planned("bitext", 1_000, 5_000)], by="category") == {"train-bitext"}


def test_datasets_of_stages_that_are_certain():
    stages = [{"name": f"s{n}", "parts": {"*": 1}} for n in range(99)]
    stages.append({"name": "end", "parts": {"*": 1, "book": 1}})
    rows = [planned("code", 4_000, 40_000), planned("book", 50, 500)]
    assert certain(rows, stages=stages) == set(), "40 documents and half a one a stage"
    rows = [planned("code", 5_100, 51_000), planned("book", 50, 500)]
    assert len(certain(rows, stages=stages, by="category")) == 100


@pytest.mark.slow
def test_megatron_core_opens_every_dataset(corpus, tokens_of):
    reason = "megatron-core and torch are not installed: pip install 'glotmill[megatron]'"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        megatron = pytest.importorskip("megatron.core.datasets.indexed_dataset", reason=reason)
    for name, rows in by_dataset(corpus).items():
        found = megatron.IndexedDataset(prefix_of(corpus, name))
        assert len(found) == len(rows)
        assert found.document_indices.tolist() == list(range(len(rows) + 1))
        assert [found[i].tolist() for i in range(len(found))] == tokens_of(rows)
