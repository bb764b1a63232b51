"""Stages: each category in the parts that the recipe gives, every stage shuffled."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glotmill.schemas.curriculum import Stage
from glotmill.transforms.curriculum import SHUFFLED, curriculum_of
from glotmill.transforms.draws import DRAWS

STAGES = [
    Stage(name="broad", parts={"*": 8, "bitext": 1}),
    Stage(name="focus", parts={"bitext": 2, "*": 2}),
    Stage(name="end", parts={"book": 10}),
]
AMOUNTS = {"monolingual": 700.0, "bitext": 200.0, "book": 100.0}
DRAW = st.integers(0, DRAWS - 1)


def draws(count, seed=3):
    return np.random.RandomState(seed).randint(0, DRAWS, count, dtype=np.int64)


def test_without_stages_the_place_is_the_draw():
    some = draws(100)
    assert (SHUFFLED.place("book", some) == some).all()
    assert (curriculum_of([], AMOUNTS).place("book", some) == some).all()
    assert set(SHUFFLED.stage_of(some).tolist()) == {0}


def test_each_stage_takes_its_part_of_each_category():
    curriculum = curriculum_of(STAGES, AMOUNTS)
    expected = {"monolingual": [0.8, 0.2, 0], "bitext": [1 / 3, 2 / 3, 0], "book": [0.4, 0.1, 0.5]}
    for category, parts in expected.items():
        stages = curriculum.stage_of(curriculum.place(category, draws(20_000)))
        found = np.bincount(stages, minlength=3) / 20_000
        assert found == pytest.approx(parts, abs=0.015)


def test_a_stage_is_as_long_as_what_it_holds():
    curriculum = curriculum_of(STAGES, AMOUNTS)
    sizes = [0.8 * 700 + 200 / 3 + 40, 0.2 * 700 + 400 / 3 + 10, 50]
    assert np.diff(curriculum.starts) == pytest.approx(np.array(sizes) / 1000)


@given(DRAW, DRAW, st.sampled_from(sorted(AMOUNTS)))
def test_places_are_in_the_order_of_draws_and_in_the_corpus(one, other, category):
    places = curriculum_of(STAGES, AMOUNTS).place(category, np.array(sorted((one, other))))
    assert 0 <= places[0] <= places[1] < DRAWS


def test_inside_a_stage_the_categories_are_mixed_evenly():
    curriculum = curriculum_of(STAGES, AMOUNTS)
    places = {name: curriculum.place(name, draws(30_000, 5)) for name in ("monolingual", "bitext")}
    for stage in (0, 1):
        start, end = (int(each * DRAWS) for each in curriculum.starts[stage : stage + 2])
        for of_category in places.values():
            inside = of_category[curriculum.stage_of(of_category) == stage]
            assert ((inside - start) / (end - start)).mean() == pytest.approx(0.5, abs=0.02)
