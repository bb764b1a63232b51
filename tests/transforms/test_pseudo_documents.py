"""Pseudo-documents: which pairs stand together, which way round, and what no one trains on."""

import itertools
from collections import Counter, defaultdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmill.pipelines.stages.compose import ComposeStage
from glotmill.schemas.lock import Lock, Unit
from glotmill.schemas.manifest import UnitRecord
from glotmill.schemas.recipe import Bitext, Recipe
from glotmill.schemas.tables import COUNTS, DOCUMENTS, PAIRS
from glotmill.schemas.templates import template_of
from glotmill.transforms.plan import PLAN_PATH
from glotmill.transforms.pseudo_documents import (
    COLUMNS,
    HELD_OUT,
    NUM_PAIRS,
    Directions,
    PseudoDocuments,
)
from glotmill.transforms.statistics import summarise
from glotmill.transforms.tables import read_table, write_table
from glotmill.transforms.templates import parse

SCHEMA = pa.schema([*DOCUMENTS, *PAIRS])
ENG, DEU, FRA, SWA, CES = "eng_Latn", "deu_Latn", "fra_Latn", "swa_Latn", "ces_Latn"


def pairs(*rows, source="s0"):
    """Documents of (labels, texts, path, document); the rest is made up."""
    made = []
    for number, (labels, texts, path, document) in enumerate(rows):
        row = {
            field.name: "" if pa.types.is_string(field.type) else 0
            for field in SCHEMA
            if not pa.types.is_nested(field.type)
        }
        row |= {
            "text": "\n".join(texts),
            "source": source,
            "path": path,
            "offset": number,
            "external_id": f"id{number}",
            "label": "-".join(sorted(labels)) if len(labels) < 4 else "mul",
            "script": "Latn",
            "verdict": "confirmed" if number % 3 else "unsure",
            "content_hash": xxhash.xxh3_128_digest(
                repr(sorted(zip(labels, texts, strict=True))).encode()
            ),
            "segment_labels": labels,
            "segment_bytes": [len(text.encode()) for text in texts],
            "segment_hashes": [xxhash.xxh3_64_intdigest(text.encode()) for text in texts],
            "document": document,
            "scores": [],
        }
        made.append(row | {name: number + place for place, name in enumerate(COUNTS)})
    return pa.RecordBatch.from_pylist(made, schema=SCHEMA)


def numbered(count, labels=(ENG, DEU), path="p", document=None, start=0):
    return [
        (list(labels), [f"{label} {n}\n!" for label in labels], path, document)
        for n in range(start, start + count)
    ]


def documents(batch, options=None, splitter=None, sizes=None, cut=None, seed=42):
    """The documents of one batch, or of one cut into small ones, as a list of maps."""
    sizes = np.ones(batch.num_rows, np.int64) if sizes is None else np.array(sizes)
    cut = cut or max(1, batch.num_rows)
    parts = [
        (batch.slice(at, cut).select(COLUMNS), sizes[at : at + cut])
        for at in range(0, batch.num_rows, cut)
    ]
    maker = PseudoDocuments(Bitext(**(options or {})), seed)
    none = splitter or (lambda pairs: [False] * pairs.num_rows)
    return [row for made in maker.batches(parts, none) for row in made.to_pylist()]


def content(document, options=None):
    """Labels in the order of the text, and the texts."""
    options = Bitext(**(options or {}))
    labels = document["original_code"].split(">")
    found = parse(
        template_of(options.template), document["text"], labels=labels, layout=options.layout
    )
    return found.labels, found.rows


AS_IS = {"directions": "as_is"}


def numbers(found, options=None):
    """Numbers of the pairs of each document."""
    return [
        [int(texts[0].split()[1].removesuffix("!")) for texts in content(d, options)[1]]
        for d in found
    ]


def test_ten_pairs_in_the_order_of_the_source_and_the_short_rest():
    found = documents(pairs(*numbered(23)), AS_IS)
    expected = [list(range(10)), list(range(10, 20)), [20, 21, 22]]
    assert numbers(found) == expected
    first = found[0]
    assert (first["label"], first["original_code"]) == ("deu_Latn-eng_Latn", "eng_Latn>deu_Latn")
    assert (first["path"], first["offset"], first["external_id"]) == ("p", 0, "id0")
    assert [d[NUM_PAIRS] for d in found] == [10, 10, 3]
    assert [d["offset"] for d in found] == [0, 10, 20]
    assert first["verdict"] == "confirmed"


