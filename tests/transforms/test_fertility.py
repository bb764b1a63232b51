"""Tokens of the same sentences in several languages, counted by hand."""

from collections import defaultdict
from types import SimpleNamespace

import pyarrow as pa
import pytest

from glotmill.schemas.output import TokenOutput
from glotmill.schemas.tables import FERTILITY
from glotmill.transforms import fertility
from glotmill.transforms.fertility import SideSample, merge_fertility, premiums
from glotmill.transforms.tables import read_table
from glotmill.transforms.tokenize import TextTokenizer


@pytest.fixture(scope="module")
def tokenizer(tokenizer_file):
    return TextTokenizer(TokenOutput(tokenizer=tokenizer_file(), prepend_bos=True))


def pairs(*rows):
    """A batch of (label of the pair, {label: text})."""
    texts = [list(sides.values()) for _, sides in rows]
    return pa.record_batch(
        {
            "label": [label for label, _ in rows],
            "text": ["\n".join(sides) for sides in texts],
            "segment_labels": [list(sides) for _, sides in rows],
            "segment_bytes": [[len(side.encode()) for side in sides] for sides in texts],
        }
    )


ENGLISH_SWAHILI = [
    ("eng_Latn-swh_Latn", {"eng_Latn": "an english text", "swh_Latn": "maandishi ya kiingereza"}),
    ("eng_Latn-swh_Latn", {"swh_Latn": "vitabu", "eng_Latn": "about books"}),
]
THAI_ENGLISH = ("eng_Latn-tha_Thai", {"tha_Thai": "หนังสือ", "eng_Latn": "an english text"})


def test_sides_are_counted_as_the_tokenizer_cuts_them(tokenizer, reference_tokens, tokenizer_file):
    sample = SideSample(tokenizer)
    sample.look(pairs(ENGLISH_SWAHILI[0], THAI_ENGLISH))
    sample.look(pairs(ENGLISH_SWAHILI[1]))
    expected = defaultdict(lambda: [0, 0, 0])
    for label, sides in (*ENGLISH_SWAHILI, THAI_ENGLISH):
        for language, text in sides.items():
            sums = expected[label, language]
            sums[0] += 1
            sums[1] += len(text.encode())
            sums[2] += len(reference_tokens(tokenizer_file(), [text])[0])  # no marks of documents
    table = sample.table()
    assert table.schema.equals(FERTILITY)
    found = {(row["pair"], row["label"]): list(row.values())[2:] for row in table.to_pylist()}
    assert found == dict(expected)
    assert list(found) == sorted(found)


def test_of_each_two_languages_the_first_pairs_are_taken(tokenizer, monkeypatch):
    monkeypatch.setattr(fertility, "SAMPLED_PAIRS", 3)
    sample = SideSample(tokenizer)
    sample.look(pairs(*ENGLISH_SWAHILI))
    sample.look(pairs(*ENGLISH_SWAHILI, THAI_ENGLISH))
    sample.look(pairs(*ENGLISH_SWAHILI))
    numbers = {(row["pair"], row["label"]): row["num_sentences"]
               for row in sample.table().to_pylist()}  # fmt: skip
    assert numbers == {
        ("eng_Latn-swh_Latn", "eng_Latn"): 3,
        ("eng_Latn-swh_Latn", "swh_Latn"): 3,
        ("eng_Latn-tha_Thai", "eng_Latn"): 1,
        ("eng_Latn-tha_Thai", "tha_Thai"): 1,
    }


def test_nothing_looked_at(tokenizer):
    assert SideSample(tokenizer).table().equals(FERTILITY.empty_table())
    assert merge_fertility([]).equals(FERTILITY.empty_table())


def table(*rows):
    names = ("pair", "label", "num_sentences", "num_tokens")
    made = [{**dict(zip(names, row, strict=True)), "num_bytes": 1} for row in rows]
    return pa.Table.from_pylist(made, schema=FERTILITY)


SUMS = table(
    ("deu_Latn-eng_Latn", "deu_Latn", 10, 30),
    ("deu_Latn-eng_Latn", "eng_Latn", 10, 20),
    ("deu_Latn-fra_Latn", "deu_Latn", 5, 900),
    ("deu_Latn-fra_Latn", "fra_Latn", 5, 90),
    ("deu_Latn-eng_Latn-fra_Latn", "deu_Latn", 4, 15),
    ("deu_Latn-eng_Latn-fra_Latn", "eng_Latn", 4, 10),
    ("deu_Latn-eng_Latn-fra_Latn", "fra_Latn", 4, 5),
)


def test_premiums_by_hand():
    """Only sentences that there are in both languages count."""
    assert premiums(SUMS) == {"deu_Latn": (30 + 15) / (20 + 10), "fra_Latn": 5 / 10}
    assert premiums(SUMS, against="fra_Latn") == {
        "deu_Latn": (900 + 15) / (90 + 5), "eng_Latn": 10 / 5,
    }  # fmt: skip
    assert premiums(SUMS, against="swh_Latn") == {}


def test_sentences_that_are_not_the_same_ones_are_left_out():
    """Two German sides for an English one, and rows of many languages that need not hold both."""
    unequal = table(
        ("deu_Latn-deu_Latn-eng_Latn", "deu_Latn", 8, 80),
        ("deu_Latn-deu_Latn-eng_Latn", "eng_Latn", 4, 20),
        ("mul", "deu_Latn", 3, 300),
        ("mul", "eng_Latn", 3, 3),
    )
    assert premiums(unequal) == {}
    assert premiums(pa.concat_tables([SUMS, unequal])) == premiums(SUMS)


def test_units_are_added_up():
    assert premiums(merge_fertility([SUMS, SUMS])) == premiums(SUMS)
    merged = merge_fertility([SUMS.slice(3), SUMS.slice(0, 3), SUMS])
    assert merged.column("num_tokens").to_pylist() == [
        2 * count for count in merge_fertility([SUMS]).column("num_tokens").to_pylist()
    ]


def test_a_run_leaves_what_its_pairs_cost(make_corpus, tokenizer_file, reference_tokens):
    rows = [{"eng": f"an english text {n}", "swh": f"maandishi ya {n}"} for n in range(20)]
    corpus = make_corpus(
        [rows[:12], rows[12:], [("eng", "an english text")]],
        [{"category": "bitext"}, {"category": "bitext"}, {}],
        mix={"tiers": "uniform", "validation": {"share": 0.2}},
        output={"tokens": {"tokenizer": tokenizer_file()}},
    )  # fmt: skip
    manifests = corpus.compose()
    path = "compose/fertility.parquet"
    assert path in {file.path for file in manifests["compose"].files}
    found = read_table(f"{corpus.root}/{path}")
    sizes = SimpleNamespace(
        **{
            code: sum(map(len, reference_tokens(tokenizer_file(), [row[code] for row in rows])))
            for code in ("eng", "swh")
        }
    )
    assert dict(zip(*(found[n].to_pylist() for n in ("label", "num_tokens")), strict=True)) == {
        "eng_Latn": sizes.eng, "swh_Latn": sizes.swh,
    }  # fmt: skip
    assert premiums(found) == {"swh_Latn": sizes.swh / sizes.eng}
