"""The run: steps, validation, spikes and checkpoints, from wherever it stood."""

from __future__ import annotations

import json
import math
import shutil
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from glotmill.trainer.checkpoint import CheckpointError, Checkpoints
from glotmill.trainer.config import TrainConfig
from glotmill.trainer.data import Loader, Step, make_batch, places_of_rank, validation_places
from glotmill.trainer.learner import Learner, Sums
from glotmill.trainer.metrics import Breakdown, MetricsLog, forgetting
from glotmill.trainer.plan import (
    cut_of,
    loader_of,
    num_steps_of,
    open_corpus,
    order_identity,
    other_order,
)
from glotmill.trainer.schedule import rate_at
from glotmill.trainer.speed import Clock, flops_per_token, peak_flops
from glotmill.trainer.spikes import SpikeWatch
from glotmill.trainer.weights import save_weights
from glotmill.trainer.world import World

_VIEWS = ["all", "category", "tier", "source", "label"]


class TrainingError(Exception):
    """A run that cannot go on."""


@dataclass
class RunState:
    """Where a run stands: all of it that weights and moments do not say.

    Attributes:
        step: steps done.
        position: samples passed, in the global order.
        order: what the global order is a function of.
        seen: tokens by group, since the start.
        losses: sum by group, since the last validation.
        counts: tokens by group, since the last validation.
        window: losses that spikes are told by.
        skipped: positions of batches that were left out.
        num_rewinds: how often the run went back.
        first: losses by category of the first validation.
    """

    step: int = 0
    position: int = 0
    order: dict[str, Any] = field(default_factory=dict)
    seen: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    counts: list[float] = field(default_factory=list)
    window: list[float] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)
    num_rewinds: int = 0
    first: dict[str, Any] = field(default_factory=dict)


