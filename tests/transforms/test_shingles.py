"""Shingles: against a loop over words, by script, and what does and does not change them."""

import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmill.language_registry.scripts import all_scripts
from glotmill.language_registry.unicode_tables import folded_case
from glotmill.schemas.recipe import Near
from glotmill.transforms import measure
from glotmill.transforms.near import jaccard, shingle_sets
from glotmill.transforms.scan import pieces
from glotmill.transforms.shingles import shingles
from glotmill.transforms.sketch import shingle_lengths, sketch

DOCUMENTS = st.lists(
    st.tuples(st.lists(st.integers(1, 5), max_size=9), st.sampled_from([1, 2, 3, 5, 64])),
    max_size=8,
)
SPREAD = np.uint64(0x9E3779B97F4A7C15)
ONE = Near(ngram=1, character_ngram=1, cluster_ngram=1)
TWO = Near(ngram=2, character_ngram=2, cluster_ngram=2)

SPACED = {
    "Latn": "Tous les êtres humains naissent libres",
    "Cyrl": "Все люди рождаются свободными и равными",
    "Grek": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι",
    "Arab": "يولد جميع الناس أحرارا متساوين",
    "Hebr": "כל בני האדם נולדו בני חורין",
    "Deva": "सभी मनुष्यों को गौरव प्राप्त",
    "Beng": "সমস্ত মানুষ স্বাধীনভাবে সমান মর্যাদা",
    "Taml": "மனிதப் பிறிவியினர் சகலரும் சுதந்திரமாகவே",
    "Ethi": "የሰው ልጅ ሁሉ ሲወለድ ነጻና",
    "Hang": "모든 인간은 태어날 때부터 자유로우며",
    "Geor": "ყველა ადამიანი იბადება თავისუფალი",
}
UNSPACED = {
    "Hans": "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心",
    "Hant": "人人生而自由，在尊嚴和權利上一律平等。他們賦有理性和良心",
    "Jpan": "すべて人は生まれながらに自由であり尊厳と権利とについて平等",
    "Thai": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์",
    "Laoo": "ມະນຸດທຸກຄົນເກີດມາມີກຽດສັກສີ ສິດທິ ເສລີພາບແລະຄວາມສະເໝີພາບ",
    "Khmr": "មនុស្សទាំងអស់កើតមកមានសេរីភាព និងសមភាព",
    "Mymr": "လူတိုင်းသည် တူညီ လွတ်လပ်သော ဂုဏ်သိက္ခာဖြင့်",
    "Tibt": "འགྲོ་བ་མིའི་རིགས་རྒྱུད་ཡོངས་ལ་སྐྱེས་ཙམ་ཉིད་ནས",
}


def by_loop(documents):
    return [
        [(length, *words[i : i + length]) for i in range(len(words) - length + 1)]
        for words, length in documents
    ]


def shingles_of(documents):
    words = np.array([word for document, _ in documents for word in document], np.uint64) * SPREAD
    sizes = np.array([len(document) for document, _ in documents], np.int64)
    hashes, counts = shingles(words, sizes, np.array([n for _, n in documents], np.int64))
    assert hashes.dtype == np.uint32
    return [part.tolist() for part in np.split(hashes, np.cumsum(counts)[:-1])], counts.tolist()


@given(DOCUMENTS)
def test_shingles_are_the_runs_of_words_of_each_document(documents):
    found, counts = shingles_of(documents)
    expected = by_loop(documents)
    assert counts == [len(each) for each in expected]
    hash_of = {}
    for hashes, runs in zip(found, expected, strict=False):
        assert [
            hash_of.setdefault(run, value) for run, value in zip(runs, hashes, strict=True)
        ] == (hashes)
    assert len(set(hash_of.values())) == len(hash_of)


@given(DOCUMENTS, st.data())
def test_a_document_is_shingled_alike_in_any_company(documents, data):
    cut = data.draw(st.integers(0, len(documents)))
    before, after = shingles_of(documents[:cut])[0], shingles_of(documents[cut:])[0]
    together = shingles_of(documents)[0]
    assert [h for each in together for h in each] == [h for each in before + after for h in each]


@pytest.mark.parametrize("num_words", [0, 1, 4])
def test_a_document_of_fewer_words_than_a_shingle_has_none(num_words):
    found, counts = shingles_of([([1] * 5, 5), ([1] * num_words, 5), ([2] * 6, 5)])
    assert counts == [1, 0, 2]
    assert [len(each) for each in found] == counts


