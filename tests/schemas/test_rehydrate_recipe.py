"""The weights that a recipe gives by size of cluster, and every message about wrong ones."""

import pytest

from glotmill.schemas.loading import RecipeError, load_recipe
from glotmill.schemas.lock import Lock, dump_lock, parse_lock
from glotmill.schemas.recipe import WeightsFromRates, WeightTable

SOURCE = "glotmill: 1\nname: a\nsources:\n  - {name: a, path: x}\n"


@pytest.fixture
def load(tmp_path):
    def load(text):
        path = tmp_path / "recipe.yaml"
        path.write_text(SOURCE + text)
        return load_recipe(path).recipe

    return load


def test_tables_are_sorted_and_labels_resolved(load):
    recipe = load("mix: {rehydrate: {table: {3: 2, 1: 0.1}, labels: {swh_Latn: {9: 1, 2: 0.5}}}}\n")
    assert recipe.mix.rehydrate == WeightTable(
        table={1: 0.1, 3: 2}, labels={"swh_Latn": {2: 0.5, 9: 1}}
    )
    assert list(recipe.mix.rehydrate.table) == [1, 3]
    assert not recipe.counts_shadows
    lock = Lock(glotmill="0", recipe=recipe, inputs=(), units=())
    assert parse_lock(dump_lock(lock)) == lock


def test_the_method_has_the_published_defaults(load):
    recipe = load("mix: {rehydrate: {method: fineweb2}}\n")
    assert recipe.mix.rehydrate == WeightsFromRates(method="fineweb2", max_repetitions=10)
    assert recipe.counts_shadows
    assert load("mix: {}\n").mix.rehydrate is None


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("{}", "'mix.rehydrate' wants {table: ...} or {method: ...}, but is empty"),
        ("fineweb2", "'mix.rehydrate' wants {table: ...} or {method: ...}, not 'fineweb2'"),
        ("{labels: {swa_Latn: {1: 2}}}",
         "'mix.rehydrate' wants {table: ...} or {method: ...}, not {labels: ...}"),
        ("{table: 3}", "'mix.rehydrate.table' wants a map of keys, not 3"),
        ("{table: {x: 1}}", "'mix.rehydrate.table.x' wants a whole number, not 'x'"),
        ("{table: {1: 1, 0: 2}}", "a cluster has 1 document or more, not 0"),
        ("{table: {1: -1}}", "'mix.rehydrate.table.1' wants more than 0, not -1"),
        ("{table: {1: 0}}", "'mix.rehydrate.table.1' wants more than 0, not 0"),
        ("{table: {1: .inf}}", "'mix.rehydrate.table.1' wants a finite number, not inf"),
        ("{table: {1: often}}", "'mix.rehydrate.table.1' wants a number, not 'often'"),
        ("{table: {}, labels: {swa_Latn: {-2: 3}}}", "a cluster has 1 document or more, not -2"),
        ("{table: {}, labels: {swa: {2: 3}}}",
         "'swa' names no script; write a label such as 'swa_Latn'"),
        ("{table: {}, labels: {eng_Latn: {2: 3}, en-Latn: {2: 3}}}",
         "'eng_Latn' is listed twice"),
        ("{method: fineweb}",
         "'mix.rehydrate.method' is 'fineweb'; did you mean 'fineweb2'? (there is fineweb2)"),
        ("{method: fineweb2, max_repetitions: 0}",
         "'mix.rehydrate.max_repetitions' wants at least 1, not 0"),
        ("{method: fineweb2, min_clusters: 0}",
         "'mix.rehydrate.min_clusters' wants at least 1, not 0"),
    ],
)  # fmt: skip
def test_messages(load, options, expected):
    with pytest.raises(RecipeError) as caught:
        load(f"mix:\n  rehydrate: {options}\n")
    assert str(caught.value).rpartition("recipe.yaml:")[2] == f"6: {expected}"


def test_without_deduplication_there_are_no_clusters(load):
    with pytest.raises(RecipeError) as caught:
        load("deduplicate: {exact: false}\nmix:\n  rehydrate: {table: {2: 3}}\n")
    message = "7: there are no clusters: 'deduplicate' has neither 'exact' nor 'near'"
    assert str(caught.value).rpartition("recipe.yaml:")[2] == message
    load("deduplicate: {exact: false, near: {}}\nmix: {rehydrate: {table: {2: 3}}}\n")
