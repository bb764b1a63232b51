"""The bitext of the larger data set, with the exact counts that must be found."""

from collections import Counter

import pyarrow.parquet as pq
import pytest
from bitext_reading import read_units

from glotmill.transforms.readers.bitext import Side, split_bitext

pytestmark = pytest.mark.data

EN_X = (Side(text="1", code="en"), Side(text="2"))
MESSY = {
    "odd.tmx": ("tmx", {}, 6, {"missing_side": 1}),
    "entity_bomb.tmx": ("tmx", {}, 0, {"undefined_entity": 1}),
    "external_entity.tmx": ("tmx", {}, 0, {"undefined_entity": 1}),
    "truncated.tmx": ("tmx", {}, 1, {"truncated_file": 1}),
    "odd.po": ("po", {}, 5, {"fuzzy": 1, "obsolete": 1, "untranslated": 1}),
    "quotes.tsv": (
        "tsv",
        {"sides": (Side(text="src"), Side(text="tgt"))},
        6,
        {"wrong_num_fields": 3},
    ),
}


@pytest.fixture
def bitext(data_folder):
    return data_folder / "bitext"


def total(paths, format, **options):
    counts = Counter()
    for path in paths:
        out = read_units(path, format, **options)
        counts["units"] += len(out.units)
        counts.update(out.reasons)
    return dict(counts)


@pytest.mark.parametrize("name", MESSY)
def test_messy_files(data_folder, name):
    format, options, num_units, reasons = MESSY[name]
    out = read_units(data_folder / "messy" / "raw" / name, format, **options)
    assert (len(out.units), Counter(out.reasons)) == (num_units, Counter(reasons))


def test_misaligned_pair(data_folder):
    raw = data_folder / "messy" / "raw"
    out = read_units([raw / "linecount.src", raw / "linecount.tgt"], "moses")
    assert (out.units, out.reasons) == ([], ["misaligned_files"])
    assert "has 10," in out.rejects[0].detail
    assert "has 9 lines" in out.rejects[0].detail


def test_noisy_pairs(data_folder):
    sides = (
        Side(text="src", code_column="src_lang"),
        Side(text="tgt", code_column="tgt_lang"),
    )
    path = data_folder / "messy" / "bitext_noise.tsv.zst"
    out = read_units(path, "tsv", sides=sides, external_id="pair_id")
    assert (len(out.units), out.rejects) == (3188, [])


def test_tmx(bitext):
    files = sorted((bitext / "tmx").glob("*-eng.tmx.gz"))
    assert (len(files), total(files, "tmx")) == (32, {"units": 20179})
    (out,) = [read_units(bitext / "tmx" / "udhr_multiway.tmx.gz", "tmx")]
    assert (len(out.units), out.rejects) == (30, [])
    assert max(len(pair) for pair in out.pairs) == 32
    out = read_units(files[0], "tmx")
    assert {pair[0][0] for pair in out.pairs} == {"en"}  # the header's srclang comes first


def test_moses(bitext):
    counts = Counter()
    for folder in sorted((bitext / "moses").iterdir()):
        first, second = (
            folder / f"tatoeba.{folder.name}.{code}.gz" for code in folder.name.split("-")
        )
        labels = folder / f"tatoeba.{folder.name}.labels.tsv.gz"
        out = read_units([first, second], "moses", codes_path=str(labels))
        counts["pairs"] += 1
        counts["units"] += len(out.units)
        counts.update(out.reasons)
        assert all(code for pair in out.pairs for code, _ in pair)
    assert counts == {"pairs": 66, "units": 62735}


def test_seed_is_aligned_in_all_its_files(data_folder):
    files = sorted((data_folder / "mono" / "oldi_seed").glob("*.txt.zst"))
    paths = [str(path) for path in files]
    slices = split_bitext(paths, [path.stat().st_size for path in files], "moses", 2 << 20)
    assert len(slices) > 1
    parts = [read_units(paths, "moses", part.start, part.end) for part in slices]
    assert sum(len(part.units) for part in parts) == 6193
    assert {len(pair) for part in parts for pair in part.pairs} == {41}


def test_lexicons(bitext):
    files = sorted((bitext / "tsv_gatitos").glob("*.tsv.zst"))
    counts = total(files, "tsv", sides=EN_X)
    assert (len(files), counts) == (173, {"units": 380599, "wrong_num_fields": 1})


def test_bible_is_one_wide_table(bitext):
    path = bitext / "bible_verses.parquet"
    names = pq.read_schema(path).names[1:]
    sides = tuple(Side(text=name, code=name) for name in names)
    out = read_units(path, "parquet", sides=sides, external_id="verse_id")
    assert (len(sides), len(out.units), Counter(out.reasons)) == (45, 3229, {"missing_side": 1557})


def test_catalogues(bitext):
    po = total(sorted((bitext / "po_drf").glob("*.po")), "po", codes=("en",))
    assert po == {"units": 4243, "untranslated": 2925}
    files = sorted((bitext / "xliff_symfony").glob("*.xlf"))
    xliff = total(files, "xliff")
    assert xliff == {"units": 6021, "unreviewed": 591}
    assert total(files, "xliff", keep_unreviewed=True) == {"units": 6612}


def test_messages(bitext):
    folder = bitext / "json_i18n_ve"
    paths = [path for path in sorted(folder.glob("*.json")) if path.name != "qqq.json"]
    out = read_units(paths, "messages")
    assert out.reasons == ["missing_side"]
    assert (len(out.units), max(len(pair) for pair in out.pairs)) == (241, 222)
