"""`training.yaml`: what a mix wrote for training, and how much of each part is wanted.

Written by the mix and read by the trainer; a person may change weights and add stages. All paths
in it are relative to its folder, so that a finished corpus can be moved.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from glotmill.schemas.indexed_dataset import token_dtype
from glotmill.schemas.model import Model
from glotmill.schemas.problems import Position, problems_of

#: The file's name, in the output directory.
TRAINING = "training.yaml"

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
TokenId = Annotated[int, Field(ge=0)]

# Shares are sums of quotients; a person writes them with a few digits.
_TOLERANCE = 1e-3


class TrainingFileError(Exception):
    """A training.yaml that cannot be used, or a mix that a training framework cannot take."""


class TokenizerFile(Model):
    """The tokenizer that made the tokens."""

    kind: Literal["huggingface", "sentencepiece", "tiktoken"]
    """What the file is: tokenizer.json, a SentencePiece model, or ranks of tiktoken."""
    path: str
    """The file, relative to this one's folder."""
    sha256: str
    """Of the file."""
    vocab_size: int = Field(ge=1)
    """Number of ids, special tokens included."""
    eos_id: TokenId | None = None
    """The token that ends a document, where the tokenizer has one."""
    bos_id: TokenId | None = None
    """The token that begins a document, where the tokenizer has one."""
    pad_id: TokenId | None = None
    """The token for padding, where the tokenizer has one; the files hold none."""


class TrainingDataset(Model):
    """One `.bin` and `.idx`, or the rows of token lists that would be in them."""

    name: str
    """Unlike that of any other dataset."""
    split: Literal["train", "validation"]
    """What it is for."""
    category: str
    """The recipe's category of all its documents."""
    tier: str | None = None
    """Their tier, where there is a dataset for each tier."""
    prefix: str | None = None
    """Path of both files without `.bin` and `.idx`; absent where the mix wrote lists alone."""
    documents: str | None = None
    """Table of its documents, in the order of the `.idx`; there where `prefix` is."""
    num_documents: int = Field(ge=1)
    """Documents in the files."""
    num_tokens: int = Field(ge=1)
    """Tokens in the files."""
    weight: Share
    """Share of the tokens of its split; those of a split sum to 1."""


class TrainingLabel(Model):
    """What the plan wants seen of a category and label."""

    category: str
    """The recipe's category."""
    label: str
    """Language and script, or a pair of them."""
    tier: str
    """Tier of the plan."""
    num_tokens: Count
    """Tokens of training, repeats included."""
    num_bytes: Count
    """UTF-8 bytes of training, repeats included."""
    num_validation_tokens: Count
    """Tokens that are held out."""


class TrainingStage(Model):
    """A part of training with weights of its own."""

    name: str
    """For logs."""
    share_of_tokens: Share
    """Part of the tokens of the run; those of all stages sum to 1."""
    weights: dict[str, Annotated[float, Field(ge=0.0, allow_inf_nan=False)]]
    """Weight of each train dataset, relative to each other; one that is absent rests."""


class Training(Model):
    """`training.yaml`."""

    glotmill: Literal[1]
    """Version of this layout."""
    name: str
    """Of the recipe."""
    tokenizer: TokenizerFile
    """What made the tokens."""
    dtype: Literal["uint16", "int32"]
    """Type of a token in the `.bin` files; it follows from the size of the vocabulary."""
    datasets: list[TrainingDataset] = Field(min_length=1)
    """Token files of both splits."""
    labels: list[TrainingLabel] = Field(default_factory=list)
    """What the plan wants seen of each label."""
    stages: list[TrainingStage] = Field(default_factory=list)
    """A curriculum, in order; where it is empty, the datasets' weights hold throughout."""

    def of_split(self, split: Literal["train", "validation"]) -> list[TrainingDataset]:
        """The datasets of a split, in order."""
        return [dataset for dataset in self.datasets if dataset.split == split]

    def planned_tokens(self) -> dict[str, int]:
        """Tokens that the plan wants seen of each label, over all its categories."""
        wanted = dict.fromkeys((each.label for each in self.labels), 0)
        for each in self.labels:
            wanted[each.label] += each.num_tokens
        return wanted

    @field_validator("datasets")
    @classmethod
    def _weighted(cls, datasets: list[TrainingDataset]) -> list[TrainingDataset]:
        names = [dataset.name for dataset in datasets]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two datasets have the name {', '.join(twice)}")
        for split in dict.fromkeys(dataset.split for dataset in datasets):
            weights = [dataset.weight for dataset in datasets if dataset.split == split]
            _sums_to_one(weights, f"the weights of the {split} datasets")
        return datasets

    @model_validator(mode="after")
    def _dtype_fits(self) -> Training:
        if self.dtype != token_dtype(self.tokenizer.vocab_size).name:
            size = f"a vocabulary of {self.tokenizer.vocab_size:,}"
            raise ValueError(f"'dtype' is {self.dtype!r}, which is not that of {size}")
        return self

    @model_validator(mode="after")
    def _stages_fit(self) -> Training:
        names = [dataset.name for dataset in self.of_split("train")]
        for stage in self.stages:
            if unknown := [name for name in stage.weights if name not in names]:
                there = f"train datasets are {', '.join(names)}"
                raise ValueError(f"stage '{stage.name}' weighs {', '.join(unknown)}; {there}")
            if not any(stage.weights.values()):
                raise ValueError(f"stage '{stage.name}' gives no dataset a weight above 0")
        if self.stages:
            _sums_to_one((s.share_of_tokens for s in self.stages), "'share_of_tokens' of stages")
        return self


def _sums_to_one(shares: Iterable[float], what: str) -> None:
    total = sum(shares)
    if abs(total - 1) > _TOLERANCE:
        raise ValueError(f"{what} sum to {total:.6g}, not to 1")


def dump_training(training: Training) -> bytes:
    """The file's content."""
    data = training.model_dump(mode="json")
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100)
    return text.encode()


def load_training(path: str | os.PathLike[str]) -> Training:
    """Read a `training.yaml`; paths in it stay relative to its folder.

    Raises:
        TrainingFileError: it is not there, not YAML, or not valid; with all that is wrong.
    """
    name = os.fspath(path)
    data = _parsed(name)
    try:
        return Training.model_validate(data)
    except ValidationError as error:
        found = problems_of(error, data, {}, Position(name), Training.model_json_schema())
        problems = "\n".join(f"{name}: {problem.message}" for problem in found)
        raise TrainingFileError(problems) from None


def _parsed(name: str) -> dict[str, Any]:
    try:
        data = yaml.safe_load(Path(name).read_bytes())
    except OSError as error:
        message = f"{name} cannot be read: {error.strerror}; a mix with output.tokens writes it"
        raise TrainingFileError(message) from None
    except yaml.YAMLError as error:
        raise TrainingFileError(
            f"{name} is not valid YAML: {' '.join(str(error).split())}"
        ) from None
    if not isinstance(data, dict):
        raise TrainingFileError(f"{name} is not a map of keys such as 'datasets:'")
    return data
