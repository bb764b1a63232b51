"""The lock comes back as it was written; a doc_id says where its row is."""

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from glotmill.schemas.lock import (
    Input,
    Lock,
    Unit,
    UnitSlice,
    doc_id,
    dump_lock,
    foreign_ordinal,
    is_foreign,
    is_shadow,
    parse_lock,
    row_of,
    shadow_ordinal,
    shadowed_unit,
    unit_of,
)
from glotmill.schemas.recipe import CustomStage, Recipe, Source
from glotmill.schemas.tiers import Tier

# Whatever a file may be called: digits, dates, words of YAML, any script, control characters.
WORDS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.from_regex(r"[0-9a-f]{4,32}|[0-9]{1,2}(:[0-9]{2}){1,2}|[0-9]+e[0-9]+", fullmatch=True),
    st.sampled_from(
        ["", "null", "~", "yes", "2024-01-01", "- a", "a: b", "# a", "\x85\u2028\ufeff"]
    ),
)
FORMATS = st.sampled_from(["jsonl", "parquet", "text", "text_file", "tsv"])
COUNTS = st.integers(0, 2**62)
SLICES = st.builds(
    UnitSlice, path=WORDS, name=WORDS, format=FORMATS, checksum=WORDS, start=COUNTS, end=COUNTS
)
UNITS = st.builds(
    Unit, key=WORDS, source=WORDS, num_bytes=COUNTS, slices=st.lists(SLICES, max_size=2).map(tuple)
)
INPUTS = st.builds(
    Input, source=WORDS, path=WORDS, name=WORDS, format=FORMATS, size=COUNTS, checksum=WORDS
)
RECIPES = st.builds(
    Recipe,
    glotmill=st.just(1),
    name=st.just("a"),
    sources=st.builds(Source, name=st.just("s"), path=WORDS.filter(bool), domain=WORDS).map(
        lambda source: [source]
    ),
    stages=st.lists(
        st.builds(
            CustomStage,
            name=WORDS,
            options=st.dictionaries(WORDS, WORDS | st.floats(-1e9, 1e9) | st.none(), max_size=2),
        ),
        max_size=2,
    ),
    mix=st.builds(
        dict,
        tiers=st.floats(0, 1000).map(lambda rate: [Tier(name="a", at_least=0, rate=rate)]),
    ),
)


@pytest.mark.slow
@settings(deadline=None)
@given(
    recipe=RECIPES,
    inputs=st.lists(INPUTS, max_size=2).map(tuple),
    units=st.lists(UNITS, max_size=2).map(tuple),
)
def test_a_lock_comes_back_as_it_was_written(recipe, inputs, units):
    lock = Lock(glotmill="0.1", recipe=recipe, inputs=inputs, units=units)
    written = dump_lock(lock)
    assert parse_lock(written) == lock
    assert dump_lock(parse_lock(written)) == written
    dumped = lock.model_dump(mode="json")
    assert yaml.safe_load(written) == dumped
    assert parse_lock(yaml.safe_dump(dumped).encode()) == lock


@pytest.mark.parametrize("content", [b"", b"a: 1", b"- a"])
def test_what_is_no_lock_is_refused(content):
    with pytest.raises(ValidationError):
        parse_lock(content)


ORDINALS = st.integers(0, 2**31 - 1)
ROWS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("min_characters: 10", "min_characters: 50000000"),
        ("min_letters: 1\n", "min_letters: 3000\n"),
        ("exclude: []", "exclude: [monolingual]"),
        ("domain_caps: {}", "domain_caps: {nws: 0.5}"),
    ],
)
def test_a_lock_of_a_run_that_could_keep_nothing_is_read(now, then):
    sources = [{"name": "s", "path": "x", "domain": "news"}]
    recipe = Recipe.model_validate({"glotmill": 1, "name": "a", "sources": sources})
    text = dump_lock(Lock(glotmill="0", recipe=recipe, inputs=(), units=())).decode()
    assert text.count(now) == 1
    read = parse_lock(text.replace(now, then).encode()).recipe
    assert read != recipe
    with pytest.raises(ValidationError):
        Recipe.model_validate(read.model_dump())


@settings(deadline=None)
@given(ORDINALS, ROWS)
def test_a_doc_id_says_where_its_row_is(ordinal, row):
    identity = doc_id(ordinal, row)
    assert 0 <= identity < 2**63
    assert (unit_of(identity), row_of(identity)) == (ordinal, row)
    array = np.array([identity], np.int64)
    assert (int(unit_of(array)[0]), int(row_of(array)[0])) == (ordinal, row)


@settings(deadline=None)
@given(st.tuples(ORDINALS, ROWS), st.tuples(ORDINALS, ROWS))
def test_doc_ids_are_in_the_order_of_units_and_rows(one, other):
    assert (one < other) == (doc_id(*one) < doc_id(*other))
    assert (one == other) == (doc_id(*one) == doc_id(*other))


@pytest.mark.parametrize("ordinal", [0, 17, 2**24 - 1])
def test_shadows_are_neither_documents_of_ours_nor_of_others(ordinal):
    ordinals = [ordinal, foreign_ordinal(0, ordinal), foreign_ordinal(125, ordinal)]
    ids = np.array([doc_id(o, 2**32 - 1) for o in (*ordinals, shadow_ordinal(ordinal))], np.int64)
    assert is_shadow(ids).tolist() == [False, False, False, True]
    assert is_foreign(ids).tolist() == [False, True, True, False]
    assert [shadowed_unit(o) for o in ordinals] == [None] * 3
    assert shadowed_unit(shadow_ordinal(ordinal)) == ordinal
    # An ordinal is a partition of the exchange.
    assert unit_of(ids).max() < 2**31


def test_more_units_than_have_shadows():
    with pytest.raises(OverflowError, match="16,777,216 units"):
        shadow_ordinal(2**24)
