"""Weights by size of cluster: the published method against plain Python, tables, the means."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glotmill.schemas.recipe import WeightsFromRates, WeightTable
from glotmill.schemas.tables import CLUSTER_SIZES, COUNTS, REHYDRATION
from glotmill.transforms.rehydrate import (
    Rates,
    Weights,
    mean_weights,
    rehydration,
    removal_rates,
    weights_from_rates,
)

# The table that FineWeb2 gives as its example.
ITALIAN = {1: 1, 2: 3, 3: 4, 4: 5, 5: 6, 7: 7, 8: 8, 11: 9, 17: 10, 26: 9, 31: 8, 46: 7, 52: 6,
           63: 5, 75: 4, 96: 3, 118: 2, 123: 3, 125: 2, 145: 1}  # fmt: skip


@pytest.mark.parametrize(
    ("size", "weight"),
    [(1, 1), (2, 3), (6, 6), (10, 8), (11, 9), (16, 9), (17, 10), (25, 10), (26, 9), (144, 2),
     (145, 1), (10**9, 1)],
)  # fmt: skip
def test_a_weight_holds_up_to_the_next_size(size, weight):
    assert Weights({"ita_Latn": ITALIAN}).of("ita_Latn", size) == weight


def test_the_table_of_a_label_goes_before_the_general_one():
    weights = Weights({"": {2: 3.0}, "swa_Latn": {4: 0.5}})
    assert [weights.of("eng_Latn", size) for size in (1, 2, 9)] == [1, 3, 3]
    assert [weights.of("swa_Latn", size) for size in (1, 2, 4)] == [1, 1, 0.5]
    assert Weights({"swa_Latn": {2: 3.0}}).of("eng_Latn", 2) == 1
    assert Weights({}).of("eng_Latn", 2) == 1


def by_hand(rates, overall, highest):
    """What FineWeb2 describes, a number at a time."""
    lowest = min(rates)
    raw = [
        1.0 if rate >= overall else 1 + (highest - 1) * (rate - overall) / (lowest - overall)
        for rate in rates
    ]
    smooth = list(raw)
    for place in range(2, len(raw) - 2):
        smooth[place] = sum(raw[place - 2 : place + 3]) / 5
    return smooth


def test_weights_by_hand():
    # Neighbours take down the weight of the lowest rate; two at each end keep their own.
    rates = np.array([0.6, 0.5, 0.4, 0.2, 0.3, 0.5, 0.5, 0.9])
    # Before the mean: 1, 1, 4, 10, 7, 1, 1, 1.
    found = weights_from_rates(Rates(list(range(1, 9)), rates, 0.5), 10)
    assert found == [1, 1, round(23 / 5), round(23 / 5), round(23 / 5), 4, 1, 1]


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0, 1), st.integers(1, 20)
)  # fmt: skip
def test_weights_are_those_of_the_published_formula(rates, overall, highest):
    sizes = list(range(1, len(rates) + 1))
    found = weights_from_rates(Rates(sizes, np.array(rates), overall), highest)
    expected = by_hand(rates, overall, highest)
    assert found == pytest.approx(expected, abs=0.5 + 1e-6)
    assert all(1 <= weight <= highest for weight in found)


@pytest.mark.parametrize("rates", [[0.5] * 7, [0.5, 0.6, 0.7, 0.9, 1, 1], [0.5], [0.0] * 6])
def test_without_a_rate_below_that_of_all_every_weight_is_one(rates):
    overall = min(rates)
    found = weights_from_rates(Rates(list(range(len(rates))), np.array(rates), overall), 10)
    assert found == [1] * len(rates)


@pytest.mark.parametrize("num_sizes", [1, 2, 3, 4])
def test_few_sizes_are_not_smoothed(num_sizes):
    rates = np.array([0.9, 0.1, 0.5, 0.8][:num_sizes])
    found = weights_from_rates(Rates(list(range(num_sizes)), rates, 0.5), 10)
    assert found == [1, 10, 1, 1][:num_sizes]


def test_rates_are_of_clusters_of_which_one_document_is_drawn_by_lot():
    # 100 documents alone, 40 dropped; 20 pairs, in which 8 of 40 documents were.
    rates = removal_rates({1: 60, 2: 32}, {1: 40, 2: 8}, min_clusters=1)
    assert rates.sizes == [1, 2]
    assert rates.rates.tolist() == pytest.approx([0.4, 0.2])
    assert rates.overall == pytest.approx((40 + 8 / 2) / (100 + 40 / 2))


def test_sizes_from_the_first_rare_one_on_are_taken_together():
    # Clusters: 30 of size 1, 10 of 2, 2 of 3, 10 of 4.
    kept, dropped = {1: 15, 2: 10, 3: 6, 4: 20}, {1: 15, 2: 10, 4: 20}
    rates = removal_rates(kept, dropped, min_clusters=3)
    assert rates.sizes == [1, 2, 3]
    assert rates.rates.tolist() == pytest.approx([0.5, 0.5, (20 / 4) / (6 / 3 + 40 / 4)])
    assert removal_rates(kept, dropped, min_clusters=2).sizes == [1, 2, 3, 4]
    alone = removal_rates(kept, dropped, min_clusters=1_000)
    assert (alone.sizes, alone.rates.tolist()) == ([1], [alone.overall])


def test_a_size_of_which_all_was_dropped():
    rates = removal_rates({1: 5}, {3: 6}, min_clusters=1)
    assert (rates.sizes, rates.rates.tolist()) == ([1, 3], [0.0, 1.0])


def cluster_sizes(*rows):
    """Rows of (category, label, size, documents, kept, dropped); ten words a document."""
    counts = dict.fromkeys(COUNTS, 1)
    return pa.Table.from_pylist(
        [
            {
                "category": category, "label": label, "cluster_size": size,
                "num_documents": documents, "num_kept": kept, "num_dropped": dropped,
                **counts, "num_words": 10 * documents,
            }
            for category, label, size, documents, kept, dropped in rows
        ],
        schema=CLUSTER_SIZES,
    )  # fmt: skip


SIZES = cluster_sizes(
    ("book", "eng_Latn", 1, 0, 0, 1_000),
    ("monolingual", "eng_Latn", 1, 50, 50, 50),
    ("monolingual", "eng_Latn", 2, 80, 180, 20),
    ("paper", "eng_Latn", 1, 25, 25, 75),
    ("paper", "fra_Latn", 2, 3, 6, 0),
)


def test_computed_weights_are_by_label_over_the_categories_of_the_mixture():
    options = WeightsFromRates(method="fineweb2", max_repetitions=5, min_clusters=1)
    table = rehydration(options, SIZES, exclude=["book"])
    assert table.schema == REHYDRATION
    assert table.to_pylist() == [
        {"label": "eng_Latn", "cluster_size": 1, "removal_rate": 0.625, "weight": 1},
        {"label": "eng_Latn", "cluster_size": 2, "removal_rate": pytest.approx(0.1), "weight": 5},
        {"label": "fra_Latn", "cluster_size": 2, "removal_rate": 0, "weight": 1},
    ]


def test_tables_of_the_recipe_are_written_as_they_are():
    options = WeightTable(table={3: 2, 1: 1}, labels={"swa_Latn": {2: 0.5}})
    table = rehydration(options, SIZES, exclude=[])
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        ("", 1, None, 1), ("", 3, None, 2), ("swa_Latn", 2, None, 0.5),
    ]  # fmt: skip
    weights = Weights.read(table)
    assert (weights.of("eng_Latn", 7), weights.of("swa_Latn", 7)) == (2, 0.5)
    assert rehydration(WeightTable(table={}), SIZES, []).equals(REHYDRATION.empty_table())


def test_mean_weights_are_over_the_unit_of_the_plan():
    weights = Weights({"": {2: 3.0}})
    found = mean_weights(SIZES, weights, "num_words")
    assert found == {
        ("monolingual", "eng_Latn"): pytest.approx((50 + 3 * 80) / 130),
        ("paper", "eng_Latn"): 1,
        ("paper", "fra_Latn"): 3,
    }
    assert mean_weights(SIZES, weights, "num_bytes")["monolingual", "eng_Latn"] == 2
