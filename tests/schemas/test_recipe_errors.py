"""Every message about a wrong recipe, whole, with the line it points at."""

import pytest

from glotmill.schemas.loading import RecipeError, load_recipe

HEAD = "glotmill: 1\nname: a\n"
SOURCE = HEAD + "sources:\n  - {name: a, path: x}\n"
TOP_LEVEL = (
    "bitext, decontaminate, deduplicate, extends, filters, glotmill, identify, ingest, mix, name, "
    "normalise, output, script, seed, sources, stages"
)
SOURCE_KEYS = (
    "category, domain, format, id, language, licence, name, pairs, path, priority, "
    "strip_markup, text, url"
)
LANGUAGES = "'identify', {column: ...}, {code: ...} or {path: ...}"


@pytest.fixture
def errors(tmp_path):
    """Loads a text that is a wrong recipe; gives its messages without the folder."""

    def load(text, name="recipe.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        with pytest.raises(RecipeError) as caught:
            load_recipe(path)
        return str(caught.value).replace(f"{tmp_path}/", "").split("\n")

    return load


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SOURCE + "tresholds: 1\n", f"5: unknown key 'tresholds'; there are {TOP_LEVEL}"),
        (
            SOURCE + "\nidentfy: {}\n",
            f"6: unknown key 'identfy'; did you mean 'identify'? (there are {TOP_LEVEL})",
        ),
        (
            HEAD + "sources:\n  - name: a\n    path: x\n    categoyr: code\n",
            "6: unknown key 'categoyr' in 'sources.0'; did you mean 'category'? "
            f"(there are {SOURCE_KEYS})",
        ),
        (
            SOURCE + "output:\n  parquet:\n    shard: 3\n",
            "7: unknown key 'shard' in 'output.parquet'; did you mean 'shards'? "
            "(there are row_group_rows, shards, validation_shards)",
        ),
        (
            SOURCE + "stages:\n  - {name: x, option: {}}\n",
            "6: unknown key 'option' in 'stages.0'; did you mean 'options'? "
            "(there are name, options)",
        ),
        (HEAD, "1: missing key 'sources'"),
        ("glotmill: 1\nsources:\n  - {name: a, path: x}\n", "1: missing key 'name'"),
        (HEAD + "sources:\n  - name: a\n", "4: missing key 'path' in 'sources.0'"),
        (SOURCE + "stages: [{}]\n", "5: missing key 'name' in 'stages.0'"),
    ],
)
def test_keys(errors, text, expected):
    assert errors(text) == [f"recipe.yaml:{expected}"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SOURCE + "seed: lots\n", "5: 'seed' wants a whole number, not 'lots'"),
        (SOURCE + "seed: 1.5\n", "5: 'seed' wants a whole number, not 1.5"),
        (SOURCE + "seed: -1\n", "5: 'seed' wants at least 0, not -1"),
        (SOURCE + "seed: [1]\n", "5: 'seed' wants a whole number, not a list"),
        (SOURCE + "seed: {a: 1}\n", "5: 'seed' wants a whole number, not {a: ...}"),
        (SOURCE + "seed:\n", "5: 'seed' wants a whole number, but is empty"),
        (
            SOURCE + f"seed: {2**63}\n",
            "5: 'seed' wants less than 9.22337203685478e+18, not 9223372036854775808",
        ),
        (SOURCE + "mix:\n", "5: 'mix' wants a map of keys, but is empty"),
        (SOURCE + "mix: rates\n", "5: 'mix' wants a map of keys, not 'rates'"),
        (SOURCE + "stages: {name: x}\n", "5: 'stages' wants a list, not {name: ...}"),
        (SOURCE + "stages: [{name: x, options: 3}]\n",
         "5: 'stages.0.options' wants a map of keys, not 3"),
        (SOURCE + "normalise:\n  ftfy: maybe\n",
         "6: 'normalise.ftfy' wants true or false, not 'maybe'"),
        (SOURCE + "script: {min_share: lots}\n",
         "5: 'script.min_share' wants a number, not 'lots'"),
        (SOURCE + "script: {min_share: 1.5}\n", "5: 'script.min_share' wants at most 1, not 1.5"),
        (SOURCE + "output: {parquet: {shards: 0}}\n",
         "5: 'output.parquet.shards' wants at least 1, not 0"),
        ("glotmill: 1\nname: 2024-01-01\nsources: [{name: a, path: x}]\n",
         "2: 'name' wants a string"),
        ("glotmill: 1\nname: two words\nsources: [{name: a, path: x}]\n",
         "2: 'name' wants text that matches ^[A-Za-z0-9][A-Za-z0-9._-]*$, not 'two words'"),
        (HEAD + "sources: []\n", "3: 'sources' wants 1 or more entries, but is empty"),
        (HEAD + "sources: data/*.jsonl\n", "3: 'sources' wants a list, not 'data/*.jsonl'"),
        (HEAD + "sources:\n  - {name: a, path: x}\n  - data\n",
         "5: 'sources.1' wants a map of keys, not 'data'"),
        (HEAD + "sources:\n  - {name: a, path: x, priority: 3000000000}\n",
         "4: 'sources.0.priority' wants less than 2147483648, not 3000000000"),
    ],
)  # fmt: skip
def test_values(errors, text, expected):
    assert errors(text) == [f"recipe.yaml:{expected}"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SOURCE + "normalise: {unicode: nfc}\n",
         "5: 'normalise.unicode' is 'nfc'; there are NFC, none"),
        (SOURCE + "identify:\n  on_mismatch: relable\n",
         "6: 'identify.on_mismatch' is 'relable'; did you mean 'relabel'? "
         "(there are keep, relabel, drop)"),
        (HEAD + "sources:\n  - {name: a, path: x, format: jsonlines}\n",
         "4: 'sources.0.format' is 'jsonlines'; did you mean 'jsonl'? "
         "(there are auto, jsonl, parquet, text, text_file, tsv, csv, tmx, moses, xces, po, "
         "xliff, messages)"),
        (SOURCE + "mix: {exclude: [bitext, foo]}\n",
         "5: 'mix.exclude.1' is 'foo'; "
         "there are monolingual, bitext, code, paper, book, instruction"),
        ("glotmill: 2\nname: a\nsources: [{name: a, path: x}]\n",
         "1: 'glotmill' is 2; there is 1"),
        ("glotmill: '1'\nname: a\nsources: [{name: a, path: x}]\n",
         "1: 'glotmill' wants the number 1, not the text '1'"),
    ],
)  # fmt: skip
def test_choices(errors, text, expected):
    assert errors(text) == [f"recipe.yaml:{expected}"]


