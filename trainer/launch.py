"""Start a run: one process, or one of several that torchrun or Slurm has started."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import torch
from rich.console import Console

from glotmill.schemas.indexed_dataset import IndexedDatasetError
from glotmill.schemas.training import TrainingFileError
from glotmill.schemas.wording import counted
from glotmill.trainer.checkpoint import CheckpointError
from glotmill.trainer.config import ConfigError, TrainConfig, load_config
from glotmill.trainer.data import DataError
from glotmill.trainer.find_rate import find_rate
from glotmill.trainer.lock import FolderInUseError
from glotmill.trainer.loop import Trainer, TrainingError
from glotmill.trainer.shards import ShardError
from glotmill.trainer.summary import print_summary
from glotmill.trainer.world import World, join, leave

# A run that cannot be: the arguments or files are wrong. One that failed. As in `glotmill run`.
_WRONG, _FAILED, _INTERRUPTED = 2, 1, 130
_WRONG_INPUT = (ConfigError, TrainingFileError, DataError, IndexedDatasetError, ShardError)
_FAILURES = (CheckpointError, FolderInUseError, TrainingError, OSError)


def train(path: str | os.PathLike[str], *, find_lr: bool = False) -> int:
    """Train as a `train.yaml` says; go on from the last checkpoint of its folder, if any.

    Args:
        path: of the configuration.
        find_lr: look for the largest stable learning rate instead.

    Returns:
        Exit code: 0 done, or stopped by a signal and saved; 1 the run failed; 2 the
        configuration or the corpus is wrong.
    """
    world = None
    try:
        config = load_config(path)
        world = join(config.device)
        run_in(config, world, find_lr)
        leave()
        return 0
    except (*_WRONG_INPUT, *_FAILURES) as error:
        who = "" if world is None or world.is_first else f"process {world.rank}: "
        print(f"{who}{error}", file=sys.stderr)
        # Not left: others may be in the midst of a sum, and NCCL would wait for them.
        return _WRONG if isinstance(error, _WRONG_INPUT) else _FAILED


def run_in(config: TrainConfig, world: World, find_lr: bool) -> None:
    """Train, or look for a learning rate, among processes that have met."""
    console = Console(quiet=not world.is_first, stderr=True)
    if config.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
    if find_lr:
        find_rate(config, world, console)
        return
    trainer = Trainer(config, world)
    listen(trainer)
    where = f"step {trainer.state.step:,} of {trainer.num_steps:,}"
    processes = counted(world.num_ranks, "process", "processes")
    console.print(f"{where}, {processes} on {world.device.type}")
    outcome = trainer.run()
    console.print(f"{outcome} at step {trainer.state.step:,}; see {trainer.out}")
    if world.is_first and outcome == "finished":
        print_summary(Path(config.out), Console())


def listen(trainer: Trainer) -> None:
    """Save and leave on SIGTERM, and on SIGUSR1, which Slurm sends ahead of a time limit."""

    def note(*_: object) -> None:
        trainer.stop = True

    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, note)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of `python -m glotmill.trainer`."""
    parser = argparse.ArgumentParser(prog="python -m glotmill.trainer", description=__doc__)
    parser.add_argument("config", help="train.yaml")
    parser.add_argument("--find-lr", action="store_true", help="find the largest stable rate")
    given = parser.parse_args(arguments)
    if threads := os.environ.get("OMP_NUM_THREADS"):
        torch.set_num_threads(int(threads))
    try:
        return train(given.config, find_lr=given.find_lr)
    except KeyboardInterrupt:
        print("interrupted; a run goes on from its last checkpoint", file=sys.stderr)
        return _INTERRUPTED
    except Exception:  # told at once, as the end of the interpreter waits for other processes
        traceback.print_exc()
        return _FAILED


def end_process(code: int) -> NoReturn:
    """End this process, without winding the interpreter down.

    Threads of torch's process groups outlive the groups, and under them an interpreter that winds
    down may abort ("terminate called without an active exception") after all is done.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
