"""Recipes of parallel text: what is refused, where, and how files become units."""

import gzip
import json
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from glotmill.pipelines.bitext_inputs import documents_key
from glotmill.pipelines.changed_inputs import check_unchanged
from glotmill.pipelines.errors import RunError, UserError
from glotmill.pipelines.units import check_inputs, find_inputs, lock_recipe
from glotmill.schemas.loading import RecipeError, load_recipe
from glotmill.schemas.lock import dump_lock, parse_lock
from glotmill.transforms import storage
from glotmill.transforms.pairs import bitext_options

ENGLISH = [f"This is sentence number {n} of the text." for n in range(40)]
GERMAN = [f"Das ist der Satz mit der Nummer {n}." for n in range(40)]


@pytest.fixture
def load(tmp_path):
    """Loads a recipe of one source of parallel text."""

    def load(source, **options):
        path = tmp_path / "recipe.yaml"
        source = {"name": "s", "category": "bitext", **source}
        path.write_text(
            yaml.safe_dump({"glotmill": 1, "name": "a", "sources": [source], **options}),
            encoding="utf-8",
        )
        return load_recipe(path)

    return load


def lock_of(loaded):
    found = find_inputs(loaded)
    check_inputs(loaded, found)
    return lock_recipe(loaded, found, lambda file: f"{Path(file.path).name}:{file.size}")


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"path": "a", "format": "text"}, "'text' is no format of parallel text; there are tmx"),
        ({"path": "a.tmx", "text": "t"}, "parallel text has several texts; name their columns"),
        (
            {"path": "a.tmx", "language": {"code": "en"}},
            "'language' is for text of one language; see 'pairs.codes' and 'pairs.sides'",
        ),
        (
            {"path": "a.tmx", "category": "monolingual", "format": "tmx"},
            "'tmx' is a format of parallel text; write 'category: bitext'",
        ),
        (
            {"path": "a.txt", "category": "monolingual", "pairs": {}},
            "'pairs' is for parallel text; write 'category: bitext'",
        ),
        ({"path": "a.tsv"}, "'sides' must say which columns of TSV and CSV hold the texts"),
        (
            {"path": "a.tmx.gz", "pairs": {"codes": ["en", "de"]}},
            "'codes' is an option of moses, messages, po, xliff, xces, not of tmx",
        ),
        (
            {"path": "a.po", "pairs": {"codes": ["en", "de", "fr"]}},
            "'codes' has 3 entries; po has two sides",
        ),
        ({"path": "a.tmx", "pairs": {"pivot": "en"}}, "'pairing: pivot' and 'pivot: <code>' go"),
        ({"path": "a.tmx", "pairs": {"pairing": "pivot", "pivot": "qqqq"}}, "qqqq"),
        ({"path": "a.tmx", "pairs": {"languages": ["en", "xx1"]}}, "xx1"),
        ({"path": "a", "format": "moses", "pairs": {"align": "(a)"}}, "wants two groups, around"),
        ({"path": "a", "format": "moses", "pairs": {"align": "("}}, "not a regular expression"),
        ({"path": "a", "format": "moses", "pairs": {"line_codes": "x"}}, "wants '{stem}' once"),
        ({"path": "a", "format": "xces"}, "'documents' must say where the sentences"),
        (
            {"path": "a.tsv", "pairs": {"sides": [{"text": "1"}]}},
            "'sides' lists one column; pairs have two",
        ),
        (
            {
                "path": "a.tsv",
                "pairs": {"sides": [{"text": "1", "code": "en", "code_column": "x"}]},
            },
            "code and code_column both name the language",
        ),
        ({"path": "a.tsv", "pairs": {"sidse": []}}, "unknown key 'sidse'"),
    ],
)
def test_what_is_wrong_with_a_recipe(load, source, message):
    with pytest.raises(RecipeError) as error:
        load(source)
    assert message in str(error.value)
    assert "recipe.yaml:" in str(error.value)


def test_sides_without_a_language_need_identification(load):
    source = {"path": "a.tsv", "pairs": {"sides": [{"text": "1", "code": "en"}, {"text": "2"}]}}
    load(source)
    with pytest.raises(RecipeError, match="identification is off, so these sides need a code: 2"):
        load(source, identify={"enabled": False})


def test_folders_of_documents_start_at_the_recipe(load, tmp_path):
    loaded = load({"path": "a", "format": "xces", "pairs": {"documents": ["docs", "/x/en.zip"]}})
    assert loaded.recipe.sources[0].pairs.documents == [f"{tmp_path}/docs", "/x/en.zip"]


def test_line_aligned_files_are_one_slice_of_lines(load, tmp_path):
    for stem in ("a", "b"):
        write(tmp_path / f"d/{stem}.en.gz", ENGLISH)
        write(tmp_path / f"d/{stem}.de.gz", GERMAN)
    lock = lock_of(load({"path": "d/*.gz", "format": "moses"}))
    assert [each.name for each in lock.inputs] == [
        "d/a.de.gz",
        "d/a.en.gz",
        "d/b.de.gz",
        "d/b.en.gz",
    ]
    slices = [piece for unit in lock.units for piece in unit.slices]
    assert [(piece.name, piece.start, piece.end) for piece in slices] == [
        ("d/a.de.gz", 0, 40),
        ("d/b.de.gz", 0, 40),
    ]
    assert [each.name for each in slices[0].companions] == ["d/a.en.gz"]
    assert parse_lock(dump_lock(lock)) == lock


