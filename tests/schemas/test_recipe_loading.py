"""What loading a good recipe gives: paths, variables, extends, positions, the JSON Schema."""

import re
from importlib import resources
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmill.schemas.loading import load_recipe
from glotmill.schemas.recipe import Recipe, Source, json_schema

SOURCE = "glotmill: 1\nname: a\nsources:\n  - {name: a, path: x}\n"


@pytest.fixture
def load(tmp_path):
    def load(text, name="recipe.yaml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return load_recipe(path)

    return load


def test_the_shortest_recipe_has_the_documented_defaults(load):
    recipe = load(SOURCE).recipe
    assert recipe == Recipe(
        glotmill=1, name="a", sources=[Source(name="a", path=recipe.sources[0].path)]
    )
    assert recipe.seed == 42
    assert recipe.mix.tiers.monolingual == "emma500-monolingual"
    assert recipe.mix.tiers.bitext == "emma500-bitext"


def test_relative_paths_start_at_the_recipe(load, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    recipe = load(
        "glotmill: 1\nname: a\nsources:\n"
        "  - {name: a, path: [x/*.jsonl, ../y, /z, 'gs://b/x'], language: {path: 'x/(...)'}}\n"
        "  - {name: b, path: ./x, language: {column: path}}\n"
        "identify: {model: models/lid.bin}\n"
        "decontaminate: {sets: [{name: e, path: [e.txt, /f.txt]}]}\n"
        "stages: [{name: s, options: {path: x, model: y}}]\n"
    ).recipe
    folder = tmp_path.as_posix()
    assert recipe.sources[0].path == [
        f"{folder}/x/*.jsonl",
        tmp_path.with_name("y").as_posix(),
        "/z",
        "gs://b/x",
    ]
    assert recipe.sources[0].language.path == "x/(...)"
    assert recipe.sources[1].path == f"{folder}/x"
    assert recipe.identify.model == f"{folder}/models/lid.bin"
    assert recipe.decontaminate.sets[0].path == [f"{folder}/e.txt", "/f.txt"]
    assert recipe.stages[0].options == {"path": "x", "model": "y"}


def test_wildcards_in_the_name_of_the_recipes_folder_are_none(load, tmp_path):
    recipe = load(
        "glotmill: 1\nname: a\nsources:\n"
        "  - {name: a, path: '*.jsonl'}\n"
        "  - {name: b, path: [../y.xml], category: bitext, pairs: {documents: [d]}}\n"
        "identify: {model: lid.bin}\n"
        "decontaminate: {sets: [{name: e, path: e.txt}]}\n",
        "g [x]/recipe.yaml",
    ).recipe
    assert recipe.sources[0].path == f"{tmp_path}/g [[]x]/*.jsonl"
    assert recipe.sources[1].path == [f"{tmp_path}/y.xml"]
    assert recipe.sources[1].pairs.documents == [f"{tmp_path}/g [x]/d"]
    assert recipe.identify.model == f"{tmp_path}/g [x]/lid.bin"
    assert recipe.decontaminate.sets[0].path == f"{tmp_path}/g [[]x]/e.txt"


@pytest.mark.parametrize("model", ["builtin", "hf://a/b/c.bin", "gs://a/b.bin", "/a/b.bin"])
def test_models_that_are_no_relative_path_stay(load, model):
    assert load(SOURCE + f"identify: {{model: '{model}'}}\n").recipe.identify.model == model


def test_variables_are_replaced_before_paths_are_made_absolute(load, tmp_path, monkeypatch):
    monkeypatch.setenv("GLOTMILL_TEST_ROOT", "/data")
    monkeypatch.setenv("GLOTMILL_TEST_PART", "part")
    text = SOURCE.replace("x}", "'${GLOTMILL_TEST_ROOT}/${GLOTMILL_TEST_PART}/$x/${}'}")
    assert load(text).recipe.sources[0].path == "/data/part/$x/${}"
    text = SOURCE.replace("x}", "'${GLOTMILL_TEST_PART}/y'}")
    assert load(text).recipe.sources[0].path == f"{tmp_path}/part/y"


def test_a_byte_order_mark_is_no_matter(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SOURCE.encode())
    assert load_recipe(path).recipe.name == "a"


def test_yaml_1_2_reads_no_and_on_as_text(load):
    text = SOURCE.replace("path: x", "path: x, language: {code: no}, domain: on")
    source = load(text).recipe.sources[0]
    assert (source.language.code, source.domain) == ("no", "on")


def test_anchors_and_merge_keys(load):
    loaded = load(
        "glotmill: 1\nname: a\nsources:\n"
        "  - &first {name: a, path: x, licence: PD, strip_markup: &yes true}\n"
        "  - <<: *first\n    name: b\n    path: y\n"
        "normalise: {ftfy: *yes}\n"
    )
    second = loaded.recipe.sources[1]
    assert (second.name, second.licence, second.strip_markup) == ("b", "PD", True)
    assert loaded.recipe.normalise.ftfy is True
    assert loaded.position("sources", 1, "path").line == 7
    assert loaded.position("sources", 1, "licence").line == 5


def test_extends_merges_maps_and_replaces_the_rest(load, tmp_path):
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "base.yaml").write_text(
        "glotmill: 1\nname: base\nseed: 1\nsources:\n  - {name: a, path: data}\n"
        "  - {name: b, path: data}\nidentify: {model: lid.bin, threshold: 0.7}\n"
        "mix:\n  exclude: [code, bitext]\n  validation: {share: 0.5, max_documents: 7}\n"
    )
    loaded = load(
        "extends: base/base.yaml\nname: child\nmix:\n  exclude: [book]\n"
        "  validation: {max_documents: 9}\nidentify: {threshold: 0.8}\n"
    )
    recipe = loaded.recipe
    assert (recipe.name, recipe.seed, len(recipe.sources)) == ("child", 1, 2)
    assert recipe.mix.exclude == ["book"]
    assert (recipe.mix.validation.share, recipe.mix.validation.max_documents) == (0.5, 9)
    # Paths start at the file they are written in.
    assert recipe.sources[0].path == f"{tmp_path}/base/data"
    assert recipe.identify.model == f"{tmp_path}/base/lid.bin"
    assert recipe.identify.threshold == 0.8


def test_positions_point_into_the_file_a_key_was_written_in(load, tmp_path):
    (tmp_path / "base.yaml").write_text(SOURCE + "mix:\n  exclude: [code, bitext]\n")
    loaded = load("extends: base.yaml\nmix:\n  exclude:\n    - book\n")

    def position(*location):
        return str(loaded.position(*location)).removeprefix(f"{tmp_path}/")

    assert position("sources", 0, "path") == "base.yaml:4"
    assert position("mix", "exclude") == "recipe.yaml:3"
    assert position("mix", "exclude", 0) == "recipe.yaml:4"
    # Of the list that was replaced no entry is left to point at.
    assert position("mix", "exclude", 1) == "recipe.yaml:3"
    assert position("mix", "validation", "share") == "recipe.yaml:2"
    assert position("output", "parquet") == "recipe.yaml:1"


def test_a_child_may_replace_what_a_base_has_wrong(load, tmp_path):
    (tmp_path / "base.yaml").write_text(SOURCE + "seed: lots\n")
    assert load("extends: base.yaml\nseed: 7\n").recipe.seed == 7


def test_a_base_may_extend_another(load, tmp_path):
    (tmp_path / "a.yaml").write_text(SOURCE + "seed: 1\nmix: {exclude: [code]}\n")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\nseed: 2\n")
    recipe = load("extends: b.yaml\nmix: {count_by: bytes}\n").recipe
    assert (recipe.seed, recipe.mix.exclude, recipe.mix.count_by) == (2, ["code"], "bytes")


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab:#-'", max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3)
        ),
    )
)
def test_options_of_custom_stages_come_through_as_they_are(tmp_path_factory, value):
    import json

    path = tmp_path_factory.mktemp("options") / "r.yaml"
    options = json.dumps({"value": value})
    path.write_text(SOURCE + f"stages: [{{name: s, options: {options}}}]\n")
    assert load_recipe(path).recipe.stages[0].options == {"value": value}


