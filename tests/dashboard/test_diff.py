"""Two runs compared: what changed, and what is the noise of the draw."""

import io

import pytest
from rich.console import Console
from run_writer import row

from glotmill.dashboard import IncompleteRun, compare, render_difference
from glotmill.dashboard.amounts import Amount
from glotmill.dashboard.diff import LabelChange, Side
from glotmill.pipelines.diff import compare_runs, print_difference
from glotmill.pipelines.errors import UserError


def test_a_run_does_not_differ_from_itself(small_run):
    found = compare(small_run, small_run)
    assert (found.gained, found.lost, found.changed) == ([], [], [])
    assert (found.num_noise, found.num_equal) == (0, 3)
    assert (found.reasons, found.settings) == ([], [])
    assert all(each.before == each.after for each in found.totals)


@pytest.fixture
def found(small_run, pairs_run):
    return compare(small_run, pairs_run)


def test_labels_gained_and_lost(found):
    assert [each.label for each in found.lost] == ["zho_Hans", "swh_Latn", "zxx_Zyyy"]
    assert {each.label: each.available for each in found.gained} == {
        "deu_Latn": 60, "deu_Latn-eng_Latn": 1_800, "eng_Latn-swh_Latn": 400,
        "ces_Latn-deu_Latn-eng_Latn": 150,
    }  # fmt: skip
    assert found.changed == []


def test_counts_of_documents_and_pairs(found):
    totals = {(each.kind, each.what): (each.before, each.after) for each in found.totals}
    assert totals["documents", "read"] == (219, 3)
    assert totals["pairs", "read"] == (0, 138)
    reasons = {(each.kind, each.what): (each.before, each.after) for each in found.reasons}
    assert reasons["documents", "mixed_scripts"] == (10, 0)
    assert reasons["pairs", "repeated_side"] == (0, 10)


def test_settings_by_their_keys(found):
    settings = {each.key: (each.before, each.after) for each in found.settings}
    assert settings["name"] == ("small-corpus", "parallel")
    assert settings["sources.bible.domain"] == ("religious", None)
    assert settings["mix.tiers.large.rate"][0] == 0.5


def side(sampled, rate=0.5, validation=(0, 0), documents=400):
    held_out = Amount(validation[0], 0, validation[1])
    return Side(Amount(documents, 0, 100 * documents), Amount(0, 0, sampled), held_out,
                "all", rate)  # fmt: skip


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


def test_hostile_names_stay_text_on_the_page(found, hostile):
    html = render_difference(found)
    assert hostile not in html
    assert "<img" not in html
    assert html == render_difference(found)


def test_terminal(found, small_run):
    console = Console(file=io.StringIO(), width=200)
    print_difference(console, found)
    text = console.file.getvalue()
    assert "Labels lost: 3" in text
    assert "deu_Latn-eng_Latn" in text
    assert "0 labels differ by no more than the noise of the draw, 0 are alike" in text


def test_an_unfinished_run_is_named(small_run, tmp_path):
    with pytest.raises(IncompleteRun, match="output directory"):
        compare(small_run, str(tmp_path))
    with pytest.raises(UserError, match="two finished runs can be compared"):
        compare_runs(str(tmp_path), small_run)
