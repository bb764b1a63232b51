"""What follows from a configuration and its corpus: the run's length, and what its order is of."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glotmill.schemas.training import load_training
from glotmill.trainer.config import ConfigError, TrainConfig
from glotmill.trainer.convert import convert, converted
from glotmill.trainer.data import Corpus, Cut, Loader
from glotmill.trainer.order import SampleOrder

if TYPE_CHECKING:  # torch is not needed to read configurations
    from glotmill.trainer.world import World


def open_corpus(config: TrainConfig, world: World) -> Corpus:
    """The corpus that a configuration names; the first process converts lists of tokens.

    Raises:
        TrainingFileError, DataError, IndexedDatasetError: it cannot be read.
        ShardError: lists of tokens cannot be converted.
        ConfigError: it holds nothing to train on.
    """
    path, folder = Path(config.data), Path(config.data).parent
    training = load_training(path)
    if not training.of_split("train"):
        raise ConfigError(f"{path} has no dataset of the split train")
    if config.tokens != "megatron":
        root, folder = folder, Path(config.out) / "tokens"
        world.first(lambda: convert(training, root, config.tokens, folder))
        training = converted(training, config.tokens, folder)
    return Corpus(training, folder, packed=config.tokens == "packed")


def cut_of(config: TrainConfig) -> Cut:
    """How a configuration wants sequences cut."""
    return Cut(config.sequence_length, config.mask_documents, config.reset_positions)


def loader_of(
    config: TrainConfig,
    corpus: Corpus,
    order: SampleOrder,
    world: World,
    position: int = 0,
    skipped: Iterable[int] = (),
) -> Loader:
    """What a process reads from a position on, without the batches that are left out."""
    batch, left_out = config.batch, frozenset(skipped)
    sizes, ranks = (batch.sequences, batch.micro), (world.rank, world.num_ranks)
    return Loader(corpus, order, cut_of(config), *sizes, position, *ranks, left_out)


def num_steps_of(config: TrainConfig, corpus: Corpus) -> int:
    """Steps of the run: as given, or as many as the tokens of the plan make, one at least."""
    if config.steps is not None:
        return config.steps
    return max(1, corpus.num_samples(config.sequence_length) // config.batch.sequences)


def order_identity(config: TrainConfig, corpus: Corpus, num_samples: int) -> dict[str, Any]:
    """What the global order of samples is a function of, as JSON gives it back."""
    weights = {dataset.name: dataset.weight for dataset in corpus.training.of_split("train")}
    return {
        "seed": config.seed,
        "sequence_length": config.sequence_length,
        "datasets": [[data.name, data.num_places, weights[data.name]] for data in corpus.train],
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
