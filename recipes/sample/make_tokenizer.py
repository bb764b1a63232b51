"""Make the sample's tokenizer: byte-level BPE of 8,192 tokens, trained on the sample itself.

    pip install tokenizers==0.23.3
    python -m glotmill.recipes.sample.make_tokenizer tokenizer.json

It is for trying things out: each of 447 languages has a page of text in it, and no more.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from importlib import resources

import zstandard
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

VOCAB_SIZE = 8_192


def texts() -> Iterator[str]:
    """The texts of the sample."""
    packed = (resources.files(__package__) / "udhr.jsonl.zst").read_bytes()
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed)) as stream:
        for line in io.TextIOWrapper(stream, encoding="utf-8"):
            yield json.loads(line)["text"]


def main() -> None:
    """Train it and write it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(), trainer)
    tokenizer.save(sys.argv[1])


if __name__ == "__main__":
    main()