def test_counts_are_those_of_the_texts():
    """Tags of the template are not counted."""
    batch = pairs(*numbered(23))
    for template in ("emma500", "plain"):
        found = documents(batch, {"template": template})
        for name in COUNTS:
            assert sum(d[name] for d in found) == pc.sum(batch[name]).as_py()
        assert found[0]["num_bytes"] == sum(range(10))


def test_sizes_of_clusters():
    sizes = [1] * 12
    sizes[3] = 7
    assert [d["cluster_size"] for d in documents(pairs(*numbered(12)), sizes=sizes)] == [7, 1]


def test_pairs_of_different_documents_files_and_directions_are_kept_apart():
    rows = [
        *numbered(2, document="a"), *numbered(3, document="b", start=2),
        *numbered(1, path="q", document="b", start=5), *numbered(2, start=6),
        *numbered(2, (DEU, ENG), start=8), *numbered(1, (FRA, ENG), start=10),
        *numbered(2, document="a", start=11),
    ]  # fmt: skip
    found = documents(pairs(*rows), AS_IS)
    assert sorted(numbers(found)) == [[0, 1], [2, 3, 4], [5], [6, 7], [8, 9], [10], [11, 12]]
    names = {tuple(n): d["external_id"] for n, d in zip(numbers(found), found, strict=True)}
    assert names[2, 3, 4] == "b"
    assert names[6, 7] == "id6"


def test_language_pairs_that_take_turns_stand_together():
    """As pairs of a text in many languages do."""
    rows = [row for n in range(12) for row in
            (*numbered(1, (ENG, DEU), start=n), *numbered(1, (ENG, FRA), start=n))]  # fmt: skip
    found = documents(pairs(*rows), {**AS_IS, "pairs_per_document": 6})
    assert sorted(numbers(found)) == sorted([[*range(6)], [*range(6, 12)]] * 2)


ROWS = st.lists(
    st.tuples(
        st.sampled_from([(ENG, DEU), (DEU, ENG), (ENG, FRA), (ENG, DEU, FRA)]),
        st.sampled_from(["p", "q"]),
        st.sampled_from([None, "a", "b"]),
        st.text(max_size=5),
        st.booleans(),
    ),
    max_size=30,
)


@settings(max_examples=150)
@given(
    ROWS,
    st.integers(1, 5),
    st.sampled_from(["as_is", "reversed", "both", "hashed"]),
    st.sampled_from(["pairs", "blocks"]),
    st.sampled_from(["emma500", "emma500-evaluation", "plain", "interlinear"]),
    st.integers(1, 7),
)
def test_every_pair_stands_once_a_direction_and_never_with_strangers(
    drawn, size, directions, layout, template, cut
):
    rows = [
        (list(labels), [f"{number} {text} {label}" for label in labels], path, document)
        for number, (labels, path, document, text, _) in enumerate(drawn)
    ]
    batch = pairs(*rows)
    held = {h: row[4] for h, row in zip(batch["content_hash"].to_pylist(), drawn, strict=True)}
    options = {
        "pairs_per_document": size, "directions": directions, "layout": layout,
        "template": template,
    }  # fmt: skip

    def split(rows):
        return [held[each] for each in rows.column("content_hash").to_pylist()]

    found = documents(batch, options, split)
    assert found == documents(batch, options, split, cut=cut)  # batches make no difference
    seen = Counter()
    for document in found:
        labels, texts = content(document, options)
        assert 1 <= len(texts) == document[NUM_PAIRS] <= size
        members = [int(row[0].split(" ")[0]) for row in texts]
        assert members == sorted(members)
        for number, row in zip(members, texts, strict=True):
            by_label = dict(zip(labels, row, strict=True))
            assert [by_label[label] for label in rows[number][0]] == rows[number][1]
        kinds = {(tuple(rows[n][0]), *rows[n][2:], drawn[n][4]) for n in members}
        assert len(kinds) == 1
        assert {document[HELD_OUT]} == {drawn[n][4] for n in members}
        seen.update(members)
        forth = tuple(rows[members[0]][0])
        allowed = {"as_is": [forth], "reversed": [forth[::-1]]}.get(directions)
        assert labels in (allowed or [forth, forth[::-1]])
    assert seen == dict.fromkeys(range(len(rows)), 2 if directions == "both" else 1)
    hashes = [document["content_hash"] for document in found]
    assert len(set(hashes)) == len(hashes) or len(set(held)) < len(rows)


