"""Files that training frameworks are started with, and the commands that start them.

Each framework is told which token files to blend, in which shares, and which tokenizer made them;
what belongs to the model is left to the model's own files. Paths are relative to the output
directory, where training is started: the files do not change when the corpus is moved.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
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
    f" $(grep -v '^#' {MEGATRON}) $MODEL_ARGUMENTS",
}

# GPT-NeoX keeps the number of a dataset in a byte and asserts that it has fewer than 255
# (megatron/data/blendable_dataset.py).
_MOST_NEOX_DATASETS = 254
# Megatron-LM rounds its embedding up to a multiple of this, unless it is told another.
_MEGATRON_MULTIPLE = 128


@dataclass(frozen=True, kw_only=True)
class Ends:
    """What is known of the ids in token files that training.yaml does not say.

    Attributes:
        largest_id: no token in the files is above it.
        eos_id: the token that documents end in; None without one.
        own_eos_id: the token that the tokenizer's own file names for the end of a document.
    """

    largest_id: int
    eos_id: int | None
    own_eos_id: int | None


def token_shares(num_tokens: Sequence[int]) -> list[float]:
    """Weights of datasets: the part that each is of the tokens of all.

    >>> token_shares([30, 10])
    [0.75, 0.25]
    """
    total = sum(num_tokens)
    return [count / total for count in num_tokens]


def write_training_files(
    root: str, training: Training, ends: Ends, *, sequence_length: int | None = None
) -> list[FileEntry]:
    """Writes training.yaml and, for `.bin` files, training.neox.yml and training.megatron.args.

    Args:
        root: the output directory, to which the paths in `training` are relative.
        training: what was written.
        ends: which tokens are in the files, and end their documents.
        sequence_length: of a training sample in tokens, where the recipe names one.

    Raises:
        TrainingFileError: there is nothing to train on, or more datasets than GPT-NeoX can blend.
    """
    contents = {TRAINING: dump_training(training)}
    if all(dataset.prefix for dataset in training.datasets):
        contents[NEOX] = neox_config(training, sequence_length)
        contents[MEGATRON] = megatron_arguments(training, ends, sequence_length)
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


def check_num_datasets(split: str, number: int, *, at_least: bool = False) -> None:
    """Checks that a split has no more datasets than GPT-NeoX can blend.

    Raises:
        TrainingFileError: it has.
    """
    if number > _MOST_NEOX_DATASETS:
        raise TrainingFileError(
            f"GPT-NeoX blends at most {_MOST_NEOX_DATASETS} datasets, and there are"
            f" {'at least ' * at_least}{number} of its split '{split}'; make fewer by"
            " 'output.tokens.datasets: category', or by fewer tiers in 'mix.tiers' or stages in"
            " 'mix.stages'; for glotmill's own trainer alone, 'output.tokens.formats: [parquet]'"
            " has no such limit"
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


def megatron_arguments(training: Training, ends: Ends, sequence_length: int | None = None) -> bytes:
    """Arguments for Megatron-LM's `pretrain_gpt.py`, a line for each option and each dataset.

    Lines that begin with `#` are for people; a command leaves them out.

    Raises:
        TrainingFileError: there is nothing to train on.
    """
    lines = [f"# {line}" for line in _megatron_comments(training.tokenizer, ends)]
    lines += ["--train-data-path", *_megatron_blend(_train(training))]
    if validation := training.of_split("validation"):
        lines += ["--valid-data-path", *_megatron_blend(validation)]
    lines += _megatron_tokenizer(training.tokenizer, ends)
    if sequence_length:
        lines.append(f"--seq-length {sequence_length}")
    return "".join(f"{line}\n" for line in lines).encode()


def _megatron_blend(datasets: Sequence[TrainingDataset]) -> list[str]:
    return [f"{dataset.weight} {dataset.prefix}" for dataset in datasets]


def _megatron_tokenizer(tokenizer: TokenizerFile, ends: Ends) -> list[str]:
    if tokenizer.kind == "tiktoken":
        # It reads ranks in a JSON of its own only. Data is tokenized already, so the size and the
        # end of a document are all that is wanted.
        return ["--tokenizer-type NullTokenizer", *_null_tokenizer(tokenizer, ends)]
    if tokenizer.kind == "sentencepiece":
        kind, model = "GPTSentencePieceTokenizer", tokenizer.path
    else:
        kind, model = "HuggingFaceTokenizer", posixpath.dirname(tokenizer.path)
    return [f"--tokenizer-type {kind}", f"--tokenizer-model {model}"]


def _null_tokenizer(tokenizer: TokenizerFile, ends: Ends) -> list[str]:
    """The options of a tokenizer that takes its size for the end of a document."""
    eod = _null_eod(tokenizer, ends)
    multiple = _MEGATRON_MULTIPLE
    while -(-(eod + 1) // multiple) * multiple < tokenizer.vocab_size:
        multiple += _MEGATRON_MULTIPLE
    padding = f"--make-vocab-size-divisible-by {multiple}"
    return [f"--vocab-size {eod}", *[padding] * (multiple > _MEGATRON_MULTIPLE)]


def _null_eod(tokenizer: TokenizerFile, ends: Ends) -> int:
    eos = ends.eos_id
    # It knows no id above it.
    return eos if eos is not None and eos >= ends.largest_id else tokenizer.vocab_size - 1


def _megatron_comments(tokenizer: TokenizerFile, ends: Ends) -> list[str]:
    eods = {"sentencepiece": ends.own_eos_id, "tiktoken": _null_eod(tokenizer, ends)}
    eod = eods.get(tokenizer.kind, tokenizer.eos_id)
    if ends.eos_id is not None and ends.eos_id == eod:
        return []
    ours, taken = ("no token" if each is None else f"token {each}" for each in (ends.eos_id, eod))
    return [
        f"Documents end in {ours}, and Megatron-LM takes {taken} for their end.",
        "Leave --reset-position-ids, --reset-attention-mask and --eod-mask-loss off.",
    ]
