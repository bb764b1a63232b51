"""A cap on pairs that share a side, against plain Python."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from glotmill.schemas.lock import doc_id
from glotmill.transforms.repeated_sides import _SIDE, beyond_cap

ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 1)), max_size=40)


def by_hand(sides, most):
    groups = {}
    for key, priority, identity in sides:
        groups.setdefault(key, []).append((-priority, identity))
    return {
        (identity, min(members)[1], len(members))
        for members in groups.values()
        for _, identity in sorted(members)[most:]
    }


@given(ROWS, st.integers(1, 5), st.randoms(use_true_random=False))
def test_the_first_stay_in_any_order(rows, most, random):
    sides = [(key, priority, doc_id(n % 3, n)) for n, (key, priority) in enumerate(rows)]
    expected = by_hand(sides, most)
    random.shuffle(sides)
    found = beyond_cap(np.array(sides, _SIDE), most)
    assert found["removed"].all()
    assert found["capped"].all()
    assert {tuple(row) for row in found[["id", "cluster", "size"]].tolist()} == expected
    assert len(found) == len(expected)
