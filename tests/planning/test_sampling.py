"""Estimates of a sampled corpus against its totals, which are known."""

import numpy as np
import pytest
from synthetic_corpus import SOURCES, documents, label_of, write_lines, write_sources

from glotmill.pipelines.planning.extrapolate import SourceAmounts, available_counts, estimates
from glotmill.pipelines.planning.frame import draw
from glotmill.pipelines.planning.inputs import framed_inputs
from glotmill.pipelines.planning.sampling import SampledSource, Sampler
from glotmill.schemas.loading import load_recipe
from glotmill.transforms.estimates import share, totals


def estimated(recipe, sources, budget):
    """Estimates of a sample by level, source, category, label, outcome and reason."""
    sampled = Sampler(recipe).sample(draw(sources, budget, recipe.seed))
    table = estimates([SourceAmounts(each) for each in sampled])
    keys = ("level", "source", "category", "label", "outcome", "reason")
    return {tuple(row[key] for key in keys): row for row in table.to_pylist()}, table, sampled


COUNT = 2_000
KEPT = [i for i in range(1, COUNT + 1) if i % 7]


def test_sources_that_are_read_whole_are_exact(framed, tmp_path):
    rows = write_sources(tmp_path, COUNT)
    recipe, sources = framed(list(SOURCES))
    found, table, _ = estimated(recipe, sources, 1e9)
    kept_bytes = sum(len(rows[i - 1]["text"]) for i in KEPT)
    for name in ("range", "lines", "table_lines", "rows"):
        whole = found["source", name, "monolingual", "", "read", ""]
        kept = found["source", name, "monolingual", "", "kept", ""]
        short = found["source", name, "monolingual", "", "dropped", "too_short"]
        assert (whole["num_documents"], kept["num_documents"]) == (COUNT, len(KEPT))
        assert (kept["num_bytes"], kept["num_bytes_error"]) == (kept_bytes, 0)
        assert (short["num_documents"], short["share"]) == (COUNT - len(KEPT), 285 / COUNT)
        german = sum(label_of(i, COUNT) == "deu" for i in KEPT)
        label = found["source_label", name, "monolingual", "deu_Latn", "kept", ""]
        assert (label["num_documents"], label["num_documents_error"]) == (german, 0)
    for name in ("elements", "aligned_lines"):
        assert found["source", name, "bitext", "", "read", ""]["num_documents"] == COUNT
    errors = [name for name in table.schema.names if name.endswith("_error")]
    assert not any(any(table[name].to_pylist()) for name in errors)
    assert found["total", "", "", "", "read", ""]["num_documents"] == 6 * COUNT + 40


def test_counts_of_a_whole_sample_are_those_of_the_text(framed, tmp_path):
    rows = write_sources(tmp_path, COUNT)
    recipe, sources = framed(["range", "elements"])
    _, table, _ = estimated(recipe, sources, 1e9)
    available = available_counts(table, recipe).to_pylist()
    text = {row["label"]: row for row in available if row["category"] == "monolingual"}
    english = [rows[i - 1]["text"] for i in KEPT if label_of(i, COUNT) == "eng"]
    assert text["eng_Latn"]["num_documents"] == len(english)
    assert text["eng_Latn"]["num_words"] == sum(len(each.split()) for each in english)
    (pairs,) = [row for row in available if row["category"] == "bitext"]
    assert (pairs["label"], pairs["split"], pairs["again"]) == ("deu_Latn-eng_Latn", "train", False)


def test_pairs_that_are_written_both_ways_count_twice(framed, tmp_path):
    write_sources(tmp_path, 200)
    recipe, sources = framed(["elements"])
    _, table, _ = estimated(recipe, sources, 1e9)
    both = recipe.bitext.model_copy(update={"directions": "both"})
    rows = available_counts(table, recipe.model_copy(update={"bitext": both})).to_pylist()
    assert [row["again"] for row in rows] == [False, True]
    assert rows[0]["num_bytes"] == rows[1]["num_bytes"]
    held = recipe.bitext.model_copy(update={"held_out": ["deu_Latn-eng_Latn"]})
    (row,) = available_counts(table, recipe.model_copy(update={"bitext": held})).to_pylist()
    assert row["split"] == "validation"


MULTIWAY = """\
glotmill: 1
name: multiway
sources:
- name: verses
  path: verses.tsv
  category: bitext
  pairs:
    pairing: multiway
    sides:
{sides}
identify: {{enabled: false}}
bitext: {{directions: both, held_out: {held_out}}}
"""