def source_error(errors, entry):
    (message,) = errors(HEAD + f"sources:\n  - {{name: a, {entry}}}\n")
    prefix = "recipe.yaml:4: "
    assert message.startswith(prefix)
    return message.removeprefix(prefix)


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("swa_Latn", f"'sources.0.language' wants {LANGUAGES}, not 'swa_Latn'"),
        ("[swa]", f"'sources.0.language' wants {LANGUAGES}, not a list"),
        ("{}", f"'sources.0.language' wants {LANGUAGES}, but is empty"),
        ("{foo: 1}", f"'sources.0.language' wants {LANGUAGES}, not {{foo: ...}}"),
        ("{column: 3}", "'sources.0.language.column' wants a string, not 3"),
        ("{code: eng, column: b}",
         "unknown key 'code' in 'sources.0.language'; there is column"),
        ("{code: swahilli}",
         "'sources.0.language.code': unknown language code 'swahilli'; "
         "did you mean 'swa' (Swahili)?"),
        ("{path: '/([a-z]{3}'}",
         "'sources.0.language.path': not a regular expression: missing ), unterminated "
         "subpattern at position 1"),
        ("{path: '/[a-z]{3}'}",
         "'sources.0.language.path': wants one group around the language code, found 0"),
        ("{path: '/(a)(b)'}",
         "'sources.0.language.path': wants one group around the language code, found 2"),
    ],
)  # fmt: skip
def test_where_the_language_is_a_union_one_branch_is_told_of(errors, language, expected):
    assert source_error(errors, f"path: x, language: {language}") == expected


def test_a_mistyped_key_of_a_branch_is_told_of_as_that_branch(errors):
    text = HEAD + "sources:\n  - name: a\n    path: x\n    language: {colum: lang}\n"
    assert errors(text) == [
        "recipe.yaml:6: missing key 'column' in 'sources.0.language'",
        "recipe.yaml:6: unknown key 'colum' in 'sources.0.language'; did you mean 'column'? "
        "(there is column)",
    ]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("3", "'sources.0.path' wants a string or a list, not 3"),
        ("{a: 1}", "'sources.0.path' wants a string or a list, not {a: ...}"),
        ("[]", "'sources.0.path' wants 1 or more entries, but is empty"),
        ("''", "'sources.0.path' wants 1 or more characters, but is empty"),
        ("[x, 3]", "'sources.0.path.1' wants a string, not 3"),
        ("[x, '']", "'sources.0.path.1' wants 1 or more characters, but is empty"),
    ],
)
def test_paths(errors, path, expected):
    assert source_error(errors, f"path: {path}") == expected


