"""Two runs compared: what changed, and what is the noise of the draw."""

import io
import sys

import pytest
from rich.console import Console
from run_writer import row

from glotmill.dashboard import IncompleteRun, compare, render_difference
from glotmill.dashboard.amounts import Amount
from glotmill.dashboard.count_changes import SourceCounts
from glotmill.dashboard.diff import LabelChange, Side
from glotmill.dashboard.setting_changes import setting_changes
from glotmill.pipelines import cli
from glotmill.pipelines.diff import COLUMNS, compare_runs, print_difference
from glotmill.pipelines.errors import UserError


def test_a_run_does_not_differ_from_itself(small_run):
    found = compare(small_run, small_run)
    assert (found.gained, found.lost, found.changed) == ([], [], [])
    assert (found.num_noise, found.num_equal) == (0, 3)
    assert (found.reasons, found.sources, found.settings) == ([], [], [])
    assert all(each.before == each.after for each in found.totals)


@pytest.fixture
def found(small_run, pairs_run):
    return compare(small_run, pairs_run)


def test_labels_gained_and_lost(found):
    assert [each.label for each in found.lost] == ["zho_Hans", "swh_Latn", "zxx_Zyyy"]
    assert {each.label: each.available for each in found.gained} == {
        "deu_Latn": 60, "deu_Latn-eng_Latn": 1_800, "ces_Latn-deu_Latn-eng_Latn": 150,
    }  # fmt: skip
    assert found.changed == []


def test_counts_of_documents_and_pairs(found):
    totals = {(each.kind, each.what): (each.before, each.after) for each in found.totals}
    assert totals["documents", "read"] == (219, 3)
    assert totals["pairs", "read"] == (0, 138)


def test_reasons_of_all_losses(make_small_run):
    excluded = [
        row("compose", "excluded", "validation_copy", "web", "zho_Hans", (2, 200, 40)),
        row("compose", "excluded", "validation_copy", "web", "swh_Latn", (1, 100, 20)),
    ]
    rejected = row("ingest", "rejected", "invalid_json", "web", "", (5, 0, 0))
    more = make_small_run("more", excluded=excluded, drawn=[rejected])
    found = compare(make_small_run("some"), more).reasons
    assert [(each.outcome, each.what, each.before, each.after) for each in found] == [
        ("rejected", "invalid_json", 0, 5), ("excluded", "validation_copy", 0, 3),
    ]  # fmt: skip


def test_reasons_of_documents_and_of_pairs(found):
    reasons = {(e.kind, e.outcome, e.what): (e.before, e.after) for e in found.reasons}
    assert reasons["documents", "dropped", "mixed_scripts"] == (10, 0)
    assert reasons["pairs", "removed", "repeated_side"] == (0, 10)
    assert reasons["pairs", "rejected", ""] == (0, 3)


def test_sources_that_differ(make_small_run):
    some = make_small_run("some")
    drawn = row("mix", "train", "", "bible", "swh_Latn", (2, 200, 40))
    again = row("mix", "train", "repeated", "web", "swh_Latn", (2, 200, 40))
    (found,) = compare(some, make_small_run("more", drawn=[drawn, again])).sources
    assert (found.kind, found.name) == ("documents", "bible")
    assert found.before == SourceCounts(read=20, kept=20, removed=2, drawn=10)
    assert found.after == SourceCounts(read=20, kept=20, removed=2, drawn=12)


def test_a_source_of_one_run_alone(found):
    rows = {(each.kind, each.name): each for each in found.sources}
    assert list(rows) == [
        ("documents", "web"), ("documents", "bible"), ("documents", "code"),
        ("pairs", "opus"), ("pairs", "bible"),
    ]  # fmt: skip
    assert rows["pairs", "opus"].before == SourceCounts()
    assert rows["pairs", "opus"].after == SourceCounts(read=96, kept=85, removed=10, drawn=50)


def test_settings_by_their_keys(found):
    settings = {each.key: (each.before, each.after) for each in found.settings}
    assert settings["name"] == ("small-corpus", "parallel")
    assert settings["sources.bible.domain"] == ("religious", None)
    assert settings["mix.tiers.large.rate"][0] == 0.5


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ("abc", "abc", None),
        ("abc", "acb", ("abc", "acb")),
        ("abc", "abxc", None),  # what is new moves nothing
        ("abc", "cxa", ("abc", "cxa")),
        ("", "ab", None),
    ],
)
@pytest.mark.parametrize("key", ["sources", "mix.stages"])
def test_order_is_a_setting(key, before, after, changed):
    def recipe(names):
        named = [{"name": name, "rate": 1} for name in names]
        *outer, inner = key.split(".")
        return {outer[0]: {inner: named}} if outer else {inner: named}

    found = {each.key: each for each in setting_changes(recipe(before), recipe(after))}
    order = found.get(f"{key} (order)")
    wanted = changed and [list(names) for names in changed]
    assert (order and [order.before, order.after]) == wanted
    assert {name.split(".")[-2] for name in found if name.endswith("rate")} == {
        *before} ^ {*after}  # fmt: skip


def side(sampled, rate=0.5, validation=(0, 0), documents=400):
    held_out = Amount(validation[0], 0, validation[1])
    return Side(surviving=Amount(documents, 0, 100 * documents), sampled=Amount(0, 0, sampled),
                validation=held_out, tier="all", rate=rate)  # fmt: skip


