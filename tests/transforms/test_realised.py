"""What was drawn, counted: sums of shards however they are cut, and beside the plan."""

from collections import defaultdict

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glotmill.schemas import recipe
from glotmill.schemas.tables import COUNTS, DRAWN_SUMS, PLAN, RATES, REALISED
from glotmill.transforms.findings import FINDINGS_PATH, findings_of_json
from glotmill.transforms.realised import drawn_sums, findings_of_drawn, merge_drawn, realised

SUMS = ("num_documents", *COUNTS, "num_tokens")
KEYS = ("split", "category", "label", "domain", "source", "licence")
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "category": st.sampled_from(["book", "code"]),
            "label": st.sampled_from(["eng_Latn", "swh_Latn"]),
            "domain": st.sampled_from([None, "news"]),
            "licence": st.sampled_from([None, "PD"]),
            "source": st.sampled_from(["a", "b"]),
            "num_tokens": st.none() | st.integers(0, 2**40),
            **{name: st.integers(0, 2**40) for name in COUNTS},
        }
    ),
    max_size=20,
)
TYPES = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in KEYS[1:]),
        *(pa.field(name, pa.int64()) for name in SUMS[1:]),
    ]
)


def table_of(rows):
    return pa.Table.from_pylist(rows, schema=TYPES)


def by_hand(rows, split):
    sums = defaultdict(lambda: [0] * len(SUMS))
    for row in rows:
        key = (split, *(row[name] or "" for name in KEYS[1:]))
        numbers = [1, *(row[name] or 0 for name in SUMS[1:])]
        sums[key] = [a + b for a, b in zip(sums[key], numbers, strict=True)]
    return dict(sums)


def sums_of(table):
    return {tuple(row[k] for k in KEYS): [row[name] for name in SUMS] for row in table.to_pylist()}


@given(ROWS, st.sampled_from(["train", "validation"]))
def test_sums_of_a_shard(rows, split):
    found = drawn_sums(table_of(rows), split)
    assert found.schema.equals(DRAWN_SUMS)
    assert sums_of(found) == by_hand(rows, split)
    assert list(sums_of(found)) == sorted(sums_of(found))


@given(ROWS, st.integers(1, 5))
def test_shards_cut_in_any_way_have_the_same_sums(rows, num_parts):
    whole = drawn_sums(table_of(rows), "train")
    parts = [drawn_sums(table_of(rows[n::num_parts]), "train") for n in range(num_parts)]
    assert merge_drawn(parts).equals(whole)
    assert merge_drawn(parts[::-1]).equals(whole)
    assert merge_drawn([merge_drawn(parts[:2]), *parts[2:]]).equals(whole)


def test_no_shards():
    assert merge_drawn([]).equals(DRAWN_SUMS.empty_table())


def plan_of(*rows):
    """A plan of (category, label, planned count)."""
    made = []
    for category, label, planned in rows:
        row = {f.name: "" if pa.types.is_string(f.type) else 0 for f in PLAN}
        row |= {"category": category, "label": label, "tier": "low", "planned_count": planned}
        made.append(row)
    return pa.Table.from_pylist(made, schema=PLAN)


@pytest.mark.parametrize("count_by", ["tokens", "words", "whitespace_words", "bytes", "characters"])
def test_the_plan_beside_what_was_drawn(count_by):
    def row(category, label, number, **more):
        counts = {name: number * place for place, name in enumerate(SUMS[1:], 2)}
        return {**dict.fromkeys(KEYS[1:], ""), "category": category, "label": label} | counts | more

    train = [row("book", "a", 1), row("book", "a", 10, domain="d"), row("book", "b", 100)]
    drawn = merge_drawn(
        [drawn_sums(table_of(train), "train"), drawn_sums(table_of([row("book", "a", 7)]),
                                                          "validation")]
    )  # fmt: skip
    plan = plan_of(("book", "b", 99.5), ("book", "a", 12.0), ("code", "a", 3.0))
    found = realised(plan, drawn, count_by)
    assert found.schema.equals(REALISED)
    column = f"num_{count_by}"
    factor = SUMS[1:].index(column) + 2
    rows = found.to_pylist()
    assert [(r["category"], r["label"], r["planned_count"], r["realised_count"]) for r in rows] == [
        ("book", "b", 99.5, 100 * factor), ("book", "a", 12.0, 11 * factor), ("code", "a", 3.0, 0),
    ]  # fmt: skip
    assert [r["num_documents"] for r in rows] == [1, 2, 0]
    assert all(r[column] == r["realised_count"] for r in rows)
    assert {r["tier"] for r in rows} == {"low"}


