"""The page in a browser: views open, sort, search, export and come back from their address."""

import re

import pytest
from browser import column_of, current_view, download, open_report, rows_of

from glotmill.dashboard import build_report, compare, render_difference


@pytest.fixture(scope="module")
def small(small_run):
    build_report(small_run)
    return small_run


@pytest.fixture(scope="module")
def triaged(triage_run):
    build_report(triage_run)
    return triage_run


@pytest.fixture(scope="module")
def parallel(pairs_run):
    build_report(pairs_run)
    return pairs_run


@pytest.fixture(scope="module")
def tokenized(tokens_run):
    build_report(tokens_run)
    return tokens_run


VIEWS = (
    "overview", "languages", "scripts", "sources", "pairs", "triage", "duplicates", "mixture",
    "losses", "run",
)  # fmt: skip


def test_every_view_opens_from_its_link(visit, parallel):
    page = visit(parallel)
    assert current_view(page) == (["overview"], ["#overview"])
    for view in VIEWS:
        page.click(f'nav a[href="#{view}"]')
        # The address changes at once, the view when the browser tells the page of it.
        page.wait_for_selector(f"#{view}.current")
        assert current_view(page) == ([view], [f"#{view}"])
        assert page.inner_text(f"#{view} h2")
        charts = page.eval_on_selector_all(
            f"#{view} figure.chart", "all => all.map(one => [one.id, one.childNodes.length])"
        )
        assert [name for name, children in charts if not children] == []


def test_no_view_is_wider_than_a_telephone(visit, parallel):
    page = visit(parallel)
    page.set_viewport_size({"width": 320, "height": 640})
    for view in VIEWS:
        page.click(f'nav a[href="#{view}"]')
        page.wait_for_selector(f"#{view}.current")
        assert (view, page.evaluate("document.documentElement.scrollWidth")) == (view, 320)


@pytest.mark.parametrize(
    ("address", "view"),
    [("mixture", "mixture"), ("run?x=1", "run"), ("no-such-view", "overview")],
)
def test_address_chooses_the_view(visit, small, address, view):
    assert current_view(visit(small, address)) == ([view], [f"#{view}"])


def test_languages_and_their_numbers(visit, small):
    rows = rows_of(visit(small, "languages"), "languages")
    assert [row[0] for row in rows] == [
        "swh_Latn\nSwahili (individual language)", "zho_Hans\nChinese (Simplified Han)",
        "zxx_Zyyy\nNo linguistic content",
    ]  # fmt: skip
    assert rows[0][1:7] == ["monolingual", "large", "0.5×", "2,290", "1,100", "27.1%"]
    assert rows[0][-6:] == ["105", "11.5 kB", "8.3%", "7.7%", "2", "Latn"]
    assert rows[2][1:4] == ["code", "–", "–"]


@pytest.mark.parametrize(
    ("address", "labels"),
    [
        ("languages?q=swahili", ["swh_Latn"]),
        ("languages?q=small+hans", ["zho_Hans"]),
        ("languages?q=nothing", []),
        ("languages?sort=label", ["swh_Latn", "zho_Hans", "zxx_Zyyy"]),
        ("languages?sort=-rate", ["zho_Hans", "swh_Latn", "zxx_Zyyy"]),
        ("languages?sort=no-such-column", ["swh_Latn", "zho_Hans", "zxx_Zyyy"]),
        ("languages?sort=dumbbell", ["swh_Latn", "zho_Hans", "zxx_Zyyy"]),
        ("languages?warned=yes", []),
    ],
)
def test_address_searches_and_sorts(visit, small, address, labels):
    assert column_of(visit(small, address), "languages") == labels


def test_controls_change_the_page_and_its_address(visit, small):
    page = visit(small, "languages")
    shown = []
    for title in ("label", "label", "words"):
        page.click(f'#table-languages button.sort >> text="{title}"')
        shown.append((page.evaluate("location.hash"), column_of(page, "languages")[0]))
    assert shown == [
        ("#languages?sort=label", "swh_Latn"),
        ("#languages?sort=-label", "zxx_Zyyy"),
        ("#languages", "swh_Latn"),
    ]
    page.fill("#language-search", "latn")
    assert page.evaluate("location.hash") == "#languages?q=latn"
    assert page.inner_text("#language-count") == "1 of 3 rows"
    name, lines = download(page, "#language-csv")
    assert name == "small-corpus-languages.csv"
    assert lines == [
        "label,category,tier,rate,words,sampled_words,sampled_share,documents,bytes,"
        "duplicates_share,dropped_share,sources,script,name,sampled_documents,sampled_bytes,"
        "validation_documents,domain,warnings",
        "swh_Latn,monolingual,large,0.5,2290,1100,0.270936,105,11500,0.0833333,0.0769231,2,Latn,"
        "Swahili (individual language),50,5500,5,,",
        "",
    ]


