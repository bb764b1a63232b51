"""Plan: what is there, which tier it is in, how much of it is held out and how much is drawn."""

import csv
import io
import math
import time
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmill.schemas import recipe
from glotmill.schemas.shares import SHARE_TABLES
from glotmill.schemas.tables import AVAILABLE, COUNTS, PLAN, RATES, STATISTICS
from glotmill.schemas.tiers import TIER_TABLES
from glotmill.transforms.plan import (
    BINDINGS,
    available,
    held_out_counts,
    num_held_out,
    plan_csv,
    plan_mixture,
)


def statistics(*rows):
    """Rows of (source, label, documents, words); every other count is its place in COUNTS."""
    full = []
    for source, label, documents, words in rows:
        row = {field.name: "" for field in STATISTICS if pa.types.is_string(field.type)}
        row |= {name: place * documents for place, name in enumerate(COUNTS)}
        row |= {"source": source, "label": label, "num_documents": documents, "num_words": words}
        full.append(row)
    return pa.Table.from_pylist(full, schema=STATISTICS)


CATEGORIES = {"a": "monolingual", "b": "monolingual", "c": "book"}


def test_what_is_available_is_what_was_kept_less_what_was_removed():
    kept = statistics(
        ("b", "fra_Latn", 5, 50), ("a", "eng_Latn", 10, 100), ("b", "eng_Latn", 7, 70),
        ("c", "eng_Latn", 3, 30), ("a", "deu_Latn", 4, 40),
    )  # fmt: skip
    removed = statistics(("b", "eng_Latn", 2, 20), ("a", "deu_Latn", 4, 40))
    counts = available(kept, removed, CATEGORIES)
    found = [
        (r["category"], r["label"], r["num_documents"], r["num_words"]) for r in counts.to_pylist()
    ]
    assert found == [
        ("book", "eng_Latn", 3, 30),
        ("monolingual", "eng_Latn", 15, 150),
        ("monolingual", "fra_Latn", 5, 50),
    ]
    assert counts.column("num_sentences").to_pylist() == [4 * n for _, _, n, _ in found]


def test_nothing_is_available_of_nothing():
    none = STATISTICS.empty_table()
    counts = available(none, none, {})
    assert counts.num_rows == 0
    assert held_out_counts(counts, recipe.Mix()) == {}


VALIDATION = st.builds(
    lambda share, least, more: recipe.Validation(
        share=share, min_documents=least, max_documents=least + more
    ),
    st.floats(0, 1),
    st.integers(0, 300),
    st.integers(0, 300),
)


@settings(deadline=None)
@given(st.integers(0, 10**7), VALIDATION)
def test_bounds_of_what_is_held_out(num_documents, options):
    held_out = num_held_out(num_documents, options)
    assert 0 <= held_out <= options.max_documents
    # Nine tenths stay for training, whatever is asked for.
    assert held_out * 10 <= num_documents
    if options.share == 0:
        assert held_out == 0
    elif held_out < min(options.max_documents, num_documents // 10):
        assert held_out >= options.min_documents
        assert abs(held_out - options.share * num_documents) <= max(0.5, options.min_documents)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 1000), VALIDATION)
def test_a_larger_label_holds_out_no_less(num_documents, more, options):
    assert num_held_out(num_documents, options) <= num_held_out(num_documents + more, options)


@pytest.mark.parametrize(
    ("num_documents", "expected"), [(0, 0), (9, 0), (10, 1), (149, 1), (151, 2), (10**6, 200)]
)
def test_what_the_defaults_hold_out(num_documents, expected):
    assert num_held_out(num_documents, recipe.Validation()) == expected


def counts(*rows):
    return available(statistics(*rows), STATISTICS.empty_table(), CATEGORIES)


TIERS = [
    {"name": "large", "at_least": 1000, "rate": 0.5},
    {"name": "middle", "at_least": 100, "rate": 1},
    {"name": "small", "at_least": 0, "rate": 4},
]