@pytest.mark.parametrize(
    ("codes", "held_out", "rows"),
    [
        ("eng swh ukr", [], [("train", False), ("train", True)]),
        ("eng swh ukr", ["swh_Latn-ukr_Cyrl"], [("validation", False)]),
        ("eng swh ukr", ["swh_Latn>ukr_Cyrl"], [("train", False)]),
        ("eng swh", ["eng_Latn>swh_Latn"], [("train", False)]),
        ("eng swh", ["fra_Latn-ukr_Cyrl"], [("train", False), ("train", True)]),
        # The label of more than three languages does not name them.
        ("eng swh ukr fra", ["swh_Latn-ukr_Cyrl"], [("train", False), ("train", True)]),
    ],
)
def test_rows_of_more_languages_are_counted_as_a_run_writes_them(
    tmp_path, monkeypatch, codes, held_out, rows
):
    monkeypatch.chdir(tmp_path)
    scripts = {"ukr": "Cyrl"}
    text = {"ukr": "камінь річка хмара світло"}
    names = [f"{code}_{scripts.get(code, 'Latn')}" for code in codes.split()]
    lines = [
        "\t".join(f"{text.get(n[:3], n[:3] + ' stone river cloud')} {i}" for n in names)
        for i in range(50)
    ]
    (tmp_path / "verses.tsv").write_text("\n".join(["\t".join(names), *lines]) + "\n")
    sides = "\n".join(f"    - {{text: {n}, code: {n}}}" for n in names)
    recipe = MULTIWAY.format(sides=sides, held_out=held_out)
    (tmp_path / "recipe.yaml").write_text(recipe)
    loaded = load_recipe("recipe.yaml")
    _, table, _ = estimated(loaded.recipe, framed_inputs(loaded), 1e9)
    found = available_counts(table, loaded.recipe).to_pylist()
    assert [(row["split"], row["again"]) for row in found] == rows
    assert {row["num_documents"] for row in found} == {50}


def test_the_same_sample_gives_the_same_estimates(framed, tmp_path):
    write_sources(tmp_path, COUNT)
    recipe, sources = framed(["range", "lines", "rows", "elements"])
    _, first, sampled = estimated(recipe, sources, 100_000)
    assert not any(each.drawn.is_whole for each in sampled)
    assert estimated(recipe, sources, 100_000)[1].equals(first)
    other = recipe.model_copy(update={"seed": 2})
    assert not estimated(other, sources, 100_000)[1].equals(first)


@pytest.fixture
def all_slices(framed, tmp_path, monkeypatch):
    """Every slice of a source, measured: what any draw of them would have given."""
    monkeypatch.setattr("glotmill.pipelines.planning.frame.MIN_SLICE_BYTES", 2_000)
    write_lines(tmp_path / "range.jsonl", documents(COUNT))
    recipe, sources = framed(["range"])
    size = sources[0][1][0].text_bytes
    (drawn,) = draw(sources, size / 5, 1)
    everything = (tuple(range(drawn.num_slices)),)
    whole = type(drawn)(drawn.source, drawn.groups, everything, is_whole=False)
    (sampled,) = Sampler(recipe).sample([whole])
    return sources, size / 5, sampled


@pytest.mark.slow
def test_intervals_of_real_slices_hold_the_truth(all_slices):
    sources, budget, everything = all_slices
    amounts = SourceAmounts(everything)
    cells = [("read", "", ""), ("kept", "", ""), ("kept", "", "eng_Latn"), ("kept", "", "deu_Latn")]
    truth = [amounts.of(cell)[:, 0].sum() for cell in cells]
    assert truth[:2] == [COUNT, len(KEPT)]
    held, shares_held, seeds = np.zeros(4), 0, range(400)
    for seed in seeds:
        (drawn,) = draw(sources, budget, seed)
        slices = tuple(everything.slices[number] for number in drawn.numbers[0])
        stratum = SampledSource(drawn, slices).stratum
        values = [amounts.of(cell)[list(drawn.numbers[0]), 0] for cell in cells]
        found = totals(stratum, np.column_stack(values))
        held += np.abs(found.values - truth) <= found.errors()
        part, error = share([stratum], [values[1]], [values[0]])
        shares_held += abs(part - len(KEPT) / COUNT) <= error
    read, kept, english, german = (held / len(seeds)).tolist()
    assert 0.91 <= read <= 0.99
    assert 0.91 <= kept <= 0.99
    assert 0.91 <= english <= 0.99
    assert 0.88 <= german <= 0.99  # in a fifth of the slices
    assert 0.91 <= shares_held / len(seeds) <= 0.99


def test_copies_within_the_sample(framed, tmp_path):
    rows = documents(100)
    write_lines(tmp_path / "range.jsonl", [*rows, *rows[:30]])
    recipe, sources = framed(["range"])
    sampler = Sampler(recipe)
    sampler.sample(draw(sources, 1e9, 1))
    kept = sum(1 for row in rows if len(row["text"]) >= 12)
    again = sum(1 for row in rows[:30] if len(row["text"]) >= 12)
    assert (sampler.copies.num_documents, sampler.copies.num_copies) == (kept + again, again)


def test_nothing_of_the_documents_stays(framed, tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    write_sources(tmp_path, 500)
    recipe, sources = framed(["lines", "rows"])
    estimated(recipe, sources, 20_000)
    assert list(temporary.iterdir()) == []
