"""Find a learning rate: short runs at rising rates from the same weights on the same samples."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass
from statistics import mean

from rich.console import Console

from glotmill.trainer.config import TrainConfig
from glotmill.trainer.data import Corpus
from glotmill.trainer.learner import Learner
from glotmill.trainer.plan import loader_of, open_corpus
from glotmill.trainer.spikes import SpikeWatch
from glotmill.trainer.world import World

_RATES = (1e-5, 3e-5, 1e-4, 2e-4, 3e-4, 6e-4, 1e-3, 3e-3, 1e-2)
_NUM_STEPS, _WARMUP = 60, 10


@dataclass(frozen=True)
class Trial:
    """A short run: its rate, the mean loss of its last quarter, and whether it was stable."""

    rate: float
    loss: float
    stable: bool


def find_rate(config: TrainConfig, world: World, console: Console) -> float | None:
    """The largest rate of a grid whose run is stable, named with the others on the console.

    Stable is a run without a spike whose last quarter is no worse than its second.

    Returns:
        None where not even the smallest is.
    """
    corpus = open_corpus(config, world)
    best = None
    for rate in _RATES:
        trial = _try(rate, config, corpus, world)
        verdict = "stable" if trial.stable else "not stable"
        console.print(f"lr {rate:.0e}: loss {trial.loss:.4f}, {verdict}")
        if not trial.stable:
            break
        best = rate
    named = "no rate of the grid is stable" if best is None else f"largest stable lr: {best:.0e}"
    console.print(named)
    return best


def _try(rate: float, config: TrainConfig, corpus: Corpus, world: World) -> Trial:
    learner = Learner(config, corpus.training.tokenizer.vocab_size, len(corpus.groups), world)
    num_samples = _NUM_STEPS * config.batch.sequences
    order = corpus.order(config.sequence_length, num_samples, config.seed)
    watch = SpikeWatch(config.spikes.model_copy(update={"window": 16}))
    losses: list[float] = []
    with closing(iter(loader_of(config, corpus, order, world))) as steps:
        for number in range(_NUM_STEPS):
            loss = learner.backward(next(steps)).loss
            if watch.is_spike(loss):
                return Trial(rate, loss, stable=False)
            losses.append(loss)
            if not math.isfinite(learner.update(rate * min(1.0, (number + 1) / _WARMUP))):
                return Trial(rate, loss, stable=False)
    quarter = _NUM_STEPS // 4
    last, second = mean(losses[-quarter:]), mean(losses[quarter : 2 * quarter])
    return Trial(rate, last, stable=last <= second)
