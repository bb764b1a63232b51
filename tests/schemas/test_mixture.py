"""The section `mix:`: what its options come to, and every message about wrong ones."""

import pytest

from glotmill.schemas.loading import RecipeError, load_recipe
from glotmill.schemas.lock import Lock, dump_lock, parse_lock
from glotmill.schemas.mixture import LabelOptions, MaxEpochs, Mix
from glotmill.schemas.shares import SHARE_TABLES, ShareNode, SharePart, share_tree
from glotmill.schemas.tiers import CategoryTiers, Tier, tiers_of

SOURCE = "glotmill: 1\nname: a\nsources:\n  - {name: a, path: x}\n"


@pytest.fixture
def load(tmp_path):
    def load(text, name="recipe.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return load_recipe(path).recipe

    return load


def test_the_defaults_are_rates_of_tiers_and_nothing_else():
    mix = Mix()
    assert (mix.strategy, mix.count_by, mix.on_infeasible) == ("rates", "words", "stop")
    assert (mix.budget, mix.shares, mix.max_epochs) == (None, None, None)
    assert (mix.domain_caps, mix.labels) == ({}, {})
    assert (mix.counted, mix.unit) == ("num_words", "words")
    assert Mix(count_by="whitespace_words").unit == "whitespace words"


def test_options_that_are_of_no_use_may_have_their_defaults():
    assert Mix(alpha=0.3, within="rates", validation={"max_documents": 0}) == Mix(
        validation={"max_documents": 0, "min_documents": 1}
    )
    assert Mix(strategy="shares", shares={"book": 1}, within="temperature", alpha=0.5)


def test_keys_of_labels_are_full_names(load):
    recipe = load(
        SOURCE + "mix:\n"
        "  labels: {swa_Latn: {min: 1.0e6}, book/zh-Hant: {rate: 0}, mul: {max: 5},\n"
        "           fra_Latn-eng_Latn: {rate: 2}, instruction/eng_Latn-fra_Latn: {max: 1}}\n"
        "  max_epochs: {default: 20, tiers: {high: 1, bitext/high: 2}, labels: {swa_Latn: 50}}\n"
    )
    assert list(recipe.mix.labels) == [
        "monolingual/swa_Latn", "book/zho_Hant", "bitext/mul", "bitext/eng_Latn-fra_Latn",
        "instruction/eng_Latn-fra_Latn",
    ]  # fmt: skip
    assert recipe.mix.options_of("book", "zho_Hant").rate == 0
    assert recipe.mix.options_of("paper", "zho_Hant") == LabelOptions()
    lock = Lock(glotmill="0", recipe=recipe, inputs=(), units=())
    assert parse_lock(dump_lock(lock)) == lock


def test_locks_of_runs_whose_options_were_allowed_then(load):
    recipe = load(SOURCE)
    lock = dump_lock(Lock(glotmill="0", recipe=recipe, inputs=(), units=()))
    for now, then in (("alpha: 0.3", "alpha: 0.5"), ("min_documents: 1", "min_documents: 500")):
        assert now in lock.decode()
        assert parse_lock(lock.replace(now.encode(), then.encode())).recipe != recipe


def test_a_label_goes_before_its_tier_and_a_tier_before_all():
    caps = MaxEpochs(
        default=20, tiers={"high": 1, "bitext/high": 2}, labels={"swa_Latn": 50, "book/mul": 3}
    )
    assert caps.of("monolingual", "high", "swa_Latn") == 50
    assert caps.of("book", "high", "swa_Latn") == 1
    assert caps.of("bitext", "high", "eng_Latn-swa_Latn") == 2
    assert caps.of("book", "all", "mul") == 3
    assert caps.of("book", "all", "eng_Latn") == 20
    assert MaxEpochs().of("book", "all", "eng_Latn") is None
    assert Mix(max_epochs=4).max_epochs_of("book", "all", "eng_Latn") == 4


def test_caps_of_domains():
    mix = Mix(domain_caps={"religious": 0.3, "*": 0.5})
    assert [mix.domain_cap_of(name) for name in ("religious", "news", "")] == [0.3, 0.5, 1.0]


def test_trees_of_shares_lose_what_is_left_out():
    shares = {
        "bitext": 1.0,
        "text": SharePart(share=3, of={"paper": 2.0, "book": 1.0}),
        "monolingual": SharePart(share=6, tiers={"high": 2.0, "low": 1.0}),
    }
    tree = share_tree(shares, ["book"])
    assert tree == (
        ShareNode("bitext", 1.0, "bitext"),
        ShareNode("text", 3.0, children=(ShareNode("paper", 2.0, "paper"),)),
        ShareNode(
            "monolingual", 6.0, "monolingual",
            children=(
                ShareNode("monolingual/high", 2.0, "monolingual", "high"),
                ShareNode("monolingual/low", 1.0, "monolingual", "low"),
            ),
        ),
    )  # fmt: skip
    assert [node.name for node in share_tree(shares, ["book", "paper"])] == [
        "bitext",
        "monolingual",
    ]


def test_the_published_shares():
    bilingual, monolingual = (
        SHARE_TABLES[f"emma500-{each}"] for each in ("bilingual", "monolingual")
    )
    assert sum(bilingual.values()) == pytest.approx(100)
    assert sum(monolingual.values()) == pytest.approx(100, abs=0.11)  # as they are rounded
    # The second mix is the first without bitext.
    rest = 100 - bilingual["bitext"]
    assert {name: bilingual[name] / rest * 100 for name in monolingual} == pytest.approx(
        monolingual, abs=0.15
    )


def test_a_recipe_that_leaves_out_bitext_keeps_the_table(load, tmp_path):
    load(SOURCE + "mix: {strategy: shares, shares: emma500-bilingual, budget: 671.1e9}\n", "a.yaml")
    mix = load("extends: a.yaml\nmix: {exclude: [bitext]}\n").mix
    assert [node.name for node in share_tree(mix.shares, mix.exclude)] == [
        "monolingual", "code", "paper", "instruction", "book",
    ]  # fmt: skip


# What the registry suggests changes with the registry.
_SUGGESTED = "; did you mean 'xkx' (Karore), 'xmx' (Salawati), 'xxk' (Ke'o)?"
CATEGORIES = "monolingual, bitext, code, paper, book, instruction"
TREE = "strategy: shares, shares"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("strategy: unimax", "'unimax' divides a budget: write 'budget', in words"),
        ("strategy: temperature, count_by: bytes",
         "'temperature' divides a budget: write 'budget', in bytes"),
        ("strategy: shares", "'strategy: shares' wants 'shares'"),
        ("shares: emma500-bilingual", "'shares' is for 'strategy: shares', not for 'rates'"),
        ("budget: 0", "'mix.budget' wants more than 0, not 0"),
        ("budget: .inf", "'mix.budget' wants a finite number, not inf"),
        ("budget: much", "'mix.budget' wants a number, not 'much'"),
        ("alpha: 1.5", "'mix.alpha' wants at most 1, not 1.5"),
        ("alpha: 0.5", "'alpha' is for 'strategy: temperature', or 'within: temperature'"),
        ("strategy: shares, shares: {book: 1}, within: unimax, alpha: 0.5",
         "'alpha' is for 'strategy: temperature', or 'within: temperature'"),
        ("within: unimax", "'within' is for 'strategy: shares', not for 'rates'"),
        ("validation: {min_documents: 10, max_documents: 3}",
         "'mix.validation': 'min_documents' is 10, more than 'max_documents', which is 3"),
        ("stages: [{name: a, parts: {biteext: 1}}]",
         "unknown key 'biteext' in 'mix.stages.0.parts'; did you mean 'bitext'? "
         f"(there are {CATEGORIES}, *)"),
        ("stages: [{name: a, parts: {bitext: much}}]",
         "'mix.stages.0.parts.bitext' wants a number, not 'much'"),
        ("within: shares",
         "'mix.within' is 'shares'; there are rates, temperature, unimax"),
        ("on_infeasible: go",
         "'mix.on_infeasible' is 'go'; there are stop, relax"),
        (f"{TREE}: emma500",
         "'mix.shares': no table of shares 'emma500'; there are emma500-bilingual, "
         "emma500-monolingual"),
        (f"{TREE}: {{}}", "no share is more than 0"),
        (f"{TREE}: {{bitext: 0, book: 0}}", "no share is more than 0"),
        (f"{TREE}: {{bitext: -1}}", "'mix.shares.bitext' wants at least 0, not -1"),
        (f"{TREE}: {{bitext: lots}}", "'mix.shares.bitext' wants a number, not 'lots'"),
        (f"{TREE}: {{bitxt: 1}}",
         f"'bitxt' is no category; did you mean 'bitext'? (there are {CATEGORIES}); a group of "
         "categories has them under 'of'"),
        (f"{TREE}: {{text: {{share: 1, of: {{bok: 1}}}}}}",
         f"'bok' is no category; did you mean 'book'? (there are {CATEGORIES}); a group of "
         "categories has them under 'of'"),
        (f"{TREE}: {{text: {{share: 1, of: {{book: 1}}}}, book: 2}}", "'book' has a share already"),
        (f"{TREE}: {{text: {{share: 1, of: {{book: 0}}}}}}", "no share is more than 0"),
        (f"{TREE}: {{book: {{share: 1, of: {{paper: 1}}}}}}",
         "'book' is a category, not a group: it has no 'of'"),
        (f"{TREE}: {{book: {{share: 1, of: {{}}, tiers: {{}}}}}}",
         "'mix.shares.book': 'tiers' divide a category and 'of' a group; this has both"),
        (f"{TREE}: {{book: {{share: many}}}}",
         "'mix.shares.book.share' wants a number, not 'many'"),
        (f"{TREE}: {{bitext: {{share: 1, tiers: {{hgh: 1}}}}}}",
         "'bitext' has no tier 'hgh'; did you mean 'high'? (there are very high, high, "
         "medium-high, medium, medium-low, low, very low)"),
        (f"{TREE}: {{bitext: {{share: 1, tiers: {{high: 0}}}}}}", "no share is more than 0"),
        (f"{TREE}: 3", "'mix.shares' wants a string or a map of keys, not 3"),
        (f"{TREE}: {{book: [1]}}", "'mix.shares.book' wants a number or {share: ...}, not a list"),
        (f"{TREE}: {{book: {{share: 1, teirs: {{}}}}}}",
         "unknown key 'teirs' in 'mix.shares.book'; did you mean 'tiers'? "
         "(there are of, share, tiers)"),
        ("labels: {swa_Latn: {mn: 3}}",
         "unknown key 'mn' in 'mix.labels.swa_Latn'; did you mean 'min'? "
         "(there are max, min, rate)"),
        ("max_epochs: []", "'mix.max_epochs' wants a number or a map of keys, but is empty"),
        ("max_epochs: 0", "'mix.max_epochs' wants more than 0, not 0"),
        ("max_epochs: 1001", "'mix.max_epochs' wants at most 1000, not 1001"),
        ("max_epochs: {default: 0}", "'mix.max_epochs.default' wants more than 0, not 0"),
        ("max_epochs: {defalt: 3}",
         "unknown key 'defalt' in 'mix.max_epochs'; did you mean 'default'? "
         "(there are default, labels, tiers)"),
        ("max_epochs: {tiers: {hihg: 1}}",
         "no tier 'hihg'; did you mean 'high'? (there are high, medium-high, medium, medium-low, "
         "low, unseen, very high, very low, all)"),
        ("max_epochs: {labels: {swa: 1}}",
         "'swa' names no script; write a label such as 'swa_Latn'"),
        ("domain_caps: {news: 0}", "'mix.domain_caps.news' wants more than 0, not 0"),
        ("domain_caps: {news: 33}", "'mix.domain_caps.news' wants at most 1, not 33"),
        ("domain_caps: {'': 0.5}",
         "'mix.domain_caps': text of no domain has no cap; '*' stands for every domain named"),
        ("labels: {swa_Latn: {min: 5, max: 4}}",
         "'mix.labels.swa_Latn': 'min' is 5, more than 'max', which is 4"),
        ("labels: {swa_Latn: {rate: -1}}", "'mix.labels.swa_Latn.rate' wants at least 0, not -1"),
        ("labels: {boks/swa_Latn: {rate: 1}}",
         f"'boks' is no category; did you mean 'book'? (there are {CATEGORIES})"),
        ("labels: {swa_Latn: {rate: 1}, monolingual/swa_Latn: {rate: 2}}",
         "'monolingual/swa_Latn' is listed twice"),
        ("labels: {eng_Latn-xxx_Latn: {rate: 1}}", "unknown language code 'xxx' in 'xxx_Latn'"),
    ],
)  # fmt: skip
def test_messages(load, options, expected):
    with pytest.raises(RecipeError) as caught:
        load(f"{SOURCE}mix:\n  {{{options}}}\n")
    message = str(caught.value).rpartition("recipe.yaml:")[2]
    assert message.removesuffix(_SUGGESTED) == f"6: {expected}"