def test_short_groups_are_not_trained_on_where_the_recipe_says_so():
    options = {"min_pairs": 4, **AS_IS}
    assert numbers(documents(pairs(*numbered(23)), options)) == [[*range(10)], [*range(10, 20)]]
    assert len(documents(pairs(*numbered(24)), options)) == 3
    # What is held out stays.
    held = documents(pairs(*numbered(3)), options, lambda rows: [True] * 3)
    assert [d[NUM_PAIRS] for d in held] == [3]


def test_hashed_directions_are_of_the_pairs_and_even():
    batch = pairs(*numbered(4_000))
    found = documents(batch, {"pairs_per_document": 2})
    forth = sum(d["original_code"] == "eng_Latn>deu_Latn" for d in found)
    assert len(found) == 2_000
    assert 900 < forth < 1_100
    again = documents(batch, {"pairs_per_document": 2}, cut=7)
    assert [d["original_code"] for d in again] == [d["original_code"] for d in found]
    other = documents(batch, {"pairs_per_document": 2}, seed=43)
    assert [d["original_code"] for d in other] != [d["original_code"] for d in found]


def test_a_document_is_another_in_another_direction_or_template_or_layout():
    batch = pairs(*numbered(3))
    hashes = [
        document["content_hash"]
        for options in (
            {"directions": "both"}, {"template": "plain", **AS_IS}, {"layout": "blocks", **AS_IS},
            {"pairs_per_document": 2, **AS_IS},
        )
        for document in documents(batch, options)
    ]  # fmt: skip
    assert len(set(hashes)) == len(hashes) == 6
    assert documents(batch, AS_IS)[0]["content_hash"] == hashes[0]


# ------------------------------------------------------------- held out


def test_held_out_directions():
    options = Bitext(directions="both", held_out=["eng_Latn>swa_Latn", "deu_Latn-ces_Latn"])
    directions = Directions(options, 42)
    forth, back = (0, 1), (1, 0)

    def of(*labels, validation=False):
        return directions.of(labels, b"x" * 16, validation=validation)

    assert of(ENG, DEU) == [forth, back]
    assert of(ENG, SWA) == [back]
    assert of(SWA, ENG) == [forth]
    assert of(ENG, "swh_Latn") == [back]  # a member of the macrolanguage
    assert of(CES, DEU) == of(DEU, CES) == []
    assert directions.held_out((CES, DEU))
    assert not directions.held_out((ENG, SWA))
    # The split that tests are made of has them.
    assert of(CES, DEU, validation=True) == of(ENG, SWA, validation=True) == [forth, back]
    # In three languages: any two of them, in the order of the text.
    assert of(DEU, ENG, SWA) == [(2, 1, 0)]
    assert of(DEU, ENG, CES) == []
    assert [directions.num_trained(two) for two in [(ENG, DEU), (ENG, SWA), (CES, DEU)]] == [
        2,
        1,
        0,
    ]


@pytest.mark.parametrize("mode", ["hashed", "as_is", "reversed", "both"])
def test_what_a_mode_gives_where_a_direction_is_held_out(mode):
    directions = Directions(Bitext(directions=mode, held_out=["eng_Latn>swa_Latn"]), 42)
    expected = {"hashed": [(1, 0)], "as_is": [], "reversed": [(1, 0)], "both": [(1, 0)]}
    for n in range(20):
        of = directions.of((ENG, SWA), bytes([n] * 16), validation=False)
        assert of == expected[mode]


def test_both_directions_held_out_one_by_one_are_the_pair():
    options = Bitext(held_out=["eng_Latn>swa_Latn", "swa_Latn>eng_Latn"])
    assert Directions(options, 1).held_out((ENG, SWA))


HELD = ["eng_Latn>swa_Latn", "deu_Latn-ces_Latn"]
LANGUAGES = [ENG, DEU, SWA, CES, FRA]