@pytest.mark.parametrize(
    ("tiers", "expected"),
    [
        ("emma", "'mix.tiers': no tier table 'emma'; there are emma500-bitext, "
         "emma500-monolingual, uniform"),
        ("{bitext: {}}", "'mix.tiers.bitext' wants a string or a list, but is empty"),
        ("{bitxt: uniform}", "unknown key 'bitxt' in 'mix.tiers'; did you mean 'bitext'? "
         "(there are bitext, book, code, instruction, monolingual, paper)"),
        ("{bitext: emma500}", "'mix.tiers.bitext': no tier table 'emma500'; there are "
         "emma500-bitext, emma500-monolingual, uniform"),
        ("{bitext: [{name: a, at_least: 1, rate: 1}]}", "'mix.tiers.bitext': the lowest tier has "
         "to start at 0, so that every label has a tier"),
        ("3", "'mix.tiers' wants a string, a list or a map of keys, not 3"),
        ("[]", "'mix.tiers': the lowest tier has to start at 0, so that every label has a tier"),
        ("[{name: a, at_least: 1, rate: 1}]",
         "'mix.tiers': the lowest tier has to start at 0, so that every label has a tier"),
        ("[{name: a, at_least: 0, rate: 1}, {name: a, at_least: 1, rate: 1}]",
         "'mix.tiers': two tiers share a name"),
        ("[{name: a, at_least: 0, rate: 1}, {name: b, at_least: 0, rate: 1}]",
         "'mix.tiers': two tiers share a threshold"),
        ("[{name: a, at_least: 0, rate: -0.5}]",
         "'mix.tiers.0.rate' wants at least 0, not -0.5"),
        ("[{name: a, at_least: .inf, rate: 1}]",
         "'mix.tiers.0.at_least' wants a finite number, not inf"),
        ("[{name: a, at_least: 0, rate: 1}, all]", "'mix.tiers.1' wants a map of keys, not 'all'"),
    ],
)  # fmt: skip
def test_tiers(errors, tiers, expected):
    assert errors(SOURCE + f"mix:\n  tiers: {tiers}\n") == [f"recipe.yaml:6: {expected}"]


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("template: plian", "'bitext.template': no template 'plian'; did you mean 'plain'? "
         "(there are emma500, emma500-evaluation, interlinear, plain)"),
        ("template: 3", "'bitext.template' wants a string or {pair: ...}, not 3"),
        ("template: '{src_txt} {tgt_text}.'",
         "'bitext.template': unknown placeholder '{src_txt}'; did you mean 'src_text'? "
         "(there are src_lang, src_name, tgt_lang, tgt_name, src_text, tgt_text)"),
        ("template: '{src_text} to'", "'bitext.template': wants {tgt_text} once, found it 0 times"),
        ("template: '{src_text}{tgt_text} '",
         "'bitext.template': in 'pair' a text is followed by a placeholder; put at least one "
         "character between them, such as a line feed, or a separator"),
        ("template: {pair: '{src_text}\\n{tgt_text}'}",
         "'bitext.template.pair': a template holds no backslash; YAML reads \\n as a line feed "
         "between double quotes only"),
        ("template: {pair: '{src_text} {tgt_text}.', header: '{src_nme}: '}",
         "'bitext.template.header': unknown placeholder '{src_nme}'; did you mean 'src_name'? "
         "(there are src_lang, src_name, tgt_lang, tgt_name)"),
        ("template: {pair: '{src_text} {tgt_text}.', hedaer: x}",
         "unknown key 'hedaer' in 'bitext.template'; did you mean 'header'? "
         "(there are footer, header, pair, segment, separator)"),
        ("template:\n    pair: '{src_text} {tgt_text}'\n    separator: '.'\n    segment: '{text}'",
         "'bitext.template.segment': a text is followed by a placeholder; put at least one "
         "character between them, such as a line feed (the separator stands between rows, not "
         "between segments)"),
        ("directions: back",
         "'bitext.directions' is 'back'; there are hashed, as_is, reversed, both"),
        ("min_pairs: 11", "'bitext': 'min_pairs' is 11, more than 'pairs_per_document', which is "
         "10: no document would be long enough"),
        ("held_out: [eng_Latn>xxx_Latn]", "'bitext.held_out.0': unknown language code 'xxx'"),
        ("held_out: [eng_Latn-deu_Latn, swa-fra_Latn]",
         "'bitext.held_out.1': 'swa' names no script; write a label such as 'swa_Latn'"),
        ("held_out: [all]", "'bitext.held_out.0': 'all' names no two languages; write "
         "'deu_Latn-ces_Latn' for both directions or 'deu_Latn>ces_Latn' for one"),
    ],
)  # fmt: skip
def test_bitext(errors, option, expected):
    (message,) = errors(SOURCE + f"bitext:\n  {option}\n")
    line = 5 if option.startswith("min_pairs") else 6 + option.count("\n")
    assert message.startswith(f"recipe.yaml:{line}: {expected}")
    assert message.endswith(expected) or "unknown language code" in expected  # suggestions follow


