"""The global order: a function of seed and position, fair at every point, each epoch complete."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glotmill.trainer.order import Blend, SampleOrder, permute

NAMES = ["a", "b", "c", "d"]
WEIGHTS = {"a": 0.5, "b": 0.3, "c": 0.2, "d": 0.0}


@given(st.integers(1, 5000), st.integers(0, 2**64 - 1))
def test_a_permutation_sends_each_index_to_another(size: int, key: int) -> None:
    keys, sizes = np.full(size, key, np.uint64), np.full(size, size)
    sent = permute(np.arange(size), sizes, keys)
    assert sorted(sent.tolist()) == list(range(size))


def test_permutations_of_unlike_sizes_at_once() -> None:
    sizes = np.array([1, 7, 1000, 7])
    keys = np.array([3, 3, 3, 4], np.uint64)
    together = permute(np.array([0, 5, 5, 5]), sizes, keys)
    alone = [
        permute(np.array([i]), sizes[j : j + 1], keys[j : j + 1])[0]
        for j, i in enumerate([0, 5, 5, 5])
    ]
    assert together.tolist() == alone


def test_a_permutation_shuffles() -> None:
    size = 10_000
    sent = permute(np.arange(size), np.full(size, size), np.full(size, 9, np.uint64))
    assert abs(np.corrcoef(np.arange(size), sent)[0, 1]) < 0.05
    assert np.abs(np.diff(sent)).mean() == pytest.approx(size / 3, rel=0.05)


@given(st.lists(st.floats(1e-4, 1.0), min_size=1, max_size=30), st.integers(0, 3000))
def test_shares_are_kept_at_every_position(weights: list[float], position: int) -> None:
    names = [f"set-{number}" for number in range(len(weights))]
    blend = Blend(names, dict(zip(names, weights, strict=True)), seed=5)
    shares = np.array(weights) / sum(weights)
    difference = np.abs(blend.before(position) - shares * position)
    assert (difference <= 1 + len(weights) * shares).all()
    assert blend.before(position).sum() == position


def test_ordinals_count_up_in_each_dataset() -> None:
    datasets, ordinals = Blend(NAMES, WEIGHTS, seed=1).samples(0, 2000)
    for number in range(4):
        of_one = ordinals[datasets == number]
        assert of_one.tolist() == list(range(len(of_one)))
    assert np.bincount(datasets, minlength=4).tolist() == [1000, 600, 400, 0]


@given(st.integers(0, 10**9), st.integers(1, 50), st.integers(1, 50))
def test_any_stretch_is_the_same_in_parts(position: int, first: int, second: int) -> None:
    order = SampleOrder(NAMES, [900, 70, 5000, 10], [(0, WEIGHTS)], 8, seed=2)
    whole = np.stack(order.samples(position, first + second))
    parts = [order.samples(position, first), order.samples(position + first, second)]
    assert (whole == np.concatenate([np.stack(part) for part in parts], axis=1)).all()


def test_an_epoch_takes_each_sequence_once_and_the_next_cuts_elsewhere() -> None:
    order = SampleOrder(["a"], [1003], [(0, {"a": 1.0})], 10, seed=3)
    _, starts = order.samples(0, 200)
    for epoch in (starts[:100], starts[100:]):
        covered = (epoch[:, None] + np.arange(10)).ravel() % 1003
        assert len(set(covered.tolist())) == 1000
    assert set(starts[:100]) != set(starts[100:])


def test_seeds_and_names_decide() -> None:
    def starts(names: list[str], seed: int) -> list[int]:
        weights = dict.fromkeys(names, 1.0)
        order = SampleOrder(names, [5000] * len(names), [(0, weights)], 10, seed)
        datasets, places = order.samples(0, 100)
        return places[datasets == 0].tolist()

    assert starts(["a"], 1) != starts(["a"], 2)
    both = starts(["a", "b"], 1)
    assert both == starts(["a"], 1)[: len(both)], "another dataset leaves the order of one alone"


def test_stages_go_on_where_the_one_before_ended() -> None:
    stages = [(0, WEIGHTS), (100, {"a": 1.0}), (160, WEIGHTS)]
    order = SampleOrder(NAMES, [100_000] * 4, stages, 10, seed=4)
    datasets, starts = order.samples(0, 400)
    assert (datasets[100:160] == 0).all()
    assert len(set(zip(datasets.tolist(), starts.tolist(), strict=True))) == 400
    for position in (0, 50, 100, 130, 160, 400):
        counts = np.bincount(datasets[:position], minlength=4)
        assert order.before(position).tolist() == counts.tolist()


def test_a_dataset_shorter_than_a_sequence() -> None:
    order = SampleOrder(["a"], [3], [(0, {"a": 1.0})], 10, seed=1)
    assert set(order.samples(0, 20)[1].tolist()) <= {0, 1, 2}