@pytest.fixture
def mixed(tmp_path, corpus_of):
    """Mixes units of pairs with a recipe; gives the plan and the rows of each split."""

    def mix(units, bitext, **options):
        root = str(tmp_path / f"out{len(list(tmp_path.iterdir()))}")
        sources = [
            {"name": f"s{n}", "path": "-", "category": "bitext", "domain": "d", "licence": "PD"}
            for n in range(len(units))
        ]  # fmt: skip
        sources.append({"name": "texts", "path": "-"})
        recipe = Recipe.model_validate(
            {
                "glotmill": 1,
                "name": "t",
                "sources": sources,
                "bitext": bitext,
                "mix": options,
                "deduplicate": {"exact": False, "max_repeated_sides": None},
                "output": {"parquet": {"shards": 2}},
            }
        )
        records = [ingested(root, number, batch) for number, batch in enumerate(units)]
        locked = [Unit(key=r.key, source=r.source, num_bytes=1, slices=()) for r in records]
        lock = Lock(glotmill="0", recipe=recipe, inputs=(), units=tuple(locked))
        corpus = corpus_of(root, lock, records)
        corpus.mix()
        rows = [
            [row for table in corpus.rows(split) for row in table.to_pylist()]
            for split in ("train", "validation")
        ]
        return read_table(f"{root}/{PLAN_PATH}").to_pylist(), *rows

    return mix


def ingested(root, number, batch):
    """A unit of pairs as ingest leaves it; gives its record."""
    table = pa.Table.from_batches([batch])
    about = {"stage": "ingest", "outcome": "kept", "source": f"s{number}"}
    files = (
        write_table(root, f"ingest/documents/u{number}.parquet", table),
        write_table(root, f"ingest/statistics/u{number}.parquet", summarise(batch, about)),
    )
    return UnitRecord(
        key=f"u{number}", source=f"s{number}", num_read=batch.num_rows,
        num_kept=batch.num_rows, num_dropped=0, num_rejected=0, num_input_bytes=0,
        num_text_bytes=0, files=files, profile={},
    )  # fmt: skip


def all_pairs(per_pair):
    rows = [
        row
        for two in itertools.permutations(LANGUAGES, 2)
        for row in numbered(per_pair, two)
    ]  # fmt: skip
    rows += numbered(30, (ENG, DEU, CES)) + numbered(30, (SWA, FRA, ENG), start=1_000)
    rows += numbered(30, (FRA, ENG, DEU, SWA), start=2_000)
    return rows + numbered(30, (FRA, ENG, DEU, CES), start=3_000)


@pytest.mark.parametrize("directions", ["hashed", "as_is", "both"])
def test_what_is_held_out_is_in_no_training_document(mixed, directions):
    rows = all_pairs(60)
    bitext = {"held_out": HELD, "directions": directions}
    units = [pairs(*rows), pairs(*rows[::-1])]
    plan, train, validation = mixed(units, bitext, tiers="uniform")
    assert len(train) > 50
    orders = {tuple(row["original_code"].split(">")) for row in train}
    for order in orders:
        assert not {CES, DEU} <= set(order), order
        assert (ENG, SWA) not in itertools.combinations(order, 2), order
    # The other way round, and every other pair, is there.
    assert (SWA, ENG) in orders
    assert {frozenset(order) for order in orders} >= {
        frozenset(two) for two in itertools.combinations(LANGUAGES, 2) if set(two) != {CES, DEU}
    }
    # As tests: all of the pair, in both directions; and the direction, of pairs held out anyway.
    tests = Counter()
    for row in validation:
        tests[row["original_code"]] += len(content(row, bitext)[1])
    # Of 240 pairs (two units, both orders in the data) no more than the ceiling.
    assert tests["ces_Latn>deu_Latn"] == tests["deu_Latn>ces_Latn"] == 200
    assert tests["eng_Latn>swa_Latn"] > 0
    (row,) = (row for row in plan if row["label"] == "ces_Latn-deu_Latn")
    assert (row["rate"], row["planned_count"], row["available"]) == (0, 0, 0)
    assert row["num_validation_documents"] == 200


