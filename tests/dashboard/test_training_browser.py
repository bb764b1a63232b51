"""The view of training in a browser: curves, tables, addresses, hostile names, accessibility."""

import shutil
from pathlib import Path

import pytest
from browser import Troubles, column_of, current_view, download, rows_of, running_browser
from training_writer import HOSTILE, lines_of, write_run, write_spikes, write_training_file

from glotmill.dashboard import build_training_report

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def context():
    with running_browser() as browser:
        yield browser.new_context(viewport={"width": 1280, "height": 900})


@pytest.fixture(scope="module")
def folders(tmp_path_factory, small_run):
    """A corpus and two runs on it; do not change them."""
    base = tmp_path_factory.mktemp("training")
    root = str(shutil.copytree(small_run, base / "corpus"))
    write_training_file(root)
    first = write_run(base / "first", root, mfu=0.4, memory_bytes=3e9)
    write_spikes(first, (4, 90.0, 5.5))
    return root, first, write_run(base / "second", root, speed=0.1)


def open_page(context, root, address, seen):
    page = context.new_page()
    url = f"file://{root}/report-training.html"
    seen.append(Troubles(page, url))
    page.goto(f"{url}#{address}")
    return page


@pytest.fixture
def visit(context, folders):
    """Opens the page with one run, or with both; fails on whatever it complains of or asks for."""
    seen, pages = [], []

    def visit(address="training", *, num_runs=1, of=context):
        root, *runs = folders
        build_training_report(root, runs[:num_runs])
        pages.append(open_page(of, root, address, seen))
        return pages[-1]

    yield visit
    for page in pages:
        page.close()
    assert [each for troubles in seen for each in troubles.seen] == []


def test_all_charts_are_drawn(visit):
    page = visit()
    assert current_view(page) == (["training"], ["#training"])
    charts = page.eval_on_selector_all(
        "#training figure.chart:has(svg)", "all => all.map(one => one.id.replace('chart-', ''))"
    )
    assert charts == [
        "curves", "forgetting", "learning_rate", "gradient_norm", "tokens_per_second", "mfu",
        "memory_bytes", "waiting_for_data",
    ]  # fmt: skip


def test_numbers_are_those_of_the_run(visit, folders):
    page = visit("training?sort=label&q=swh")
    first, *_, last = lines_of(folders[1], "validation")
    bits = [line["label"]["swh_Latn"]["bits_per_byte"] for line in (first, last)]
    ((label, tier, words, _, planned, seen, of_plan, *_, before, after, change, _),) = rows_of(
        page, "training"
    )
    assert (label.partition("\n")[0], tier, words) == ("swh_Latn", "large", "2,290")
    assert (planned, seen, of_plan) == ("10,000", "4,000", "40.0%")
    assert (before, after) == (f"{bits[0]:.3f}", f"{bits[1]:.3f}")
    assert change == f"−{100 - 100 * bits[1] / bits[0]:.1f}%"
    whole = rows_of(page, "parts")[0]
    assert whole[:2] == ["all", "all"]
    assert whole[6:8] == [f"{line['all']['all']['bits_per_byte']:.3f}" for line in (first, last)]
    losses = [f"{line['category']['monolingual']['loss']:.3f}" for line in (first, last)]
    assert rows_of(page, "forgetting") == [
        ["code", "2.000", "2.200", "+0.200"],
        ["monolingual", *losses, f"−{-last['forgetting']['monolingual']:.3f}"],
    ]


def test_a_link_brings_back_what_was_chosen(visit):
    page = visit()
    page.select_option("#training-by", "tier")
    page.select_option("#training-in", "bits")
    page.fill("#training-search", "large")
    page.click('#table-training button.sort >> text="change"')
    address = page.evaluate("location.hash")
    assert address == "#training?curves=tier&in=bits&q=large&sort=-change"
    again = visit(address.removeprefix("#"))
    assert again.input_value("#training-by") == "tier"
    assert again.input_value("#training-in") == "bits"
    assert column_of(again, "training") == column_of(page, "training") == ["zxx_Zyyy", "swh_Latn"]
    assert "large" in again.inner_text("#legend-curves")


def test_runs_stand_beside_each_other(visit):
    page = visit("training?q=zho", num_runs=2)
    assert column_of(page, "runs") == ["first", "second"]
    assert column_of(page, "training") == ["first", "second"]
    assert [row[:3] for row in rows_of(page, "parts")[:2]] == [
        ["first", "all", "all"],
        ["second", "all", "all"],
    ]
    assert "first" in page.inner_text("#legend-curves")
    page.select_option("#training-by", "category")
    assert page.inner_text("#legend-curves").split()[:4] == [
        "code",
        "monolingual",
        "first",
        "second",
    ]


def test_languages_tell_what_was_seen(visit, folders):
    page = visit("languages?q=swh")
    last = lines_of(folders[1], "validation")[-1]["label"]["swh_Latn"]["bits_per_byte"]
    ((*_, tokens, bits),) = (row[:9] for row in rows_of(page, "languages"))
    assert (tokens, bits) == ("4,000", f"{last:.3f}")


def test_hostile_names_stay_text(visit):
    page = visit("training?sort=seen")
    assert HOSTILE in page.inner_text("#table-training")
    assert HOSTILE in page.inner_text("#table-parts")
    assert HOSTILE in page.inner_text("#table-spikes")
    assert page.title() == "small-corpus – glotmill report"
    assert page.query_selector("img") is None
    name, lines = download(page, "#training-csv")
    assert name == "small-corpus-training.csv"
    assert lines[0].startswith("label,tier,words,available,planned,seen,of_plan,epochs,train_loss")
    assert len(lines) == 1 + 4 + 1


def test_print_shows_training(visit):
    page = visit("overview")
    page.pdf()
    assert page.query_selector("#chart-curves svg") is not None


def test_a_run_that_has_told_nothing_is_drawn(context, folders, tmp_path):
    run = Path(write_run(tmp_path / "begun", folders[0]))
    (run / "metrics.jsonl").write_bytes(b"")
    build_training_report(folders[0], [str(run)])
    seen = []
    page = open_page(context, folders[0], "training", seen)
    assert "Nothing was told yet." in page.inner_text("#chart-curves")
    assert len(rows_of(page, "training")) == 4
    page.close()
    assert seen[0].seen == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_problem(scheme, visit, context):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    in_scheme = context.browser.new_context(color_scheme=scheme)
    found = []
    for num_runs in (1, 2):
        page = visit(num_runs=num_runs, of=in_scheme)
        found += [
            (num_runs, each["id"], each["nodes"][0]["html"])
            for each in axe.run(page).response["violations"]
            if each["impact"] in ("serious", "critical")
        ]
    assert found == []
    in_scheme.close()
