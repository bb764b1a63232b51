"""Sentences that confirm, or do not confirm, a document's label."""

import pyarrow as pa
import pytest

from glotmill.schemas.recipe import Identify, Recipe, Source
from glotmill.schemas.tables import RECORDS
from glotmill.transforms.batches import chained_schema
from glotmill.transforms.ingest import annotators
from glotmill.transforms.sentences import JudgeSentences, split_sentences, spread

ENGLISH = "All human beings are born free and equal in dignity and rights."
FRENCH = "Tous les êtres humains naissent libres et égaux en dignité et en droits."
HINDI = "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।"


@pytest.fixture(scope="module")
def judge():
    stage = JudgeSentences(Identify(min_consistency=0.5))
    stage.setup()
    return stage


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        ("No end", ["No end"]),
        ("One. Two! 3.14 is no end? Yes.", ["One.", "Two!", "3.14 is no end?", "Yes."]),
        ("一句。两句！三句", ["一句。", "两句！", "三句"]),
        ("ประโยค\nบรรทัด", ["ประโยค", "บรรทัด"]),
        ("አንድ። ሁለት።", ["አንድ።", "ሁለት።"]),
        ("አንድ፡፡ ሁለት፡፡", ["አንድ፡፡", "ሁለት፡፡"]),
        ("Բարեւ: Ինչպե՞ս ես:", ["Բարեւ:", "Ինչպե՞ս ես:"]),
        ("Τι κάνεις; Καλά.", ["Τι κάνεις;", "Καλά."]),
        ("བོད་ཡིག །སྐད་ཡིག།", ["བོད་ཡིག །སྐད་ཡིག།"]),
        ("བོད་ཡིག། སྐད་ཡིག།", ["བོད་ཡིག།", "སྐད་ཡིག།"]),
        ("English: one; two", ["English: one; two"]),
        ("(a)\n(b)", ["(a)", "(b)"]),
    ],
)
def test_sentences(text, sentences):
    assert split_sentences(text) == sentences


def test_a_long_document_is_judged_all_over():
    assert spread([str(n) for n in range(100)], 4) == ["0", "25", "50", "75"]
    assert spread([], 4) == []


@pytest.mark.parametrize(
    ("text", "label", "share"),
    [
        (f"{ENGLISH} {ENGLISH}", "eng_Latn", 1.0),
        (f"{ENGLISH} {FRENCH}\n{HINDI} {ENGLISH}", "eng_Latn", 0.5),
        (f"{FRENCH} {FRENCH} {ENGLISH}", "eng_Latn", pytest.approx(1 / 3)),
        (f"Yes. No. {ENGLISH}", "eng_Latn", 1.0),  # too short to judge
        ("Yes. No.", "eng_Latn", None),
        (ENGLISH, "ewo_Latn", None),  # a language that the model does not know
        ("", "eng_Latn", None),
    ],
)
def test_shares(judge, text, label, share):
    assert judge.consistency(text, label, "Latn") == share


def test_recipe_switches_it_on_and_it_drops_mixed_documents():
    source = Source(name="a", path="a.txt")
    options = {"glotmill": 1, "name": "a", "sources": [{"name": "a", "path": "a.txt"}]}
    off = annotators(Recipe.model_validate(options), source)
    assert "sentence_consistency" not in chained_schema(RECORDS, off).names
    options["identify"] = {"min_consistency": 0.6}
    chain = annotators(Recipe.model_validate(options), source)
    texts = [f"{ENGLISH} {ENGLISH}", f"{ENGLISH} {FRENCH}", "Tiny little thing."]
    rows = [
        {"text": text, "source": "a", "path": "a.txt", "offset": 0, "original_code": "en"}
        for text in texts
    ]
    batch = pa.RecordBatch.from_pylist(rows, schema=RECORDS)
    for stage in chain:
        stage.setup()
        batch = stage.annotate(batch)
    assert batch.column("drop_reason").to_pylist() == [None, "mixed_languages", None]