# A JSON Schema validator of the keywords that pydantic writes; an unknown one fails the test.

_CHECKS = {
    "minimum": lambda value, bound: value >= bound,
    "exclusiveMinimum": lambda value, bound: value > bound,
    "maximum": lambda value, bound: value <= bound,
    "exclusiveMaximum": lambda value, bound: value < bound,
    "minLength": lambda value, bound: len(value) >= bound,
    "minItems": lambda value, bound: len(value) >= bound,
    "pattern": lambda value, pattern: re.search(pattern, value) is not None,
    "enum": lambda value, choices: value in choices,
    "const": lambda value, constant: value == constant,
}
_TYPES = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float),
    "boolean": bool, "null": type(None),
}  # fmt: skip
_SILENT = {"title", "description", "default", "$defs", "$schema"}


def faults(schema: dict[str, Any], node: dict[str, Any], value: Any, at: str = "") -> list[str]:
    found: list[str] = []
    # What a value of another type is checked for would raise.
    for keyword, rule in sorted(node.items(), key=lambda item: item[0] != "type"):
        if keyword in _SILENT or keyword in ("properties", "required"):
            continue
        if keyword == "$ref":
            found += faults(schema, schema["$defs"][rule.rsplit("/", 1)[1]], value, at)
        elif keyword == "anyOf":
            found += min((faults(schema, branch, value, at) for branch in rule), key=len)
        elif keyword == "type":
            right = isinstance(value, _TYPES[rule])
            if not right or (isinstance(value, bool) and rule in ("integer", "number")):
                return [f"{at} is no {rule}"]
        elif keyword == "items":
            found += [f for item in value for f in faults(schema, rule, item, f"{at}[]")]
        elif keyword == "additionalProperties":
            if rule is False and isinstance(value, dict):
                found += [f"{at}.{key}" for key in value if key not in node["properties"]]
        elif keyword == "propertyNames":
            found += [f for key in value for f in faults(schema, rule, key, f"{at}.{key}")]
        elif not _CHECKS[keyword](value, rule):
            found.append(f"{at} {keyword} {rule}")
    if isinstance(value, dict):
        found += [f"{at}.{key} is missing" for key in node.get("required", ()) if key not in value]
        for key, below in node.get("properties", {}).items():
            if key in value:
                found += faults(schema, below, value[key], f"{at}.{key}")
    return found


