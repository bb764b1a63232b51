"""Parallel text in a browser: the heat map zooms and pans, pairs are chosen, ratios are shown."""

import json

import pytest
from browser import column_of, download, open_report, rows_of

from glotmill.dashboard import build_report

pytestmark = pytest.mark.slow

GERMAN, SWAHILI = "deu_Latn-eng_Latn", "eng_Latn-swh_Latn"
CELL, MARGIN = 48, 84


@pytest.fixture(scope="module")
def parallel(pairs_run):
    build_report(pairs_run)
    return pairs_run


@pytest.fixture(scope="module")
def many(many_pairs_run):
    build_report(many_pairs_run)
    return many_pairs_run


def data_of(root):
    """What the page of a run draws pairs from."""
    with open(f"{root}/report.html", encoding="utf-8") as file:
        text = file.read()
    start = text.index('<script type="application/json" id="data">') + len(
        '<script type="application/json" id="data">'
    )
    return json.loads(text[start : text.index("</script>", start)])["parallel"]


def matrix_of(page):
    """Labels of the heat map, and its values by the labels of row and column."""
    return page.evaluate(
        """() => {
          const { labels, cells } = Pairs.heatMap().matrix;
          return [labels, Object.fromEntries(cells.map(({ row, column, value }) =>
            [`${labels[row]} ${labels[column]}`, value]))];
        }"""
    )


def test_the_name_of_a_script_makes_the_page_no_wider(visit, parallel):
    page = visit(parallel, "pairs")
    page.set_viewport_size({"width": 320, "height": 640})
    name = "Unified Canadian Aboriginal Syllabics (12)"
    page.eval_on_selector("#matrix-block", "(one, name) => one.add(new Option(name))", name)
    assert page.evaluate("document.documentElement.scrollWidth") == 320


def address_of(page):
    return page.evaluate("location.hash")


def place_of(page):
    """Row and column at the upper left of what is seen, and how many languages are seen."""
    place = page.evaluate("Pairs.heatMap().place")
    return [float(each) for each in place.split(",")] if place else None


def painted(page, *cells):
    """Colours of the picture a little inside of cells."""
    return page.evaluate(
        """(cells) => {
          const map = Pairs.heatMap();
          const ratio = window.devicePixelRatio || 1;
          const { width, height } = map.canvas;
          const { data } = map.context.getImageData(0, 0, width, height);
          return cells.map(([row, column]) => {
            const [x, y] = [map.left(column) + 4, map.top(row) + 4].map((at) =>
              Math.round(at * ratio));
            return [...data.slice(4 * (y * width + x)).slice(0, 3)];
          });
        }""",
        cells,
    )


@pytest.mark.parametrize(
    ("address", "labels", "cells"),
    [
        (
            "pairs",
            ["eng_Latn", "deu_Latn", "swh_Latn"],
            {"eng_Latn deu_Latn": 90, "deu_Latn eng_Latn": 90,
             "eng_Latn swh_Latn": 20, "swh_Latn eng_Latn": 20},
        ),
        (
            "pairs?value=sampled",
            ["deu_Latn", "eng_Latn"],
            {"deu_Latn eng_Latn": 160, "eng_Latn deu_Latn": 160},
        ),
        (
            "pairs?directed=yes",
            ["eng_Latn", "deu_Latn", "swh_Latn"],
            {"eng_Latn deu_Latn": 80, "deu_Latn eng_Latn": 10, "eng_Latn swh_Latn": 20},
        ),
        (
            "pairs?q=swahili&value=nonsense&arranged=x&at=nonsense",
            ["eng_Latn", "swh_Latn"],
            {"eng_Latn swh_Latn": 20, "swh_Latn eng_Latn": 20},
        ),
        (
            "pairs?arranged=label&directed=yes",
            ["deu_Latn", "eng_Latn", "swh_Latn"],
            {"eng_Latn deu_Latn": 80, "deu_Latn eng_Latn": 10, "eng_Latn swh_Latn": 20},
        ),
    ],
)  # fmt: skip
def test_what_the_heat_map_holds(visit, parallel, address, labels, cells):
    assert matrix_of(visit(parallel, address)) == [labels, cells]