def said_of(rows, budget=None):
    """What is said of rows of (category, label, domain, planned, drawn, number of documents)."""
    names = ("category", "label", "domain", "target", "realised", "num_documents")
    found = [dict(zip(names, row, strict=True)) for row in rows]
    zeros = {f.name: 0 for f in REALISED if pa.types.is_integer(f.type)}
    counts = [
        {**zeros, **row, "tier": "", "planned_count": row["target"],
         "realised_count": row["realised"]} for row in found
    ]  # fmt: skip
    rates = [{"available": 1, "rate": 1.0, **row} for row in found]
    tables = (
        pa.Table.from_pylist([{n: row[n] for n in schema.names if n in row} for row in made],
                             schema=schema)
        for made, schema in ((counts, REALISED), (rates, RATES))
    )  # fmt: skip
    return list(findings_of_drawn(*tables, budget, recipe.Mix(count_by="words")))


def test_what_is_drawn_within_two_per_cent_is_not_told():
    assert said_of([("book", "a", "", 100.0, 102, 3), ("code", "b", "news", 50.0, 49, 3)]) == []
    assert said_of([]) == said_of([("book", "a", "", 0.0, 0, 0)]) == []


def test_labels_of_one_long_document_are_told():
    rows = [("book", "a", "", 400.0, 900, 1), ("book", "b", "", 500.0, 500, 9)]
    (found,) = said_of([*rows, ("book", "c", "", 100.0, 300, 2)], budget=1000.0)
    assert (found.kind, found.wanted, found.possible) == ("realised", 1000.0, 1700.0)
    assert (found.labels, found.stops) == (("book/a", "book/c"), False)
    assert str(found) == (
        "drawn 1,700 words for a budget of 1,000, as 2 labels have one document larger than their "
        "target (book/a, book/c): raise what they are to have, or leave them out with a rate of 0"
    )
    assert str(said_of(rows, budget=1000.0)[0]).startswith("drawn 1,400 words for a plan of 900, ")


def test_categories_and_domains_that_are_drawn_otherwise_are_told():
    found = said_of(
        [("book", "a", "news", 100.0, 0, 0), ("code", "b", "", 100.0, 110, 5),
         ("monolingual", "a", "legal", 100.0, 190, 3)]
    )  # fmt: skip
    assert [(each.subject, each.labels) for each in found] == [
        ("categories", ("book/a",)), ("domains", ("book/a",)),
    ]  # fmt: skip
    assert str(found[0]) == (
        "words drawn of categories are not those planned (book 0 for 100, monolingual 190 for 100, "
        "code 110 for 100), as 1 label has a domain of which nothing is drawn (book/a): larger "
        "amounts are met more closely"
    )
    assert "(news 0 for 100, legal 190 for 100), as 1 label has a domain of " in str(found[1])
    (found,) = said_of([("book", "a", "", 100.0, 110, 5)])
    assert str(found) == (
        "drawn 110 words for a plan of 100, as documents are drawn whole: larger amounts are met "
        "more closely"
    )


def test_what_was_drawn_otherwise_is_in_the_findings_of_a_run(make_corpus):
    texts = [("eng", " ".join(f"{name}{n}" for n in range(600))) for name in "ab"]
    corpus = make_corpus(
        [texts], [{}], filters={"max_repeated_ngram_share": 1},
        mix={"tiers": "uniform", "strategy": "unimax", "budget": 100.0},
    )  # fmt: skip
    manifests = corpus.mix()
    with open(f"{corpus.root}/{FINDINGS_PATH}", "rb") as file:
        (found,) = findings_of_json(file.read())
    assert (found.kind, found.wanted, found.possible) == ("realised", 100.0, 600.0)
    assert [e.num_rows for e in manifests["mix"].files if e.path == FINDINGS_PATH] == [1]
