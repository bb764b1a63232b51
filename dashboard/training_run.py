"""A run of the trainer as its folder tells it, and whether it was trained on a corpus."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from glotmill.dashboard.training_log import (
    METRICS,
    SPIKES,
    Lines,
    Log,
    Spike,
    read_log,
    read_spikes,
)
from glotmill.schemas.training import TRAINING, Training
from glotmill.transforms import storage

CONFIG = "train.json"
_Integers = npt.NDArray[np.int64]


class TrainingRunError(ValueError):
    """A folder that is no run of the trainer, or one of another corpus."""


class _Options(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Shape(_Options):
    """A new model."""

    hidden_size: int
    num_hidden_layers: int


class ModelSource(_Options):
    """What was trained: one of the three."""

    path: str | None = None
    transformers: str | None = None
    shape: Shape | None = None

    def __str__(self) -> str:
        if self.shape is not None:
            return f"new, {self.shape.num_hidden_layers} layers of {self.shape.hidden_size}"
        return self.transformers or os.path.basename((self.path or "").rstrip("/"))


class Batch(_Options):
    """Sequences of a step."""

    sequences: int


class Optimizer(_Options):
    """Its highest learning rate."""

    lr: float


class Schedule(_Options):
    """Of the learning rate."""

    kind: str


class RunConfig(_Options):
    """What the page shows of `train.json`, the configuration that the trainer ran with."""

    data: str
    model: ModelSource
    sequence_length: int
    steps: int | None = None
    batch: Batch
    optimizer: Optimizer
    schedule: Schedule


@dataclass(frozen=True)
class TrainingRun:
    """A run: its configuration and what it told so far.

    Attributes:
        name: its folder's, made unlike that of any other run on the page.
        folder: as it was given.
    """

    name: str
    folder: str
    config: RunConfig
    log: Log
    spikes: Lines[Spike]

    @property
    def step(self) -> int:
        """The last step that it told of."""
        steps = [line.step for line in self.log.steps[-1:]]
        return max(steps + [line.step for line in self.log.validations[-1:]], default=0)

    @property
    def num_steps(self) -> int | None:
        """Length of the run, where its configuration says."""
        return self.config.steps

    @property
    def seen(self) -> Mapping[str, int]:
        """Tokens of each label learned from, up to the last validation."""
        return self.log.stretches[-1].seen if self.log.stretches else {}

    def tokens_at(self, steps: Sequence[int]) -> list[int]:
        """Tokens learned from after each of some steps; between two lines, in proportion."""
        at, seen = self._known
        return [round(float(count)) for count in np.interp(steps, at, seen)]

    @functools.cached_property
    def _known(self) -> tuple[_Integers, _Integers]:
        """Steps, and the tokens learned from after each."""
        known = {0: 0} | {line.step: sum(line.seen.values()) for line in self.log.stretches}
        known |= {line.step: line.num_tokens for line in self.log.steps}
        at = sorted(known)
        return np.array(at), np.array([known[step] for step in at])


def read_runs(root: str, folders: Sequence[str]) -> tuple[Training, list[TrainingRun]]:
    """The runs of some folders, and what the corpus offers for training.

    Args:
        root: the output directory of the corpus.
        folders: `out` of each run.

    Raises:
        TrainingRunError: a folder is no run, or one of another corpus, or the corpus has no tokens.
    """
    if not storage.exists(f"{root}/{TRAINING}"):
        raise TrainingRunError(
            f"{root} has no {TRAINING}: nothing was trained on it; output.tokens of the recipe"
            " writes what the trainer reads"
        )
    training = Training.model_validate(yaml.safe_load(storage.read_bytes(f"{root}/{TRAINING}")))
    folders = list({os.path.abspath(folder): folder for folder in folders}.values())
    names = run_names(folders)
    runs = [_read_run(name, folder) for name, folder in zip(names, folders, strict=True)]
    for run in runs:
        check_corpus(run, root, training)
    return training, runs


def run_names(folders: Sequence[str]) -> list[str]:
    """What runs are called: by as many of the last parts of their paths as tell them apart.

    >>> run_names(["runs/a/", "runs/b"]), run_names(["x/out", "y/out"])
    (['a', 'b'], ['x/out', 'y/out'])
    """
    parts = [os.path.abspath(folder).split(os.sep) for folder in folders]
    names: list[str] = []
    for length in range(1, max(map(len, parts), default=0) + 1):
        names = ["/".join(each[-length:]) for each in parts]
        if len(set(names)) == len(names):
            break
    return names


def _read_run(name: str, folder: str) -> TrainingRun:
    folder = folder.rstrip("/")
    for file in (CONFIG, METRICS):
        if not storage.exists(f"{folder}/{file}"):
            raise TrainingRunError(
                f"{folder} has no {file}, so it is no run of the trainer; give its train.yaml, or"
                " the folder that 'out' in it names"
            )
    try:
        config = RunConfig.model_validate_json(storage.read_bytes(f"{folder}/{CONFIG}"))
    except ValidationError as error:
        found = error.errors()[0]
        where = ".".join(map(str, found["loc"])) or "the file"
        raise TrainingRunError(f"{folder}/{CONFIG}: {where}: {found['msg']}") from None
    log = read_log(storage.read_bytes(f"{folder}/{METRICS}"))
    spikes = f"{folder}/{SPIKES}"
    content = storage.read_bytes(spikes) if storage.exists(spikes) else b""
    return TrainingRun(name, folder, config, log, read_spikes(content))


def check_corpus(run: TrainingRun, root: str, training: Training) -> None:
    """Makes sure that a run was trained on a corpus.

    What tells a corpus is how many tokens of each label its plan wants: the run notes them, and
    they hold wherever corpus and run were moved to. Before its first note the path has to do.

    Raises:
        TrainingRunError: on another one, or before the corpus was made anew.
    """
    is_there = os.path.realpath(os.path.dirname(run.config.data)) == os.path.realpath(root)
    noted = run.log.stretches[-1].planned if run.log.stretches else {}
    planned = training.planned_tokens()
    if noted == planned if noted else is_there:
        return
    if not is_there:
        raise TrainingRunError(
            f"{run.folder} was trained on another corpus, {run.config.data}, not on {root}"
        )
    label = min(label for label in {*noted, *planned} if noted.get(label) != planned.get(label))
    raise TrainingRunError(
        f"{run.folder} was trained before {root} was made anew: of {label} the plan wanted"
        f" {noted.get(label, 0):,} tokens then, and wants {planned.get(label, 0):,} now; train"
        " again, or run the earlier recipe into another folder"
    )