def test_cells_with_more_are_stronger(visit, parallel):
    page = visit(parallel, "pairs")
    german, swahili, nothing, reverse = painted(page, (0, 1), (0, 2), (1, 2), (1, 0))
    assert sum(german) < sum(swahili) < sum(nothing)
    assert reverse == german


def test_all_languages_are_there_and_the_picture_holds_them(visit, many):
    page = visit(many, "pairs")
    labels, cells = matrix_of(page)
    assert (len(labels), len(set(labels))) == (220, 220)
    assert len(cells) == 2 * 3_000  # each of the pairs that the page carries, in both halves
    assert page.inner_text("#matrix-count") == "220 languages"
    assert place_of(page) is None
    last = page.evaluate("Pairs.heatMap().left(220) - Pairs.heatMap().side")
    assert last == pytest.approx(MARGIN)


def test_what_is_told_to_those_who_do_not_see_it(visit, parallel):
    page = visit(parallel, "pairs")
    assert page.inner_text("#matrix-summary") == (
        "3 languages; 2 pairs hold surviving pairs. The largest: "
        "English (eng_Latn) – German (deu_Latn): 90 surviving pairs; "
        "English (eng_Latn) – Swahili (individual language) (swh_Latn): 20 surviving pairs."
    )
    page.focus("#matrix")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#matrix-cell") == (
        "English (eng_Latn) – German (deu_Latn): 90 surviving pairs; both directions: "
        "90 pairs surviving, 160 sampled; tier very low"
    )
    page.keyboard.press("ArrowDown")
    assert page.inner_text("#matrix-cell") == (
        "German (deu_Latn) – German (deu_Latn): no surviving pairs"
    )


def test_buttons_zoom_and_the_address_restores_it(visit, many):
    page = visit(many, "pairs")
    for _ in range(3):
        page.click("#matrix-in")
    row, column, count = place_of(page)
    assert count == pytest.approx(220 / 1.5**3, abs=0.01)
    assert row == column == pytest.approx((220 - count) / 2, abs=0.01)
    again = visit(many, address_of(page)[1:])
    assert place_of(again) == [row, column, count]
    page.click("#matrix-out")
    assert place_of(page)[2] == pytest.approx(220 / 1.5**2, abs=0.01)
    page.click("#matrix-all")
    assert (place_of(page), address_of(page)) == (None, "#pairs")


def test_wheel_zooms_after_a_click_or_with_ctrl_and_scrolls_the_page_otherwise(visit, many):
    page = visit(many, "pairs")
    page.locator("#matrix").scroll_into_view_if_needed()
    box = page.locator("#matrix").bounding_box()
    page.mouse.move(box["x"] + MARGIN + 200, box["y"] + MARGIN + 100)
    before = page.evaluate("window.scrollY")
    page.mouse.wheel(0, -40)
    page.wait_for_timeout(300)
    assert place_of(page) is None
    page.mouse.wheel(0, before - page.evaluate("window.scrollY"))
    page.focus("#matrix")
    box = page.locator("#matrix").bounding_box()
    point = (box["x"] + MARGIN + 200, box["y"] + MARGIN + 100)
    page.mouse.move(*point)
    where = """([x, y]) => {
      const map = Pairs.heatMap();
      const box = map.canvas.getBoundingClientRect();
      return [(map.transform.invertX(x - box.x - map.canvas.clientLeft) - 84) / map.cell,
              (map.transform.invertY(y - box.y - map.canvas.clientTop) - 84) / map.cell];
    }"""
    under = page.evaluate(where, point)
    page.mouse.wheel(0, -400)
    page.wait_for_timeout(400)  # a wheel has come to rest after 150 ms
    assert place_of(page)[2] < 150
    assert "at=" in address_of(page)
    # What is under the pointer stays there.
    assert page.evaluate(where, point) == pytest.approx(under, abs=0.2)


def test_dragging_pans_within_the_edges(visit, many):
    page = visit(many, "pairs?at=100,100,20")
    box = page.locator("#matrix").bounding_box()
    cell = page.evaluate("Pairs.heatMap().size")
    page.mouse.move(box["x"] + 300, box["y"] + 300)
    page.mouse.down()
    page.mouse.move(box["x"] + 300 - 2 * cell, box["y"] + 300 + cell, steps=3)
    page.mouse.up()
    assert place_of(page) == pytest.approx([99, 102, 20], abs=0.05)
    assert "at=99" in address_of(page)
    assert place_of(visit(many, "pairs?at=500,-9,20")) == [200, 0, 20]