def change(before, after):
    return LabelChange("eng_Latn", "English", "monolingual", before, after)


def test_noise_of_the_draw():
    # 400 documents of 100 words, each drawn or not: 400 · ½ · ½ · 2 · 100² in each of two draws.
    assert change(side(20_000), side(20_000)).noise == 2_000
    assert not change(side(20_000), side(26_500)).is_significant
    assert change(side(20_000), side(26_700)).is_significant
    whole = change(side(40_000, rate=1.0), side(39_999, rate=1.0))
    assert whole.noise == 0
    assert whole.is_significant


def test_how_long_held_out_documents_are_is_no_change():
    # With another seed one document of 900 words is held out in the place of one of 10.
    short, long = side(39_990, 1.0, (1, 10)), side(39_100, 1.0, (1, 900))
    assert not change(short, long).is_significant
    assert change(short, side(39_099, 1.0, (1, 900))).is_significant
    # That more of them are held out is one.
    assert change(short, side(39_000, 1.0, (10, 1_000))).is_significant


def test_a_change_that_is_noise_is_left_out(make_small_run):
    some = make_small_run("some")
    more = row("mix", "train", "", "web", "swh_Latn", (2, 200, 40))
    found = compare(some, make_small_run("more", drawn=[more]))
    assert found.changed == []
    assert found.num_noise == 1
    much = row("mix", "train", "", "web", "swh_Latn", (90, 9_000, 5_000))
    (changed,) = compare(some, make_small_run("much", drawn=[much])).changed
    assert (changed.label, changed.sampled) == ("swh_Latn", 5_000)


def test_other_held_out_documents_are_noise(make_small_run):
    def run(name, words):
        held_out = row("mix", "validation", "", "web", "swh_Latn", (3, 300, words))
        return make_small_run(name, drawn=[held_out])

    found = compare(run("short", 60), run("long", 80))
    assert (found.changed, found.num_noise, found.num_equal) == ([], 1, 2)
    # What is excluded is no longer available, and at a rate of 2 less of it is drawn.
    lost = row("compose", "excluded", "validation_copy", "web", "zho_Hans", (30, 4_900, 980))
    less = row("mix", "train", "repeated", "web", "zho_Hans", (-30, -4_900, -980))
    some, excluded = make_small_run("some"), make_small_run("less", excluded=[lost], drawn=[less])
    (changed,) = compare(some, excluded).changed
    assert (changed.before.available.words, changed.after.available.words) == (1_480, 500)


def test_hostile_names_stay_text_on_the_page(found, hostile):
    html = render_difference(found)
    assert hostile not in html
    assert "<img" not in html
    assert html == render_difference(found)


@pytest.mark.parametrize("width", [80, 200])
def test_terminal(found, width):
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    print_difference(console, found)
    text = console.file.getvalue()
    assert "Labels lost: 3" in text
    assert "…" not in text
    # A cell that is folded goes on in the lines below.
    (column,) = (i for i, line in enumerate(text.splitlines()) if "Settings" in line)
    cells = [line.split("│")[1].strip() for line in text.splitlines()[column:] if "│" in line]
    assert "mix.tiers.bitext" in "".join(cells)
    if width == 200:
        assert "deu_Latn-eng_Latn" in text


def test_a_file_gets_all_of_it(found, small_run, hostile):
    console = Console(file=io.StringIO(), width=20)
    print_difference(console, found)
    head, *lines = [line.split("\t") for line in console.file.getvalue().splitlines()]
    assert head == list(COLUMNS)
    assert {len(line) for line in lines} == {len(COLUMNS)}
    parts = [line[0] for line in lines]
    assert parts.count("setting") == len(found.settings) > 20
    assert ["total", "read", "documents", "count", "219", "3"] in lines
    assert ["source", "opus", "pairs", "drawn", "0", "50"] in lines
    assert ["gained", "deu_Latn-eng_Latn", "bitext", "available words", "0", "1800"] in lines
    assert ["lost", "zho_Hans", "monolingual", "rate", "2.0", ""] in lines
    assert ["reason", "repeated_side", "pairs", "removed", "0", "10"] in lines
    assert ["setting", "sources.bible.domain", "", "", '"religious"', ""] in lines
    assert any(hostile in line[1] for line in lines if line[0] == "reason")


def test_the_page_is_there_before_the_lines_are(small_run, pairs_run, tmp_path, monkeypatch):
    page = tmp_path / "page.html"

    class Closed(io.StringIO):
        """What takes no line, as a pipe that nobody reads any more."""

        def write(self, text):
            if text:
                seen.append(page.exists())
                raise BrokenPipeError
            return 0

    seen = []
    monkeypatch.setattr(cli, "_out", Console(file=Closed()))
    monkeypatch.setattr(
        sys, "argv", ["glotmill", "diff", small_run, pairs_run, "--page", str(page)]
    )
    with pytest.raises(SystemExit):
        cli.main()
    assert seen[0]
    assert page.read_text().startswith("<!doctype html>")


def test_an_unfinished_run_is_named(small_run, tmp_path):
    with pytest.raises(IncompleteRun, match="output directory"):
        compare(small_run, str(tmp_path))
    with pytest.raises(UserError, match="two finished runs can be compared"):
        compare_runs(str(tmp_path), small_run)
