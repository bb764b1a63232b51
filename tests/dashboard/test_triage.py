"""Triage: the cells, their order, their samples, and what the page carries of them."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glotmill.dashboard import build_report, samples
from glotmill.dashboard.amounts import Amount
from glotmill.dashboard.definitions import VERDICTS as DEFINED
from glotmill.dashboard.overview import make_report
from glotmill.dashboard.samples import find_samples, printable, readable
from glotmill.dashboard.statistics import gather, parts_of
from glotmill.dashboard.triage import (
    KEYS,
    TRIAGE,
    WORST_FIRST,
    Cell,
    badness,
    triage,
    triage_table,
    verdicts,
    worst_of_each_verdict,
)
from glotmill.dashboard.triage_page import triage_data
from glotmill.schemas.tables import STATISTICS, VERDICTS
from glotmill.transforms.unit_index import read_manifest


@pytest.fixture(scope="module")
def gathered(triage_run):
    return gather(triage_run)


@pytest.fixture(scope="module")
def report(gathered):
    return make_report(gathered)


def cell(verdict="unsure", documents=1, share=1.0, source="s"):
    return Cell(source, "a", "b", "Latn", verdict, Amount(documents), 0, share)


def test_cells_in_order_with_exact_numbers(gathered, hostile):
    found = [(c.key, c.amount.documents, c.num_dropped, c.share) for c in gathered.cells]
    swahili, french = "swh_Latn", "fra_Latn"
    assert found == [
        (("web", swahili, french, "Latn", "contradicted"), 6, 1, 6 / 12),
        (("web", "arb_Arab", "urd_Arab", "Arab", "contradicted"), 1, 0, 1.0),
        (("bible", swahili, french, "Latn", "contradicted"), 1, 0, 1 / 10),
        (("bible", "", "", "Latn", "unidentified"), 1, 1, 1.0),
        (("web", swahili, "eng_Latn", "Latn", "unsure"), 1, 0, 1 / 12),
        (("code", "", "", "Latn", "unknown_code"), 1, 1, 1.0),
        (("bible", swahili, swahili, "Latn", "confirmed"), 9, 0, 9 / 10),
        (("web", swahili, swahili, "Latn", "confirmed"), 5, 0, 5 / 12),
    ]
    worst = gathered.cells[0].amount
    assert worst == Amount(6, 5 * len("mot 0") + len(hostile), 5 * 2 + len(hostile.split()))


def test_samples_are_the_smallest_hashes_of_kept_and_dropped_each_text_once(gathered, hostile):
    # Hashes 3 (dropped), 17 twice, 18, 19, 20.
    assert gathered.cells[0].samples == (hostile, "mot 3", "mot 2")
    assert gathered.cells[1].samples == ("نص",)
    assert gathered.cells[4].samples == ("x [31m y",)
    assert [c.samples for c in gathered.cells if c.verdict == "confirmed"] == [(), ()]


def test_every_document_of_ingest_is_in_one_cell(gathered, report):
    cells = gathered.cells
    assert sum(c.amount.documents for c in cells) == 25
    assert sum(c.num_dropped for c in cells) == 3
    assert "manifest of ingest" not in {each.about for each in report.failed}


def test_order_is_by_verdict_then_documents_times_share_then_keys():
    flat = [verdict for rank in WORST_FIRST for verdict in rank]
    assert sorted(flat) == sorted(VERDICTS) == sorted(DEFINED)
    ordered = [
        cell("contradicted", 1, 0.1),
        cell("unsure", 10, 1.0),
        cell("unidentified", 30, 0.32),
        cell("unsure", 90, 0.1, "a"),
        cell("unsure", 90, 0.1, "b"),
        cell("unknown_code"),
        cell("too_short"),
        cell("unverifiable"),
        cell("identified"),
        cell("confirmed", 1_000),
        cell("", 1_000),
    ]
    assert sorted([*ordered[5:], *ordered[:5]], key=badness) == ordered


def test_what_stages_after_ingest_count_is_left_out(small_run):
    cells = gather(small_run).cells
    assert sum(c.amount.documents for c in cells) == 215  # kept and dropped; 4 were rejected
    assert {c.samples for c in cells} == {()}  # nothing was judged


def test_table_holds_all_cells(triage_run, gathered):
    build_report(triage_run)
    table = pq.read_table(f"{triage_run}/statistics/triage.parquet")
    assert table.schema.equals(TRIAGE)
    assert table.equals(triage_table(gathered.cells))
    assert table.column("num_dropped").to_pylist() == [1, 0, 0, 1, 0, 1, 0, 0]
    assert table.column("samples")[3].as_py() == ["?? ??"]


def test_no_cells_make_an_empty_table():
    assert triage(STATISTICS.empty_table()) == []
    assert triage_table([]).equals(TRIAGE.empty_table())
    assert verdicts([], ["a"]) == {"a": {}}


def test_verdicts_of_each_source(report):
    found = {s: {v: a.documents for v, a in of.items()} for s, of in report.verdicts.items()}
    assert list(found) == ["web", "bible", "code"]
    assert found["web"] == {
        "confirmed": 5, "contradicted": 7, "unsure": 1, "unknown_code": 0, "unidentified": 0,
    }  # fmt: skip
    assert found["code"]["unknown_code"] == 1


def test_the_page_carries_the_worst_of_each_verdict_and_says_where_the_rest_is(
    large_run, large_report
):
    report = make_report(gather(large_run))
    cells = triage_data(report)["cells"]
    # 5,000 judged; those of dropped documents, without labels and verdict, differ in script.
    assert len(report.gathered.cells) == 5_000 + 5 * 30
    assert {len(values) for values in cells.values()} == {5 * 150}
    assert cells["rank"][:150] == list(range(1, 151))
    assert sum(map(bool, cells["samples"])) == 3 * 40
    html = large_report[2]
    assert "the worst 150 of each verdict, 750 of 5,150 cells" in html
    assert "statistics/triage.parquet" in html


def test_a_page_that_carries_all_cells_says_nothing_of_others(triage_run):
    build_report(triage_run)
    with open(f"{triage_run}/report.html", encoding="utf-8") as file:
        assert "of each verdict" not in file.read()


def test_hostile_samples_stay_data(triage_run, hostile):
    build_report(triage_run)
    with open(f"{triage_run}/report.html", encoding="utf-8") as file:
        html = file.read()
    assert hostile not in html
    data = html.partition('<script type="application/json" id="data">')[2].partition("</script>")[0]
    assert json.loads(data)["triage"]["cells"]["samples"][0][0] == hostile


def test_texts_have_the_language_they_are_likely_in(report):
    cells = triage_data(report)["cells"]
    assert cells["locale"][:5] == ["fr-Latn", "ur-Arab", "fr-Latn", "", "swh-Latn"]
    assert cells["identified_name"][:4] == ["French", "Urdu", "French", ""]
    assert cells["verdict"][5] == "unknown code"


def test_worst_of_each_verdict_keeps_the_order():
    cells = [cell("unsure", i) for i in (3, 2, 1)] + [cell("confirmed")]
    assert worst_of_each_verdict(cells, 2) == [*cells[:2], cells[3]]


# ----------------------------------------------------------------- samples


def find(root, groups, keys=KEYS, **options):
    manifest = read_manifest(root, "ingest")
    return find_samples(root, manifest, parts_of(root, manifest), keys, groups, **options)


def test_samples_of_any_keys_and_of_some_files(triage_run, hostile):
    groups = [("language_mismatch", "web"), ("unidentified_language", "bible"), ("no", "web")]
    found = find(triage_run, groups, ("reason", "source"), tables=["dropped"])
    assert found == {groups[0]: (hostile,), groups[1]: ("?? ??",)}


def test_no_more_files_are_read_than_allowed(triage_run, gathered, monkeypatch):
    looked = []
    look = samples._look
    monkeypatch.setattr(
        samples, "_look", lambda path, *rest: (looked.append(path), look(path, *rest))
    )
    monkeypatch.setattr(samples, "_MAX_FILES", 1)
    found = find(triage_run, [c.key for c in gathered.cells])
    assert len(looked) == 1
    assert found[gathered.cells[0].key] == ("mot 3", "mot 2", "mot 1")


def test_row_groups_and_batches_change_nothing(triage_run, gathered, monkeypatch, tmp_path):
    groups = [c.key for c in gathered.cells]
    before = find(triage_run, groups)
    monkeypatch.setattr(samples, "_BATCH_ROWS", 2)
    assert find(triage_run, groups) == before
    manifest = read_manifest(triage_run, "ingest")
    units = parts_of(triage_run, manifest)
    for entry in manifest.files:
        table = pq.read_table(f"{triage_run}/{entry.path}")
        (tmp_path / entry.path).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, tmp_path / entry.path, row_group_size=3)
    assert find_samples(str(tmp_path), manifest, units, KEYS, groups) == before


def test_readable_texts_are_one_line_cut_and_without_control_characters():
    assert readable("a\r\n\tb \x00\x9b c\x7f") == "a b c"
    assert readable("\u202eabc\u2066\u2069") == "abc"
    assert readable("می\u200cخواهم") == "می\u200cخواهم"  # joiners are part of the spelling
    assert readable("x" * 1000) == "x" * 200 + "…"
    assert printable("a\nb" * 300) == "a b" * 300


def test_triage_does_not_depend_on_the_order_of_rows(gathered):
    documents = gathered.documents
    turned = documents.take(pa.array(range(documents.num_rows - 1, -1, -1)))
    assert [c.key for c in triage(turned)] == [c.key for c in gathered.cells]