def test_no_pair_is_in_both_splits(mixed):
    units = [pairs(*numbered(600)), pairs(*numbered(100, (DEU, ENG), start=600), source="s1")]
    options = {"tiers": "uniform", "validation": {"share": 0.1}}
    plan, train, validation = mixed(units, {"directions": "both"}, **options)
    splits = [
        {dict(zip(labels, texts, strict=True))[ENG] for row in rows for labels, all_ in
         [content(row)] for texts in all_}
        for rows in (train, validation)
    ]  # fmt: skip
    assert not splits[0] & splits[1]
    assert len(splits[0]) == 630
    assert len(splits[1]) == 70 == plan[0]["num_validation_documents"]
    assert plan[0]["planned_count"] == sum(row["num_words"] for row in train)
    assert plan[0]["planned_count"] == pytest.approx(2 * plan[0]["num_words"] * 0.9, rel=0.01)


def test_rates_and_copies_are_of_documents(mixed):
    tiers = [{"name": "a", "at_least": 0, "rate": 2.5}]
    units = [pairs(*numbered(2_000))]
    _, train, _ = mixed(units, {}, tiers=tiers, validation={"share": 0})
    copies = defaultdict(list)
    for row in train:
        copies[row["content_hash"]].append(row["copy"])
        assert (row["domain"], row["licence"], row["category"]) == ("d", "PD", "bitext")
    assert len(copies) == 200
    assert {tuple(sorted(each)) for each in copies.values()} == {(0, 1), (0, 1, 2)}
    assert 430 < len(train) < 570


@pytest.mark.parametrize("rate", [0.03, 0.5, 1.3])
def test_both_directions_of_a_group_are_drawn_together(mixed, rate):
    tiers = [{"name": "a", "at_least": 0, "rate": rate}]
    units = [pairs(*numbered(600)), pairs(*numbered(400, (DEU, ENG), start=600), source="s1")]
    plan, train, _ = mixed(units, {"directions": "both"}, tiers=tiers, validation={"share": 0})
    drawn = {"eng_Latn>deu_Latn": Counter(), "deu_Latn>eng_Latn": Counter()}
    for row in train:
        _, rows = content(row)
        drawn[row["original_code"]].update(tuple(sorted(texts)) for texts in rows)
    forth, back = drawn.values()
    assert forth == back
    # The documents differ in length.
    assert len(forth) == pytest.approx(1_000 * min(rate, 1), abs=50)
    # What is drawn is still within a document of what is wanted.
    (row,) = plan
    realised = sum(each["num_words"] for each in train)
    longest = max(each["num_words"] for each in train)
    assert abs(realised - row["planned_count"]) <= longest


@pytest.mark.parametrize("directions", ["hashed", "both"])
def test_statistics_count_pairs(mixed, tmp_path, directions):
    """Once: written the other way they are repeated, so that what is not drawn can be told."""
    options = {"tiers": "uniform", "validation": {"share": 0.1}}
    mixed([pairs(*numbered(95))], {"directions": directions}, **options)
    (folder,) = tmp_path.iterdir()
    tables = [read_table(str(f)) for f in Path(folder, "mix", "statistics").iterdir()]
    found = pa.concat_tables(tables).to_pylist()
    sums = Counter()
    for row in found:
        sums[row["outcome"], row["reason"]] += row["num_documents"]
    once = {("train", ""): 86, ("validation", ""): 9}
    again = {("train", "repeated"): 86, ("validation", "repeated"): 9}
    assert sums == (once | again if directions == "both" else once)
    assert {row["label"] for row in found} == {"deu_Latn-eng_Latn"}


def test_what_the_mixture_leaves_out_is_nowhere(mixed):
    _, train, validation = mixed([pairs(*all_pairs(5))], {"held_out": HELD}, exclude=["bitext"])
    assert train == validation == []


def test_the_section_counts_for_the_stage_only_where_there_are_pairs():
    def key(category, bitext):
        source = {"name": "s", "path": "-", "category": category}
        recipe = Recipe.model_validate(
            {"glotmill": 1, "name": "t", "sources": [source], "bitext": bitext}
        )
        return ComposeStage().key(SimpleNamespace(lock=SimpleNamespace(recipe=recipe)), "before")

    assert key("bitext", {}) != key("bitext", {"template": "plain"})
    assert key("monolingual", {}) == key("monolingual", {"template": "plain"})