@pytest.fixture(scope="module")
def schema():
    return json_schema()


FULL = """
glotmill: 1
name: full
seed: 7
extends: base.yaml
sources:
  - {name: a, path: x, language: {code: swa_Latn}, format: jsonl, category: book, id: i, url: u}
  - {name: b, path: [x, y], language: {column: meta.lang}, domain: d, licence: PD, priority: 3}
  - {name: c, path: x, language: {path: '(...)'}, strip_markup: true, text: t}
  - {name: d, path: x, language: identify}
  - name: e
    category: bitext
    path: x
    pairs:
      sides: [{text: a, code: en}, {text: b, code_column: c}, {text: d, code_path: "x(.)"}]
      translation: null
      codes: []
      align: "(.)(.)"
      line_codes: "{stem}.x"
      document: d
      documents: [x]
      scores: {laser: e}
      delimiter: ";"
      quoted: true
      keep_unreviewed: true
      repair_entities: true
      languages: [en]
      pairing: pivot
      pivot: en
      max_pairs_per_unit: 9
      direction: kept
ingest: {unit_bytes: 4096, max_record_bytes: 4096}
normalise: {unicode: none, ftfy: false, whitespace: false, control_characters: false}
stages: [{name: s, options: {a: [1, {b: null}]}}]
script: {min_share: 0.3}
identify: {enabled: true, model: m, sample_characters: 60, min_letters: 0, threshold: 1,
           min_consistency: 0.5, thresholds: {swa_Latn: 0.3}, on_mismatch: drop,
           on_unidentified: keep}
filters: {min_characters: 0, max_characters: 9, max_repeated_line_share: 0,
          max_repeated_ngram_share: 1, custom: [{name: f}],
          pairs: {min_letters: 2, max_characters: 9, max_length_ratio: 3.5, identical: false,
                  max_shared_words: 1, max_shared_runs: 1, min_shared_numbers: 0, urls: false,
                  emails: false, markup: false, script: false, swapped: false,
                  min_scores: {laser: 1}}}
decontaminate:
  sets:
    - {name: e, path: [x, y], format: jsonl, text: [a, b], segments: records}
  ngram: 10
  character_ngram: 17
  cluster_ngram: 30
  min_words: 7
  min_words_alone: 4
deduplicate:
  exact: false
  scope: all
  against: [earlier]
  max_repeated_sides: 3
  near: {ngram: 3, character_ngram: 4, cluster_ngram: 2, bands: 10, rows: 4, verify: jaccard,
         min_similarity: 0.8, max_cluster: 500, max_label_share: 0.1, on_oversized: keep}
bitext:
  pairs_per_document: 3
  min_pairs: 2
  template: {pair: "{src_text}|{tgt_name}|{tgt_text}\n", separator: s, header: h, footer: f,
             segment: "{text}\n"}
  directions: both
  layout: blocks
  held_out: [deu_Latn-ces_Latn, eng_Latn>swa_Latn]
mix:
  count_by: bytes
  tiers:
    monolingual: [{name: t, at_least: 0, rate: 0.5}]
    bitext: uniform
    code: uniform
    paper: uniform
    book: uniform
    instruction: uniform
  strategy: shares
  alpha: 0.5
  budget: 1.0e9
  shares:
    bitext: 32.3
    monolingual: {share: 26.3, tiers: {t: 2}}
    text: {share: 30, of: {paper: 13.2, book: 1.8}}
  within: temperature
  max_epochs: {default: 20, tiers: {t: 1, bitext/all: 3}, labels: {swa_Latn: 50}}
  domain_caps: {religious: 0.33, "*": 0.5}
  labels: {swa_Latn: {min: 1.0e6, max: 1.0e7, rate: 5}, eng_Latn-swa_Latn: {max: 9}}
  on_infeasible: relax
  stages: [{name: early, parts: {book: 2, "*": 1}}, {name: late, parts: {book: 1}}]
  exclude: [code]
  validation: {share: 0, max_documents: 0, min_documents: 0}
  rehydrate: {table: {1: 1, 2: 3}, labels: {swa_Latn: {2: 0.5}}}
output:
  parquet: {shards: 1, validation_shards: 1, row_group_rows: 1}
  tokens:
    tokenizer: ranks.tiktoken
    encoding: cl100k_base
    append_eos: true
    prepend_bos: true
    eos: "</s>"
    bos: "<s>"
    formats: [megatron, parquet]
    datasets: tier
    sequence_length: 2048
    packing: best_fit
"""


