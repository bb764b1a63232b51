"""Languages, the mixture and the tokenizer: numbers of each label, and what is warned of."""

import pytest
from run_writer import row

from glotmill.dashboard.amounts import Amount
from glotmill.dashboard.exports import languages_table
from glotmill.dashboard.overview import make_report
from glotmill.dashboard.statistics import gather
from glotmill.dashboard.warnings import WARNINGS, warnings_of

FINE = {"domain": "legal", "domain_share": 0.5, "epochs": 1, "contradicted": 0, "duplicates": 0,
        "dropped": 0}  # fmt: skip


@pytest.fixture(scope="module")
def report(small_run):
    return make_report(gather(small_run))


@pytest.fixture(scope="module")
def swahili(report):
    return next(each for each in report.languages if each.label == "swh_Latn")


def test_domains_of_a_label_add_up(swahili):
    found = {each.name: each.available.words for each in swahili.domains}
    assert found == {"": 1_750, "religious": 540}
    assert sum(found.values()) == swahili.available.words
    assert (swahili.num_sources, swahili.warnings) == (2, [])


def test_domains_of_all_labels(report):
    assert [(each.name, each.sampled.words) for each in report.domains] == [
        ("", 3_760), ("religious", 300),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "texts"),
    [
        ({}, []),
        ({"domain_share": 0.92, "domain": "religious"}, ["92% religious"]),
        ({"domain_share": 0.92, "domain": ""}, []),
        ({"epochs": 12.34}, ["drawn 12.3×"]),
        ({"contradicted": 0.2, "duplicates": 0.5}, ["20% contradicted", "50% duplicates"]),
        ({"dropped": 0.499}, []),
    ],
)
def test_warnings(changes, texts):
    found = warnings_of(**{**FINE, **changes})
    assert [each.text for each in found] == texts
    assert {each.kind for each in found} <= set(WARNINGS)


def test_what_cannot_be_drawn_is_not_available(make_small_run):
    # Of 1,500 words 20 are held out: 2,960 words that are drawn are 5.9 times the other 500.
    lost = row("compose", "excluded", "validation_copy", "web", "zho_Hans", (30, 4_900, 980))
    root = make_small_run(excluded=[lost])
    report = make_report(gather(root))
    chinese = next(each for each in report.languages if each.label == "zho_Hans")
    assert chinese.flow.surviving == Amount(50, 6_000, 1_500)
    assert chinese.available == Amount(19, 1_000, 500)
    assert [each.available for each in chinese.domains] == [chinese.available]
    assert [each.text for each in chinese.warnings] == ["drawn 5.92×"]
    (exported,) = (
        each for each in languages_table(report).to_pylist() if each["label"] == "zho_Hans"
    )
    assert exported["num_available_words"] == 500
    assert exported["words_by_domain"] == [("", 500)]
    assert exported["warnings"] == ["drawn 5.92×"]


def test_categories_that_are_left_out_have_what_survives_of_them(report):
    code = next(each for each in report.languages if each.category == "code")
    assert code.available == code.flow.surviving == Amount(30, 900, 100)
    assert report.failed == []


def test_contradicted_documents_are_warned_of(triage_run):
    rows = {row.label: row for row in make_report(gather(triage_run)).languages}
    assert rows["swh_Latn"].contradicted_share == 7 / 22
    assert [each.text for each in rows["swh_Latn"].warnings] == ["32% contradicted"]


def test_plan_against_realised(report):
    rows = {each.label: each for each in report.mixture.labels}
    swahili = rows["swh_Latn"]
    assert (swahili.planned, swahili.realised, swahili.available) == (1_140, 1_100, 2_390)
    assert swahili.deviation == pytest.approx(-40 / 1_140)
    assert swahili.realised_share == 1_100 / 4_060
    (category,) = report.mixture.categories
    assert (category.name, category.num_labels, category.realised) == ("monolingual", 2, 4_060)
    assert category.planned_share == pytest.approx(1)


def test_excluded_documents_are_a_step_of_their_own(make_small_run):
    lost = row("compose", "excluded", "leak", "web", "zho_Hans", (1, 100, 20))
    report = make_report(gather(make_small_run(excluded=[lost])))
    flow = report.kind("documents").flow
    assert flow.excluded == Amount(1, 100, 20)
    assert flow.unsampled == Amount(84, 6_800, 1_270)
    assert report.failed == []


def test_tokens_count_pairs_once_and_both_splits(tokens_run):
    tokens = make_report(gather(tokens_run)).tokens
    rows = {row.label: row for row in tokens.labels}
    assert list(rows) == ["zho_Hans", "swh_Latn", "eng_Latn"]
    assert (rows["swh_Latn"].num_tokens, rows["swh_Latn"].fertility) == (4_580, 2.0)
    assert rows["zho_Hans"].num_tokens == 8_000
    assert rows["swh_Latn"].fallback_share == 46 / 4_580
    assert rows["swh_Latn"].premium == 1.6
    assert [(row.label, row.premium) for row in tokens.premiums] == [("swh_Latn", 1.6)]
    assert tokens.reference_fertility == 1.25


def test_no_tokenizer_no_tokens(report):
    assert report.tokens is None
