"""Find a learning rate: short runs at rising rates from the same weights on the same samples."""

from __future__ import annotations

import gc
import math
from contextlib import closing
from statistics import mean, variance

from rich.console import Console

from glotmill.trainer.config import TrainConfig
from glotmill.trainer.data import Corpus
from glotmill.trainer.learner import Learner
from glotmill.trainer.plan import check_out, loader_of, open_corpus
from glotmill.trainer.spikes import spike_limit
from glotmill.trainer.world import World

_RATES = (1e-5, 3e-5, 1e-4, 2e-4, 3e-4, 6e-4, 1e-3, 3e-3, 1e-2)
_NUM_STEPS, _WARMUP, _WINDOW = 60, 10, 16
# Of a run so long that no stage but the first begins within these steps.
_NUM_SAMPLES = 1 << 40


def find_rate(config: TrainConfig, world: World, console: Console) -> float | None:
    """The largest rate of a grid whose run is stable, named with the others on the console.

    Stable is a run without a spike whose last quarter is no worse than its second and than the
    loss before the first step, but for noise.

    Returns:
        None where none is.
    """
    check_out(config)
    corpus = open_corpus(config, world)
    best = None
    for rate in _RATES:
        loss, stable = _try(rate, config, corpus, world)
        gc.collect()  # of its model, before the next one is made
        console.print(f"lr {rate:.0e}: loss {loss:.4f}, {'stable' if stable else 'not stable'}")
        best = rate if stable else best
    named = "no rate of the grid is stable" if best is None else f"largest stable lr: {best:.0e}"
    console.print(named)
    return best


def _try(rate: float, config: TrainConfig, corpus: Corpus, world: World) -> tuple[float, bool]:
    """The mean loss of the last quarter of a short run, or of its spike; whether it was stable."""
    learner = Learner(config, corpus.training.tokenizer.vocab_size, len(corpus.groups), world)
    order = corpus.order(_NUM_SAMPLES, config.seed)
    options = config.spikes.model_copy(update={"window": _WINDOW})
    losses: list[float] = []
    with closing(iter(loader_of(config, corpus, order, world))) as steps:
        while len(losses) < _NUM_STEPS:
            loss, limit = learner.backward(next(steps)).loss, spike_limit(losses, options)
            losses.append(loss)
            norm = learner.update(rate * min(1.0, len(losses) / _WARMUP))
            if not (math.isfinite(norm) and loss <= limit):
                return loss, False
    quarter = _NUM_STEPS // 4
    last, second = losses[-quarter:], losses[quarter : 2 * quarter]
    # At a small rate, batches differ by more than is learned between the quarters.
    error = math.sqrt((variance(last) + variance(second)) / quarter)
    harmed = mean(last) - losses[0] > 2 * math.sqrt(variance(second))
    return mean(last), not harmed and mean(last) - mean(second) <= 2 * error
