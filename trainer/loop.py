"""The run: steps, validation, spikes and checkpoints, from wherever it stood."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from glotmill.schemas.wording import counted
from glotmill.trainer.checkpoint import Checkpoints, check_same, settings_of_both
from glotmill.trainer.config import TrainConfig
from glotmill.trainer.data import Step, make_batch, places_of_rank
from glotmill.trainer.learner import Learner, Sums
from glotmill.trainer.metrics import Breakdown, MetricsLog, finite, forgetting
from glotmill.trainer.plan import (
    check_out,
    file_of,
    loader_of,
    num_samples_of,
    num_steps_of,
    open_corpus,
)
from glotmill.trainer.schedule import rate_at
from glotmill.trainer.speed import Clock
from glotmill.trainer.spikes import spike_limit
from glotmill.trainer.weights import save_weights
from glotmill.trainer.world import World

_VIEWS = ["all", "category", "tier", "source", "label"]
# Steps in a row of which nothing could be learned, after which a run is over.
_MAX_LOST = 10


class TrainingError(Exception):
    """A run that cannot go on."""


@dataclass
class RunState:
    """Where a run stands: all of it that weights and moments do not say.

    Attributes:
        order: what the global order is a function of.
        seen: tokens by group, since the start.
        losses: sum by group, since the last validation.
        counts: tokens by group, since the last validation.
        step: steps done.
        position: samples passed, in the global order.
        window: losses that spikes are told by.
        skipped: batches that were left out, after a rewind each: position, number of samples.
        first: losses by category of the first validation.
        model: the settings of the model.
    """

    order: dict[str, Any]
    seen: list[float]
    losses: list[float]
    counts: list[float]
    step: int = 0
    position: int = 0
    window: list[float] = field(default_factory=list)
    skipped: list[tuple[int, int]] = field(default_factory=list)
    first: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)


class Trainer:
    """A run of training.

    Attributes:
        state: where it stands.
        learner: the model and its optimiser.
        stop: set by a signal; all processes then save after the same step and leave.
        on_step: called with every step that this process is about to learn from.
    """

    def __init__(self, config: TrainConfig, world: World) -> None:
        """Opens the corpus, builds the model, and goes on from the last checkpoint, if any.

        Raises:
            TrainingFileError, DataError, IndexedDatasetError: the corpus cannot be read.
            ConfigError: the model or the folder cannot be used.
            CheckpointError: the last checkpoint is damaged, or of another order of samples or
                another model.
            FolderInUseError: another run is training into the folder.
        """
        self.config, self.world, self.out = config, world, Path(config.out)
        self.stop, self._stopping, self._num_lost = False, False, 0
        self.on_step: Callable[[Step], None] = lambda step: None
        check_out(config)
        self._checkpoints = Checkpoints(self.out / "checkpoints", config.checkpoints, world)
        self.corpus = open_corpus(config, world)
        groups, training = self.corpus.groups, self.corpus.training
        self.learner = Learner(config, training.tokenizer.vocab_size, len(groups), world)
        num_samples = num_samples_of(config, self.corpus)
        self._stages = self.corpus.stages(num_samples)
        self._order = self.corpus.order(num_samples, config.seed)
        self._breakdown = Breakdown(groups, training)
        zeros = [0.0] * len(groups)
        order = {**self._order.identity, "content": self.corpus.content()}
        self.state = RunState(order, zeros, zeros, zeros, model=self.learner.settings)
        self._resume()
        state = self.state
        num_skipped = sum(size for start, size in state.skipped if start < state.position)
        num_seen = state.position - num_skipped
        self.num_steps = num_steps_of(config, self.corpus, state.step, num_seen)

    # ---- a run from beginning to end

    def run(self) -> Literal["finished", "stopped"]:
        """Train to the last step, or until `stop` is true.

        Returns:
            Whether all steps were done.
        """
        self._open_log()
        self._clock = Clock(self.learner.model, self.config, self.world)
        try:
            while self._goes_on():
                self._train()
            self._checkpoints.wait()
            if self.state.step < self.num_steps:
                return "stopped"
            self._validate()
            self._save_model()
            return "finished"
        finally:
            self._checkpoints.wait()
            if self._log is not None:
                self._log.close()

    def _goes_on(self) -> bool:
        return self.state.step < self.num_steps and not self._stopping

    def _train(self) -> None:
        """Step after step, until the last, a stop, or a rewind."""
        where = (self.state.position, self.state.skipped)
        loader = loader_of(self.config, self.corpus, self._order, self.world, *where)
        with closing(iter(loader)) as steps:
            while self._goes_on():
                # After the checkpoint of this step, which may be wanted soon.
                if self.state.step % self.config.validation.every == 0:
                    self._validate()
                step = self._clock.wait_for(steps)
                self.on_step(step)
                if not self._learn(step):
                    return
                self._after_step()

    def _learn(self, step: Step) -> bool:
        """One step; False where the run went back to a checkpoint."""
        # Nothing of ours draws numbers in training; a model of transformers may have dropout.
        seed = self.config.seed * 1_000_003 + step.position + self.world.rank
        torch.manual_seed(seed % 2**63)
        stop = self.stop or self._checkpoints.failed  # then all fail when they save
        sums = self.learner.backward(step, stop)
        self._stopping = sums.stop
        now = range(self.state.position, step.position + step.num_samples)  # with those left out
        if any(start in now for start, _ in self._stages):
            self.state.window = []  # of other text
        limit = spike_limit(self.state.window, self.config.spikes)
        finite = math.isfinite(sums.loss)
        spike = not finite or sums.loss > limit
        if spike:
            self._write_spike(step, sums.loss, limit)
            if self._rewind(step, sums.loss):
                return False
        share = rate_at(self.state.step, self.num_steps, self.config.schedule)
        values = {"loss": sums.loss, "learning_rate": share * self.config.optimizer.lr}
        if spike and (self.config.spikes.action != "log" or not finite):
            self.learner.discard()
        else:
            values["gradient_norm"] = self.learner.update(values["learning_rate"])
            finite = finite and math.isfinite(values["gradient_norm"])
        self._count_lost(finite)
        self._note(step, sums)
        self._tell(values, sums)
        return True

    def _count_lost(self, finite: bool) -> None:
        """End a run whose weights have overflowed, before they fill all its checkpoints."""
        self._num_lost = 0 if finite else self._num_lost + 1
        if self._num_lost == _MAX_LOST:
            raise TrainingError(
                f"step {self.state.step}: loss or gradient was no number for {_MAX_LOST} steps in a"
                f" row: lower optimizer.lr, and remove the checkpoints in {self.out} from the spike"
                " before that on, or train into another folder"
            )

    def _note(self, step: Step, sums: Sums) -> None:
        state = self.state
        state.step += 1
        state.position = step.position + step.num_samples
        state.seen = np.add(state.seen, sums.counts).tolist()
        if math.isfinite(sums.loss):
            state.counts = np.add(state.counts, sums.counts).tolist()
            state.losses = np.add(state.losses, sums.losses).tolist()
            # Spikes too: a median withstands a few, and a loss that stays is no spike any more.
            state.window = [*state.window, sums.loss][-self.config.spikes.window :]
        self._clock.count(step.num_samples * self.config.sequence_length)

    def _after_step(self) -> None:
        due = self.state.step % self.config.checkpoints.every == 0
        if due or not self._goes_on():
            learner = self.learner
            with self._clock.paused():
                self._checkpoints.save(learner.model, learner.optimizer, asdict(self.state))

    def _save_model(self) -> None:
        """The weights as `transformers` reads them, and the tokenizer."""
        folder, aside, learner = self.out / "model", self.out / "model.tmp", self.learner
        self.world.first(lambda: shutil.rmtree(aside, ignore_errors=True))
        options = {"group": self.world.control, "writes": self.world.is_first}
        save_weights(learner.model, aside, self._model_json(), learner.dtype, **options)
        if self.world.is_first:
            tokenizer = Path(self.config.data).parent / self.corpus.training.tokenizer.path
            ends = file_of(self.config.model, "generation_config.json")
            for file in (ends, *tokenizer.parent.glob("tokenizer*")):
                if file is not None and file.is_file():
                    shutil.copy(file, aside / file.name)
            shutil.rmtree(folder, ignore_errors=True)
            aside.rename(folder)

    def _model_json(self) -> dict[str, Any]:
        """The model's `config.json`; that of a new one says where text ends, as others do."""
        content, tokenizer = self.learner.config_json, self.corpus.training.tokenizer
        if self.config.model.start:
            return content
        ends = {"bos_token_id": tokenizer.bos_id, "eos_token_id": tokenizer.eos_id}
        return {**content, **ends, "max_position_embeddings": self.config.sequence_length}

    # ---- where it stood

    def _resume(self) -> None:
        if (last := self._checkpoints.last()) is None:
            return
        state = RunState(**self._checkpoints.state(last))
        check_same(last, "order of samples", state.order, self.state.order)
        model = settings_of_both(state.model, self.state.model)
        check_same(last, "model", state.model, model)
        self._checkpoints.load(last, self.learner.model, self.learner.optimizer)
        state.model = self.state.model
        self.state = state

    def _rewind(self, step: Step, loss: float) -> bool:
        """Go back to the last checkpoint after a spike, if that is wanted and there is one."""
        if self.config.spikes.action != "rewind":
            return False
        self._checkpoints.wait()
        if self._checkpoints.last() is None:
            return False
        self.learner.discard()
        skipped = self.state.skipped
        if len(skipped) >= self.config.spikes.max_rewinds:
            raise TrainingError(
                f"step {self.state.step}: loss {loss:.4g} leapt again after"
                f" {counted(len(skipped), 'rewind')}: lower optimizer.lr, and look at the documents"
                f" in {self.out / 'spikes.jsonl'}"
            )
        self._resume()
        self.state.skipped = [*skipped, (step.position, step.num_samples)]
        self.world.first(lambda: self._checkpoints.amend(asdict(self.state)))
        if self._log is not None:
            self._log.close()
        self._open_log()
        return True

    # ---- what is told

    def _open_log(self) -> None:
        self._log: MetricsLog | None = None
        state = self.state
        if self.world.is_first:
            (self.out / "train.json").write_text(self.config.model_dump_json(indent=2) + "\n")
            self._log = MetricsLog(self.out, state.step, self.config.tensorboard)
        self._validated = -1
        if self.world.gather(self._log is not None and self._log.is_validated)[0]:
            self._forget_losses()  # of which the lines that stay tell

    def _write(self, kind: str, **values: Any) -> None:
        if self._log is not None:
            self._log.write(kind, self.state.step, **values)

    def _tell(self, values: dict[str, float], sums: Sums) -> None:
        state = self.state
        if state.step % self.config.log_every == 0 or state.step == self.num_steps:
            views = self._breakdown.of(sums.losses, sums.counts, ["category", "tier"])
            where = {"position": state.position, "num_tokens": int(sum(state.seen))}
            self._write("train", **values, **where, **self._clock.lap(), **views)

    def _write_spike(self, step: Step, loss: float, limit: float) -> None:
        if self.world.is_first:
            places = zip(*self._order.samples(step.position, step.num_samples), strict=True)
            documents = self.corpus.documents_of(places)
            where = {"step": self.state.step, "position": step.position}
            line = {**where, "loss": loss, "limit": limit, "documents": list(documents)}
            with (self.out / "spikes.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(finite(line), default=_text_of) + "\n")

    def _validate(self) -> None:
        """Lines on the validation split, and on the training text since, once for a step."""
        state, breakdown = self.state, self._breakdown
        if self._validated == state.step:
            return
        with self._clock.paused():
            sums = self._validation_sums()
            now = breakdown.of(sums.losses, sums.counts, _VIEWS)
            state.first = state.first or now["category"]
            worse = forgetting(state.first, now["category"], self.config.validation.watch)
            self._write("validation", **now, forgetting=worse)
            parts = breakdown.of(state.losses, state.counts, _VIEWS)
            seen = breakdown.of(state.seen, state.seen, ["label"])["label"]
            tokens = {label: part["num_tokens"] for label, part in seen.items()}
            planned = self.corpus.training.planned_tokens()
            self._write("train_parts", **parts, seen=tokens, planned=planned)
        self._forget_losses()

    def _forget_losses(self) -> None:
        """Begin anew with the losses that the next validation tells; the step has told its own."""
        state = self.state
        self._validated, state.losses = state.step, [0.0] * len(state.seen)
        state.counts = state.losses

    def _validation_sums(self) -> Sums:
        config, corpus = self.config, self.corpus
        places = corpus.validation_places(config.validation.max_sequences)
        mine = places_of_rank(places, self.world.rank, self.world.num_ranks, config.batch.micro)
        batches = (make_batch(corpus.validation, each, corpus.cut) for each in mine)
        return self.learner.evaluate(batches)


def _text_of(value: Any) -> str:
    """Hashes as hexadecimal, for JSON."""
    return value.hex() if isinstance(value, bytes) else str(value)
