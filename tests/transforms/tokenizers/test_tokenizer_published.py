"""Tokenizers of published models, where a package that carries them is installed."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
import tiktoken
import tiktoken.load
import tokenizers

from glotmill.transforms.tokenizers.encodings import ENCODINGS
from glotmill.transforms.tokenizers.load import load_tokenizer

pytestmark = pytest.mark.slow


def published(package: str, file: str) -> str:
    """Where a package that is not required has a file."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        pytest.skip(f"{package} is not installed: it carries {file}")
    path = Path(found.submodule_search_locations[0]) / file
    if not path.exists():
        pytest.skip(f"this version of {package} has no {file}")
    return str(path)


def test_llama_3(texts, rows):
    path = published("llama_models", "llama3/tokenizer.model")
    tokenizer = load_tokenizer(path)
    library = tiktoken.Encoding(
        "llama3", pat_str=ENCODINGS["llama3"].pattern, special_tokens={},
        mergeable_ranks=tiktoken.load.load_tiktoken_bpe(path),
    )  # fmt: skip
    assert rows(tokenizer.encode(texts)) == [library.encode_ordinary(text) for text in texts]
    assert (tokenizer.vocab_size, tokenizer.dtype) == (128_256, np.int32)
    assert (tokenizer.bos_id, tokenizer.eos_id) == (128_000, 128_001)


@pytest.mark.parametrize("version", ["llama3", "llama4"])
def test_control_tokens_are_those_of_meta(version):
    path = published("llama_models", f"{version}/tokenizer.model")
    module = pytest.importorskip(f"llama_models.{version}.tokenizer")
    theirs, ours = module.Tokenizer(Path(path)), load_tokenizer(path)
    assert {name: ours.id_of(name) for name in theirs.special_tokens} == theirs.special_tokens
    assert ours.vocab_size == theirs.n_words
    assert (ours.bos_id, ours.eos_id, ours.pad_id) == (theirs.bos_id, theirs.eos_id, theirs.pad_id)


def test_mistral(texts, rows):
    path = published("mistral_common", "data/tokenizer.model.v1")
    tokenizer = load_tokenizer(path)
    library = sentencepiece.SentencePieceProcessor(model_file=path)
    assert rows(tokenizer.encode(texts)) == library.encode(texts)
    assert (tokenizer.vocab_size, tokenizer.eos_id, tokenizer.fallback.sum()) == (32_000, 2, 256)


@pytest.mark.parametrize(
    ("name", "backend"), [("anthropic", "tiktoken"), ("deepseek", "tokenizers")]
)
def test_a_published_tokenizer_json(name, backend, texts, rows):
    path = published("litellm", f"litellm_core_utils/tokenizers/{name}_tokenizer.json")
    tokenizer = load_tokenizer(path)
    library = tokenizers.Tokenizer.from_file(path)
    library.encode_special_tokens = True
    theirs = library.encode_batch_fast(texts, add_special_tokens=False)
    assert tokenizer.backend == backend
    assert rows(tokenizer.encode(texts)) == [each.ids for each in theirs]