MIXED = st.lists(
    st.sampled_from([*SPACED.values(), *UNSPACED.values(), "", "a", "12 34", "...", "❤\ufe0f"]),
    min_size=1,
    max_size=10,
)


def measured(texts, near=TWO, num_bytes=2**20):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "pieces", lambda text: pieces(text, num_bytes))
        batch = pa.record_batch([pa.array(texts, pa.string())], names=["text"])
        found = measure.MeasureText(near).annotate(batch)
    names = ["script", "num_shingles", "band_keys", "sketch"]
    return found.select(names).to_pylist()


@settings(max_examples=50)
@given(MIXED, st.sampled_from([1, 100, 300]), st.data())
def test_neither_batches_nor_pieces_change_what_documents_are_found_by(texts, num_bytes, data):
    whole = measured(texts)
    assert measured(texts, num_bytes=num_bytes) == whole
    cut = data.draw(st.integers(0, len(texts)))
    assert measured(texts[:cut]) + measured(texts[cut:]) == whole


def test_band_keys_and_sketch_are_zero_where_there_is_no_shingle():
    empty, whole = measured(["a", SPACED["Latn"]], Near(bands=3, rows=2))
    assert empty == {
        "script": "Latn", "num_shingles": 0, "band_keys": bytes(24), "sketch": bytes(6)
    }  # fmt: skip
    assert whole["num_shingles"] == 2
    assert len(set(np.frombuffer(whole["band_keys"], "<u8").tolist()) - {0}) == 3


def test_no_document_has_no_sketch():
    none = np.zeros(0, np.int64)
    found = sketch(none.astype(np.uint64), none, [], Near(bands=2, rows=3))
    assert {name: (values.dtype, values.shape) for name, values in found.items()} == {
        "num_shingles": (np.int32, (0,)),
        "band_keys": (np.uint64, (0, 2)),
        "sketch": (np.uint8, (0, 6)),
    }


def is_mark(char):
    return unicodedata.category(char)[0] == "M"


def letters_of(text):
    """Letters with the marks behind them."""
    units = []
    for char in text:
        if is_mark(char):
            units[-1] += char
        elif char.isalpha():
            units.append(char)
    return units


def sets_of(texts, script, near):
    return [
        set(each.tolist()) for each in shingle_sets(pa.array(texts), [script] * len(texts), near)
    ]


@pytest.mark.parametrize("script", SPACED)
def test_shingles_of_spaced_scripts_are_of_words(script):
    near = Near(ngram=3, character_ngram=2, cluster_ngram=2)
    words = SPACED[script].split()
    (found,) = measured([SPACED[script]], near)
    assert (found["script"], found["num_shingles"]) == (script, len(words) - 2)
    changed = " ".join([*words[:-1], words[-1][::-1]])
    kept, other = sets_of([SPACED[script], changed], script, near)
    assert (len(kept - other), len(other - kept)) == (1, 1)


@pytest.mark.parametrize("script", [*UNSPACED, "Hani"])
def test_shingles_of_scripts_without_spaces_are_of_letters_with_their_marks(script):
    near = Near(ngram=1, character_ngram=5, cluster_ngram=5)
    text = UNSPACED[{"Hani": "Hant"}.get(script, script)]
    units = letters_of(text)
    if script != "Hani":
        (found,) = measured([text], near)
        assert (found["script"], found["num_shingles"]) == (script, len(units) - 4)
    runs = {tuple(units[i : i + 5]) for i in range(len(units) - 4)}
    (kept,) = sets_of([text], script, near)
    assert len(kept) == len(runs)
    # The last letter is in the last run alone.
    (other,) = sets_of(["".join(units[:-1])], script, near)
    assert len(kept - other) == len(runs) - len(
        {tuple(units[i : i + 5]) for i in range(len(units) - 5)}
    )


def test_lengths_by_script():
    near = Near(ngram=3, character_ngram=7, cluster_ngram=2)
    scripts = [each.code for each in all_scripts()]
    lengths = shingle_lengths(scripts, near).tolist()
    assert [n == 3 for n in lengths] == [each.spaced for each in all_scripts()]
    by_script = dict(zip(scripts, lengths, strict=True))
    assert {by_script[code] for code in ("Hani", "Hans", "Hant", "Jpan", "Hira", "Yiii")} == {7}
    assert {by_script[code] for code in ("Thai", "Laoo", "Khmr", "Mymr", "Tibt", "Java")} == {2}
    assert shingle_lengths([], near).tolist() == []


