"""Plan: what is there, which tier it is in, how much of it is held out."""

import csv
import io
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmill.schemas import recipe
from glotmill.schemas.tables import COUNTS, PLAN, STATISTICS
from glotmill.schemas.tiers import TIER_TABLES
from glotmill.transforms.plan import (
    available,
    held_out_counts,
    make_plan,
    num_held_out,
    plan_csv,
)


def statistics(*rows):
    """Rows of (source, label, documents, words); every other count is its place in COUNTS."""
    full = []
    for source, label, documents, words in rows:
        row = {field.name: "" for field in STATISTICS if pa.types.is_string(field.type)}
        row |= {name: place * documents for place, name in enumerate(COUNTS)}
        row |= {"source": source, "label": label, "num_documents": documents, "num_words": words}
        full.append(row)
    return pa.Table.from_pylist(full, schema=STATISTICS)


CATEGORIES = {"a": "monolingual", "b": "monolingual", "c": "book"}


def test_what_is_available_is_what_was_kept_less_what_was_removed():
    kept = statistics(
        ("b", "fra_Latn", 5, 50), ("a", "eng_Latn", 10, 100), ("b", "eng_Latn", 7, 70),
        ("c", "eng_Latn", 3, 30), ("a", "deu_Latn", 4, 40),
    )  # fmt: skip
    removed = statistics(("b", "eng_Latn", 2, 20), ("a", "deu_Latn", 4, 40))
    counts = available(kept, removed, CATEGORIES)
    found = [
        (r["category"], r["label"], r["num_documents"], r["num_words"]) for r in counts.to_pylist()
    ]
    assert found == [
        ("book", "eng_Latn", 3, 30),
        ("monolingual", "eng_Latn", 15, 150),
        ("monolingual", "fra_Latn", 5, 50),
    ]
    assert counts.column("num_sentences").to_pylist() == [4 * n for _, _, n, _ in found]


def test_nothing_is_available_of_nothing():
    none = STATISTICS.empty_table()
    counts = available(none, none, {})
    assert counts.num_rows == 0
    assert make_plan(counts, {}, recipe.Mix()).equals(PLAN.empty_table())


VALIDATION = st.builds(
    recipe.Validation,
    share=st.floats(0, 1),
    max_documents=st.integers(0, 300),
    min_documents=st.integers(0, 300),
)


@settings(deadline=None)
@given(st.integers(0, 10**7), VALIDATION)
def test_bounds_of_what_is_held_out(num_documents, options):
    held_out = num_held_out(num_documents, options)
    assert 0 <= held_out <= options.max_documents
    # Nine tenths stay for training, whatever is asked for.
    assert held_out * 10 <= num_documents
    if options.share == 0:
        assert held_out == 0
    elif held_out < min(options.max_documents, num_documents // 10):
        assert held_out >= options.min_documents
        assert abs(held_out - options.share * num_documents) <= max(0.5, options.min_documents)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 1000), VALIDATION)
def test_a_larger_label_holds_out_no_less(num_documents, more, options):
    assert num_held_out(num_documents, options) <= num_held_out(num_documents + more, options)


@pytest.mark.parametrize(
    ("num_documents", "expected"), [(0, 0), (9, 0), (10, 1), (149, 1), (151, 2), (10**6, 200)]
)
def test_what_the_defaults_hold_out(num_documents, expected):
    assert num_held_out(num_documents, recipe.Validation()) == expected


def counts(*rows):
    return available(statistics(*rows), STATISTICS.empty_table(), CATEGORIES)


TIERS = [
    {"name": "large", "at_least": 1000, "rate": 0.5},
    {"name": "middle", "at_least": 100, "rate": 1},
    {"name": "small", "at_least": 0, "rate": 4},
]


def test_a_plan_by_hand():
    there = counts(
        ("a", "eng_Latn", 1000, 5000), ("a", "fra_Latn", 20, 100), ("c", "eng_Latn", 5, 99)
    )
    options = recipe.Mix(tiers=TIERS, exclude=["bitext"], validation={"share": 0.01})
    assert held_out_counts(there, options) == {
        ("book", "eng_Latn"): 0, ("monolingual", "eng_Latn"): 10, ("monolingual", "fra_Latn"): 1,
    }  # fmt: skip
    plan = make_plan(there, {("monolingual", "eng_Latn"): 77}, options)
    assert plan.schema == PLAN
    wanted = ["label", "tier", "rate", "num_validation_documents", "validation_threshold"]
    assert [tuple(row.values()) for row in plan.select(wanted).to_pylist()] == [
        ("eng_Latn", "small", 4, 0, -1),
        ("eng_Latn", "large", 0.5, 10, 77),
        ("fra_Latn", "middle", 1, 1, -1),
    ]
    planned = plan.column("planned_count").to_pylist()
    assert planned == pytest.approx([4 * 99, 0.5 * 5000 * 0.99, 100 * 0.95])


@pytest.mark.parametrize("count_by", ["words", "whitespace_words", "bytes", "characters"])
def test_tiers_go_by_the_unit_asked_for(count_by):
    there = counts(("a", "eng_Latn", 1000, 50))
    options = recipe.Mix(tiers=TIERS, count_by=count_by, validation={"share": 0})
    (row,) = make_plan(there, {}, options).to_pylist()
    count = row[f"num_{count_by}"]
    assert row["tier"] == ("large" if count >= 1000 else "small")
    assert row["planned_count"] == row["rate"] * count


def test_categories_that_are_left_out():
    there = counts(("a", "eng_Latn", 1000, 5000), ("c", "eng_Latn", 1000, 5000))
    options = recipe.Mix(exclude=["monolingual", "code"])
    assert held_out_counts(there, options).keys() == {("book", "eng_Latn")}
    assert make_plan(there, {}, options).column("category").to_pylist() == ["book"]


def test_the_plan_for_a_spreadsheet():
    there = counts(("a", "eng_Latn", 1000, 5000))
    rows = list(csv.DictReader(io.StringIO(plan_csv(make_plan(there, {}, recipe.Mix())).decode())))
    assert [(row["label"], row["tier"], row["rate"]) for row in rows] == [
        ("eng_Latn", "unseen", "0")
    ]
    assert "validation_threshold" not in rows[0]


@pytest.mark.data
def test_the_published_counts_give_the_published_sizes_of_tiers(data_folder):
    with (data_folder / "published" / "mala_monolingual_counts.csv").open() as file:
        published = [
            ("a", row["lang_code"], int(row["num_texts"]), int(row["num_tokens"]))
            for row in csv.DictReader(file)
        ]
    plan = make_plan(counts(*published), {}, recipe.Mix(tiers="emma500-monolingual"))
    sizes = Counter(plan.column("tier").to_pylist())
    tiers = TIER_TABLES["emma500-monolingual"]
    assert [sizes[tier.name] for tier in tiers] == [27, 79, 68, 162, 210, 393]
