"""Texts to tokens: the ids of the tokenizer's own library, and what is put around them."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmill.schemas.output import TokenOutput
from glotmill.transforms.tokenize import TextTokenizer, list_type
from glotmill.transforms.tokenizers.base import TokenizerError

BOS, EOS, SEP = 300, 301, 302
ODD = ["", " ", "an english text", "é<|endoftext|>", "[SEP]", "的" * 50, "<|begin_of_text|>\n\n"]
TEXTS = st.lists(st.sampled_from(ODD) | st.text(max_size=20), max_size=8)


@pytest.fixture(scope="module")
def text_tokenizer(tokenizer_file):
    made = {}

    def make(**options):
        key = tuple(sorted(options.items()))
        if key not in made:
            made[key] = TextTokenizer(TokenOutput(tokenizer=tokenizer_file(), **options))
        return made[key]

    return make


@settings(max_examples=30)
@given(TEXTS, st.booleans(), st.booleans())
def test_each_text_has_its_own_tokens_between_those_that_are_wanted(
    text_tokenizer, reference_tokens, tokenizer_file, texts, eos, bos
):
    found = text_tokenizer(append_eos=eos, prepend_bos=bos).tokenize(texts)
    expected = [
        [*([BOS] if bos else []), *ids, *([EOS] if eos else [])]
        for ids in reference_tokens(tokenizer_file(), texts)
    ]
    assert found.tokens.to_pylist() == expected
    assert found.num_tokens.tolist() == [len(ids) for ids in expected]
    assert found.num_fallback.tolist() == [
        sum(len(each.encode()) for each in text if not each.isascii()) for text in texts
    ]


def test_types(text_tokenizer, tokenizer_file):
    found = text_tokenizer().tokenize(["text"])
    assert found.tokens.type == pa.list_(pa.uint16()) == list_type(np.dtype("uint16"))
    assert found.num_tokens.dtype == found.num_fallback.dtype == np.int64
    wide = TextTokenizer(TokenOutput(tokenizer=tokenizer_file(66_000), prepend_bos=True))
    found = wide.tokenize(["an english text"])
    assert wide.dtype == np.int32
    assert found.tokens.type == pa.list_(pa.int32()) == list_type(wide.dtype)
    assert found.tokens[0].as_py()[:: len(found.tokens[0]) - 1] == [66_000, 66_001]


@pytest.mark.parametrize("size", [65_496, 65_497])
def test_the_narrow_type_ends_where_megatron_ends_it(tokenizer_file, size):
    """Three control tokens follow the pieces; fewer than 65,500 ids are uint16."""
    made = TextTokenizer(TokenOutput(tokenizer=tokenizer_file(size)))
    assert made.tokenizer.vocab_size == size + 3
    assert made.dtype == (np.uint16 if size + 3 < 65_500 else np.int32)


def test_the_token_at_the_end_can_be_named(text_tokenizer):
    made = text_tokenizer(eos="[SEP]", prepend_bos=True, bos="<|endoftext|>")
    assert (made.bos_id, made.eos_id) == (EOS, SEP)
    ids = made.tokenize(["[SEP]"]).tokens[0].as_py()
    assert (ids[0], ids[-1]) == (EOS, SEP)
    assert SEP not in ids[1:-1]


def test_no_texts_and_texts_without_tokens(text_tokenizer):
    bare = text_tokenizer(append_eos=False)
    none, empty = bare.tokenize([]), bare.tokenize(["", "a", ""])
    assert (len(none.tokens), none.num_tokens.tolist(), none.num_fallback.tolist()) == (0, [], [])
    assert empty.num_tokens.tolist() == [0, 1, 0]
    assert [len(each) for each in empty.tokens.to_pylist()] == [0, 1, 0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"eos": "</s>"},
            r"has no token '</s>'; name one .* in 'output\.tokens\.eos', ",
        ),
        ({"prepend_bos": True, "bos": "<s>"}, r"no token '<s>'; .*or set 'prepend_bos: false'$"),
    ],
)
def test_a_token_that_there_is_not(tokenizer_file, options, message):
    with pytest.raises(TokenizerError, match=message):
        TextTokenizer(TokenOutput(tokenizer=tokenizer_file(), **options))


def test_a_tokenizer_that_names_no_end(tmp_path, tokenizer_file):
    with open(tokenizer_file(), encoding="utf-8") as file:
        content = file.read().replace("<|endoftext|>", "other")
    path = tmp_path / "tokenizer.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(TokenizerError, match=r"names no EOS token; .*or set 'append_eos: false'$"):
        TextTokenizer(TokenOutput(tokenizer=str(path)))
    unmarked = TextTokenizer(TokenOutput(tokenizer=str(path), append_eos=False))
    named = TextTokenizer(TokenOutput(tokenizer=str(path), eos="other"))
    assert (unmarked.eos_id, named.eos_id) == (None, EOS)