def test_what_is_held_out_of_the_categories_that_are_taken():
    there = counts(
        ("a", "eng_Latn", 1000, 5000), ("a", "fra_Latn", 20, 100), ("c", "eng_Latn", 5, 99)
    )
    options = recipe.Mix(exclude=["bitext"], validation={"share": 0.01})
    assert held_out_counts(there, options) == {
        ("book", "eng_Latn"): 0, ("monolingual", "eng_Latn"): 10, ("monolingual", "fra_Latn"): 1,
    }  # fmt: skip
    without = recipe.Mix(exclude=["monolingual", "code"])
    assert held_out_counts(there, without).keys() == {("book", "eng_Latn")}


# ---------------------------------------------------------------- the mixture


def there(*rows, split="train", again=False):
    """What may be drawn: (category, label, domain, words), a document for every ten of them."""
    full = []
    for category, label, domain, words in rows:
        row = {f.name: 0 for f in AVAILABLE}
        row |= {"category": category, "label": label, "domain": domain, "num_words": words}
        full.append({**row, "split": split, "again": again, "num_documents": -(-words // 10)})
    return pa.Table.from_pylist(full, schema=AVAILABLE)


def mono(**words):
    return there(*(("monolingual", label, "", count) for label, count in words.items()))


def mix(**options):
    return recipe.Mix.model_validate({"tiers": "uniform", **options})


def by_label(mixture, column="planned_count"):
    return dict(zip(*(mixture.plan[n].to_pylist() for n in ("label", column)), strict=True))


def kinds(mixture):
    return [finding.kind for finding in mixture.findings]


def test_rates_of_tiers_draw_what_they_say():
    counts = pa.concat_tables([
        there(("monolingual", "eng_Latn", "", 5000), ("monolingual", "fra_Latn", "", 90),
              ("book", "eng_Latn", "", 99)),
        there(("monolingual", "eng_Latn", "", 50), split="validation"),
        there(("monolingual", "fra_Latn", "", 20), split="excluded"),
    ])  # fmt: skip
    mixture = plan_mixture(counts, mix(tiers=TIERS), thresholds={("monolingual", "eng_Latn"): 77})
    assert (mixture.findings, mixture.budget) == ((), None)
    assert (mixture.plan.schema, mixture.rates.schema) == (PLAN, RATES)
    names = [
        "label", "tier", "rate", "num_documents", "num_words", "num_validation_documents",
        "validation_threshold", "available", "planned_count", "epochs", "binding", "relaxed",
    ]  # fmt: skip
    assert [tuple(row.values()) for row in mixture.plan.select(names).to_pylist()] == [
        ("eng_Latn", "small", 4, 10, 99, 0, -1, 99, 396, 4, "", ""),
        ("eng_Latn", "large", 0.5, 505, 5050, 5, 77, 5000, 2500, 0.5, "", ""),
        # Its tier goes by what is left out of training too.
        ("fra_Latn", "middle", 1, 11, 110, 0, -1, 90, 90, 1, "", ""),
    ]
    assert sum(mixture.plan["share"].to_pylist()) == pytest.approx(1)


@pytest.mark.parametrize("count_by", ["tokens", "whitespace_words", "bytes", "characters"])
def test_tiers_and_amounts_go_by_the_unit_asked_for(count_by):
    row = there(("monolingual", "eng_Latn", "", 50)).to_pylist()[0]
    counts = pa.Table.from_pylist([{**row, f"num_{count_by}": 1200}], schema=AVAILABLE)
    (planned,) = plan_mixture(counts, mix(tiers=TIERS, count_by=count_by)).plan.to_pylist()
    assert (planned["tier"], planned["available"], planned["planned_count"]) == ("large", 1200, 600)


def test_categories_that_are_left_out():
    counts = there(("monolingual", "eng_Latn", "", 500), ("book", "eng_Latn", "", 500))
    mixture = plan_mixture(counts, mix(exclude=["monolingual", "code"]))
    assert mixture.plan["category"].to_pylist() == ["book"]
    assert mixture.rates["category"].to_pylist() == ["book"]


def test_the_plan_for_a_spreadsheet():
    plan = plan_mixture(mono(eng_Latn=5000), recipe.Mix()).plan
    rows = list(csv.DictReader(io.StringIO(plan_csv(plan).decode())))
    assert [(row["label"], row["tier"], row["rate"], row["binding"]) for row in rows] == [
        ("eng_Latn", "unseen", "0", "rate")
    ]
    assert "validation_threshold" not in rows[0]


def test_pairs_written_a_second_way_are_drawn_but_make_no_tier_larger():
    pair = ("bitext", "deu_Latn-eng_Latn", "", 900)
    counts = pa.concat_tables([there(pair), there(pair, again=True)])
    (row,) = plan_mixture(counts, mix(tiers=TIERS)).plan.to_pylist()
    assert (row["tier"], row["num_words"], row["available"]) == ("middle", 900, 1800)
    assert row["planned_count"] == 1800


def test_rehydration_multiplies_rates_and_not_caps():
    options = mix(max_epochs={"labels": {"eng_Latn": 2}})
    counts = mono(eng_Latn=100, deu_Latn=100)
    weights = {("monolingual", label): 3.0 for label in ("eng_Latn", "deu_Latn")}
    mixture = plan_mixture(counts, options, weights)
    assert by_label(mixture) == {"deu_Latn": 300, "eng_Latn": 200}
    assert by_label(mixture, "rate") == {"deu_Latn": 1, "eng_Latn": pytest.approx(2 / 3)}
    assert by_label(mixture, "binding") == {"deu_Latn": "", "eng_Latn": "max_epochs"}


def test_a_budget_scales_rates_within_bounds():
    counts = mono(eng_Latn=1000, fra_Latn=100, swa_Latn=10)
    options = mix(tiers=TIERS, budget=960, max_epochs=4, labels={"swa_Latn": {"rate": 8}})
    mixture = plan_mixture(counts, options)
    # Weights 500, 100 and 80; the last is full at 40, the others share 920 as 500 to 100.
    assert by_label(mixture) == pytest.approx(
        {"eng_Latn": 920 * 5 / 6, "fra_Latn": 920 / 6, "swa_Latn": 40}
    )
    assert by_label(mixture, "binding")["swa_Latn"] == "max_epochs"


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_temperature(alpha):
    counts = mono(eng_Latn=10**6, fra_Latn=10**4, swa_Latn=100)
    mixture = plan_mixture(counts, mix(strategy="temperature", alpha=alpha, budget=150))
    weights = np.array([10**6, 10**4, 100.0]) ** alpha
    assert list(by_label(mixture).values()) == pytest.approx(weights / weights.sum() * 150)


def test_unimax():
    counts = mono(eng_Latn=1000, fra_Latn=50, swa_Latn=1)
    mixture = plan_mixture(counts, mix(strategy="unimax", budget=310, max_epochs=2))
    assert by_label(mixture) == pytest.approx({"eng_Latn": 208, "fra_Latn": 100, "swa_Latn": 2})
    assert mixture.findings == ()


def test_a_rate_of_0_leaves_a_label_out_of_every_strategy():
    counts = mono(eng_Latn=1000, fra_Latn=50)
    for strategy in ("rates", "temperature", "unimax"):
        options = mix(strategy=strategy, budget=10, labels={"fra_Latn": {"rate": 0}})
        mixture = plan_mixture(counts, options)
        assert by_label(mixture) == pytest.approx({"eng_Latn": 10, "fra_Latn": 0})
        assert by_label(mixture, "binding")["fra_Latn"] == "rate"


def test_least_and_largest_amounts_of_labels():
    counts = mono(eng_Latn=1000, fra_Latn=1000, swa_Latn=1000)
    labels = {"eng_Latn": {"max": 50}, "swa_Latn": {"min": 250}}
    mixture = plan_mixture(counts, mix(strategy="unimax", budget=400, labels=labels))
    assert by_label(mixture) == pytest.approx({"eng_Latn": 50, "fra_Latn": 100, "swa_Latn": 250})
    assert by_label(mixture, "binding") == {"eng_Latn": "max", "fra_Latn": "", "swa_Latn": "min"}


def test_no_domain_is_a_larger_share_than_its_cap():
    counts = there(
        ("monolingual", "swa_Latn", "religious", 900), ("monolingual", "swa_Latn", "news", 60),
        ("monolingual", "swa_Latn", "", 40), ("monolingual", "eng_Latn", "news", 1000),
        ("monolingual", "eng_Latn", "", 10),
    )  # fmt: skip
    mixture = plan_mixture(counts, mix(domain_caps={"religious": 0.25, "*": 0.9}))
    targets = {(row["label"], row["domain"]): row["target"] for row in mixture.rates.to_pylist()}
    # A quarter of swa may be religious: the rest is repeated, as no cap of epochs forbids it.
    assert targets["eng_Latn", ""] / targets["eng_Latn", "news"] == pytest.approx(1 / 9)
    swa = [targets["swa_Latn", domain] for domain in ("", "news", "religious")]
    assert sum(swa) == pytest.approx(1000)
    assert swa[2] == pytest.approx(250)
    assert swa[1] / swa[0] == pytest.approx(1.5)


def test_caps_of_domains_and_of_epochs_together():
    counts = there(
        ("monolingual", "swa_Latn", "religious", 900), ("monolingual", "swa_Latn", "news", 60),
        ("monolingual", "eng_Latn", "news", 500),
    )  # fmt: skip
    mixture = plan_mixture(counts, mix(domain_caps={"religious": 0.25}, max_epochs=1))
    assert by_label(mixture) == pytest.approx({"eng_Latn": 500, "swa_Latn": 80})
    assert by_label(mixture, "binding")["swa_Latn"] == "domain_cap"
    (note,) = mixture.findings
    assert (note.kind, note.stops, note.labels) == ("held_back", False, ("monolingual/swa_Latn",))
    assert str(note) == (
        "'domain_caps' hold 1 label back (monolingual/swa_Latn): of 960 words there can be drawn "
        "80: more would put one of the domains above its cap"
    )


def test_a_label_of_one_capped_domain_is_not_lost():
    counts = there(
        ("monolingual", "swa_Latn", "religious", 900), ("monolingual", "eng_Latn", "", 500)
    )
    mixture = plan_mixture(counts, mix(domain_caps={"religious": 0.33}))
    (finding,) = mixture.infeasible
    assert str(finding) == (
        "'domain_caps' leave nothing of 1 label (monolingual/swa_Latn): the caps of the domains "
        "that they have add up to less than 1 (religious): raise these caps, add text of other "
        "domains, or lift the caps for these labels with 'on_infeasible: relax'"
    )
    assert by_label(mixture) == {"eng_Latn": 500, "swa_Latn": 900}
    assert by_label(mixture, "relaxed") == {"eng_Latn": "", "swa_Latn": "domain_cap"}
    near = plan_mixture(counts, mix(domain_caps={"religious": 0.33}, on_infeasible="relax"))
    (finding,) = near.infeasible
    assert finding.advice == (
        "the caps are lifted for these labels; raise these caps, or add text of other domains, to "
        "have them kept"
    )


SHARES = {
    "bitext": 1,
    "text": {"share": 3, "of": {"paper": 2, "book": 1}},
    "monolingual": {"share": 6, "tiers": {"large": 1, "middle": 2, "small": 1}},
}


def of_all_categories(factor=1):
    return there(
        ("bitext", "deu_Latn-eng_Latn", "", 2000 * factor),
        ("paper", "eng_Latn", "", 3000 * factor),
        ("book", "eng_Latn", "", 4000 * factor),
        ("monolingual", "eng_Latn", "", 5000 * factor),
        ("monolingual", "deu_Latn", "", 15000 * factor),
        ("monolingual", "fra_Latn", "", 700 * factor),
        ("monolingual", "swa_Latn", "", 30 * factor),
    )


def shares_of(mixture):
    """Shares of categories, in percent."""
    found = Counter()
    for row in mixture.plan.to_pylist():
        found[row["category"]] += row["share"] * 100
    return dict(found)


def test_shares_are_a_tree():
    options = mix(strategy="shares", shares=SHARES, budget=1000, tiers=TIERS)
    mixture = plan_mixture(of_all_categories(), options)
    assert mixture.findings == ()
    assert shares_of(mixture) == pytest.approx(
        {"bitext": 10, "book": 10, "paper": 20, "monolingual": 60}
    )
    # Within a tier labels go by rate times size: 15000 to 5000.
    found = {label: by_label(mixture)[label] for label in ("deu_Latn", "fra_Latn", "swa_Latn")}
    assert found == pytest.approx({"deu_Latn": 112.5, "fra_Latn": 300, "swa_Latn": 150})


@pytest.mark.parametrize(("within", "deu"), [("unimax", 75), ("temperature", 75 * 2 * 0.75)])
def test_how_a_share_is_divided_among_labels(within, deu):
    alpha = {"alpha": 1} if within == "temperature" else {}
    options = mix(
        strategy="shares", shares=SHARES, budget=1000, tiers=TIERS, within=within, **alpha
    )
    assert by_label(plan_mixture(of_all_categories(), options))["deu_Latn"] == pytest.approx(deu)


def test_shares_without_a_budget_take_all_that_needs_no_repeating():
    shares = {"monolingual": 3, "book": 1}
    options = mix(strategy="shares", shares=shares, exclude=["bitext", "paper"])
    mixture = plan_mixture(of_all_categories(), options)
    # 20,730 words of text, and a third as many of 4,000 of books.
    assert mixture.budget == pytest.approx(min(20730 / 0.75, 4000 / 0.25))
    assert max(by_label(mixture, "epochs").values()) <= 1 + 1e-9
    twice = plan_mixture(of_all_categories(), options.model_copy(update={"max_epochs": 2.0}))
    assert twice.budget == pytest.approx(2 * mixture.budget)


def test_both_mixes_of_the_paper_by_leaving_out_bitext():
    shares = SHARE_TABLES["emma500-bilingual"]
    counts = there(*((category, "eng_Latn", "", 10**6) for category in shares))
    options = mix(strategy="shares", shares="emma500-bilingual", budget=10**5)
    bilingual = plan_mixture(counts, options)
    monolingual = plan_mixture(counts, options.model_copy(update={"exclude": ["bitext"]}))
    assert shares_of(bilingual) == pytest.approx(shares, abs=0.01)
    assert shares_of(monolingual) == pytest.approx(SHARE_TABLES["emma500-monolingual"], abs=0.5)


# ------------------------------------------------------------- infeasibility


def messages(counts, **options):
    return [str(finding) for finding in plan_mixture(counts, mix(**options)).infeasible]


def test_a_budget_that_cannot_be_met():
    counts = mono(eng_Latn=1000, fra_Latn=2000)
    assert messages(counts, budget=70_000, max_epochs=20) == [
        "the budget of 70,000 words cannot be met: all labels give 60,000 (2 labels at "
        "max_epochs): raise 'max_epochs', or lower the budget to 60,000"
    ]
    mixture = plan_mixture(counts, mix(budget=70_000, max_epochs=20, on_infeasible="relax"))
    assert by_label(mixture) == {"eng_Latn": 20_000, "fra_Latn": 40_000}
    (finding,) = mixture.infeasible
    assert (finding.wanted, finding.possible, finding.binding) == (
        70_000, 60_000, "2 labels at max_epochs"
    )  # fmt: skip
    # What is advised is no advice that fails.
    assert messages(counts, budget=60_000, max_epochs=20) == []


def test_a_budget_of_nothing_but_tiers_of_rate_0():
    tiers = [{"name": "unseen", "at_least": 0, "rate": 0}]
    assert messages(mono(eng_Latn=1000, fra_Latn=2000), tiers=tiers, budget=10) == [
        "the budget of 10 words cannot be met: all labels give 0 (2 labels with 3,000 at a rate "
        "of 0): give tiers of rate 0 another rate, or add text"
    ]


def test_shares_that_cannot_be_had():
    shares = {"monolingual": 1, "book": 3}
    there_is = there(("monolingual", "eng_Latn", "", 3000), ("book", "eng_Latn", "", 1000))
    found = messages(there_is, strategy="shares", shares=shares, budget=4000, max_epochs=2)
    assert found == [
        "book cannot have its share: 3,000 words are wanted, 2,000 possible (1 label at "
        "max_epochs): raise 'max_epochs', or lower the budget to 2,666, at which every share can "
        "be had, or lower its share"
    ]
    options = {"strategy": "shares", "shares": shares, "max_epochs": 2}
    assert messages(there_is, **options, budget=2666) == []
    near = plan_mixture(there_is, mix(**options, budget=4000))
    assert near.plan["planned_count"].to_pylist() == pytest.approx([2000, 2000])


def test_shares_and_text_that_do_not_go_together():
    shares = {"monolingual": {"share": 1, "tiers": {"large": 1, "small": 1}}, "code": 1}
    found = messages(
        of_all_categories(), strategy="shares", shares=shares, budget=50, tiers=TIERS,
        exclude=["bitext", "paper"],
    )  # fmt: skip
    assert found == [
        "code has a share, but nothing can be drawn of it (there is no text): take its share out, "
        "or list its category under 'exclude'",
        "'shares' say nothing of book: 1 label (book/eng_Latn), 4,000 words: give it a share, 0 "
        "to leave it out, or list it under 'exclude'",
        "'shares' say nothing of monolingual/middle: 1 label (monolingual/fra_Latn), 700 words: "
        "give it a share, 0 to leave it out",
    ]


def test_a_share_of_0_leaves_out_and_is_no_finding():
    options = mix(strategy="shares", shares={"monolingual": 1, "book": 0}, budget=50,
                  exclude=["bitext", "paper"])  # fmt: skip
    mixture = plan_mixture(of_all_categories(), options)
    assert mixture.findings == ()
    (book,) = mixture.plan.filter(pa.compute.equal(mixture.plan["category"], "book")).to_pylist()
    assert (book["planned_count"], book["binding"]) == (0, "no_share")


@pytest.mark.parametrize(("budget", "found"), [(10, ["budget", "no_text"]), (None, ["no_text"])])
def test_of_the_shares_nothing_but_0_is_left(budget, found):
    shares = {"text": {"share": 1, "of": {"book": 1, "paper": 0}}}
    counts = there(("book", "eng_Latn", "", 100), ("paper", "eng_Latn", "", 100))
    options = mix(strategy="shares", shares=shares, exclude=["book"], budget=budget)
    mixture = plan_mixture(counts, options)
    assert mixture.plan["planned_count"].to_pylist() == [0]
    assert kinds(mixture) == found


def test_least_amounts_that_cannot_be_had():
    counts = mono(eng_Latn=1000, swa_Latn=10)
    labels = {"swa_Latn": {"min": 500}, "fra_Latn": {"min": 5}}
    assert messages(counts, labels=labels, max_epochs=20) == [
        "monolingual/swa_Latn is to have 500 words at least, and can have 200 (max_epochs): raise "
        "'max_epochs', or lower its 'min' to 200",
        "'labels' names monolingual/fra_Latn, of which there is no text: take it out",
    ]
    near = plan_mixture(counts, mix(labels=labels, max_epochs=20))
    assert by_label(near)["swa_Latn"] == 200
    assert by_label(near, "relaxed")["swa_Latn"] == "min"


def test_least_amounts_above_the_budget_and_above_a_share():
    counts = there(("monolingual", "eng_Latn", "", 10**4), ("book", "eng_Latn", "", 10**4))
    labels = {"eng_Latn": {"min": 60}, "book/eng_Latn": {"min": 60}}
    assert messages(counts, labels=labels, budget=100) == [
        "what 2 labels are to have at least (book/eng_Latn, monolingual/eng_Latn) is 120 words, "
        "more than the budget of 100: lower 'min' in 'labels', or raise the budget"
    ]
    near = plan_mixture(counts, mix(labels=labels, budget=100))
    assert near.plan["planned_count"].to_pylist() == pytest.approx([50, 50])
    assert near.plan["relaxed"].to_pylist() == ["min", "min"]
    shares = {"monolingual": 3, "book": 1}
    found = messages(counts, labels=labels, budget=200, strategy="shares", shares=shares)
    assert found == [
        "what 1 label is to have at least (book/eng_Latn) is 60 words, more than the 50 that are "
        "the share of book: lower 'min' in 'labels', or raise the share of book"
    ]


def test_all_that_is_wrong_comes_at_once():
    counts = pa.concat_tables(
        [of_all_categories(), there(("monolingual", "swa_Latn", "religious", 1))]
    )
    mixture = plan_mixture(
        counts,
        mix(
            strategy="shares", shares={"monolingual": 9, "book": 1, "code": 1}, budget=10**6,
            max_epochs=2, domain_caps={"relgious": 0.3, "news": 0.1},
            labels={"deu_Latn": {"min": 10**5}, "xho_Latn": {"max": 5},
                    "paper/fra_Latn": {"max": 5}},
        ),
    )  # fmt: skip
    assert kinds(mixture) == [
        "min", "unknown_label", "unknown_label", "unknown_domain", "unknown_domain", "budget",
        "share", "share", "no_text", "no_share", "no_share",
    ]  # fmt: skip
    notes = [str(finding) for finding in mixture.findings if not finding.stops]
    assert notes == [
        "'labels' names monolingual/xho_Latn, of which there is no text: take it out",
        "'labels' names paper/fra_Latn, of which there is no text: did you mean "
        "monolingual/fra_Latn?",
        "'domain_caps' names 'relgious', of which there is no text: did you mean 'religious'? "
        "(there is religious)",
        "'domain_caps' names 'news', of which there is no text: there is religious",
    ]


def test_text_that_is_all_held_out_is_no_finding():
    counts = pa.concat_tables(
        [mono(eng_Latn=100), there(("monolingual", "fra_Latn", "", 50), split="validation")]
    )
    mixture = plan_mixture(counts, mix(strategy="unimax", budget=100))
    assert mixture.findings == ()
    assert by_label(mixture) == {"eng_Latn": 100, "fra_Latn": 0}
    assert by_label(mixture, "binding") == {"eng_Latn": "", "fra_Latn": "no_text"}


def test_a_plan_of_nothing():
    mixture = plan_mixture(AVAILABLE.empty_table(), mix())
    assert (mixture.plan, mixture.rates) == (PLAN.empty_table(), RATES.empty_table())
    assert mixture.findings == ()
    assert kinds(plan_mixture(AVAILABLE.empty_table(), mix(budget=1))) == ["budget"]


# ---------------------------------------------------------------- properties

LABELS = ["eng_Latn", "fra_Latn", "swa_Latn", "deu_Latn"]
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["monolingual", "book"]),
        st.sampled_from(LABELS),
        st.sampled_from(["", "news", "religious"]),
        st.integers(1, 10**7),
    ),
    min_size=1,
    max_size=12,
)
OPTIONS = st.fixed_dictionaries(
    {
        "tiers": st.sampled_from(["uniform", TIERS]),
        "strategy": st.sampled_from(["rates", "temperature", "unimax"]),
        "budget": st.floats(1, 1e9),
    },
    optional={
        "max_epochs": st.sampled_from([1, 20, {"default": 5, "labels": {"swa_Latn": 50}}]),
        "domain_caps": st.sampled_from([{"religious": 0.33}, {"*": 0.5}]),
        "labels": st.sampled_from([{"eng_Latn": {"max": 1e4}}, {"fra_Latn": {"min": 2e3}}]),
    },
)


