"""Ordinals: any set of them goes through a pipeline, as ranges."""

import pickle

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from glotmill.schemas.lock import foreign_ordinal, shadow_ordinal
from glotmill.transforms.ordinals import CreateOrdinals, Ordinals


@given(st.lists(st.integers(0, 2**31)))
def test_a_set_of_ordinals_comes_back(ordinals: list[int]) -> None:
    found = Ordinals(ordinals)
    assert list(found) == sorted(set(ordinals))
    assert len(found) == len(set(ordinals))
    assert {each: each in found for each in [*ordinals, 5, 2**32, -1]} == {
        each: each in set(ordinals) for each in [*ordinals, 5, 2**32, -1]
    }


def test_units_without_gaps_take_no_room() -> None:
    far = [foreign_ordinal(3, 0), shadow_ordinal(0)]
    ordinals = Ordinals(first + number for first in (0, *far) for number in range(10_000))
    assert ordinals.ranges == tuple((first, first + 10_000) for first in (0, *far))
    assert len(pickle.dumps(ordinals)) < 200


@pytest.mark.parametrize("ordinals", [[], [4], range(3), [7, 1, 2, shadow_ordinal(2)]])
def test_a_pipeline_begins_with_them(ordinals: list[int]) -> None:
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        created = pipeline | CreateOrdinals(ordinals)
        assert_that(created, equal_to(list(ordinals)))
    assert created.element_type is int
