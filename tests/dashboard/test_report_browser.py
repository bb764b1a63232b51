"""The page in a browser: rows are there, no errors, no violations of the policy."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html import unescape

import pytest

from glotmill.dashboard import build_report

pytestmark = pytest.mark.slow

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=5000",
    "--window-size=1280,900",
)


@pytest.fixture(scope="module")
def browser():
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no browser on PATH (looked for {', '.join(NAMES)}); install chromium")
    return found


@pytest.fixture
def dom(browser, tmp_path):
    """Loads a view of a run's page; gives its DOM, and fails on any message of the console."""

    def load(root, address=""):
        url = f"file://{root}/report.html#{address}"
        profile = f"--user-data-dir={tmp_path}/profile"
        command = [browser, *FLAGS, profile, "--dump-dom", url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        messages = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        if messages:
            pytest.fail("\n".join(messages))
        return done.stdout

    return load


@pytest.fixture(scope="module")
def small(small_run):
    build_report(small_run)
    return small_run


@pytest.fixture(scope="module")
def large(large_run):
    build_report(large_run)
    return large_run


def language_rows(dom):
    body = re.search(r'<table id="table-languages">.*?<tbody>(.*?)</tbody>', dom, re.DOTALL)
    rows = re.findall(r"<tr>(.*?)</tr>", body[1], re.DOTALL)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]


def test_language_rows_and_their_numbers(dom, small):
    rows = language_rows(dom(small, "languages"))
    assert [row[0] for row in rows] == [
        "<code>swh_Latn</code>", "<code>zho_Hans</code>", "<code>zxx_Zyyy</code>",
    ]  # fmt: skip
    assert rows[0][3:13] == [
        "monolingual", "large", "0.5×", "110", "2,390", "12 kB", "1,100", "27.1%", "8.3%", "7.7%",
    ]  # fmt: skip
    assert rows[2][4:6] == ["–", "–"]


@pytest.mark.parametrize(
    ("address", "labels"),
    [
        ("languages?q=swahili", ["swh_Latn"]),
        ("languages?q=small+hans", ["zho_Hans"]),
        ("languages?q=nothing", []),
        ("languages?sort=label", ["swh_Latn", "zho_Hans", "zxx_Zyyy"]),
        ("languages?sort=-rate", ["zho_Hans", "swh_Latn", "zxx_Zyyy"]),
        ("languages?sort=no-such-column", ["swh_Latn", "zho_Hans", "zxx_Zyyy"]),
    ],
)
def test_address_searches_and_sorts(dom, small, address, labels):
    rows = language_rows(dom(small, address))
    assert [row[0] for row in rows] == [f"<code>{label}</code>" for label in labels]


@pytest.mark.parametrize(
    ("address", "view"),
    [("", "overview"), ("tiers", "tiers"), ("run?x=1", "run"), ("no-such-view", "overview")],
)
def test_address_chooses_the_view(dom, small, address, view):
    html = dom(small, address)
    assert re.findall(r'<section class="view current" id="(\w+)"', html) == [view]
    assert re.findall(r'<a href="#(\w+)" aria-current="page">', html) == [view]


def test_every_chart_is_drawn(dom, small):
    html = dom(small)
    charts = re.findall(r'<figure class="chart" id="chart-(\w+)"[^>]*><svg[^>]* role="img"', html)
    assert charts == ["funnel", "scripts", "sources", "tiers", "labels", "drops"]
    assert html.count("<style>:where(.plot-d6a7b5)") == len(charts)


def test_funnel_of_one_source_in_words(dom, small):
    html = dom(small, "overview?source=bible&unit=words")
    body = re.search(r'<table id="table-funnel">.*?<tbody>(.*?)</tbody>', html, re.DOTALL)[1]
    read = re.search(r"read</th>(.*?)</tr>", body, re.DOTALL)[1]
    assert re.findall(r">([^<\s][^<]*)</td>", read) == ["20", "100.0%", "3 kB", "600"]
    svg = re.search(r'id="chart-funnel".*?</svg>', html, re.DOTALL)[0]
    assert "600 · 100.0%" in svg