def test_two_sources_of_one_name(errors):
    text = HEAD + "sources:\n  - {name: a, path: x}\n  - path: y\n    name: a\n"
    assert errors(text) == ["recipe.yaml:6: another source has the name 'a'"]


def test_identification_is_off_and_nothing_is_declared(errors):
    text = HEAD + (
        "sources:\n  - {name: a, path: x}\n  - {name: b, path: x, language: {code: eng}}\n"
        "identify:\n  enabled: false\n"
    )
    assert errors(text) == [
        "recipe.yaml:7: identification is off, so these sources need a language: a"
    ]


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (
            "mix:\n  count_by: tokens\n",
            "recipe.yaml:6: there are no tokens to count: name a tokenizer in 'output.tokens'",
        ),
        (
            "mix:\n  stages: [{name: late, parts: {book: 1}}]\n",
            "recipe.yaml:6: no stage takes 'monolingual': give it a part, or write it into "
            "'exclude'",
        ),
        (
            "mix:\n  stages:\n    - {name: a, parts: {'*': 1}}\n    - {name: a, parts: {'*': 2}}\n",
            "recipe.yaml:8: another stage has the name 'a'",
        ),
        (
            "mix:\n  stages:\n    - {name: a, parts: {'*': 0}}\n",
            "recipe.yaml:7: 'mix.stages.0.parts': a stage takes a part above 0 of some category",
        ),
    ],
)
def test_what_the_mixture_wants_has_to_be_there(errors, section, expected):
    text = HEAD + "sources:\n  - {name: a, path: x, language: {code: eng}}\n" + section
    assert errors(text) == [expected]


LENGTHS = "'min_characters' is {}, so much more than 'max_characters', which is {}, that no "


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("filters:\n  max_characters: 5\n  min_characters: 100\n", "7: " + LENGTHS.format(100, 5)),
        ("filters:\n  custom: []\n  max_characters: 2\n", "7: " + LENGTHS.format(10, 2)),
        ("filters:\n  max_characters: 9999999999\n", "6: 'max_characters' is more than 21474836"),
        ("filters:\n  pairs:\n    max_characters: 5\n    min_letters: 6\n",
         "8: 'min_letters' is 6, more than 'max_characters', which is 5: no pair would be kept"),
        ("filters:\n  pairs:\n    urls: false\n    min_letters: 2001\n",
         "8: 'min_letters' is 2001, more than 'max_characters', which is 2000: no pair "),
        ("mix:\n  tiers: uniform\n  exclude: [code, monolingual]\n",
         "7: 'exclude' leaves nothing to draw: all sources are of monolingual"),
    ],
)  # fmt: skip
def test_a_recipe_that_keeps_nothing(errors, section, expected):
    (message,) = errors(SOURCE + section)
    assert message.startswith(f"recipe.yaml:{expected}")


def domains(*sources):
    """A recipe with a cap for a mistyped domain, and sources of these domains."""
    listed = "".join(f"  - {{name: s{i}, path: x, {each}}}\n" for i, each in enumerate(sources))
    return f"{HEAD}sources:\n{listed}mix:\n  domain_caps:\n    '*': 0.5\n    religous: 0.3\n"


def test_a_mistyped_domain_where_every_source_names_its_own(errors):
    assert errors(domains("domain: religious", "domain: news")) == [
        "recipe.yaml:9: no source is of the domain 'religous'; did you mean 'religious'? "
        "(there are news, religious)"
    ]