class Trainer:
    """A run of training.

    Attributes:
        stop: set by a signal; all processes then save after the same step and leave.
        on_step: called with every step that this process is about to learn from.
    """

    def __init__(self, config: TrainConfig, world: World) -> None:
        """Opens the corpus, builds the model, and goes on from the last checkpoint, if any.

        Raises:
            TrainingFileError, DataError, IndexedDatasetError: the corpus cannot be read.
            ConfigError: the model cannot be used.
            CheckpointError: the last checkpoint is damaged, or of another order of samples.
        """
        self.config, self.world = config, world
        self.stop = threading.Event()
        self._stopping = False
        self.on_step: Callable[[Step], None] = lambda step: None
        self.out = Path(config.out)
        self.corpus = open_corpus(config, world)
        self.num_steps = num_steps_of(config, self.corpus)
        vocab_size = self.corpus.training.tokenizer.vocab_size
        self.learner = Learner(config, vocab_size, len(self.corpus.groups), world)
        num_samples = self.num_steps * config.batch.sequences
        self._order = self.corpus.order(config.sequence_length, num_samples, config.seed)
        self.state = RunState(order=order_identity(config, self.corpus, num_samples))
        self._checkpoints = Checkpoints(
            self.out / "checkpoints",
            config.checkpoints.keep,
            config.checkpoints.asynchronous,
            world,
        )
        self._breakdown = Breakdown(self.corpus.groups, self.corpus.training)
        self._clear_sums(since_start=True)
        self._resume()

    # ---- a run from beginning to end

    def run(self) -> Literal["finished", "stopped"]:
        """Train to the last step, or until `stop` is set.

        Returns:
            Whether all steps were done.
        """
        self._log = self._open_log()
        self._clock = self._new_clock()
        try:
            if self.state.step == 0:
                self._validate()
            while self._goes_on():
                self._train()
            return self._finish()
        finally:
            self._checkpoints.wait()
            if self._log is not None:
                self._log.close()

    def _goes_on(self) -> bool:
        return self.state.step < self.num_steps and not self._stopping

    def _new_clock(self) -> Clock:
        content, length = self.learner.config_json, self.config.sequence_length
        flops = flops_per_token(self.learner.model, content, length)
        peak = peak_flops(self.world.device, self.config.peak_flops)
        return Clock(flops, peak, self.world.num_ranks, self.world.device)

    def _open_log(self) -> MetricsLog | None:
        if not self.world.is_first:
            return None
        (self.out / "train.json").write_text(self.config.model_dump_json(indent=2) + "\n")
        return MetricsLog(self.out, self.state.step, self.config.tensorboard)

    def _train(self) -> None:
        """Step after step, until the last, a stop, or a rewind."""
        with closing(iter(self._loader())) as steps:
            while self._goes_on():
                step = self._clock.wait_for(steps)
                self.on_step(step)
                if not self._learn(step):
                    return
                self._after_step()

    def _loader(self) -> Loader:
        state = self.state
        where = (state.position, state.skipped)
        return loader_of(self.config, self.corpus, self._order, self.world, *where)

    def _learn(self, step: Step) -> bool:
        """One step; False where the run went back to a checkpoint."""
        # Nothing of ours draws numbers in training; a model of transformers may have dropout.
        torch.manual_seed(self.config.seed * 1_000_003 + step.position + self.world.rank)
        sums = self.learner.backward(step, self.stop.is_set())
        watch = SpikeWatch(self.config.spikes, self.state.window)
        limit, spike = watch.limit(), watch.is_spike(sums.loss)
        self._stopping = sums.stop
        if spike and not self._pass_spike(step, sums.loss, limit):
            return False
        share = rate_at(self.state.step, self.num_steps, self.config.schedule)
        values = {"loss": sums.loss, "learning_rate": share * self.config.optimizer.lr}
        if spike and (self.config.spikes.action != "log" or not math.isfinite(sums.loss)):
            self.learner.discard()
        else:
            values["gradient_norm"] = self.learner.update(values["learning_rate"])
        self._note(step, sums, watch.losses)
        self._tell(values, sums)
        return True

    def _note(self, step: Step, sums: Sums, window: list[float]) -> None:
        state = self.state
        state.step += 1
        state.position = step.position + step.num_samples
        state.window = window
        state.seen = _added(state.seen, sums.counts)
        if math.isfinite(sums.loss):
            state.counts = _added(state.counts, sums.counts)
            state.losses = _added(state.losses, sums.losses)
        self._clock.count(step.num_samples * self.config.sequence_length)

    def _tell(self, values: dict[str, float], sums: Sums) -> None:
        state = self.state
        if state.step % self.config.log_every == 0 or state.step == self.num_steps:
            views = self._breakdown.of(sums.losses, sums.counts, ["category", "tier"])
            where = {"position": state.position, "num_tokens": int(sum(state.seen))}
            self._write("train", **values, **where, **self._clock.lap(), **views)

    def _after_step(self) -> None:
        step, last = self.state.step, self.state.step == self.num_steps
        if step % self.config.validation.every == 0 or last:
            self._validate()
        if step % self.config.checkpoints.every == 0 or last or self._stopping:
            with self._clock.paused():
                self._checkpoints.save(*self._saved(), asdict(self.state))

    def _finish(self) -> Literal["finished", "stopped"]:
        self._checkpoints.wait()
        if self.state.step < self.num_steps:
            return "stopped"
        folder, writes = self.out / "model", self.world.is_first
        content = self.learner.config_json
        save_weights(self.learner.model, folder, content, self.learner.dtype, writes=writes)
        if writes:
            tokenizer = Path(self.config.data).parent / self.corpus.training.tokenizer.path
            if tokenizer.is_file():
                shutil.copy(tokenizer, folder / tokenizer.name)
        return "finished"

    # ---- where it stood

    def _saved(self) -> tuple[Any, Any]:
        return self.learner.model, self.learner.optimizer

    def _resume(self) -> None:
        if found := self._checkpoints.all():
            state = RunState(**self._checkpoints.load(found[-1], *self._saved()))
            if state.order != self.state.order:
                raise CheckpointError(other_order(found[-1], state.order, self.state.order))
            self.state = state

    def _clear_sums(self, since_start: bool = False) -> None:
        zeros = [0.0] * len(self.corpus.groups)
        self.state.losses, self.state.counts = zeros, zeros
        if since_start:
            self.state.seen = zeros

    # ---- spikes

    def _pass_spike(self, step: Step, loss: float, limit: float) -> bool:
        """Note a spike; False where the run went back to a checkpoint because of it."""
        self._write_spike(step, loss, limit)
        found = self._checkpoints.all()
        if self.config.spikes.action != "rewind" or not (found or self._checkpoints.busy):
            return True
        self._checkpoints.wait()
        self.learner.discard()
        if self.state.num_rewinds == self.config.spikes.max_rewinds:
            raise TrainingError(
                f"step {self.state.step}: loss {loss:.4g} leapt again after"
                f" {self.state.num_rewinds} rewinds: lower optimizer.lr, and look at the documents"
                f" in {self.out / 'spikes.jsonl'}"
            )
        skipped, rewinds = [*self.state.skipped, step.position], self.state.num_rewinds + 1
        self._resume()
        self.state.skipped, self.state.num_rewinds = skipped, rewinds
        if self._log is not None:
            self._log.close()
            self._log = self._open_log()
        return False

    def _write_spike(self, step: Step, loss: float, limit: float) -> None:
        if self.world.is_first:
            places = self._loader().places(step.position)
            documents = self.corpus.documents_of(places, self.config.sequence_length + 1)
            where = {"step": self.state.step, "position": step.position}
            line = {**where, "loss": loss, "limit": limit, "documents": list(documents)}
            with (self.out / "spikes.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, default=_text_of) + "\n")

    # ---- validation

    def _validate(self) -> None:
        with self._clock.paused():
            now = self._breakdown.of(*self._validation_sums(), _VIEWS)
            if not self.state.first:
                self.state.first = now["category"]
            watched = self.config.validation.watch
            worse = forgetting(self.state.first, now["category"], watched)
            self._write("validation", **now, forgetting=worse)
            self._write_parts_seen()

    def _validation_sums(self) -> tuple[list[float], list[float]]:
        config, data = self.config, self.corpus.validation
        stride = self.corpus.stride(config.sequence_length)
        places = validation_places(data, stride, config.validation.max_sequences)
        mine = places_of_rank(places, self.world.rank, self.world.num_ranks, config.batch.micro)
        cut = cut_of(config)
        sums = self.learner.evaluate(make_batch(data, each, cut) for each in mine)
        return sums.losses, sums.counts

    def _write_parts_seen(self) -> None:
        """A line on all parts of the training text since the last validation."""
        state, breakdown = self.state, self._breakdown
        parts = breakdown.of(state.losses, state.counts, _VIEWS)
        seen = breakdown.of(state.seen, state.seen, ["label"])["label"]
        tokens = {label: part["num_tokens"] for label, part in seen.items()}
        planned = self.corpus.training.planned_tokens()
        self._write("train_parts", **parts, seen=tokens, planned=planned)
        self._clear_sums()

    def _write(self, kind: str, **values: Any) -> None:
        if self._log is not None:
            self._log.write(kind, self.state.step, **values)


def _added(sums: list[float], more: list[float]) -> list[float]:
    return [one + other for one, other in zip(sums, more, strict=True)]


def _text_of(value: Any) -> str:
    """Hashes as hexadecimal, for JSON."""
    return value.hex() if isinstance(value, bytes) else str(value)
