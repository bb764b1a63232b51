"""The page of a plan: complete without scripts, and in a browser sorted, exported and quiet."""

import pytest
from browser import Troubles, download, rows_of, running_browser

from glotmill.dashboard.plan_page import PlanReport, render_plan

HOSTILE = '</script><img src=x onerror="document.title=1">'


def source(name, kept, error):
    return {
        "source": name, "category": "monolingual", "stored": 5_000, "num_slices": 3,
        "num_slices_of_all": 40, "read": kept + 10.4, "read_error": error, "kept": kept,
        "kept_error": error, "kept_share": 0.9, "kept_share_error": None, "kept_bytes": 9e6,
        "kept_bytes_error": 1e5, "kept_words": 1e6, "kept_words_error": None, "seconds": 12.345,
        "seconds_error": 1.0,
    }  # fmt: skip


def label(name, documents, error):
    return {
        "category": "monolingual", "label": name, "num_documents": documents,
        "num_documents_error": error, "num_bytes": 100.0 * documents, "num_bytes_error": error,
        "num_words": 20.0 * documents, "num_words_error": error, "share": 0.5, "share_error": 0.01,
        "num_seen": 1 if error is None else 3,
    }  # fmt: skip


def mixture(name, available, error):
    return {
        "category": "monolingual", "label": name, "tier": HOSTILE, "available": available,
        "available_error": error, "epochs": 2.0, "planned": 2.0 * available, "share": 0.5,
        "binding": "max_epochs", "relaxed": "",
    }  # fmt: skip


REPORT = PlanReport(
    name=HOSTILE,
    seed=7,
    glotmill="0.1.0",
    unit="words",
    strategy="rates",
    told_by="a sample of the inputs",
    sources=[source("web", 1_000.0, 40.0), source(HOSTILE, 90.0, 0.0)],
    losses=[
        {"source": HOSTILE, "outcome": "dropped", "reason": HOSTILE, "num_documents": 5.0,
         "num_documents_error": None, "share": 0.05, "share_error": None, "num_seen": 1},
    ],
    labels=[label("swh_Latn", 300.0, 20.0), label("x" + HOSTILE, 2_000.0, None)],
    mixture=[mixture("swh_Latn", 6_000, 400.0), mixture("x" + HOSTILE, 40_000, None)],
    written=[
        {"name": "training shards", "num_files": 8, "num_rows": 5_000.4, "num_bytes": 1e6,
         "remains": True},
        {"name": "documents", "num_files": None, "num_rows": None, "num_bytes": 2e6,
         "remains": False},
    ],
    stages=[
        {"name": "ingest", "seconds": 7200.0, "error": 60.0, "told_by": "a sample", "hours": 2.0},
        {"name": "mix", "seconds": 36.0, "error": None, "told_by": "before", "hours": 0.01},
    ],
    engines=[
        {"engine": "local", "size": 2, "unit": "processes", "wall_seconds": 3600.0, "price": None,
         "priced": "", "wall_hours": 1.0},
        {"engine": "Dataflow", "size": 4, "unit": "machines", "wall_seconds": 1800.0,
         "price": 12.5, "priced": "7 vCPU-hours", "wall_hours": 0.5},
    ],
    assumptions=["Slices are drawn by a hash.", HOSTILE],
    findings=[f"the budget cannot be met {HOSTILE}"],
)  # fmt: skip


def test_the_same_plan_gives_the_same_page():
    page = render_plan(REPORT)
    assert render_plan(REPORT) == page
    assert HOSTILE not in page
    assert "Plan before a run · from a sample of the inputs" in page


def test_a_plan_without_a_sample_has_no_estimates():
    parts = {**vars(REPORT), "sources": [], "losses": [], "labels": [], "stages": [], "engines": []}
    page = render_plan(PlanReport(**parts))
    assert "table-sources" not in page
    assert "table-labels" not in page
    assert "table-engines" not in page
    assert "table-mixture" in page


@pytest.fixture(scope="module")
def browser():
    with running_browser() as running:
        yield running


@pytest.fixture
def opened(browser, tmp_path):
    """The page in a browser, in light or dark; fails on whatever it complains of or asks for."""
    seen = []

    def open_page(scheme="light"):
        path = tmp_path / "plan.html"
        path.write_text(render_plan(REPORT), encoding="utf-8")
        page = browser.new_context(color_scheme=scheme, accept_downloads=True).new_page()
        seen.append(Troubles(page, path.as_uri()))
        page.goto(path.as_uri())
        return page

    yield open_page
    assert [each.seen for each in seen] == [[] for _ in seen]


def test_hostile_names_stay_text(opened):
    page = opened()
    assert page.locator("h1").inner_text() == HOSTILE
    assert page.title() == f"{HOSTILE} – glotmill plan"
    assert rows_of(page, "sources")[1][0] == HOSTILE
    assert rows_of(page, "mixture")[0][3] == HOSTILE
    assert page.locator("img").count() == 0


def test_errors_stand_beside_what_they_are_of(opened):
    page = opened()
    web, hostile = rows_of(page, "sources")
    assert web[5:9] == ["1,010", "40", "1,000", "40"]
    assert hostile[7:11] == ["90", "0", "90.0%", "–"]
    assert rows_of(page, "labels")[1][3:5] == ["2,000", "–"]
    assert rows_of(page, "output")[1][1:] == ["–", "–", "2 MB", "while the run lasts"]
    assert rows_of(page, "engines")[1] == [
        "Dataflow", "4", "machines", "30 min", "12.50", "7 vCPU-hours",
    ]  # fmt: skip
    assert "the budget cannot be met" in page.locator(".alarm").inner_text()


def test_tables_sort_and_export(opened):
    page = opened("dark")
    page.click("#table-labels thead button.sort >> nth=3")
    assert [row[3] for row in rows_of(page, "labels")] == ["2,000", "300"]
    page.click("#table-labels thead button.sort >> nth=3")
    assert [row[3] for row in rows_of(page, "labels")] == ["300", "2,000"]
    name, lines = download(page, "button[aria-label='Download as CSV: Estimates of labels']")
    assert name.endswith("-plan-labels.csv")
    assert lines[0].startswith("label,language,category,kept,± 95%,bytes,± 95%")
    assert lines[1].startswith("swh_Latn,Swahili (individual language),monolingual,300,20,30000,20")


def test_light_and_dark(opened):
    colours = [
        opened(scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    ]
    assert colours[0] != colours[1]
