"""What follows from a configuration: its corpus, the run's length, and what a process reads."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from glotmill.schemas.training import load_training
from glotmill.trainer.config import ConfigError, ModelSource, TrainConfig
from glotmill.trainer.convert import convert, converted
from glotmill.trainer.data import Corpus, Cut, Loader
from glotmill.trainer.order import SampleOrder

if TYPE_CHECKING:  # torch is not needed to read configurations
    from glotmill.trainer.world import World


def check_out(config: TrainConfig) -> None:
    """Whether a run may write into its folder.

    Raises:
        ConfigError: it would write over its corpus or its model.
    """
    out, start = Path(config.out).resolve(), config.model.start
    if out == Path(config.data).resolve().parent:
        raise ConfigError(f"{out} is the folder of the corpus: 'out' must be one of its own")
    if start and Path(start).resolve() == out / "model":
        raise ConfigError(f"{start} is where this run saves its model: choose another 'out'")


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
    cut = Cut(config.sequence_length, config.mask_documents, config.reset_positions)
    return Corpus(training, folder, cut, packed=config.tokens == "packed")


def _check_tokenizer(config: TrainConfig, made: Path) -> None:
    """Compare the vocabularies of the model and of the tokens, where both are tokenizer.json."""
    if made.name != "tokenizer.json" or not made.is_file():
        return
    if own := file_of(config.model, made.name):
        try:
            theirs, ours = (json.loads(each.read_bytes())["model"]["vocab"] for each in (own, made))
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{own} or {made} is no tokenizer: {error!r}") from None
        if theirs != ours:
            raise ConfigError(
                f"{own} numbers its pieces otherwise than {made}, which made the tokens:"
                " use the tokenizer of the model in the mix"
            )


def file_of(model: ModelSource, name: str) -> Path | None:
    """A file that lies with the model that training begins with; None where there is none."""
    if model.start is None:
        return None
    if model.path or Path(model.start).is_dir():
        found = Path(model.start, name)
        return found if found.is_file() else None
    try:
        from transformers.utils import cached_file

        told = ("gated_repo", "missing_entries", "connection_errors")
        options = {f"_raise_exceptions_for_{each}": False for each in told}
        on_hub = cached_file(model.start, name, **options)
    except (ImportError, OSError):  # told when the model is built
        return None
    return on_hub and Path(on_hub)


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
    return Loader(corpus, order, *sizes, position, *ranks, dict(skipped))


def num_steps_of(config: TrainConfig, corpus: Corpus, step: int, num_seen: int) -> int:
    """Steps of the run: as given, or as many as the tokens of the plan make, one at least.

    Args:
        config: of the run.
        corpus: that it reads.
        step: where the run stands.
        num_seen: samples that it has learned from, in batches of whatever size.

    Raises:
        ConfigError: more steps are done than are asked for.
    """
    if config.steps is None:
        left = corpus.num_samples - num_seen
        return max(1, step + max(0, left) // config.batch.sequences)
    if config.steps < step:
        raise ConfigError(f"steps is {config.steps:,}, but the run stands at step {step:,}")
    return config.steps


def num_samples_of(config: TrainConfig, corpus: Corpus) -> int:
    """Samples that stages are shares of; without steps they do not hang on the batch."""
    if config.steps is None:
        return corpus.num_samples
    return config.steps * config.batch.sequences