def test_a_domain_of_no_source_stays_where_it_is_like_none(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(domains("domain: law", "domain: news"))
    assert load_recipe(path).recipe.mix.domain_cap_of("religous") == 0.3


def test_a_domain_of_no_source_stays_where_one_names_none(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(domains("domain: religious", "priority: 1"))
    assert load_recipe(path).recipe.mix.domain_cap_of("religious") == 0.5


def test_all_thresholds_that_are_wrong_are_told(errors):
    thresholds = "{swahilli_Latn: 0.3,\n  eng_Latn: 0.5,\n  sr: 2,\n  deu_Latn: 7}\n"
    found = errors(SOURCE + f"identify:\n  thresholds: {thresholds}")
    assert [message[: len("recipe.yaml:6: unknown language")] for message in found] == [
        "recipe.yaml:6: unknown language",
        "recipe.yaml:8: 'sr' names no sc",
        "recipe.yaml:8: 'identify.thresh",
        "recipe.yaml:9: 'identify.thresh",
    ]


def test_several_errors_come_at_once_in_the_order_of_the_file(errors):
    text = (
        "output: {parquet: {shards: many}}\nglotmill: 1\nseed: -3\nsources:\n"
        "  - {name: b, format: foo, pth: x}\n  - {name: a, path: [x, 3]}\ntresholds: 1\n"
    )
    found = [message.split(" ")[0] for message in errors(text)]
    assert found == [f"recipe.yaml:{line}:" for line in (1, 1, 3, 5, 5, 5, 6, 7)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1: a recipe is a map of keys such as 'name:' and 'sources:'"),
        ("- a\n", "1: a recipe is a map of keys such as 'name:' and 'sources:'"),
        (HEAD + "name: b\n",
         '3: not valid YAML: found duplicate key "name" with value "b" (original value: "a")'),
        (HEAD + "sources:\n  - {name: a, path: x\n",
         "5: not valid YAML: expected ',' or '}', but got '<stream end>'"),
        (HEAD + "sources: *base\n", "3: not valid YAML: found undefined alias 'base'"),
        (HEAD + "---\nname: b\n",
         "3: not valid YAML: but found another document"),
        (f"name: {'[' * 5_000}{']' * 5_000}\n", "1: lists or maps lie too deep in each other"),
        ("name: a\n\tseed: 1\n",
         "2: not valid YAML: found character '\\t' that cannot start any token"),
    ],
)  # fmt: skip
def test_text_that_is_no_recipe(errors, text, expected):
    assert errors(text) == [f"recipe.yaml:{expected}"]


def test_a_file_that_is_not_utf8(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_bytes(b"name: caf\xe9\n")
    with pytest.raises(RecipeError, match=r"r\.yaml:1: the recipe is not UTF-8 text$"):
        load_recipe(path)


def test_a_file_that_is_not_there(tmp_path):
    wanted = tmp_path / "recipe.yaml"
    advice = "('glotmill init' writes a recipe to start from)"
    with pytest.raises(RecipeError) as caught:
        load_recipe(wanted)
    assert str(caught.value) == f"{wanted}:1: no such file {advice}"
    (tmp_path / "b.yaml").touch()
    (tmp_path / "a.yaml").touch()
    with pytest.raises(RecipeError) as caught:
        load_recipe(wanted)
    assert str(caught.value) == f"{wanted}:1: no such file; recipes there: a.yaml, b.yaml {advice}"


def test_a_folder_is_no_recipe(tmp_path):
    with pytest.raises(RecipeError, match=r":1: cannot be read: Is a directory$"):
        load_recipe(tmp_path)


@pytest.fixture
def unset(monkeypatch):
    """No environment sets the variables that the tests name."""
    for name in ("GLOTMILL_TEST_ONE", "GLOTMILL_TEST_TWO"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("unset")
def test_unset_variables_are_all_named(errors):
    text = HEAD + (
        "sources:\n  - {name: a, path: '${GLOTMILL_TEST_ONE}/x'}\n"
        "  - name: b\n    path: ['y', '${GLOTMILL_TEST_TWO}/x']\n"
    )
    assert errors(text) == [
        "recipe.yaml:4: the environment variable GLOTMILL_TEST_ONE is not set",
        "recipe.yaml:6: the environment variable GLOTMILL_TEST_TWO is not set",
    ]


@pytest.mark.usefixtures("unset")
def test_unset_variables_hide_no_other_error(errors):
    text = SOURCE.replace("x}", "'${GLOTMILL_TEST_ONE}/${GLOTMILL_TEST_ONE}'}") + (
        "seed: ${GLOTMILL_TEST_TWO}\nscript:\n  min_share: 7\n"
        "mix: {strategy: '${GLOTMILL_TEST_TWO}', tiers: emma}\ntresholds: 1\n"
    )
    first, second, *others = errors(text)
    assert (first, second) == (
        "recipe.yaml:4: the environment variable GLOTMILL_TEST_ONE is not set",
        "recipe.yaml:5: the environment variable GLOTMILL_TEST_TWO is not set",
    )
    assert [message[:40] for message in others] == [
        "recipe.yaml:7: 'script.min_share' wants ",
        "recipe.yaml:8: the environment variable ",
        "recipe.yaml:8: 'mix.tiers': no tier tabl",
        "recipe.yaml:9: unknown key 'tresholds'; ",
    ]


@pytest.mark.usefixtures("unset")
def test_names_that_are_unset_variables_differ(errors):
    text = HEAD + (
        "sources:\n  - {name: a, path: x, domain: '${GLOTMILL_TEST_ONE}'}\n"
        "mix:\n  tiers:\n    - {name: '${GLOTMILL_TEST_ONE}', at_least: 0, rate: 1}\n"
        "    - {name: '${GLOTMILL_TEST_TWO}', at_least: 9, rate: 2}\n"
    )
    assert [message.split(" ", 1)[0] for message in errors(text)] == [
        f"recipe.yaml:{line}:" for line in (4, 7, 8)
    ]


@pytest.mark.usefixtures("unset")
def test_what_leads_nowhere_hides_no_unset_variable(errors, tmp_path):
    variable = "the environment variable GLOTMILL_TEST_ONE is not set"
    text = "seed: ${GLOTMILL_TEST_ONE}\nextends: base.yaml\nname: ${GLOTMILL_TEST_ONE}\n"
    assert errors(text) == [
        f"recipe.yaml:1: {variable}",
        "recipe.yaml:2: 'extends': no file base.yaml",
        f"recipe.yaml:3: {variable}",
    ]
    (tmp_path / "base.yaml").write_text("- a\n")
    assert errors(text)[1:] == [f"recipe.yaml:1: {variable}", f"recipe.yaml:3: {variable}"]


@pytest.mark.usefixtures("unset")
def test_an_unset_variable_in_extends_is_named_before_the_file_is_looked_for(errors):
    assert errors("extends: ${GLOTMILL_TEST_ONE}/base.yaml\n") == [
        "recipe.yaml:1: the environment variable GLOTMILL_TEST_ONE is not set"
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("nowhere.yaml", "2: 'extends': no file nowhere.yaml"),
        ("[a.yaml]", "2: 'extends' wants the path of a recipe"),
        ("recipe.yaml", "2: the recipe extends itself, through recipe.yaml"),
        ("./recipe.yaml", "2: the recipe extends itself, through ./recipe.yaml"),
    ],
)
def test_extends_that_leads_nowhere(errors, value, expected):
    assert errors(f"name: a\nextends: {value}\n") == [f"recipe.yaml:{expected}"]


def test_a_longer_circle_of_extends(errors, tmp_path):
    (tmp_path / "b.yaml").write_text("# one\nextends: c.yaml\n")
    (tmp_path / "c.yaml").write_text("# one\n# two\nextends: recipe.yaml\n")
    assert errors("extends: b.yaml\n") == [
        "c.yaml:3: the recipe extends itself, through recipe.yaml"
    ]


def test_errors_in_a_base_point_into_the_base(errors, tmp_path):
    (tmp_path / "base.yaml").write_text(SOURCE + "mix:\n  count_by: word\n  tirs: []\n")
    assert errors("extends: base.yaml\nmix: {strategy: rate}\nscript:\n  min_share: 7\n") == [
        "base.yaml:6: 'mix.count_by' is 'word'; did you mean 'words'? "
        "(there are tokens, words, whitespace_words, bytes, characters)",
        "base.yaml:7: unknown key 'tirs' in 'mix'; did you mean 'tiers'? "
        "(there are alpha, budget, count_by, domain_caps, exclude, labels, max_epochs, "
        "on_infeasible, rehydrate, shares, stages, strategy, tiers, validation, within)",
        "recipe.yaml:2: 'mix.strategy' is 'rate'; did you mean 'rates'? "
        "(there are rates, temperature, unimax, shares)",
        "recipe.yaml:4: 'script.min_share' wants at most 1, not 7",
    ]
