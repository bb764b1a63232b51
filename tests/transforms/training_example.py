"""A small training.yaml, and the options of Megatron-LM that are read from our file of them."""

import argparse
import shlex

from glotmill.schemas.training import TokenizerFile, Training, TrainingDataset
from glotmill.transforms.training_files import Ends, token_shares


def datasets(split, tokens):
    weights = token_shares(list(tokens.values()))
    return [
        TrainingDataset(
            name=f"{split}-{category}", split=split, category=category,
            prefix=f"tokens/megatron/{split}-{category}_text_document",
            documents=f"tokens/megatron/{split}-{category}.documents.parquet",
            num_documents=1, num_tokens=count, weight=weight,
        )
        for (category, count), weight in zip(tokens.items(), weights, strict=True)
    ]  # fmt: skip


#: Of documents that end in the token that the tokenizer's own file names.
ENDS = Ends(largest_id=31_999, eos_id=2, own_eos_id=2)


def training(
    kind="sentencepiece", *, vocab_size=32_000, eos_id=2, train=None, validation=None, stages=()
):
    names = {"sentencepiece": "model", "huggingface": "json", "tiktoken": "tiktoken"}
    path = f"tokens/tokenizer/tokenizer.{names[kind]}"
    train = datasets("train", {"monolingual": 30, "code": 10} if train is None else train)
    held_out = datasets("validation", {"code": 4} if validation is None else validation)
    return Training(
        glotmill=1, name="mini", datasets=[*train, *held_out], stages=list(stages),
        tokenizer=TokenizerFile(
            kind=kind, path=path, sha256="ab", vocab_size=vocab_size, eos_id=eos_id
        ),
        dtype="uint16" if vocab_size < 65_500 else "int32",
    )  # fmt: skip


def parsed(content):
    """The options as Megatron-LM's parser takes them from a command line."""
    parser = argparse.ArgumentParser()
    for option in ("--train-data-path", "--valid-data-path", "--test-data-path"):
        parser.add_argument(option, nargs="*", default=None)
    for option in ("--tokenizer-type", "--tokenizer-model"):
        parser.add_argument(option)
    for option in ("--seq-length", "--vocab-size", "--make-vocab-size-divisible-by"):
        parser.add_argument(option, type=int)
    lines = [line for line in content.decode().splitlines() if not line.startswith("#")]
    return parser.parse_args(shlex.split("\n".join(lines)))