@pytest.mark.parametrize(
    ("script", "one", "other"),
    [
        ("Deva", "कि", "की"),
        ("Deva", "क", "क्"),
        ("Beng", "মা", "মি"),
        ("Taml", "கு", "கூ"),
        ("Thai", "ก่า", "ก้า"),
        ("Thai", "กิ", "กี"),
        ("Laoo", "ກິ", "ກີ"),
        ("Khmr", "កិ", "កី"),
        ("Khmr", "ក្ក", "កក"),
        ("Mymr", "ကိ", "ကီ"),
        ("Mymr", "က်", "က"),
        ("Tibt", "ཀི", "ཀུ"),
        ("Tibt", "རྒ", "རྐ"),
        ("Arab", "كَتَبَ", "كُتِبَ"),
        ("Arab", "كتب", "كتّب"),
        ("Hebr", "שָׁלוֹם", "שָׁלוּם"),
        ("Hebr", "שׁ", "שׂ"),
        ("Latn", "ma\u0300", "ma\u0301"),
        ("Hang", "각", "간"),
        ("Jpan", "か\u3099", "か"),
    ],
)
def test_a_changed_mark_changes_a_shingle(script, one, other):
    kept, changed = sets_of([one, other], script, ONE)
    assert kept
    assert changed
    assert kept != changed


@pytest.mark.parametrize(
    ("script", "one", "other"),
    [
        ("Latn", "The Quick, brown (fox) jumps!", "the quick brown fox JUMPS"),
        ("Latn", "ŁÓDŹ ÆØÅ Đặng", "łódź æøå đẶNG"),
        ("Latn", "STRAẞE", "straße"),
        ("Cyrl", "ВСЕ люди — Свободны…", "все ЛЮДИ свободны"),
        ("Grek", "ΌΛΟΙ ΟΙ ΆΝΘΡΩΠΟΣ", "όλοι οι άνθρωπος"),
        ("Armn", "ԲՈԼՈՐ ՄԱՐԴԻԿ։", "բոլոր մարդիկ"),
        ("Geor", "ᲧᲕᲔᲚᲐ ადამიანი", "ყველა ᲐᲓᲐᲛᲘᲐᲜᲘ"),
        ("Cher", "ᏂᎦᏓ", "ꮒꭶꮣ"),
        ("Adlm", "𞤀𞤁𞤂", "𞤢𞤣𞤤"),
        ("Dsrt", "𐐀𐐁", "𐐨𐐩"),
        ("Hans", "人人，生而自由。", "人人生而自由"),
        ("Thai", "มนุษย์ ทั้งหลาย", "มนุษย์ทั้งหลาย"),
        ("Deva", "सभी मनुष्यों।", "सभी, मनुष्यों"),
        ("Arab", "يولد، جميع؟", "يولد جميع"),
    ],
)
def test_case_and_punctuation_change_nothing(script, one, other):
    kept, changed = sets_of([one, other], script, ONE)
    assert kept
    assert kept == changed


def test_small_and_large_letters_of_this_python():
    folded = folded_case().tolist()
    pairs = 0
    for code_point in range(len(folded)):
        char = chr(code_point)
        if unicodedata.category(char)[0] != "L":
            continue
        small = char.lower()
        if len(small) == 1 and small != char:
            pairs += 1
            assert folded[code_point] == folded[ord(small)], char
        if folded[code_point] != code_point:
            assert chr(folded[code_point]).casefold() == char.casefold()
            assert folded[folded[code_point]] == folded[code_point]
    assert pairs > 1_300


def test_letters_i_with_and_without_a_dot_are_apart():
    table = folded_case()
    assert len({int(table[ord(char)]) for char in "iıİ"}) == 3
    assert table[ord("I")] == ord("i")


def test_similarity_of_sets():
    near = Near(ngram=1)
    words = [f"w{chr(97 + i)}" for i in range(10)]
    one, other, none = shingle_sets(
        pa.array([" ".join(words), " ".join([*words[3:], "x", "y", "y"]), ""]), ["Latn"] * 3, near
    )
    assert jaccard(one, other) == 7 / 12
    assert (jaccard(one, one), jaccard(one, none), jaccard(none, none)) == (1, 0, 0)