@settings(max_examples=100)
@given(ROWS, OPTIONS)
def test_what_holds_for_every_plan(rows, options):
    options = mix(**options)
    mixture = plan_mixture(there(*rows), options)
    planned = [row["planned_count"] for row in mixture.plan.to_pylist()]
    stopped = {finding.kind for finding in mixture.infeasible}
    if "budget" not in stopped:
        assert math.fsum(planned) == pytest.approx(options.budget, rel=1e-9)
    for row in mixture.plan.to_pylist():
        own = options.options_of(row["category"], row["label"])
        cap = options.max_epochs_of(row["category"], row["tier"], row["label"]) or 1000
        assert row["binding"] in BINDINGS
        assert row["planned_count"] <= row["available"] * cap * (1 + 1e-9)
        assert row["planned_count"] <= (own.max or math.inf)
        if "min" not in row["relaxed"]:
            assert row["planned_count"] >= (own.min or 0) * (1 - 1e-9)
        found = [
            each for each in mixture.rates.to_pylist()
            if (each["category"], each["label"]) == (row["category"], row["label"])
        ]  # fmt: skip
        targets = {each["domain"]: each["target"] for each in found}
        assert math.fsum(targets.values()) == pytest.approx(row["planned_count"], rel=1e-9)
        for domain, target in targets.items():
            if "domain_cap" not in row["relaxed"]:
                most = options.domain_cap_of(domain) * row["planned_count"]
                assert target <= most * (1 + 1e-8)
        assert all(each["target"] <= each["available"] * cap * (1 + 1e-9) for each in found)


