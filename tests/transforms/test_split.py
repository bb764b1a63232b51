"""The split: as many of each label as are wanted, and pairs of one sentence the same way."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glotmill.schemas.recipe import Bitext
from glotmill.transforms.draws import split_draw
from glotmill.transforms.split import (
    SplitRule,
    Splitter,
    hub_hashes,
    hub_ranks,
    read_splitter,
)
from glotmill.transforms.split_thresholds import FindThresholds, _Smallest, smallest

DRAWS = st.lists(st.integers(0, 2**63 - 1), max_size=30)
LANGUAGES = ["ces_Latn", "deu_Latn", "eng_Latn", "fra_Latn", "rus_Cyrl"]
# Few sides, so that pairs share them; a pair has two to four languages, one of them twice at times.
SIDES = st.tuples(st.sampled_from(LANGUAGES), st.integers(0, 5))
PAIRS = st.lists(st.lists(SIDES, min_size=2, max_size=4), max_size=40)


def pairs_of(rows):
    """Pairs of lists of (language, number of the text)."""
    labels = ["-".join(sorted(each for each, _ in row)) if len(row) < 4 else "mul" for row in rows]
    contents = [repr(sorted(row)).encode().ljust(16, b".")[-16:] for row in rows]
    return pa.RecordBatch.from_arrays(
        [
            pa.array(labels, pa.string()),
            pa.array(contents, pa.binary(16)),
            pa.array([[each for each, _ in row] for row in rows], pa.list_(pa.string())),
            pa.array([[number * 7919 for _, number in row] for row in rows], pa.list_(pa.uint64())),
        ],
        names=["label", "content_hash", "segment_labels", "segment_hashes"],
    )


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


def test_the_hub_is_the_language_that_most_labels_share():
    counts = {
        "deu_Latn-eng_Latn": 10, "eng_Latn-fra_Latn": 1, "deu_Latn-fra_Latn": 50, "mul": 1000,
        "ces_Latn-eng_Latn": 1, "ces_Latn-deu_Latn-eng_Latn": 1,
    }  # fmt: skip
    table = pa.table(
        {
            "category": ["bitext"] * 6 + ["monolingual"],
            "label": [*counts, "rus_Cyrl"],
            "num_documents": [*counts.values(), 10**6],
        }
    )
    # In labels: English 4, German 3, French and Czech 2, of which French has more pairs.
    assert list(hub_ranks(table)) == ["eng_Latn", "deu_Latn", "fra_Latn", "ces_Latn"]


def hub_by_hand(row, hubs):
    best = min((hubs.get(language, len(hubs)), language) for language, _ in row)[1]
    return min(number * 7919 for language, number in row if language == best)


@given(PAIRS, st.lists(st.sampled_from(LANGUAGES), unique=True), st.integers(1, 7))
def test_pairs_are_ranked_by_their_side_in_the_hub_in_batches_of_any_size(rows, ranked, size):
    hubs = {language: rank for rank, language in enumerate(ranked)}
    whole = pairs_of(rows)
    assert hub_hashes(whole, hubs).tolist() == [hub_by_hand(row, hubs) for row in rows]
    rule = SplitRule(3, hubs)
    parts = [rule.draws("bitext", whole.slice(at, size)) for at in range(0, len(rows), size)]
    draws = rule.draws("bitext", whole)
    assert np.concatenate([draws[:0], *parts]).tolist() == draws.tolist()
    reverse = pairs_of([row[::-1] for row in rows])
    assert rule.draws("bitext", reverse).tolist() == draws.tolist()
    for row, draw in zip(rows, draws.tolist(), strict=True):
        side = hub_by_hand(row, hubs).to_bytes(8, "little")
        assert draw >> 20 == split_draw(3, side) >> 20


@pytest.fixture
def rule():
    return SplitRule(1, {"eng_Latn": 0}, Bitext(held_out=["ces_Latn-deu_Latn"]))


def test_languages_never_trained_on_have_a_threshold_of_their_own(rule):
    batch = pairs_of(
        [[("deu_Latn", 1), ("ces_Latn", 1)], [("deu_Latn", 2), ("ces_Latn", 2)],
         [("deu_Latn", 1), ("eng_Latn", 1)], [("eng_Latn", 1), ("ces_Latn", 2), ("deu_Latn", 3)]]
    )  # fmt: skip
    draws = rule.draws("bitext", batch)
    first = int(np.argmin(draws[:2]))
    everything = 2**63 - 1
    ordinary = {("bitext", label): everything for label in ("ces_Latn-deu_Latn", "mul")}
    zero_shot = {("bitext", "ces_Latn-deu_Latn"): int(draws[first])}
    held_out, left_out = Splitter(rule, ordinary, zero_shot).judge("bitext", batch)
    assert held_out.tolist() == [first == 0, first == 1, False, False]
    # The third language does not help: German and Czech would stand in one document.
    assert left_out.tolist() == [first != 0, first != 1, False, True]
    nothing = rule.zero_shot("monolingual", batch)
    assert not nothing.any()


def test_no_documents_give_nothing(rule):
    for category in ("bitext", "monolingual"):
        held_out, left_out = Splitter(rule, {}).judge(category, pairs_of([]))
        assert len(held_out) == len(left_out) == 0


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
    corpus.run(FindThresholds(corpus.root, wanted, SplitRule(42, {})))
    thresholds = read_splitter(corpus.root).thresholds
    assert thresholds.keys() == {group for group, k in wanted.items() if k} - {("code", "eng_Latn")}
    splitter = read_splitter(corpus.root)
    held_out = dict.fromkeys(thresholds, 0)
    for unit in corpus.index().units:
        for batch in corpus.index().batches(unit, list(splitter.columns(unit.category))):
            labels = batch.filter(pa.array(splitter.held_out(unit.category, batch)))["label"]
            for label in labels.to_pylist():
                held_out[unit.category, label] += 1
    assert held_out == {group: wanted[group] for group in thresholds}


def test_nothing_wanted_is_written_down_as_well(make_corpus):
    corpus = make_corpus([[("eng", "one"), ("eng", "two")]])
    for wanted in ({("monolingual", "eng_Latn"): 1}, {}):
        corpus.run(FindThresholds(corpus.root, wanted, SplitRule(42, {})))
        assert read_splitter(corpus.root).thresholds.keys() == wanted.keys()


def test_what_is_held_out_stays_so_when_a_source_is_added(make_corpus):
    """The smallest draws: a new document takes the place of the largest, and no other's."""
    old = [[("eng", f"old {n}") for n in range(100)]]
    new = [[("eng", f"new {n}") for n in range(30)]]
    wanted = {("monolingual", "eng_Latn"): 10}
    held_out = []
    for units in (old, new + old):
        corpus = make_corpus(units)
        corpus.run(FindThresholds(corpus.root, wanted, SplitRule(1)))
        splitter = read_splitter(corpus.root)
        held_out.append({
            text
            for unit in corpus.index().units
            for batch in corpus.index().batches(unit, ["text", "content_hash", "label"])
            for text in batch.filter(pa.array(splitter.held_out("monolingual", batch)))[
                "text"
            ].to_pylist()
        })  # fmt: skip
    before, after = held_out
    assert len(before) == len(after) == 10
    assert {text for text in after if text.startswith("old")} < before
