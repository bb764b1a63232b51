"""Ids of tiktoken's rank files against those of tiktoken itself."""

import numpy as np
import pytest
import tiktoken
import tiktoken.load
import tiktoken_ext.openai_public
from hypothesis import given
from hypothesis import strategies as st

from glotmill.transforms.tokenizers.encodings import ENCODINGS
from glotmill.transforms.tokenizers.load import load_tokenizer
from glotmill.transforms.tokenizers.ranks import LONGEST_SPACE, has_long_space, without_long_space

OPENAI = ("r50k_base", "p50k_base", "cl100k_base", "o200k_base")


@pytest.fixture(scope="module")
def ranks(rank_file):
    return tiktoken.load.load_tiktoken_bpe(str(rank_file))


@pytest.fixture(scope="module")
def llama3(rank_file):
    return load_tokenizer(str(rank_file))


@pytest.fixture(scope="module")
def library(ranks):
    return tiktoken.Encoding(
        "test", pat_str=ENCODINGS["llama3"].pattern, mergeable_ranks=ranks, special_tokens={}
    )


def test_ids_are_those_of_the_library(llama3, library, texts, rows):
    encoded = llama3.encode(texts)
    assert rows(encoded) == [library.encode_ordinary(text) for text in texts]
    assert [llama3.decode(ids) for ids in rows(encoded)] == texts


@given(batch=st.lists(st.text() | st.text(alphabet=" \n\r\t'sS.1a\u0301é的<|>")))
def test_any_text(llama3, library, rows, batch):
    encoded = llama3.encode(batch)
    assert rows(encoded) == [library.encode_ordinary(text) for text in batch]
    assert [llama3.decode(ids) for ids in rows(encoded)] == batch


def test_llama_3_has_256_control_tokens_after_its_ranks(llama3, ranks, rows):
    first = len(ranks)
    assert (llama3.kind, llama3.backend) == ("tiktoken", "tiktoken")
    assert llama3.vocab_size == first + 256
    assert (llama3.bos_id, llama3.eos_id, llama3.pad_id) == (first, first + 1, first + 4)
    assert llama3.id_of("<|eot_id|>") == first + 9
    assert llama3.id_of("<|reserved_special_token_2|>") == first + 12
    assert llama3.id_of("<|reserved_special_token_245|>") == first + 255
    assert llama3.decode([first + 1]) == "<|end_of_text|>"
    (ids,) = rows(llama3.encode(["<|end_of_text|>"]))
    assert max(ids) < first


def test_llama_4_has_2048_control_tokens():
    control = ENCODINGS["llama4"].control(200_000)
    assert len(set(control)) == len(control) == 2048
    assert sorted(control.values()) == list(range(200_000, 202_048))
    assert control["<|header_start|>"] == 200_005
    assert control["<|finetune_right_pad|>"] == 200_018
    assert control["<|image_start|>"] == 200_080
    assert control["<|reasoning_thinking_end|>"] == 201_143


@pytest.mark.parametrize("name", OPENAI)
def test_encodings_are_those_of_tiktoken(name, ranks, rank_file, texts, rows, monkeypatch):
    digests = []

    def load(_, expected_hash):
        digests.append(expected_hash)
        return ranks

    monkeypatch.setattr(tiktoken_ext.openai_public, "load_tiktoken_bpe", load)
    theirs = getattr(tiktoken_ext.openai_public, name)()
    library = tiktoken.Encoding(**theirs | {"explicit_n_vocab": None})
    tokenizer = load_tokenizer(str(rank_file), encoding=name)
    assert ENCODINGS[name].sha256 == tuple(digests)
    assert tokenizer.vocab_size == library.n_vocab
    assert tokenizer.eos_id == library.eot_token
    assert all(tokenizer.id_of(token) == i for token, i in theirs["special_tokens"].items())
    assert rows(tokenizer.encode(texts)) == [library.encode_ordinary(text) for text in texts]


def test_pieces_of_characters_are_fallback(llama3):
    names = [llama3.decode([i]) for i in range(llama3.vocab_size)]
    assert llama3.fallback.tolist() == ["\ufffd" in name for name in names]


def test_the_dtype_follows_the_largest_id(rank_file):
    tokenizer = load_tokenizer(str(rank_file), encoding="cl100k_base")
    assert (tokenizer.vocab_size, tokenizer.dtype) == (100_277, np.int32)
    assert tokenizer.id_of("<|endofprompt|>") == 100_276


def test_white_space_too_long_for_tiktoken(llama3):
    text = "a\n" + " " * (3 * LONGEST_SPACE) + "b" + "\n" * (LONGEST_SPACE + 1)
    assert has_long_space(text)
    assert "".join(without_long_space(text)) == text
    assert llama3.decode(llama3.encode([text]).ids) == text


def test_white_space_that_tiktoken_takes(llama3, library, rows):
    text = "a\n" + " " * (LONGEST_SPACE - 1) + "b"
    assert not has_long_space(text)
    assert rows(llama3.encode([text])) == [library.encode_ordinary(text)]