@settings(max_examples=60)
@given(ROWS, OPTIONS, st.floats(1, 10))
def test_a_larger_budget_takes_from_no_domain(rows, options, factor):
    targets = [
        np.array(plan_mixture(there(*rows), mix(**options | {"budget": budget})).rates["target"])
        for budget in (options["budget"], options["budget"] * factor)
    ]
    assert (targets[1] >= targets[0] - 1e-9 * np.maximum(targets[0], 1)).all()


@settings(max_examples=30)
@given(ROWS, OPTIONS, st.randoms())
def test_the_order_of_counts_does_not_matter(rows, options, random):
    before = plan_mixture(there(*rows), mix(**options))
    random.shuffle(rows)
    after = plan_mixture(there(*rows), mix(**options))
    assert after.plan.equals(before.plan)
    assert after.rates.equals(before.rates)
    assert list(map(str, after.findings)) == list(map(str, before.findings))


@settings(max_examples=20)
@given(st.integers(2, 1000))
def test_more_text_and_as_much_more_budget_is_the_same_mixture(factor):
    def planned(factor):
        tiers = [{**tier, "at_least": tier["at_least"] * factor} for tier in TIERS]
        options = {"strategy": "shares", "shares": SHARES, "tiers": tiers, "max_epochs": 20}
        counts = of_all_categories(factor)
        return plan_mixture(counts, mix(**options, budget=5000 * factor)).plan

    assert planned(factor)["epochs"].to_pylist() == pytest.approx(planned(1)["epochs"].to_pylist())


