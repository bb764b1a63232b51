"""What follows from a configuration: its corpus, the run's length, and what a process reads."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

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
        ConfigError: it holds nothing to train on, or nothing of a category to watch, or the model
            has another tokenizer.
    """
    path, folder = Path(config.data), Path(config.data).parent
    training = load_training(path)
    if not training.of_split("train"):
        raise ConfigError(f"{path} has no dataset of the split train")
    held_out = {each.category for each in training.of_split("validation")}
    if unknown := sorted(set(config.validation.watch) - held_out):
        raise ConfigError(
            f"validation.watch names {', '.join(unknown)}, of which {path} holds nothing out;"
            f" there are {', '.join(sorted(held_out)) or 'no others'}"
        )
    _check_tokenizer(config, folder / training.tokenizer.path)
    if config.tokens != "megatron":
        root, folder = folder, Path(config.out) / "tokens"
        world.first(lambda: convert(training, root, config.tokens, folder))
        training = converted(training, config.tokens, folder)
    return Corpus(training, folder, packed=config.tokens == "packed")


def _check_tokenizer(config: TrainConfig, made: Path) -> None:
    """Compare the vocabularies of the model and of the tokens, where both are tokenizer.json."""
    folder = config.model.path or config.model.transformers
    own = Path(folder or "", "tokenizer.json")
    files = (own, made)
    if folder and all(each.name == own.name and each.is_file() for each in files):
        theirs, ours = (json.loads(each.read_bytes())["model"]["vocab"] for each in files)
        if theirs != ours:
            raise ConfigError(
                f"{own} numbers its pieces otherwise than {made}, which made the tokens:"
                " use the tokenizer of the model in the mix"
            )


def cut_of(config: TrainConfig) -> Cut:
    """How a configuration wants sequences cut."""
    return Cut(config.sequence_length, config.mask_documents, config.reset_positions)


def loader_of(
    config: TrainConfig,
    corpus: Corpus,
    order: SampleOrder,
    world: World,
    position: int = 0,
    skipped: Iterable[tuple[int, int]] = (),
) -> Loader:
    """What a process reads from a position on, without the samples that are left out."""
    sizes, ranks = (config.batch.sequences, config.batch.micro), (world.rank, world.num_ranks)
    return Loader(corpus, order, cut_of(config), *sizes, position, *ranks, dict(skipped))


def num_steps_of(config: TrainConfig, corpus: Corpus) -> int:
    """Steps of the run: as given, or as many as the tokens of the plan make, one at least."""
    all_of_plan = corpus.num_samples(config.sequence_length) // config.batch.sequences
    return config.steps or max(1, all_of_plan)
