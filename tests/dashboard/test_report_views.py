"""The numbers of the views, exactly."""

import pyarrow as pa
import pytest

from glotmill.dashboard.amounts import Amount
from glotmill.dashboard.definitions import TERMS, reason_definition
from glotmill.dashboard.overview import make_report
from glotmill.dashboard.statistics import gather
from glotmill.dashboard.views import tiers
from glotmill.schemas.recipe import Recipe


@pytest.fixture(scope="module")
def report(small_run):
    return make_report(gather(small_run))


def flow_of(report, source):
    return next(row.flow for row in report.sources if row.source.name == source)


def test_flow_of_all_sources(report, hostile):
    flow = report.flow
    assert flow.read == Amount(219, 20_450, 4_300)
    assert flow.rejected == Amount(4, 0, 0)
    assert flow.reasons == {hostile: Amount(5, 50, 10), "mixed_scripts": Amount(10, 500, 90)}
    assert flow.kept == Amount(200, 19_900, 4_200)
    assert flow.duplicates == Amount(10, 1_000, 210)
    assert flow.surviving == Amount(190, 18_900, 3_990)
    assert flow.train == Amount(99, 11_400, 2_580)
    assert flow.repeated == Amount(49, 5_900, 1_480)
    assert flow.sampled == Amount(148, 17_300, 4_060)
    assert flow.validation == Amount(6, 600, 120)
    assert flow.unsampled == Amount(85, 6_900, 1_290)


def test_flow_of_one_source(report):
    flow = flow_of(report, "bible")
    assert flow.read == flow.kept == Amount(20, 3_000, 600)
    assert flow.surviving == Amount(18, 2_700, 540)
    assert flow.unsampled == Amount(8, 1_200, 240)
    assert flow_of(report, "code").unsampled == Amount(30, 900, 100)


def test_flows_of_the_sources_add_up(report):
    for name in ("read", "kept", "dropped", "surviving", "unsampled", "sampled"):
        parts = [getattr(row.flow, name) for row in report.sources]
        assert sum(parts, Amount()) == getattr(report.flow, name)


def test_languages(report):
    rows = {row.label: row for row in report.languages}
    assert list(rows) == ["swh_Latn", "zho_Hans", "zxx_Zyyy"]
    swahili = rows["swh_Latn"]
    assert swahili.name == "Swahili (individual language)"
    assert (swahili.script, swahili.category) == ("Latn", "monolingual")
    assert (swahili.tier, swahili.rate) == ("large", 0.5)
    assert swahili.flow.surviving == Amount(110, 12_000, 2_390)
    assert swahili.available == Amount(105, 11_500, 2_290)
    assert swahili.sampled == Amount(50, 5_500, 1_100)
    assert swahili.validation == Amount(5, 500, 100)
    assert swahili.sampled_share == 1_100 / 4_060
    assert swahili.duplicates_share == 10 / 120
    assert swahili.dropped_share == 10 / 130
    assert rows["zho_Hans"].sampled == Amount(98, 11_800, 2_960)


def test_a_category_that_the_mixture_leaves_out_has_no_tier(report):
    code = report.languages[-1]
    assert (code.category, code.tier, code.rate) == ("code", None, None)
    assert code.sampled == Amount()


def test_scripts(report):
    rows = [
        (row.code, row.name, row.num_labels, row.available.words)
        for row in report.kind("documents").scripts
    ]
    assert rows == [
        ("Latn", "Latin", 1, 2_290),
        ("Hans", "Simplified Han", 1, 1_480),
        ("Zyyy", "Undetermined script", 1, 100),
    ]


def test_tiers(report):
    large, small, outside = report.kind("documents").tiers
    assert (large.name, large.at_least, large.rate, large.num_labels) == ("large", 2000, 0.5, 1)
    assert large.available == Amount(105, 11_500, 2_290)
    assert (large.sampled.words, large.planned_count) == (1_100, 1_140)
    assert (small.name, small.sampled.words, small.planned_count) == ("small", 2_960, 2_940)
    assert (outside.name, outside.available.documents) == ("", 30)


def test_tiers_of_categories_with_tables_of_their_own():
    mixed = {"monolingual": "uniform", "book": "uniform", "bitext": "emma500-bitext"}
    recipe = Recipe.model_validate(
        {"glotmill": 1, "name": "a", "sources": [{"name": "a", "path": "a"}],
         "mix": {"tiers": mixed}}
    )  # fmt: skip
    plan = pa.table(
        {
            "category": ["bitext", "book", "monolingual", "bitext"],
            "tier": ["high", "all", "all", "low"],
            "planned_count": [1.0, 2.0, 4.0, 8.0],
        }
    )
    found = tiers([], plan, recipe)
    assert [(row.name, row.at_least, row.planned_count) for row in found if row.planned_count] == [
        ("monolingual, book: all", 0, 6), ("bitext: high", 1e9, 1), ("bitext: low", 1e6, 8),
    ]  # fmt: skip
    assert len(found) == 8


def test_drop_reasons(report):
    first, second = report.kind("documents").drops
    assert (first.reason, first.amount, first.share_of_read) == (
        "mixed_scripts", Amount(10, 500, 90), 10 / 219,
    )  # fmt: skip
    assert first.top_labels == [("swh_Latn", 10)]
    assert second.top_labels == [("zho_Hans", 5)]


def test_key_figures(report):
    figures = report.figures
    assert (figures.num_labels, figures.num_available_labels, figures.num_scripts) == (2, 3, 2)
    assert figures.sampled.documents == 148


def test_sources(report):
    assert [(row.source.name, row.num_files, row.input_bytes) for row in report.sources] == [
        ("web", 1, 1000), ("bible", 1, 1000), ("code", 1, 1000),
    ]  # fmt: skip


def test_rejected_groups_take_the_first_record_as_their_example(report, hostile):
    rows = report.gathered.rejected.to_pylist()
    found = [(each["path"], each["reason"], each["num_records"], each["offset"]) for each in rows]
    assert found == [("a.jsonl", "invalid_utf8", 1, 5), ("b.jsonl", "invalid_json", 3, 10)]
    assert rows[1]["detail"] == hostile


def test_one_dropped_example_a_reason(report, hostile):
    found = {each.reason: (each.offset, each.label) for each in report.gathered.dropped}
    assert found == {hostile: (10, "zho_Hans"), "mixed_scripts": (0, "swh_Latn")}


def test_all_checks_hold(report):
    assert report.failed == []
    assert report.num_checks == 3 * 4 + 8


def test_a_lost_document_is_noticed(make_small_run):
    totals = {
        "ingest": {"read": 220, "kept": 201, "dropped": 15, "rejected": 4},
        "deduplicate": {"removed": 10},
        "mix": {},
    }
    report = make_report(gather(make_small_run(totals=totals)))
    assert [(each.about, each.left) for each in report.failed] == [
        ("manifest of ingest", ("read", 220)),
        ("manifest of ingest", ("kept", 201)),
    ]


def test_duplicates_are_all_that_deduplication_removes():
    for reason, words in {
        "exact_duplicate": "an equal text", "near_duplicate": "nearly equal",
        "repeated_side": "a side stands in as many pairs as",
    }.items():  # fmt: skip
        assert words in TERMS["duplicates"]
        assert words.split()[-1] in reason_definition(reason)
