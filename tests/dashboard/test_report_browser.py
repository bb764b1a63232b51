"""The page in a browser: rows are there, no errors, no violations of the policy."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html import escape, unescape

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


@pytest.fixture(scope="module")
def triaged(triage_run):
    build_report(triage_run)
    return triage_run


def rows_of(dom, table="languages"):
    body = re.search(rf'<table id="table-{table}">.*?<tbody>(.*?)</tbody>', dom, re.DOTALL)
    rows = re.findall(r"<tr>(.*?)</tr>", body[1], re.DOTALL)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]


def test_rows_of_and_their_numbers(dom, small):
    rows = rows_of(dom(small, "languages"))
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
    rows = rows_of(dom(small, address))
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
    assert charts == ["funnel", "scripts", "sources", "triage", "tiers", "labels", "drops"]
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
    html = dom(large, "languages")
    assert len(rows_of(html)) == 1_000
    assert len(rows_of(html, "triage")) == 750


def test_cells_and_their_samples(dom, triaged, hostile):
    rows = rows_of(dom(triaged, "triage"), "triage")
    assert rows[0][:10] == [
        "1", "web",
        '<code>swh_Latn</code><small class="beside">Swahili (individual language)</small>',
        '<code>fra_Latn</code><small class="beside">French</small>', "<code>Latn</code>",
        "contradicted", "6", "50.0%", "13", "1",
    ]  # fmt: skip
    first = '<blockquote dir="auto" lang="fra-Latn">'
    assert rows[0][10].startswith(first + escape(hostile, quote=False))
    assert "<summary>2 more</summary>" in rows[0][10]
    assert rows[1][10] == '<blockquote dir="auto" lang="urd-Arab">نص</blockquote>'
    assert rows[3][2:4] == ['–<small class="beside"></small>'] * 2


@pytest.mark.parametrize(
    ("address", "ranks"),
    [
        ("triage?q=urdu", ["2"]),
        ("triage?q=bible+french", ["3"]),
        ("triage?q=unknown+code", ["6"]),
        ("triage?sort=-documents", ["7", "1", "8", "2", "3", "4", "5", "6"]),
        ("triage?q=nothing", []),
    ],
)
def test_address_searches_and_sorts_cells(dom, triaged, address, ranks):
    html = dom(triaged, address)
    assert re.findall(r'<section class="view current" id="(\w+)"', html) == ["triage"]
    assert [row[0] for row in rows_of(html, "triage")] == ranks


CSV_OF_CELLS = """
window.addEventListener("load", async () => {
  let csv;
  URL.createObjectURL = (blob) => ((csv = blob.text()), "data:,");
  Element.prototype.click = () => {};
  document.getElementById("triage-csv").dispatchEvent(new Event("click"));
  document.body.dataset.seen = JSON.stringify(await csv);
});
"""


def test_cells_as_csv(dom, triaged, tmp_path):
    seen = seen_by(CSV_OF_CELLS, triaged, dom, tmp_path).split("\r\n")
    assert seen[0] == (
        "rank,source,declared,identified,script,verdict,documents,share,words,dropped,"
        "declared_name,identified_name,samples"
    )
    assert len(seen) == 1 + 8 + 1
    assert seen[2] == "2,web,arb_Arab,urd_Arab,Arab,contradicted,1,1,1,0,Standard Arabic,Urdu,نص"
    assert seen[1].endswith(' | mot 3 | mot 2"')


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


def seen_by(script, root, dom, folder):
    """What a script in the page of a run notes in the body's `data-seen`."""
    with open(f"{root}/report.html", encoding="utf-8") as file:
        html = file.read()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    html = html.replace("script-src ", f"script-src &#39;sha256-{digest}&#39; ", 1)
    html = html.replace("</body>", f"<script>{script}</script></body>")
    (folder / "report.html").write_text(html, encoding="utf-8")
    return json.loads(unescape(re.search(r'data-seen="(.*?)"', dom(folder))[1]))