def test_positions_of_messages_are_those_of_the_keys(load):
    text = SOURCE + (
        "mix:\n  strategy: shares\n  shares:\n    book: 1\n    bitext:\n      share: 1\n"
        "      tiers:\n        hgh: 1\n"
    )
    with pytest.raises(RecipeError, match=r"recipe\.yaml:12: 'bitext' has no tier 'hgh'"):
        load(text)


def test_names_of_tiers_are_those_of_the_recipe():
    own = CategoryTiers(book=[Tier(name="rare", at_least=0, rate=1)])
    assert Mix(tiers=own, max_epochs={"tiers": {"rare": 2, "book/rare": 3}})
    with pytest.raises(ValueError, match="no tier 'rare'"):
        Mix(max_epochs={"tiers": {"rare": 2}})


OUTPUT = "output: {tokens: {tokenizer: t.json, datasets: tier}}\n"
ALIKE = (
    "would have one dataset, as only letters and digits count in its name, and no case; give one "
    "of them another name"
)


@pytest.mark.parametrize(
    ("before", "key"), [("  tiers:\n", 7), ("  tiers:\n    book:\n", 8)], ids=["all", "category"]
)
def test_tiers_that_would_have_one_dataset(load, before, key):
    tiers = [("Very big", 100), ("big", 50), ("very-big", 10), ("small", 0)]
    lines = [f"    - {{name: {name}, at_least: {least}, rate: 1}}\n" for name, least in tiers]
    text = f"{SOURCE}mix:\n{before}{''.join(lines)}"
    with pytest.raises(RecipeError) as caught:
        load(text + OUTPUT)
    message = str(caught.value).rpartition("recipe.yaml:")[2]
    assert message == f"{key + 2}: the tiers 'Very big' and 'very-big' {ALIKE}"
    # Without a dataset a tier they are two tiers like others.
    assert load(text)
    assert load(text + OUTPUT.replace("tier}", "category}"))
    assert load(text.replace("very-big", "rather big") + OUTPUT)


def test_a_lock_of_tiers_that_have_one_dataset_can_be_read(load):
    tiers = "[{name: a b, at_least: 1, rate: 1}, {name: a c, at_least: 0, rate: 1}]"
    recipe = load(f"{SOURCE}mix: {{tiers: {tiers}}}\n{OUTPUT}")
    lock = dump_lock(Lock(glotmill="0", recipe=recipe, inputs=(), units=()))
    assert lock.count(b"a c") == 1
    mix = parse_lock(lock.replace(b"a c", b"a-b")).recipe.mix
    assert [tier.name for tier in tiers_of(mix.tiers, "book")] == ["a b", "a-b"]
