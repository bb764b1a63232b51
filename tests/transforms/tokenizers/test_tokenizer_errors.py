"""What is said of files that are no tokenizers."""

import base64
import importlib
import sys

import pytest

from glotmill.transforms.tokenizers.base import TokenizerError
from glotmill.transforms.tokenizers.load import load_tokenizer


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(TokenizerError, match=r"^tokenizer .*none\.json cannot be read: .*none"):
        load_tokenizer(str(tmp_path / "none.json"))


def test_a_scheme_that_nobody_knows():
    with pytest.raises(TokenizerError, match=r"^tokenizer nowhere://x cannot be read: "):
        load_tokenizer("nowhere://x")


def test_an_incomplete_name_of_the_hub():
    with pytest.raises(TokenizerError, match=r"^hf://owner/name: write hf://owner/name/file"):
        load_tokenizer("hf://owner/name")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no tokenizer that is known here; known are tokenizer.json"),
        (b"a text\n", "is no tokenizer that is known here"),
        (b"{", "is no usable tokenizer.json: .*fetch it anew"),
        (b"{}", "is JSON but no tokenizer.json: it has no 'model' with a 'vocab'"),
        (b'{"model": {"type": "BPE", "vocab": {"a": 0}}}', "is no usable tokenizer.json: "),
        (b"\x0a\x05hello", "is no usable SentencePiece model: .*fetch it anew"),
        (b"IQ== 0\nIg== 1\n", "is no whole file of tiktoken's ranks: 254 single bytes have no"),
        (b"IQ== 0\nIg==\n", "line 2, is no rank of tiktoken"),
    ],
)
def test_other_files(content, message, tmp_path):
    path = tmp_path / "tokenizer.model"
    path.write_bytes(content)
    with pytest.raises(TokenizerError, match=message) as caught:
        load_tokenizer(str(path))
    assert str(path) in str(caught.value)


def test_ranks_cut_short(rank_file, tmp_path):
    path = tmp_path / "llama3.tiktoken"
    path.write_bytes(rank_file.read_bytes()[:-8])
    with pytest.raises(TokenizerError, match=r"line \d+, is no rank of tiktoken"):
        load_tokenizer(str(path))


def test_a_model_cut_short(sentence_pieces, tmp_path):
    path = tmp_path / "short.model"
    path.write_bytes(sentence_pieces("bpe").read_bytes()[:-100])
    with pytest.raises(TokenizerError, match="cut short; fetch it anew"):
        load_tokenizer(str(path))


def test_ranks_of_an_unknown_encoding(rank_file, tmp_path):
    path = tmp_path / "tokenizer.model"
    path.write_bytes(rank_file.read_bytes())
    with pytest.raises(TokenizerError, match=r"its encoding is unknown; name one of r50k_base, "):
        load_tokenizer(str(path))
    with pytest.raises(TokenizerError, match="no encoding is called 'cl200k'; name one of"):
        load_tokenizer(str(path), encoding="cl200k")
    assert load_tokenizer(str(path), encoding="llama3").eos_id


@pytest.mark.parametrize("package", ["tokenizers", "sentencepiece", "tiktoken"])
def test_a_package_that_is_missing(
    package, byte_level, sentence_pieces, rank_file, tmp_path, monkeypatch
):
    paths = {
        "tokenizers": byte_level("plain"),
        "sentencepiece": sentence_pieces("bpe"),
        "tiktoken": rank_file,
    }
    monkeypatch.setitem(sys.modules, package, None)
    message = rf"needs the package {package}: pip install 'glotmill\[tokens\]'"
    with pytest.raises(TokenizerError, match=message):
        load_tokenizer(str(paths[package]))


def test_no_package_is_needed_to_import(monkeypatch):
    for package in ("tokenizers", "sentencepiece", "tiktoken"):
        monkeypatch.setitem(sys.modules, package, None)
    for name in [name for name in sys.modules if name.startswith("glotmill.transforms.tokenizers")]:
        monkeypatch.delitem(sys.modules, name)
    assert importlib.import_module("glotmill.transforms.tokenizers.load").load_tokenizer


def written_ranks(path, ids):
    """A file of ranks of two bytes and more beside those of single bytes."""
    pieces = [bytes([byte]) for byte in range(256)]
    pieces += [b"p%d" % number for number in range(len(ids) - len(pieces))]
    lines = [
        f"{base64.b64encode(piece).decode()} {i}\n" for piece, i in zip(pieces, ids, strict=True)
    ]
    path.write_text("".join(lines), encoding="ascii")
    return str(path)


@pytest.mark.parametrize(
    ("name", "ids", "taken"),
    [
        # More ranks than the encoding has, one at the id of a control token, and a gap among them.
        ("mine-r50k", range(50_300), r"50300 .* 50299, .* r50k_base .* <\|endoftext\|> is 50256"),
        ("mine-cl100k", [*range(300), 100_258], r"cl100k_base .* <\|fim_prefix\|> is 100258; n"),
        ("mine-llama3", [*range(300), 302], r"llama3 .* <\|end_of_text\|> is 302; name"),
    ],
)  # fmt: skip
def test_ranks_at_the_ids_of_control_tokens(name, ids, taken, tmp_path):
    path = written_ranks(tmp_path / f"{name}.tiktoken", ids)
    with pytest.raises(TokenizerError, match=taken) as caught:
        load_tokenizer(path)
    assert path in str(caught.value)
    assert "name the encoding that they are of by encoding=" in str(caught.value)


def test_ranks_around_the_ids_of_control_tokens(tmp_path):
    # The ranks of p50k_base leave out the id of its control token.
    ids = [*range(300), *range(50_257, 50_270)]
    tokenizer = load_tokenizer(written_ranks(tmp_path / "mine-p50k.tiktoken", ids))
    assert (tokenizer.eos_id, tokenizer.vocab_size) == (50_256, 50_270)
    assert tokenizer.vocabulary.text_size == 50_270