def test_large_line_aligned_files_are_cut(load, tmp_path):
    write(tmp_path / "a.en", ENGLISH)
    write(tmp_path / "a.de", GERMAN)
    lock = lock_of(load({"path": "a.??", "format": "moses"}, ingest={"unit_bytes": 1024}))
    spans = [(piece.start, piece.end) for unit in lock.units for piece in unit.slices]
    assert len(lock.units) == 3
    assert spans[0][0] == 0
    assert spans[-1][1] == 40
    assert all(one[1] == other[0] for one, other in pairwise(spans))


def test_slices_of_one_file_say_nothing_of_companions(load, tmp_path):
    (tmp_path / "a.tmx").write_text("<tmx><body/></tmx>")
    lock = lock_of(load({"path": "a.tmx"}))
    assert b"companions" not in dump_lock(lock)


def test_keys_depend_on_the_filters_of_pairs(load, tmp_path):
    (tmp_path / "a.tmx").write_text("<tmx><body/></tmx>")
    (tmp_path / "b.txt").write_text("text")
    mono = {"path": "b.txt", "category": "monolingual"}
    strict = {"filters": {"pairs": {"max_length_ratio": 2.0}}}
    keys = [
        lock_of(load(source, **options)).units[0].key
        for source in ({"path": "a.tmx"}, mono)
        for options in ({}, strict)
    ]
    assert keys[0] != keys[1]
    assert keys[2] == keys[3]


@pytest.mark.parametrize(
    ("names", "pairs", "message"),
    [
        (["a.en"], {}, "a.en has no file of another language beside it"),
        (["a.en", "b.de"], {}, "a.en has no file of another language"),
        (["a.en", "noname"], {}, "does not say which files belong to it; write 'pairs.align'"),
        (["a.en", "a.de"], {"codes": ["en", "de", "fr"]}, "3 codes in 'pairs.codes' for 2 files"),
        (["a.en", "a.en.gz"], {}, "two files of one language"),
        (["a.en", "a.de"], {"codes": ["en", "de"]}, "d/a.de is in eng_Latn, and its name that it"),
        (["a.en", "a.de"], {"line_codes": "{stem}.codes"}, "there is no file of codes"),
        (["a.en", "a.de"], {"repair_entities": True}, "'repair_entities' is an option of tmx"),
    ],
)
def test_files_that_do_not_go_together(load, tmp_path, names, pairs, message):
    for name in names:
        write(tmp_path / "d" / name, ENGLISH)
    with pytest.raises((UserError, RecipeError)) as error:
        lock_of(load({"path": "d/*", "format": "moses", "pairs": pairs}))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("names", "codes"), [(["c.srd", "c.fur"], ["srd", "fur"]), (["c.1", "c.0"], ["de", "en"])]
)
def test_codes_are_in_the_order_of_the_list_in_the_recipe(load, tmp_path, names, codes):
    for name in names:
        write(tmp_path / name, ENGLISH)
    lock = lock_of(load({"path": names, "format": "moses", "pairs": {"codes": codes}}))
    (piece,) = lock.units[0].slices
    assert [piece.name, piece.companions[0].name] == names
    options = bitext_options(lock.recipe, lock.recipe.sources[0], piece)
    assert options.codes == tuple(codes)


@pytest.mark.parametrize(
    ("pairs", "names"),
    [
        ({}, ["b.de", "b.en"]),
        ({"codes": ["de", "en"]}, ["b.de", "b.en"]),
        ({"codes": ["de", "en", "fr", "sv"]}, ["b.de", "b.en", "b.ids", "b.scores"]),
        ({"align": "^(.*)[.]([a-z]+)$"}, ["b.de", "b.en", "b.ids", "b.scores"]),
    ],
)
def test_ids_and_scores_of_opus_are_no_languages(load, tmp_path, pairs, names):
    for name in ("b.de", "b.en", "b.ids", "b.scores"):
        write(tmp_path / name, ENGLISH)
    lock = lock_of(load({"path": "b.*", "format": "moses", "pairs": pairs}))
    assert [each.name for each in lock.inputs] == names


def test_notes_of_opus_beside_the_texts_are_left_out(load, tmp_path):
    for name in ("b.de", "b.en", "README", "LICENSE"):
        write(tmp_path / "d" / name, ENGLISH)
    lock = lock_of(load({"path": "d/*", "format": "moses"}))
    assert [each.name for each in lock.inputs] == ["d/b.de", "d/b.en"]
    with pytest.raises(UserError, match="README does not say which files belong to it"):
        lock_of(load({"path": "d/README", "format": "moses"}))


