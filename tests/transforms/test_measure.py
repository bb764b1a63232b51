"""The columns of a measured batch: repetition, and that batches may be cut anywhere."""

from functools import partial

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmill.schemas.tables import ANNOTATIONS
from glotmill.transforms import measure as module
from glotmill.transforms.measure import MeasureText, repeated_line_share
from glotmill.transforms.scan import pieces

WORDS = ["red", "green", "l'or", "漢", "कि", "한국", "ก่", "😀x", "3"]
THAI = "".join(map(chr, range(0xE01, 0xE2F)))  # the consonants
TEXTS = st.lists(st.sampled_from([*WORDS, ".", "\n", "\n\n"]), max_size=150).map(" ".join)


def measured(texts):
    batch = pa.record_batch({"text": pa.array(texts, pa.string())})
    return MeasureText().annotate(batch).drop_columns(["text"]).to_pylist()


def ngram_share(text, n=5):
    """5-grams that were there before, among all; spaced words only."""
    words = text.replace(".", " ").split()
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    return (len(grams) - len(set(grams))) / len(grams) if len(words) >= 50 else 0.0


@settings(deadline=None, max_examples=100)
@given(st.lists(TEXTS, max_size=6), st.integers(1, 400), st.data())
def test_neither_the_cut_of_batches_nor_of_pieces_nor_offsets_matter(texts, piece_bytes, data):
    start = data.draw(st.integers(0, len(texts)))
    length = data.draw(st.integers(0, len(texts) - start))
    batch = pa.record_batch({"text": pa.array(texts, pa.string())})
    each = [measured([text])[0] for text in texts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "pieces", partial(pieces, num_bytes=piece_bytes))
        assert measured(texts) == each
        after = MeasureText().annotate(batch.slice(start, length))
    assert after.drop_columns(["text"]).to_pylist() == each[start : start + length]


@settings(deadline=None)
@given(st.lists(st.text(max_size=20), max_size=5))
def test_bytes_and_characters(texts):
    for text, row in zip(texts, measured(texts), strict=True):
        assert row["num_bytes"] == len(text.encode())
        assert row["num_characters"] == len(text)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.lists(st.sampled_from(["red", "green", "blue."]), max_size=90), max_size=4))
def test_repeated_ngrams(lists):
    texts = [" ".join(words) for words in lists]
    found = [row["repeated_ngram_share"] for row in measured(texts)]
    assert found == pytest.approx([ngram_share(text) for text in texts])


@pytest.mark.parametrize(
    ("text", "share"),
    [
        (" ".join(f"w{i}" for i in range(60)), 0),
        ("la " * 49, 0),  # too short to judge
        ("la " * 54, 49 / 50),
        (" ".join(f"w{i}" for i in range(50)) + " w0 w1 w2 w3 w4", 1 / 51),
        ("漢字" * 30, 51 / 53),  # runs of 8 letters
        ("ก่" * 50, 35 / 36),  # of 15, where vowels are marks
        (THAI * 2, 32 / 78),
        ("".join(f"ความสุข{char}" for char in THAI), 0),  # a word that recurs
    ],
)
def test_repeated_ngrams_of_known_texts(text, share):
    assert measured([text])[0]["repeated_ngram_share"] == pytest.approx(share)


def test_ngrams_do_not_cross_from_one_document_to_the_next():
    half = " ".join(f"w{i}" for i in range(50))
    alone = measured([half])[0]
    assert measured([half, half, half]) == [alone] * 3
    assert alone["repeated_ngram_share"] == 0
    refrain = "la " * 54
    assert measured([refrain] * 3) == measured([refrain]) * 3


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("", 0), ("one line", 0), ("\n\n\n", 0), ("a\nb\nc", 0), ("a\na", 1 / 2),
        ("a\n\na\n\na", 2 / 3), ("aaa\nb\naaa\nb", 1 / 2), ("é\né\nab", 1 / 4), ("a\n a", 0),
    ],
)  # fmt: skip
def test_repeated_lines(text, share):
    assert repeated_line_share(text) == pytest.approx(share)
    assert measured([text])[0]["repeated_line_share"] == pytest.approx(share)


def test_a_known_text():
    (row,) = measured(["L'eau est bleue.\nL'eau est bleue.\n水は青い。 24 €"])
    assert row == {
        "script": "Latn",
        "script_share": 24 / 32,  # a letter of Han or kana weighs two
        "num_letters": 28,
        "num_bytes": 16 * 2 + 2 + 15 + 1 + 2 + 1 + 3,
        "num_characters": 44,
        "num_words": 3 + 3 + 4 + 1,
        "num_whitespace_words": 9,
        "num_sentences": 3,
        "repeated_line_share": pytest.approx(16 / 42),
        "repeated_ngram_share": 0,
    }


def test_the_columns_are_those_declared():
    batch = pa.record_batch({"text": pa.array(["a", ""], pa.string()), "z": [1, 2]})
    after = MeasureText().annotate(batch)
    assert after.schema == pa.schema([*batch.schema, *ANNOTATIONS["measure"]])
    assert MeasureText().annotate(batch.slice(0, 0)).schema == after.schema
