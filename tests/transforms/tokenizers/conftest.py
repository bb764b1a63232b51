"""Small tokenizers of every kind, trained on the shipped sample, and texts to try them on."""

import base64
import io
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers as pre
from tokenizers.trainers import BpeTrainer

from glotmill.transforms.tokenizers.byte_alphabet import bytes_of
from glotmill.transforms.tokenizers.encodings import ENCODINGS

CONTROL = ["<|endoftext|>", "<|begin_of_text|>", "<s>", "</s>", "[INST]"]
ODD = (
    "",
    " ",
    "\n\r\n \t x \n",
    "<|endoftext|> and </s><s>[INST]<|im_start|>system<unk><pad>",
    "a<table>b</table>   c",
    "don't DON'T 'ſ 123456 ١٢٣ x\u0301\u0323 \u1100\u1161 ﬁ ①",
    "👩‍👩‍👧‍👦🏳️‍🌈 ❤️",
    "\x00\x07\u200b\ufeff\u2028\ufdd0\U0010ffff\ufffd",
    "<0x0A> ▁▁ Ġ",
    "longword" * 400,
    "的" * 2000,
)
LLAMA3 = ENCODINGS["llama3"].pattern


@pytest.fixture(scope="session")
def texts(sample_rows) -> list[str]:
    """A text of every declaration of the sample, and odd ones."""
    by_declaration: dict[object, list[str]] = {}
    for row in sample_rows:
        by_declaration.setdefault(row["declaration"], []).append(str(row["text"]))
    return [text for rows in by_declaration.values() for text in rows[5:6]] + list(ODD)


@pytest.fixture(scope="session")
def training_texts(sample_rows) -> list[str]:
    return [str(row["text"]) for row in sample_rows[::16]]


@pytest.fixture(scope="session")
def byte_level(training_texts, tmp_path_factory) -> Callable[..., Path]:
    """Trains a byte-level BPE as its options say, once for each pattern, and saves it."""
    folder, trained = tmp_path_factory.mktemp("byte_level"), {}

    def train(pattern: str | None) -> str:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre.ByteLevel(add_prefix_space=False)
        if pattern:
            split = pre.Split(Regex(pattern), "isolated")
            last = pre.ByteLevel(add_prefix_space=False, use_regex=False)
            tokenizer.pre_tokenizer = pre.Sequence([split, last])
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre.ByteLevel.alphabet()
        trainer = BpeTrainer(vocab_size=4000, initial_alphabet=alphabet, show_progress=False)
        tokenizer.train_from_iterator(training_texts, trainer)
        tokenizer.add_special_tokens([AddedToken(name, special=True) for name in CONTROL])
        return tokenizer.to_str()

    def save(name: str, pattern: str | None = LLAMA3, change=lambda spec: None) -> Path:
        if pattern not in trained:
            trained[pattern] = train(pattern)
        spec = json.loads(trained[pattern])
        change(spec)
        path = folder / f"{name}.json"
        path.write_text(json.dumps(spec, ensure_ascii=False), encoding="utf-8")
        return path

    return save


@pytest.fixture(scope="session")
def rank_file(byte_level, tmp_path_factory) -> Path:
    """The ranks of the trained BPE as a file of tiktoken, its encoding in its name."""
    spec = json.loads(byte_level("ranks").read_text(encoding="utf-8"))
    path = tmp_path_factory.mktemp("ranks") / "small-llama3.tiktoken"
    lines = [
        f"{base64.b64encode(bytes_of(piece)).decode()} {rank}\n"
        for piece, rank in spec["model"]["vocab"].items()
    ]
    path.write_text("".join(lines), encoding="ascii")
    return path


@pytest.fixture(scope="session")
def sentence_pieces(training_texts, tmp_path_factory) -> Callable[[str], Path]:
    """Trains a SentencePiece model of a type, with tokens for bytes and pieces of the user's."""
    folder = tmp_path_factory.mktemp("pieces")

    def train(model_type: str) -> Path:
        path = folder / f"{model_type}.model"
        if not path.exists():
            sink = io.BytesIO()
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(training_texts),
                model_writer=sink,
                model_type=model_type,
                vocab_size=2000,
                seed_sentencepiece_size=20000,
                byte_fallback=True,
                character_coverage=0.98,
                user_defined_symbols=["<table>", "<|im_start|>"],
                control_symbols=["[INST]"],
                pad_id=3,
                num_threads=1,
                minloglevel=2,
            )
            path.write_bytes(sink.getvalue())
        return path

    return train


@pytest.fixture(scope="session")
def unigram_json(training_texts, tmp_path_factory) -> Path:
    """A unigram model in a tokenizer.json, its control tokens among its pieces."""
    names = ["<s>", "</s>", "<unk>", "<pad>"]
    words = Counter(word for text in training_texts for word in text.split())
    pieces = Counter(f"▁{word}"[i : i + 3] for word in words for i in range(len(word) + 1))
    pieces.update(character for word in words for character in f"▁{word}" * 2)
    scored = [(piece, -10 + count**0.1) for piece, count in pieces.most_common(3000)]
    tokenizer = Tokenizer(models.Unigram([(name, 0.0) for name in names] + scored, unk_id=2))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(names)
    path = tmp_path_factory.mktemp("unigram") / "tokenizer.json"
    tokenizer.save(str(path))
    return path


@pytest.fixture(scope="session")
def rows():
    """The ids of each text of an `Encoded`, as lists."""

    def split(encoded) -> list[list[int]]:
        ends = encoded.lengths.cumsum()
        spans: Sequence[tuple[int, int]] = list(zip(ends - encoded.lengths, ends, strict=True))
        return [encoded.ids[start:end].tolist() for start, end in spans]

    return split
