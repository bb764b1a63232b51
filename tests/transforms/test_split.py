"""Thresholds: exactly as many documents of each label lie under them as are wanted."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmill.transforms.draws import split_draw
from glotmill.transforms.split import FindThresholds, _Smallest, read_thresholds, smallest

DRAWS = st.lists(st.integers(0, 2**63 - 1), max_size=30)


@settings(deadline=None)
@given(st.lists(DRAWS, max_size=6), st.integers(0, 12), st.randoms(use_true_random=False))
def test_the_smallest_of_parts_are_the_smallest_of_all(parts, k, random):
    combine = _Smallest(k)
    packed = [smallest(np.array(part, np.int64), k).tobytes() for part in parts]
    random.shuffle(packed)
    cut = random.randint(0, len(packed))
    accumulators = []
    for some in (packed[:cut], packed[cut:]):
        accumulator = combine.create_accumulator()
        for element in some:
            accumulator = combine.add_input(accumulator, element)
        accumulators.append(accumulator)
    found = combine.extract_output(combine.merge_accumulators(accumulators))
    assert np.frombuffer(found, np.int64).tolist() == sorted(d for part in parts for d in part)[:k]


def test_exactly_as_many_are_held_out_as_are_wanted(make_corpus):
    units = [
        [("eng", f"english {unit} {n}") for n in range(40)]
        + [("fra", f"français {unit} {n}") for n in range(unit)]
        for unit in range(4)
    ]
    corpus = make_corpus(units, [{}, {}, {"category": "book"}, {}])
    wanted = {
        ("monolingual", "eng_Latn"): 7,
        ("monolingual", "fra_Latn"): 2,
        ("book", "eng_Latn"): 1,
        ("book", "fra_Latn"): 0,
        ("code", "eng_Latn"): 5,
    }
    corpus.run(FindThresholds(corpus.root, wanted, seed=42))
    thresholds = read_thresholds(corpus.root)
    assert thresholds.keys() == {group for group, k in wanted.items() if k} - {("code", "eng_Latn")}
    draws = {}
    for unit in corpus.index().units:
        for batch in corpus.index().batches(unit, ["content_hash", "label"]):
            for row in batch.to_pylist():
                of_group = draws.setdefault((unit.category, row["label"]), [])
                of_group.append(split_draw(42, row["content_hash"]))
    for group, threshold in thresholds.items():
        assert sum(draw <= threshold for draw in draws[group]) == wanted[group]


def test_what_is_held_out_stays_so_when_a_source_is_added(make_corpus):
    """The smallest draws: a new document takes the place of the largest, and no other's."""
    old = [[("eng", f"old {n}") for n in range(100)]]
    new = [[("eng", f"new {n}") for n in range(30)]]
    wanted = {("monolingual", "eng_Latn"): 10}
    held_out = []
    for units in (old, new + old):
        corpus = make_corpus(units)
        corpus.run(FindThresholds(corpus.root, wanted, seed=1))
        threshold = read_thresholds(corpus.root)["monolingual", "eng_Latn"]
        held_out.append({
            text
            for unit in corpus.index().units
            for batch in corpus.index().batches(unit, ["text", "content_hash"])
            for text, content in zip(*(column.to_pylist() for column in batch), strict=True)
            if split_draw(1, content) <= threshold
        })  # fmt: skip
    before, after = held_out
    assert len(before) == len(after) == 10
    assert {text for text in after if text.startswith("old")} < before