def parsed(text):
    from ruamel.yaml import YAML

    return YAML(typ="safe").load(text)


def test_the_schema_takes_a_recipe_with_every_option(schema, load, tmp_path):
    assert faults(schema, schema, parsed(FULL)) == []
    (tmp_path / "base.yaml").write_text(SOURCE)
    recipe = load(FULL).recipe
    # Every option there is has been set, or the test has fallen behind the recipe.
    unset = Recipe.model_fields.keys() - recipe.model_fields_set
    assert unset == set()
    parts = ("ingest", "normalise", "identify", "filters", "deduplicate", "bitext", "mix", "output")
    for name in parts:
        part = getattr(recipe, name)
        assert type(part).model_fields.keys() == part.model_fields_set
    decontaminate = recipe.decontaminate
    for part in (
        recipe.output.tokens,
        recipe.sources[-1].pairs,
        recipe.filters.pairs,
        decontaminate,
        decontaminate.sets[0],
    ):
        assert type(part).model_fields.keys() == part.model_fields_set
    assert Source.model_fields.keys() == set().union(*(s.model_fields_set for s in recipe.sources))


def test_the_schema_takes_the_example_recipes(schema):
    recipes = [
        file for file in resources.files("glotmill.recipes").iterdir() if file.suffix == ".yaml"
    ]
    assert recipes
    for file in recipes:
        assert faults(schema, schema, parsed(file.read_text())) == [], file


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("glotmill: 1\nnorm: {}\n", ".norm"),
        ("glotmill: 2\n", ".glotmill const 1"),
        ("name: a\n", ".glotmill is missing"),
        ("glotmill: 1\nseed: -1\n", ".seed minimum 0"),
        ("glotmill: 1\nsources: []\n", ".sources minItems 1"),
        (
            "glotmill: 1\nsources: [{name: a, path: x, language: {colum: x}}]\n",
            ".sources[].language",
        ),
        ("glotmill: 1\nmix: {tiers: [{name: a, at_least: 0, rate: -1}]}\n", ".mix.tiers"),
    ],
)
def test_the_schema_refuses_what_loading_refuses(schema, text, expected):
    found = faults(schema, schema, parsed(text))
    assert found
    assert all(fault.startswith(expected) for fault in found), found


def test_texts_that_read_as_what_is_wanted_are_taken_and_the_schema_is_stricter(
    load, schema, monkeypatch
):
    monkeypatch.setenv("GLOTMILL_TEST_SEED", "7")
    text = SOURCE + "seed: ${GLOTMILL_TEST_SEED}\nnormalise: {ftfy: no, whitespace: 'yes'}\n"
    recipe = load(text + "script: {min_share: '0.25'}\n").recipe
    assert (recipe.seed, recipe.script.min_share) == (7, 0.25)
    assert (recipe.normalise.ftfy, recipe.normalise.whitespace) == (False, True)
    found = faults(schema, schema, parsed(text))
    assert [fault.split(" ")[0] for fault in found] == [
        ".seed", ".normalise.ftfy", ".normalise.whitespace",
    ]  # fmt: skip


def test_the_version_of_a_recipe_may_be_that_of_its_base(schema):
    """As in the ablations of docs/recipe.md, which editors would underline."""
    assert faults(schema, schema, {"name": "a"}) == [".glotmill is missing"]
    assert faults(schema, schema, {"glotmill": 1, "name": "a"}) == []
    assert faults(schema, schema, {"extends": "base.yaml", "mix": {"exclude": ["bitext"]}}) == []


def test_every_option_is_described(schema):
    described = [
        (name, key)
        for name, node in {**schema["$defs"], "Recipe": schema}.items()
        for key, option in node.get("properties", {}).items()
        if not option.get("description") and "$ref" not in option  # what is referred to has one
    ]
    assert described == []