def test_controls_change_the_page_and_its_address(dom, small, tmp_path):
    seen = seen_by(ACTIONS, small, dom, tmp_path)
    header = (
        "label,name,script,category,tier,rate,documents,words,bytes,"
        "sampled_words,sampled_share,duplicates_share,dropped_share"
    )
    row = (
        "swh_Latn,Swahili (individual language),Latn,monolingual,large,0.5,110,2390,12000,"
        "1100,0.270936,0.0833333,0.0769231"
    )
    assert seen == [
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


@pytest.fixture(scope="module")
def parallel(pairs_run):
    build_report(pairs_run)
    return pairs_run


def matrix_of(dom):
    """Labels of the columns, and label, sum and cells of each row."""
    table = re.search(r'<table id="table-matrix".*?</table>', dom, re.DOTALL)[0]
    head, body = table.split("<tbody>")
    rows = re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    columns = re.findall(r"<code>(.*?)</code>", head)
    label = r"<code>(.*?)</code>"
    return columns, {
        re.search(label, row)[1]: re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows
    }


@pytest.mark.parametrize(
    ("address", "english", "german", "swahili"),
    [
        ("pairs", ["110", "", "90", "20"], ["90", "90", "", ""], ["20", "20", "", ""]),
        ("pairs?value=sampled", ["160", "160", ""], ["160", "", "160"], None),
        ("pairs?value=available_words", ["2.2 k", "", "1.8 k", "400"],
         ["1.8 k", "1.8 k", "", ""], ["400", "400", "", ""]),
        ("pairs?directed=yes", ["110", "", "80", "20"], ["90", "10", "", ""], ["20", "", "", ""]),
        ("pairs?directed=yes&value=sampled", ["160", "60", ""], ["160", "", "100"], None),
        ("pairs?q=swahili&value=nonsense&most=x", ["20", "", "20"], None, ["20", "20", ""]),
    ],
)  # fmt: skip
def test_matrix_of_pairs(dom, parallel, address, english, german, swahili):
    columns, rows = matrix_of(dom(parallel, address))
    wanted = {"eng_Latn": english, "deu_Latn": german, "swh_Latn": swahili}
    assert rows == {label: cells for label, cells in wanted.items() if cells}
    assert columns == list(rows)


def test_cells_of_the_matrix_say_what_they_are(dom, parallel):
    html = dom(parallel, "pairs?directed=yes")
    assert (
        'title="English → German: 80 available pairs\n'
        'both directions: 90 pairs available, 160 sampled\ntier very low">80</td>'
    ) in html
    assert re.search(r'<output id="matrix-count"[^>]*>3 languages</output>', html)


def test_tables_of_pairs_and_directions(dom, parallel):
    html = dom(parallel, "pairs")
    assert re.findall(r'<section class="view current" id="(\w+)"', html) == ["pairs"]
    rows = rows_of(html, "pairs")
    assert rows[0] == [
        '<code>deu_Latn-eng_Latn</code><small class="beside">German – English</small>',
        "very low", "10×", "110", "20", "18.2%", "90", "1,800", "80", "160", "3,200", "16", "0",
        '<span class="chip">repeated side 10</span><span class="chip">length ratio 8</span>'
        '<span class="chip">identical sides 2</span>',
    ]  # fmt: skip
    assert len(rows) == 3
    rows = rows_of(html, "directions")
    assert [row[0].partition("<small")[0] for row in rows] == [
        f"<code>{each}</code>" for each in (
            "deu_Latn&gt;eng_Latn", "eng_Latn&gt;deu_Latn", "eng_Latn&gt;swh_Latn",
            "swh_Latn&gt;eng_Latn", "eng_Latn&gt;deu_Latn&gt;ces_Latn",
        )
    ]  # fmt: skip
    assert rows[0][1:] == ["10", "200", "50", "100", "2,000", "10", "0"]
    assert "German → English" in rows[0][0]


def test_one_search_finds_pairs_and_their_directions(dom, parallel):
    html = dom(parallel, "pairs?q=swahili&order=direction")
    assert len(rows_of(html, "pairs")) == 1
    assert [row[7] for row in rows_of(html, "directions")] == ["10", "20"]


def test_two_hundred_languages(dom, many_pairs_run):
    build_report(many_pairs_run)
    html = dom(many_pairs_run, "pairs?most=200")
    columns, rows = matrix_of(html)
    assert len(columns) == len(rows) == 200
    assert "200 of 220 languages" in html
    assert len(matrix_of(dom(many_pairs_run, "pairs"))[0]) == 50


MATRIX_ACTIONS = """
window.addEventListener("load", async () => {
  const seen = [];
  const cells = () =>
    [...document.querySelectorAll("#table-matrix tbody tr:first-child td")]
      .map((cell) => cell.textContent).join();
  location.hash = "#pairs";
  await new Promise((done) => setTimeout(done, 50));
  const change = (id, how) => {
    const control = document.getElementById(id);
    Object.assign(control, how);
    control.dispatchEvent(new Event("change"));
    seen.push(location.hash, cells());
  };
  change("matrix-directed", { checked: true });
  change("matrix-value", { value: "sampled" });
  change("matrix-directed", { checked: false });
  let csv;
  URL.createObjectURL = (blob) => ((csv = blob.text()), "data:,");
  Element.prototype.click = () => {};
  document.getElementById("direction-csv").dispatchEvent(new Event("click"));
  seen.push((await csv).split("\\r\\n").slice(0, 2).join(";"));
  document.body.dataset.seen = JSON.stringify(seen);
});
"""


def test_controls_of_the_matrix(dom, parallel, tmp_path):
    seen = seen_by(MATRIX_ACTIONS, parallel, dom, tmp_path)
    header = "direction,available,available_words,train,sampled,sampled_words,documents,validation"
    assert seen == [
        "#pairs?directed=yes", "110,,80,20",
        "#pairs?directed=yes&value=sampled", "160,,100",
        "#pairs?value=sampled", "160,,160",
        f"{header},name,label;"
        "deu_Latn>eng_Latn,10,200,50,100,2000,10,0,German → English,deu_Latn-eng_Latn",
    ]  # fmt: skip


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
    assert rows_of(html) == []
    assert "Nothing was drawn." in html
