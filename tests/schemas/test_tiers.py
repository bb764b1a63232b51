"""Tiers: which label is in which, at the edges of the shipped table and of one's own."""

import csv
import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmill.schemas.tiers import TIER_TABLES, Tier, tier_of, tier_table

EMMA = TIER_TABLES["emma500-monolingual"]


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
        ("emma", "no tier table 'emma'; there are emma500-monolingual, uniform"),
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