def test_keys_go_from_cell_to_cell_and_zoom_there(visit, many):
    page = visit(many, "pairs")
    page.focus("#matrix")
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "+", "+", "+", "+", "+", "+", "+"):
        page.keyboard.press(key)
    row, column, count = place_of(page)
    assert (row, column) == (2, 1)
    deepest = page.evaluate("Pairs.heatMap().side / 48")  # languages of 48 pixels each
    assert count == pytest.approx(deepest, abs=0.01)
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    assert place_of(page)[1] == pytest.approx(22 - count, abs=0.01)
    page.keyboard.press("-")
    assert place_of(page)[2] == pytest.approx(1.5 * deepest, abs=0.01)
    page.keyboard.press("0")
    assert place_of(page) is None


def shown_names(page):
    return page.evaluate("Pairs.heatMap().names().map((each) => each.text)")


def test_labels_have_room_at_each_zoom(visit, many):
    page = visit(many, "pairs")
    for place in ("", "0,0,110", "0,0,40", "0,0,12"):
        page.evaluate("place => Pairs.heatMap().goTo(place)", place)
        room = page.evaluate(
            """() => {
              const map = Pairs.heatMap();
              const at = map.names().map((each) => map.top(each.at));
              return Math.min(...at.slice(1).map((each, place) => each - at[place]));
            }"""
        )
        assert room >= 14 - 1e-6
    assert len(shown_names(page)) == 220
    page.select_option("#matrix-order", "script")
    assert "Latn" in shown_names(page)
    assert "Cyrl" in shown_names(page)


def test_zoom_to_a_script_shows_its_block(visit, many):
    page = visit(many, "pairs")
    page.select_option("#matrix-block", "Cyrl")
    row, column, count = place_of(page)
    assert row == column
    labels, _ = matrix_of(page)
    cyrillic = [label for label in labels if label.endswith("_Cyrl")]
    assert labels[round(row) :][: len(cyrillic)] == cyrillic
    assert 1 < len(cyrillic) <= count + 0.01


def test_a_search_shows_what_it_finds_as_a_whole(visit, many):
    page = visit(many, "pairs?at=100,100,20")
    page.fill("#pair-search", "cyrl")
    labels, cells = matrix_of(page)
    assert place_of(page) is None
    assert 0 < len(labels) < 220
    assert all("Cyrl" in key for key in cells)


def test_a_click_on_a_language_shows_its_pairs_alone(visit, parallel):
    page = visit(parallel, "pairs")
    swahili = {"x": 30, "y": MARGIN + 2.5 * CELL}
    page.click("#matrix", position=swahili)
    assert address_of(page) == "#pairs?q=swh_Latn"
    assert column_of(page, "pairs") == ["eng_Latn-swh_Latn"]
    assert [row[7] for row in rows_of(page, "directions")] == ["10", "20"]
    page.click("#matrix", position={"x": 30, "y": MARGIN + 1.5 * CELL})
    assert len(column_of(page, "pairs")) == 3


def test_controls_of_the_matrix(visit, parallel):
    page = visit(parallel, "pairs")
    page.check("#matrix-directed")
    assert matrix_of(page)[1]["eng_Latn deu_Latn"] == 80
    page.select_option("#matrix-value", "sampled")
    assert address_of(page) == "#pairs?directed=yes&value=sampled"
    page.hover("#matrix", position={"x": MARGIN + 0.5 * CELL, "y": MARGIN + 1.5 * CELL})
    assert page.inner_text("#matrix-cell").startswith("English (eng_Latn) → German (deu_Latn): 60 ")
    _, lines = download(page, "#direction-csv")
    assert lines[1] == (
        "deu_Latn>eng_Latn,10,200,50,100,2000,10,0,German → English,deu_Latn-eng_Latn"
    )


def test_tables_of_pairs(visit, parallel):
    rows = rows_of(visit(parallel, "pairs"), "pairs")
    assert rows[0] == [
        "deu_Latn-eng_Latn\nGerman – English", "very low", "10×", "110", "20", "18.2%",
        "", "1.08", "1.41×", "90", "1,800", "80", "160", "3,200", "16", "0",
        "repeated side 10 length ratio 8 identical sides 2",
    ]  # fmt: skip
    assert [row[7] for row in rows[1:]] == ["3.59", "–"]