def test_a_path_in_which_no_language_is_found(load, tmp_path):
    (tmp_path / "a.tsv").write_text("Hello there\tGuten Tag\n")
    sides = [{"text": "1", "code": "en"}, {"text": "2", "code_path": "-([a-z]{2})[.]tsv"}]
    message = (
        r"recipe.yaml:\d+: source 's': 'pairs.sides.1.code_path' finds no .*; the first is a.tsv"
    )
    with pytest.raises(UserError, match=message):
        lock_of(load({"path": "a*.tsv", "pairs": {"sides": sides}}))
    (tmp_path / "a-de.tsv").write_text("Hello there\tGuten Tag\n")
    lock_of(load({"path": "a*.tsv", "pairs": {"sides": sides}}))


def test_documents_of_an_alignment_that_change_at_the_same_size(load, tmp_path):
    links = '<linkGrp fromDoc="en/a.xml" toDoc="de/a.xml"><link xtargets="1;1"/></linkGrp>'
    (tmp_path / "a.xml").write_text(f"<cesAlign>{links}</cesAlign>")
    for code in ("en", "de"):
        (tmp_path / "docs" / code).mkdir(parents=True)
        (tmp_path / "docs" / code / "a.xml").write_text('<text><s id="1">The cat sat</s></text>')
    loaded = load({"path": "a.xml", "format": "xces", "pairs": {"documents": ["docs"]}})

    def checksum(file):
        return storage.checksum(file.path)

    def lock():
        return lock_recipe(loaded, find_inputs(loaded), checksum)

    before, root = lock(), str(tmp_path / "out")
    record = tmp_path / "out" / "ingest" / "units" / f"{before.units[0].key}.json"
    record.parent.mkdir(parents=True)
    record.touch()
    check_unchanged(before, root, checksum)
    assert record.exists()
    english = tmp_path / "docs" / "en" / "a.xml"
    english.write_text(english.read_text().replace("The cat sat", "The dog ate"))
    assert lock().units[0].key != before.units[0].key
    with pytest.raises(
        RunError, match=r"documents of alignments or the model changed .* source 's'"
    ):
        check_unchanged(before, root, checksum)
    assert not record.exists()


def test_documents_of_an_alignment_in_a_folder_with_a_slash_behind_its_name(load, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.xml").write_text("<text/>")
    source = {"path": "a.xml", "format": "xces"}
    found = [
        documents_key(loaded.recipe.sources[0], lambda file: f"{file.size}")
        for slash in ("", "/")
        if (loaded := load({**source, "pairs": {"documents": [f"{tmp_path}/docs{slash}"]}}))
    ]
    assert found == [[["/a.xml", "7"]]] * 2


def test_align_says_which_files_belong_together(load, tmp_path):
    write(tmp_path / "en/news.txt", ENGLISH)
    write(tmp_path / "de/news.txt", GERMAN)
    pairs = {"align": "^(.*)/([a-z]{2})/"}
    lock = lock_of(load({"path": "*/*.txt", "format": "moses", "pairs": pairs}))
    (piece,) = lock.units[0].slices
    assert (piece.name, piece.companions[0].name) == ("de/news.txt", "en/news.txt")


def test_misaligned_files_name_both_counts(load, tmp_path):
    write(tmp_path / "a.en", ENGLISH)
    write(tmp_path / "a.de", GERMAN[:-1])
    with pytest.raises(UserError) as error:
        lock_of(load({"path": "a.??", "format": "moses"}))
    assert "a.de has 39, " in str(error.value)
    assert "a.en has 40 lines" in str(error.value)


def test_a_file_of_codes_of_another_length_is_misaligned_too(load, tmp_path):
    write(tmp_path / "a.en", ENGLISH)
    write(tmp_path / "a.de", GERMAN)
    write(tmp_path / "a.codes", ["en\tde"] * 39)
    pairs = {"line_codes": "{stem}.codes"}
    with pytest.raises(UserError, match="has 39"):
        lock_of(load({"path": "a.*", "format": "moses", "pairs": pairs}))


def test_a_look_into_the_files(load, tmp_path):
    (tmp_path / "a.tsv").write_text("source\ttarget\nHello there\tGuten Tag\n")
    sides = [{"text": "source", "code": "en"}, {"text": "taget", "code": "de"}]
    with pytest.raises(UserError, match=r"recipe.yaml:\d+: source 's'.*taget"):
        lock_of(load({"path": "a.tsv", "pairs": {"sides": sides}}))
    (tmp_path / "a.tmx").write_text("no TMX at all")
    with pytest.raises(UserError, match=r"no unit of .*a.tmx can be read"):
        lock_of(load({"path": "a.tmx"}))
    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(UserError, match=r"b.json tells no format; write 'format:' \(tmx, moses"):
        lock_of(load({"path": "b.json"}))


def test_messages_of_a_folder_belong_together(load, tmp_path):
    for code in ("en", "de", "zh-hans"):
        path = tmp_path / "i18n" / f"{code}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"greeting": f"Hello {code}"}))
    lock = lock_of(load({"path": "i18n/*.json", "format": "messages"}))
    (piece,) = lock.units[0].slices
    assert piece.name == "i18n/de.json"
    assert [each.name for each in piece.companions] == ["i18n/en.json", "i18n/zh-hans.json"]