def test_tables_that_are_written_sort_export_and_come_back(visit, small):
    page = visit(small, "sources?unit=bytes")
    assert page.is_checked("#sources input[value=bytes]")
    assert column_of(page, "sources-documents") == ["web", "bible", "code"]
    page.click('#table-sources-documents button.sort >> text="read"')
    address = page.evaluate("location.hash")
    assert address == "#sources?unit=bytes&by-sources-documents=-7"
    assert column_of(page, "sources-documents") == ["web", "code", "bible"]
    name, lines = download(page, "#sources .export button")
    assert name == "small-corpus-sources-documents.csv"
    assert lines[0].startswith("source,category,domain,licence,files,input,read,rejected")
    assert lines[1].startswith("web,monolingual,not given,not given,1,1000,169,4,15,150,8,")
    again = visit(small, address[1:])
    assert column_of(again, "sources-documents") == ["web", "code", "bible"]
    page.click('nav a[href="#overview"]')
    page.go_back()
    assert page.get_attribute("#table-sources-documents th[aria-sort]", "aria-sort") == "descending"


def test_every_table_has_a_way_out(visit, parallel):
    page = visit(parallel)
    for view in VIEWS:
        page.click(f'nav a[href="#{view}"]')
        tables = page.eval_on_selector_all(
            f"#{view} table:not(.equations)", "all => all.map(one => one.id)"
        )
        buttons = page.eval_on_selector_all(
            f"#{view} button", "all => all.filter(one => /CSV/.test(one.textContent)).length"
        )
        assert len(tables) == buttons
        assert all(tables)


def test_funnel_of_a_source_and_of_a_category(visit, small, parallel):
    page = visit(small, "overview?of=source:bible&unit=words")
    rows = rows_of(page, "funnel")
    assert rows[0] == ["read", "20", "100.0%", "3 kB", "600"]
    assert page.inner_text("#funnel-caption") == "source bible"
    assert "600 · 100.0%" in page.text_content("#chart-funnel svg")
    page = visit(parallel, "overview?of=pairs")
    assert page.inner_text("#funnel-counted") == "pairs"
    assert [row[:2] for row in rows_of(page, "funnel")][:4] == [
        ["read", "138"], ["− rejected", "3"],
        ["− dropped: length ratio", "8"], ["− dropped: identical sides", "2"],
    ]  # fmt: skip
    page.select_option("#funnel-of", "category:monolingual")
    assert page.evaluate("location.hash") == "#overview?of=category%3Amonolingual"
    assert rows_of(page, "funnel")[0][:2] == ["read", "3"]
    assert page.inner_text("#funnel-counted") == "documents"


def test_documents_and_pairs_stand_apart(visit, parallel):
    page = visit(parallel, "scripts")
    found = {kind: rows_of(page, f"scripts-{kind}") for kind in ("documents", "pairs")}
    assert [row[:4] for row in found["documents"]] == [["Latn", "Latin", "1", "3"]]
    # The script of a made-up pair is what stands behind the first underscore of its label.
    assert sum(int(row[3]) for row in found["pairs"]) == 115 - 20
    assert column_of(visit(parallel, "languages"), "languages") == ["deu_Latn"]


def test_hostile_text_does_nothing(visit, small):
    page = visit(small, "losses")
    assert page.title() == "small-corpus – glotmill report"
    assert page.query_selector("img") is None
    for view in ("sources", "overview", "run"):
        page.click(f'nav a[href="#{view}"]')
    assert page.title() == "small-corpus – glotmill report"


def test_plan_against_realised(visit, small):
    rows = rows_of(visit(small, "mixture?sort=label"), "plan")
    assert [row[0].partition("\n")[0] for row in rows] == ["swh_Latn", "zho_Hans"]
    assert rows[0][1:] == [
        "monolingual", "large", "2,390", "1,140", "27.9%", "1,100", "27.1%", "−3.5%", "0.46×",
    ]  # fmt: skip