# -------------------------------------------------------- the published counts


@pytest.fixture(scope="module")
def published(data_folder):
    """What the first paper has of each label, as text for training."""
    with (data_folder / "published" / "mala_monolingual_counts.csv").open() as file:
        rows = [
            (r["lang_code"], int(r["num_texts"]), int(r["num_tokens"]))
            for r in csv.DictReader(file)
        ]
    full = [
        {f.name: 0 for f in AVAILABLE}
        | {"category": "monolingual", "label": label, "domain": "", "split": "train",
           "again": False, "num_documents": texts, "num_whitespace_words": words}
        for label, texts, words in rows
    ]  # fmt: skip
    return pa.Table.from_pylist(full, schema=AVAILABLE)


def emma(**options):
    return recipe.Mix.model_validate({"count_by": "whitespace_words", **options})


@pytest.mark.data
def test_labels_that_the_paper_trains_on(published):
    mixture = plan_mixture(published, emma())
    sizes = Counter(mixture.plan["tier"].to_pylist())
    tiers = TIER_TABLES["emma500-monolingual"]
    assert [sizes[tier.name] for tier in tiers] == [27, 79, 68, 162, 210, 393]
    assert sum(1 for count in mixture.plan["planned_count"].to_pylist() if count) == 546


@pytest.mark.data
@pytest.mark.parametrize("strategy", ["rates", "temperature", "unimax"])
def test_budgets_over_546_labels(published, strategy):
    mixture = plan_mixture(published, emma(strategy=strategy, budget=1.36e11, max_epochs=20))
    assert mixture.findings == ()
    assert math.fsum(mixture.plan["planned_count"].to_pylist()) == pytest.approx(1.36e11, rel=1e-9)
    assert max(mixture.plan["epochs"].to_pylist()) <= 20 * (1 + 1e-9)
    assert Counter(mixture.plan["binding"].to_pylist())["rate"] == 393


@pytest.mark.data
def test_a_budget_that_546_labels_cannot_meet(published):
    (finding,) = plan_mixture(
        published, emma(strategy="unimax", budget=2e12, max_epochs=20)
    ).findings
    assert finding.possible == 20 * 74_255_415_452
    assert len(finding.labels) == 546
    assert str(finding) == (
        "the budget of 2.00e12 whitespace words cannot be met: all labels give 1.48e12 (546 "
        "labels at max_epochs, 393 labels with 4.13e6 at a rate of 0): raise 'max_epochs', or "
        "lower the budget to 1.48e12"
    )


def test_thousands_of_labels_take_less_than_a_second_of_work():
    words = (10 ** np.linspace(1, 10, 3053)).astype(int).tolist()
    rows = [("monolingual" if i % 6 else "bitext", f"l{i}", "", n) for i, n in enumerate(words)]
    options = mix(strategy="shares", shares={"monolingual": 1, "bitext": 2}, max_epochs=20,
                  budget=1e10, within="unimax", tiers="emma500-monolingual")  # fmt: skip
    counts = there(*rows)
    start = time.process_time()
    mixture = plan_mixture(counts, options)
    assert time.process_time() - start < 1
    assert mixture.findings == ()
