"""What follows from a configuration and its corpus: the run's length, and what its order is of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from glotmill.schemas.training import load_training
from glotmill.trainer.config import ConfigError, TrainConfig
from glotmill.trainer.data import Corpus, Cut


def open_corpus(config: TrainConfig) -> Corpus:
    """The corpus that a configuration names.

    Raises:
        TrainingFileError, DataError, IndexedDatasetError: it cannot be read.
        ConfigError: it holds nothing to train on.
    """
    path = Path(config.data)
    corpus = Corpus(load_training(path), path.parent)
    if not corpus.train:
        raise ConfigError(f"{path} has no dataset of the split train")
    return corpus


def cut_of(config: TrainConfig) -> Cut:
    """How a configuration wants sequences cut."""
    return Cut(config.sequence_length, config.mask_documents, config.reset_positions)


def num_steps_of(config: TrainConfig, corpus: Corpus) -> int:
    """Steps of the run: as given, or as many as the tokens of the plan make, one at least."""
    if config.steps is not None:
        return config.steps
    wanted = sum(dataset.num_tokens for dataset in corpus.training.of_split("train"))
    return max(1, wanted // (config.batch.sequences * config.sequence_length))


def order_identity(config: TrainConfig, corpus: Corpus, num_samples: int) -> dict[str, Any]:
    """What the global order of samples is a function of, as JSON gives it back."""
    weights = {dataset.name: dataset.weight for dataset in corpus.training.of_split("train")}
    return {
        "seed": config.seed,
        "sequence_length": config.sequence_length,
        "datasets": [[data.name, data.num_tokens, weights[data.name]] for data in corpus.train],
        # Stages are shares of the whole run: its length changes their places.
        "stages": [
            [start, dict(weights)]
            for start, weights in (corpus.stages(num_samples) if corpus.training.stages else [])
        ],
    }


def other_order(path: Path, was: dict[str, Any], now: dict[str, Any]) -> str:
    """The message that a checkpoint is of another order of samples."""
    parts = [f"{key} was {was.get(key)}, is {now[key]}" for key in now if was.get(key) != now[key]]
    return (
        f"{path} was trained on samples in another order ({'; '.join(parts)}), so which were seen"
        " cannot be said: restore the configuration and corpus, or train into another folder"
    )
