"""Files that training frameworks are started with, and the commands that start them.

Each framework is told which token files to blend, in which shares, and which tokenizer made them;
what belongs to the model is left to the model's own files. Paths are relative to the output
directory, where training is started: the files do not change when the corpus is moved.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import Any

import yaml

from glotmill.schemas.manifest import FileEntry
from glotmill.schemas.training import (
    TRAINING,
    TokenizerFile,
    Training,
    TrainingDataset,
    TrainingFileError,
    dump_training,
)
from glotmill.transforms.tables import write_file

NEOX, MEGATRON = "training.neox.yml", "training.megatron.args"

#: Commands that train on the result, by the framework's name; they are run in the output directory.
#: `$NEOX` and `$MEGATRON` are checkouts, `model.yml` and `$MODEL_ARGUMENTS` say what the model is.
COMMANDS = {
    "GPT-NeoX": f'python "$NEOX/deepy.py" "$NEOX/train.py" model.yml {NEOX}',
    "Megatron-LM": 'torchrun --nproc-per-node 8 "$MEGATRON/pretrain_gpt.py"'
    f" $(cat {MEGATRON}) $MODEL_ARGUMENTS",
}

# GPT-NeoX keeps the number of a dataset in a byte and asserts that it has fewer than 255
# (megatron/data/blendable_dataset.py).
_MOST_NEOX_DATASETS = 254


def token_shares(num_tokens: Sequence[int]) -> list[float]:
    """Weights of datasets: the part that each is of the tokens of all.

    >>> token_shares([30, 10])
    [0.75, 0.25]
    """
    total = sum(num_tokens)
    return [count / total for count in num_tokens]


def write_training_files(
    root: str, training: Training, *, sequence_length: int | None = None
) -> list[FileEntry]:
    """Writes training.yaml and, for `.bin` files, training.neox.yml and training.megatron.args.

    Args:
        root: the output directory, to which the paths in `training` are relative.
        training: what was written.
        sequence_length: of a training sample in tokens, where the recipe names one.

    Raises:
        TrainingFileError: there is nothing to train on, or more datasets than GPT-NeoX can blend.
    """
    contents = {TRAINING: dump_training(training)}
    if all(dataset.prefix for dataset in training.datasets):
        contents[NEOX] = neox_config(training, sequence_length)
        contents[MEGATRON] = megatron_arguments(training, sequence_length)
    return [write_file(root, name, content) for name, content in contents.items()]


def _train(training: Training) -> list[TrainingDataset]:
    if not (datasets := training.of_split("train")):
        message = "there is no train dataset: the mix drew no document with tokens"
        raise TrainingFileError(f"{training.name}: {message}")
    return datasets


def neox_config(training: Training, sequence_length: int | None = None) -> bytes:
    """The file for GPT-NeoX, to be given beside the model's own.

    GPT-NeoX wants paths of all three splits or of none, and refuses a key that two of its files
    hold. So validation stands for the test split too, and what its model files usually hold
    (`data_impl`, `seq_length`) is a comment here.

    Raises:
        TrainingFileError: there is nothing to train on, or more datasets than it can blend.
    """
    train = _train(training)
    held_out = training.of_split("validation") or train
    keys: dict[str, Any] = {}
    for split, datasets in (("train", train), ("valid", held_out), ("test", held_out)):
        keys |= _neox_split(split, datasets)
    keys |= _neox_tokenizer(training.tokenizer)
    comments = "".join(f"# {line}\n" for line in _neox_comments(training, sequence_length))
    return (comments + yaml.safe_dump(keys, sort_keys=False, width=100)).encode()


def check_num_datasets(split: str, number: int) -> None:
    """Checks that a split has no more datasets than GPT-NeoX can blend.

    Raises:
        TrainingFileError: it has.
    """
    if number > _MOST_NEOX_DATASETS:
        raise TrainingFileError(
            f"GPT-NeoX blends at most {_MOST_NEOX_DATASETS} datasets, and there are"
            f" {number} of its split '{split}'; make fewer by 'output.tokens.datasets:"
            " category', or by fewer tiers in 'mix.tiers' or stages in 'mix.stages'"
        )


def _neox_split(split: str, datasets: Sequence[TrainingDataset]) -> dict[str, Any]:
    check_num_datasets(split, len(datasets))
    return {
        f"{split}_data_paths": [dataset.prefix for dataset in datasets],
        f"{split}_data_weights": [dataset.weight for dataset in datasets],
    }


def _neox_tokenizer(tokenizer: TokenizerFile) -> dict[str, str]:
    kinds = {"huggingface": "HFTokenizer", "sentencepiece": "SPMTokenizer"}
    if tokenizer.kind not in kinds:
        return {}
    return {"tokenizer_type": kinds[tokenizer.kind], "vocab_file": tokenizer.path}


def _neox_comments(training: Training, sequence_length: int | None) -> list[str]:
    lines = [
        f"Data of {training.name} for GPT-NeoX; paths are relative to this file's folder.",
        "It refuses a key that two of its files hold, so these belong into the model's file:",
        f"  data_impl: mmap    seq_length: {sequence_length or 'that of the model'}",
        "  make_vocab_size_divisible_by: that of the model, 128 where it is new",
    ]
    if training.tokenizer.kind == "tiktoken":
        lines += [
            "It reads no file of tiktoken's ranks. Name the same tokenizer's tokenizer.json:",
            '  tokenizer_type: HFTokenizer    vocab_file: ".../tokenizer.json"',
        ]
    if not training.of_split("validation"):
        lines += [
            "Nothing was held out, and it wants all three splits: they are the same here.",
            "  eval_iters: 0",
        ]
    if training.stages:
        lines.append(f"It knows no stages: the weights are those without, see {TRAINING}.")
    return lines


def megatron_arguments(training: Training, sequence_length: int | None = None) -> bytes:
    """Arguments for Megatron-LM's `pretrain_gpt.py`, a line for each option and each dataset.

    Raises:
        TrainingFileError: there is nothing to train on.
    """
    lines = ["--train-data-path", *_megatron_blend(_train(training))]
    if validation := training.of_split("validation"):
        lines += ["--valid-data-path", *_megatron_blend(validation)]
    lines += _megatron_tokenizer(training.tokenizer)
    if sequence_length:
        lines.append(f"--seq-length {sequence_length}")
    return "".join(f"{line}\n" for line in lines).encode()


def _megatron_blend(datasets: Sequence[TrainingDataset]) -> list[str]:
    return [f"{dataset.weight} {dataset.prefix}" for dataset in datasets]


def _megatron_tokenizer(tokenizer: TokenizerFile) -> list[str]:
    if tokenizer.kind == "sentencepiece":
        kind, model = "GPTSentencePieceTokenizer", tokenizer.path
    elif tokenizer.kind == "huggingface":
        kind, model = "HuggingFaceTokenizer", posixpath.dirname(tokenizer.path)
    else:
        # It reads ranks in a JSON of its own only. Data is tokenized already, so the size is all
        # that is wanted; it adds one to what it is told, for the end of a document.
        return ["--tokenizer-type NullTokenizer", f"--vocab-size {tokenizer.vocab_size - 1}"]
    return [f"--tokenizer-type {kind}", f"--tokenizer-model {model}"]