@pytest.mark.parametrize(
    ("order", "labels"),
    [
        ("-ratio", [SWAHILI, GERMAN]),
        ("ratio", [GERMAN, SWAHILI]),
        ("-spread", [GERMAN, SWAHILI]),
    ],
)
def test_pairs_sort_by_ratio_and_spread(visit, parallel, order, labels):
    # Texts in three languages have no ratio, and come last in either direction.
    assert column_of(visit(parallel, f"pairs?sort={order}"), "pairs")[:2] == labels


def test_the_picture_of_a_ratio_is_its_quantiles(visit, parallel):
    page = visit(parallel, "pairs")
    profile = data_of(parallel)["pairs"]["profile"][0]["ratio"]
    title = page.get_attribute("#table-pairs tbody tr:first-child svg", "aria-label")
    assert title == "ratio below which lie: " + ", ".join(
        f"{rank}% {value:.2f}"
        for rank, value in zip((5, 25, 50, 75, 95), profile[2:-1], strict=True)
    )
    marks = page.eval_on_selector(
        "#table-pairs tbody tr:first-child svg",
        """svg => [...svg.querySelectorAll(".span, .box, .middle")].map((each) =>
          ["x1", "x", "x2", "width"].map((name) => Number(each.getAttribute(name))))""",
    )
    (start, _, end, _), (_, box, _, width), (middle, *_) = marks
    assert start < box < middle < box + width < end


def test_a_pair_is_chosen_and_comes_back_from_its_address(visit, parallel):
    page = visit(parallel, "pairs")
    assert not page.is_visible("#pair-details")
    page.click("#table-pairs tbody tr:nth-child(1) button.pick")
    assert address_of(page) == f"#pairs?pair={GERMAN}"
    text = page.inner_text("#pair-details")
    assert "length ratio 8" in text
    assert "German → English 10" in text
    page.click("#pair-close")
    assert not page.is_visible("#pair-details")
    page.click("#matrix", position={"x": MARGIN + 0.5 * CELL, "y": MARGIN + 2.5 * CELL})
    assert address_of(page) == f"#pairs?pair={SWAHILI}"
    page = visit(parallel, f"pairs?pair={GERMAN}")
    rows = rows_of(page, "quantiles")
    assert [row[0] for row in rows] == [
        "characters of German", "characters of English", "characters, English over German",
        "confidence in German", "score margin",
    ]  # fmt: skip
    assert [row[1] for row in rows] == ["100", "100", "100", "60", "60"]
    assert rows[0][2] == "20"
    assert rows[0][-1] == "79"
    page = visit(parallel, "pairs?pair=no-such-pair")
    assert not page.is_visible("#pair-details")


def test_pairs_without_sketches_have_no_columns_of_ratios(visit, many):
    page = visit(many, "pairs")
    titles = page.eval_on_selector_all(
        "#table-pairs thead th", "all => all.map((each) => each.textContent)"
    )
    assert "length ratio" not in titles
    page.click("#table-pairs tbody tr:nth-child(1) button.pick")
    assert "Ingest left no sketches of these pairs." in page.inner_text("#pair-details")


def test_an_unexpected_ratio_is_marked(context, make_pairs_run):
    root = make_pairs_run(ratio=3.0)
    build_report(root)
    page, troubles = open_report(context, root, "pairs?q=ratio")
    assert column_of(page, "pairs") == [GERMAN]
    assert page.inner_text("#table-pairs .warn .chip") == "ratio 3.6, not about 1"
    page.close()
    assert troubles.seen == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_a_pair_that_is_shown(scheme, context, make_pairs_run):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    root = make_pairs_run(ratio=3.0)  # with a warning
    build_report(root)
    in_scheme = context.browser.new_context(color_scheme=scheme)
    page, _ = open_report(in_scheme, root, f"pairs?pair={GERMAN}&at=0,0,2")
    page.focus("#matrix")
    page.keyboard.press("ArrowRight")
    found = [
        (each["id"], each["nodes"][0]["html"]) for each in axe.run(page).response["violations"]
    ]
    in_scheme.close()
    assert found == []