def test_hostile_text_does_nothing(dom, small):
    html = dom(small, "losses")
    assert "<title>small-corpus – glotmill report</title>" in html
    assert "<img" not in html


def test_a_thousand_labels(dom, large):
    assert len(language_rows(dom(large, "languages"))) == 1_000


ACTIONS = """
window.addEventListener("load", async () => {
  const seen = [];
  const texts = (selector) =>
    [...document.querySelectorAll(selector)].map((each) => each.textContent);
  const press = (text) =>
    [...document.querySelectorAll(".view.current button")]
      .find((button) => button.textContent === text).click();
  const labels = () => texts("#table-languages tbody code");
  location.hash = "#languages";
  await new Promise((done) => setTimeout(done, 50));
  press("language");
  seen.push(location.hash, labels()[0]);
  press("language");
  seen.push(location.hash, labels()[0]);
  const search = document.getElementById("language-search");
  search.value = "latn";
  search.dispatchEvent(new Event("input"));
  seen.push(location.hash, document.getElementById("language-count").textContent);
  let csv;
  URL.createObjectURL = (blob) => ((csv = blob.text()), "data:,");
  Element.prototype.click = () => {};
  document.getElementById("language-csv").dispatchEvent(new Event("click"));
  seen.push(await csv);
  location.hash = "#sources";
  await new Promise((done) => setTimeout(done, 50));
  document.querySelector("#sources input[value=bytes]").checked = true;
  document.querySelector("#sources input[value=bytes]").dispatchEvent(new Event("change"));
  seen.push(location.hash);
  [...document.querySelectorAll("#sources th button")][6].dispatchEvent(new Event("click"));
  seen.push(texts("#sources tbody th").join());
  document.body.dataset.seen = JSON.stringify(seen);
});
"""


def test_controls_change_the_page_and_its_address(dom, small, tmp_path):
    with open(f"{small}/report.html", encoding="utf-8") as file:
        html = file.read()
    digest = base64.b64encode(hashlib.sha256(ACTIONS.encode()).digest()).decode()
    html = html.replace("script-src ", f"script-src &#39;sha256-{digest}&#39; ", 1)
    html = html.replace("</body>", f"<script>{ACTIONS}</script></body>")
    (tmp_path / "report.html").write_text(html, encoding="utf-8")
    seen = re.search(r'data-seen="(.*?)"', dom(tmp_path))[1]
    header = (
        "label,name,script,category,tier,rate,documents,words,bytes,"
        "sampled_words,sampled_share,duplicates_share,dropped_share"
    )
    row = (
        "swh_Latn,Swahili (individual language),Latn,monolingual,large,0.5,110,2390,12000,"
        "1100,0.270936,0.0833333,0.0769231"
    )
    assert json.loads(unescape(seen)) == [
        "#languages?sort=name",
        "zho_Hans",
        "#languages?sort=-name",
        "swh_Latn",
        "#languages?sort=-name&q=latn",
        "1 of 3 rows",
        f"{header}\r\n{row}\r\n",
        "#sources?unit=bytes",
        "web,code,bible",
    ]


def test_a_violation_of_the_policy_would_be_seen(dom, small, tmp_path):
    with open(f"{small}/report.html", encoding="utf-8") as file:
        html = file.read()
    broken = html.replace("</body>", "<script>1</script></body>")
    (tmp_path / "report.html").write_text(broken, encoding="utf-8")
    with pytest.raises(pytest.fail.Exception, match="Content Security Policy"):
        dom(tmp_path)


def test_a_run_that_kept_nothing_is_shown(dom, empty_run):
    build_report(empty_run)
    html = dom(empty_run)
    assert language_rows(html) == []
    assert "Nothing was drawn." in html
