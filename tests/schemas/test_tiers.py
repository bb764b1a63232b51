"""Tiers: which label is in which, at the edges of the shipped table and of one's own."""

import csv
import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmill.schemas.tiers import TIER_TABLES, CategoryTiers, Tier, tier_of, tier_table, tiers_of

EMMA = TIER_TABLES["emma500-monolingual"]
PAIRS = TIER_TABLES["emma500-bitext"]


@pytest.mark.parametrize(
    ("count", "name"),
    [
        (1e9, "high"), (1e9 - 1, "medium-high"), (1e8, "medium-high"), (1e8 - 1, "medium"),
        (1e7, "medium"), (1e7 - 1, "medium-low"), (1e6, "medium-low"), (1e6 - 1, "low"),
        (1e5, "low"), (1e5 - 1, "unseen"), (0, "unseen"),
    ],
)  # fmt: skip
def test_a_threshold_belongs_to_the_tier_above_it(count, name):
    assert tier_of(count, EMMA).name == name


@pytest.mark.parametrize(
    ("count", "name"),
    [
        (31e9, "very high"), (1e10, "very high"), (1e10 - 1, "high"), (1e9, "high"),
        (1e9 - 1, "medium-high"), (5e8, "medium-high"), (5e8 - 1, "medium"), (1e8, "medium"),
        (1e8 - 1, "medium-low"), (1e7, "medium-low"), (1e7 - 1, "low"), (1e6, "low"),
        (1e6 - 1, "very low"), (15, "very low"), (0, "very low"),
    ],
)  # fmt: skip
def test_the_tiers_of_pairs(count, name):
    assert tier_of(count, PAIRS).name == name


def test_the_smaller_a_label_the_more_often_it_is_drawn():
    for table in (EMMA[:-1], PAIRS):  # the last tier of EMMA is not trained on
        rates = [tier.rate for tier in table]
        assert rates == sorted(rates)
        assert 20 <= rates[-1] / rates[0] <= 50


def test_each_category_has_its_table():
    tiers = CategoryTiers(book=[Tier(name="a", at_least=0, rate=2)])
    assert tiers_of(tiers, "monolingual") == EMMA
    assert tiers_of(tiers, "bitext") == PAIRS
    assert tiers_of(tiers, "book")[0].name == "a"
    assert tiers_of(tiers, "code") == tiers_of("uniform", "bitext") == TIER_TABLES["uniform"]


@settings(deadline=None)
@given(st.permutations(EMMA), st.floats(0, 1e12))
def test_a_table_may_be_written_in_any_order(tiers, count):
    assert tier_table(tiers) == EMMA
    found = tier_of(count, tier_table(tiers))
    assert found.at_least == max(tier.at_least for tier in tiers if tier.at_least <= count)


@pytest.mark.parametrize("name", sorted(TIER_TABLES))
def test_shipped_tables_would_be_taken_as_written_ones(name):
    assert tier_table(list(TIER_TABLES[name])) == TIER_TABLES[name]


@pytest.mark.parametrize(
    ("tiers", "message"),
    [
        ("emma", "no tier table 'emma'; there are emma500-bitext, emma500"),
        ([], "the lowest tier has to start at 0"),
        ([Tier(name="a", at_least=1, rate=1)], "the lowest tier has to start at 0"),
        ([Tier(name="a", at_least=0, rate=1), Tier(name="b", at_least=0, rate=2)], "threshold"),
        ([Tier(name="a", at_least=0, rate=1), Tier(name="a", at_least=1, rate=2)], "a name"),
    ],
)
def test_tables_that_are_refused(tiers, message):
    with pytest.raises(ValueError, match=message):
        tier_table(tiers)


@pytest.mark.data
def test_the_published_counts_fall_into_the_published_tiers(data_folder):
    published = data_folder / "published"
    rows = list(csv.DictReader((published / "mala_monolingual_counts.csv").open()))
    tiers = {row["lang_code"]: tier_of(int(row["num_tokens"]), EMMA).name for row in rows}
    sizes = Counter(tiers.values())
    assert [sizes[tier.name] for tier in EMMA] == [27, 79, 68, 162, 210, 393]
    stated = json.loads((published / "mala_monolingual_tiers.json").read_text())
    assert tiers == {label: tier for tier, labels in stated.items() for label in labels}
