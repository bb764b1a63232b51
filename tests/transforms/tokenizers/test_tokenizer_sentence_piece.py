"""Ids of SentencePiece's models against those of the library itself."""

import numpy as np
import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from glotmill.transforms.tokenizers.load import load_tokenizer

TYPES = ("bpe", "unigram")


@pytest.fixture(scope="module", params=TYPES)
def path(request, sentence_pieces):
    return sentence_pieces(request.param)


@pytest.fixture(scope="module")
def tokenizer(path):
    return load_tokenizer(str(path))


@pytest.fixture(scope="module")
def library(path):
    return sentencepiece.SentencePieceProcessor(model_file=str(path))


def test_ids_are_those_of_the_library(tokenizer, library, texts, rows):
    plain = [text for text in texts if "<|im_start|>" not in text]
    encoded = tokenizer.encode(plain)
    assert rows(encoded) == library.encode(plain)
    assert encoded.ids.dtype == np.uint16
    assert [tokenizer.decode(ids) for ids in rows(encoded)] == library.decode(rows(encoded))


@given(batch=st.lists(st.text() | st.text(alphabet=" \n▁a<>/s[INST]\x00é的")))
def test_any_text(tokenizer, library, rows, batch):
    assert rows(tokenizer.encode(batch)) == library.encode(batch)


def test_what_it_says_of_itself(tokenizer, path):
    assert (tokenizer.kind, tokenizer.backend) == ("sentencepiece", "sentencepiece")
    assert (tokenizer.vocab_size, tokenizer.dtype) == (2000, np.uint16)
    assert (tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id) == (1, 2, 3)
    assert tokenizer.id_of("</s>") == 2
    assert tokenizer.id_of("<unk>") == 0
    assert tokenizer.id_of("no such piece") is None
    assert tokenizer.name == path.name


def test_bytes_are_fallback(tokenizer, rows):
    assert tokenizer.fallback.sum() == 256
    assert tokenizer.fallback[tokenizer.id_of("<0x0A>")]
    (ids,) = rows(tokenizer.encode(["a\U00012000"]))
    assert tokenizer.fallback[ids].sum() == 4


def test_control_tokens_in_text_stay_text(tokenizer, library, rows):
    shaped = tokenizer.id_of("<|im_start|>")
    text = "<s> </s> [INST] <|im_start|> <pad>"
    assert shaped in library.encode(text), "the library takes it as the user's piece"
    (ids,) = rows(tokenizer.encode([text]))
    assert not set(ids) & {1, 2, 3, shaped, tokenizer.id_of("[INST]")}
    assert tokenizer.id_of("<table>") in rows(tokenizer.encode(["a<table>b"]))[0]


def test_no_texts(tokenizer):
    assert tokenizer.encode([]).ids.shape == (0,)
    assert tokenizer.encode([""]).lengths.tolist() == [0]


def test_a_model_without_some_roles(tmp_path, training_texts):
    prefix = tmp_path / "small"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(training_texts[:50]), model_prefix=str(prefix), model_type="char",
        vocab_size=1000, hard_vocab_limit=False, eos_id=-1, num_threads=1, minloglevel=2,
    )  # fmt: skip
    tokenizer = load_tokenizer(f"{prefix}.model")
    assert (tokenizer.eos_id, tokenizer.bos_id, tokenizer.pad_id) == (None, 1, None)
    assert not tokenizer.fallback.any()