def test_cells_and_their_samples(visit, triaged, hostile):
    page = visit(triaged, "triage")
    row = rows_of(page, "triage")[0]
    assert row[:10] == [
        "1", "web", "swh_Latn\nSwahili (individual language)", "fra_Latn\nFrench", "Latn",
        "contradicted", "6", "50.0%", "13", "1",
    ]  # fmt: skip
    quotes = page.eval_on_selector_all(
        "#table-triage blockquote",
        "all => all.map(one => [one.dir, one.lang, one.textContent])",
    )
    assert quotes[0] == ["auto", "fr-Latn", hostile]
    assert ["auto", "ur-Arab", "نص"] in quotes
    direction = page.eval_on_selector(
        'blockquote[lang="ur-Arab"]', "one => getComputedStyle(one).direction"
    )
    assert direction == "rtl"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("address", "ranks"),
    [
        ("triage?q=urdu", ["2"]),
        ("triage?q=bible+french", ["3"]),
        ("triage?sort=-documents", ["7", "1", "8", "2", "3", "4", "5", "6"]),
        ("triage?q=nothing", []),
    ],
)
def test_address_searches_and_sorts_cells(visit, triaged, address, ranks):
    assert column_of(visit(triaged, address), "triage") == ranks


def test_cells_as_csv(visit, triaged):
    _, lines = download(visit(triaged, "triage"), "#triage-csv")
    assert lines[0] == (
        "rank,source,declared,identified,script,verdict,documents,share,words,dropped,"
        "declared_name,identified_name,samples"
    )
    assert lines[2] == "2,web,arb_Arab,urd_Arab,Arab,contradicted,1,1,1,0,Standard Arabic,Urdu,نص"
    assert lines[1].endswith(' | mot 3 | mot 2"')


def test_tokenizer_is_shown_where_there_are_tokens(visit, small, tokenized):
    assert visit(small).query_selector("#tokenizer") is None
    page = visit(tokenized, "tokenizer?sort=-fertility")
    rows = rows_of(page, "tokens")
    assert [row[0].partition("\n")[0] for row in rows] == ["zho_Hans", "swh_Latn", "eng_Latn"]
    assert rows[1][3:] == ["2,290", "4,580", "2.00", "1.6×", "2.51", "1.0%"]


def test_keyboard_reaches_what_the_mouse_does(visit, small):
    page = visit(small, "languages")
    page.focus("#table-languages button.sort")
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#languages?sort=label"
    page = visit(small)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    assert current_view(page)[0] == ["overview"]


def test_print_shows_all_views(visit, parallel, tmp_path):
    page = visit(parallel)
    pdf = page.pdf()
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) >= len(VIEWS)
    drawn = page.eval_on_selector_all("figure.chart svg", "all => all.length")
    assert drawn >= 12
    assert len(rows_of(page, "pairs")) == 3


def test_a_run_that_kept_nothing_is_shown(visit, empty_run):
    build_report(empty_run)
    page = visit(empty_run, "languages")
    assert rows_of(page, "languages") == []
    page.click('nav a[href="#mixture"]')
    assert "The plan is empty." in page.inner_text("#mixture")


def test_troubles_would_be_seen(context, small, tmp_path):
    with open(f"{small}/report.html", encoding="utf-8") as file:
        html = file.read()
    broken = html.replace("</body>", "<script>1</script></body>")
    (tmp_path / "report.html").write_text(broken, encoding="utf-8")
    page, troubles = open_report(context, tmp_path)
    page.close()
    assert "Content Security Policy" in "".join(troubles.seen)


@pytest.mark.slow
def test_rows_come_as_they_are_scrolled_to(visit, large_run, large_report):
    page = visit(large_run, "languages")
    region = "#table-languages"
    assert page.get_attribute(region, "aria-rowcount") == "1001"
    before = len(rows_of(page, "languages"))
    assert before < 200
    for _ in range(40):
        page.eval_on_selector(region, "one => one.parentElement.scrollTo(0, 1e9)")
        page.wait_for_timeout(30)
    rows = rows_of(page, "languages")
    assert len({row[0] for row in rows}) == len(rows) == 1_000


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_problem(scheme, context, parallel, triaged, tokenized):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    in_scheme = context.browser.new_context(color_scheme=scheme)
    found = []
    for root, views in ((parallel, VIEWS), (triaged, ["triage"]), (tokenized, ["tokenizer"])):
        page, _ = open_report(in_scheme, root)
        for view in views:
            page.click(f'nav a[href="#{view}"]')
            found += [
                (view, each["id"], each["nodes"][0]["html"])
                for each in axe.run(page).response["violations"]
                if each["impact"] in ("serious", "critical")
            ]
    in_scheme.close()
    assert found == []


@pytest.mark.slow
def test_page_of_differences(context, small, parallel, tmp_path):
    (tmp_path / "report.html").write_text(render_difference(compare(small, parallel)))
    page, troubles = open_report(context, tmp_path)
    page.click('#table-totals button.sort >> text="change"')
    assert rows_of(page, "totals")[0][:2] == ["pairs", "sampled"]
    _, lines = download(page, 'button[aria-label="Download as CSV: Labels lost"]')
    assert lines[0].startswith("label,language,category,tier first,tier second,epochs first")
    page.close()
    assert troubles.seen == []
