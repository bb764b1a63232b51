"""Slices: together they hold every record once, whatever the format; a draw is a hash."""

from dataclasses import replace

import pytest
from synthetic_corpus import SOURCES, documents, write_lines, write_sources

from glotmill.pipelines.planning.cutting import cut_slices, whole_file
from glotmill.pipelines.planning.frame import MIN_SLICE_BYTES, NUM_SLICES, STREAM_BYTES, draw
from glotmill.transforms.ingest import read_options
from glotmill.transforms.pairs import bitext_options, files_of
from glotmill.transforms.readers import read_slice
from glotmill.transforms.readers.bitext import read_bitext

COUNT = 3_000


def texts_of(recipe, source, file):
    """Texts of a slice, and its rejects, as ingest reads them."""
    if file.part is None:
        return [], []
    part, texts, rejects = file.part, [], []
    if source.is_bitext:
        options = bitext_options(recipe, source, part)
        paths = files_of(source, part)
        for batch in read_bitext(paths, part.format, part.start, part.end, options,
                                 is_checked=part.end < 1 << 62):  # fmt: skip
            texts += [row["segments"][0]["text"] for row in batch.records.to_pylist()]
            rejects += batch.rejects
        return texts, rejects
    options = read_options(recipe, source)
    for batch in read_slice(part.path, part.format, part.start, part.end, options):
        texts += batch.records.column("text").to_pylist()
        rejects += batch.rejects
    return texts, rejects


@pytest.mark.parametrize("how", [name for name in SOURCES if name != "whole"])
@pytest.mark.parametrize("size", [700, 9_000])
def test_slices_hold_every_record_once_and_in_order(framed, tmp_path, how, size):
    rows = write_sources(tmp_path, COUNT)
    recipe, ((source, (group,)),) = framed([how])
    assert group.how == how
    group = replace(group, slice_bytes=size)
    assert group.num_slices > 10
    files = cut_slices(recipe, source, group, range(group.num_slices), tmp_path / "cut")
    read = [texts_of(recipe, source, file) for file in files]
    assert [text for texts, _ in read for text in texts] == [row["text"] for row in rows]
    assert not any(rejects for _, rejects in read)
    assert texts_of(recipe, source, whole_file(group))[0] == [row["text"] for row in rows]


@pytest.mark.parametrize("how", [name for name in SOURCES if name != "whole"])
def test_some_slices_are_those_of_all(framed, tmp_path, how):
    write_sources(tmp_path, COUNT)
    recipe, ((source, (group,)),) = framed([how])
    group = replace(group, slice_bytes=5_000)
    everything = cut_slices(recipe, source, group, range(group.num_slices), tmp_path / "all")
    some = [1, 4, group.num_slices // 2]
    found = cut_slices(recipe, source, group, some, tmp_path / "some")
    for number, file in zip(some, found, strict=True):
        expected = texts_of(recipe, source, everything[number])
        assert texts_of(recipe, source, file) == expected
        assert 0 < len(expected[0]) < COUNT / 4


def test_slices_have_about_equal_sizes(framed, tmp_path):
    write_lines(tmp_path / "lines.jsonl.zst", documents(20_000))
    recipe, ((source, (group,)),) = framed(["lines"])
    group = replace(group, slice_bytes=group.text_bytes / 10)
    files = cut_slices(recipe, source, group, range(10), tmp_path / "cut")
    sizes = [len(texts_of(recipe, source, file)[0]) for file in files]
    assert min(sizes) > 1_000
    assert max(sizes) < 3_000


@pytest.mark.parametrize("name", ["lines.jsonl.zst", "rows.parquet"])
def test_a_file_that_breaks_is_told_of(framed, tmp_path, name):
    write_sources(tmp_path, COUNT)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    write_lines(tmp_path / "range.jsonl", documents(10))
    recipe, ((source, (group,)),) = framed_broken(framed, name)
    group = replace(group, slice_bytes=5_000)
    files = cut_slices(recipe, source, group, range(group.num_slices), tmp_path / "cut")
    rejects = sum(len(texts_of(recipe, source, file)[1]) for file in files)
    assert rejects + sum(file.rejected.total() for file in files) == 1


def framed_broken(framed, name):
    """The frame of a file that a check before a run would refuse too: past the check."""
    from glotmill.pipelines.planning import inputs

    check, inputs.check_inputs = inputs.check_inputs, lambda *_: None
    try:
        return framed([name.split(".")[0]])
    finally:
        inputs.check_inputs = check


def test_what_a_stream_costs_is_shared_by_all_its_slices(framed, tmp_path):
    write_lines(tmp_path / "lines.jsonl.zst", documents(8_000))
    recipe, ((source, (group,)),) = framed(["lines"])
    group = replace(group, slice_bytes=group.text_bytes / 100)
    cut_slices(recipe, source, group, range(100), tmp_path / "warm")
    of_all = cut_slices(recipe, source, group, range(100), tmp_path / "all")
    (one,) = cut_slices(recipe, source, group, [99], tmp_path / "one")
    assert one.seconds < 5 * sum(file.seconds for file in of_all) / 100


def test_a_line_that_is_too_long_is_counted_where_it_begins(framed, tmp_path):
    rows = documents(400)
    rows[200]["text"] = "x" * 3_000_000
    write_lines(tmp_path / "lines.jsonl.zst", rows)
    recipe, ((source, (group,)),) = framed(["lines"])
    ingest = recipe.ingest.model_copy(update={"max_record_bytes": 100_000})
    recipe = recipe.model_copy(update={"ingest": ingest})
    group = replace(group, slice_bytes=2_000)
    files = cut_slices(recipe, source, group, range(group.num_slices), tmp_path / "cut")
    assert sum(len(texts_of(recipe, source, file)[0]) for file in files) == 399
    assert [reason for file in files for reason in file.rejected] == ["record_too_long"]


# ---------------------------------------------------------------- the draw


def test_a_draw_is_a_hash_of_the_seed(framed, tmp_path):
    write_sources(tmp_path, COUNT)
    _, sources = framed(list(SOURCES))
    budget = sum(group.text_bytes for _, groups in sources for group in groups) / 4
    first, again, other = (draw(sources, budget, seed) for seed in (1, 1, 2))
    assert [each.numbers for each in first] == [each.numbers for each in again]
    assert [each.numbers for each in first] != [each.numbers for each in other]


def test_small_sources_are_read_whole_and_leave_their_share(framed, tmp_path):
    write_sources(tmp_path, COUNT)
    _, sources = framed(["range", "whole"])
    small = sum(group.text_bytes for group in sources[1][1])
    drawn = draw(sources, 10 * small, 1)
    assert [each.is_whole for each in drawn] == [False, True]
    assert drawn[1].num_slices == 40
    assert 9 * small <= drawn[0].text_bytes <= 9 * small + 1.2 * MIN_SLICE_BYTES
    assert all(each.is_whole for each in draw(sources, 1e9, 1))


def test_a_source_has_slices_enough_to_tell_of_their_spread(framed, tmp_path):
    write_lines(tmp_path / "range.jsonl", documents(18_000))
    _, sources = framed(["range"])
    (drawn,) = draw(sources, MIN_SLICE_BYTES * NUM_SLICES, 1)
    assert NUM_SLICES <= len(drawn.numbers[0]) <= NUM_SLICES + 1
    (drawn,) = draw(sources, 1, 1)
    assert len(drawn.numbers[0]) == 2


def test_every_slice_is_as_likely_as_any_other(framed, tmp_path):
    write_lines(tmp_path / "range.jsonl", documents(10_000))
    _, sources = framed(["range"])
    size = sources[0][1][0].text_bytes
    counts = {}
    for seed in range(600):
        (drawn,) = draw(sources, size / 3, seed)
        for number in drawn.numbers[0]:
            counts[number] = counts.get(number, 0) + 1
    mean = sum(counts.values()) / drawn.num_slices
    assert len(counts) == drawn.num_slices
    assert all(abs(count - mean) < 5 * mean**0.5 for count in counts.values())


def test_of_a_long_stream_only_the_beginning_is_drawn(framed, tmp_path):
    write_sources(tmp_path, COUNT)
    _, ((source, (group,)),) = framed(["lines"])
    item = group.inputs[0].model_copy(update={"size": 40 * STREAM_BYTES})
    long = replace(group, inputs=(item,))
    assert long.num_reachable == long.num_slices // 40
    (drawn,) = draw([(source, [long])], 1e9, 1)
    assert max(drawn.numbers[0]) < long.num_slices / 40
    assert drawn.num_shortened == 1
