"""Checkpoints: written aside and put in place whole, their files checked before they are read.

A checkpoint is a folder `step-00000500`: what `torch.distributed.checkpoint` writes, and
`checkpoint.json` with the state of the run and the checksum of every file. It is written as
`step-00000500.tmp` and renamed last, so a folder without that ending is complete.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch.distributed.checkpoint as dcp
import xxhash
from torch import nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.metadata import Metadata
from torch.distributed.checkpoint.planner import SavePlan, SavePlanner
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.checkpoint.storage import WriteResult
from torch.optim import Optimizer

from glotmill.trainer.config import Checkpoints as Options
from glotmill.trainer.lock import hold
from glotmill.trainer.world import World

_STATE, _SUM, _ASIDE = "checkpoint.json", ".xxh3", ".tmp"
_CHUNK = 1 << 22
# What the config.json of a model of `transformers` says of other things than what is computed, or
# one version writes and another does not.
_ABOUT = {
    *("_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version", "head_dim"),
    *("bos_token_id", "eos_token_id", "pad_token_id", "use_cache", "id2label", "label2id"),
}


class CheckpointError(Exception):
    """A checkpoint that is damaged, or belongs to another run."""


class _Writer(dcp.FileSystemWriter):
    """Writes aside; what the first process does last puts the checkpoint in place.

    All of it happens within the save, which may be in a thread: no other talk between processes
    is needed. Each process takes the checksums of the files that it wrote.
    """

    def __init__(self, folder: Path, state: dict[str, Any]) -> None:
        self._folder, self._state = folder, state
        self._aside = folder.with_name(folder.name + _ASIDE)
        super().__init__(self._aside, sync_files=True)

    def write_data(self, plan: SavePlan, planner: SavePlanner) -> Any:
        """Writes this process's files, and beside each its checksum."""
        done = super().write_data(plan, planner)
        results: list[WriteResult] = done.wait()
        for name in {result.storage_data.relative_path for result in results}:
            _write(self._aside / (name + _SUM), checksum(self._aside / name).encode())
        return done

    def finish(self, metadata: Metadata, results: list[list[WriteResult]]) -> None:
        """Writes what the first process writes once, then renames the folder."""
        super().finish(metadata, results)
        sums = {path.stem: path.read_text() for path in sorted(self._aside.glob(f"*{_SUM}"))}
        sums[".metadata"] = checksum(self._aside / ".metadata")
        for path in self._aside.glob(f"*{_SUM}"):
            path.unlink()
        _write(self._aside / _STATE, _state_text({"files": sums, "state": self._state}))
        self._aside.rename(self._folder)
        _sync_folder(self._folder.parent)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def checksum(path: Path) -> str:
    """The xxh3-128 of a file, in hexadecimal."""
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _checksum_of(content: dict[str, Any]) -> str:
    return xxhash.xxh3_128_hexdigest(json.dumps(content, sort_keys=True).encode())


def _state_text(content: dict[str, Any]) -> bytes:
    return json.dumps({"checksum": _checksum_of(content), **content}, indent=1).encode()


@contextmanager
def _told(done: str) -> Iterator[None]:
    """What torch tells of every process, with all their stacks, in a line."""
    try:
        yield
    except CheckpointException as error:
        found = "; ".join(sorted({repr(each) for each, _ in error.failures.values()}))
        raise CheckpointError(f"the checkpoint could not be {done}: {found}") from None


class Checkpoints:
    """The checkpoints of a run: one is being written at a time, the last few are kept."""

    def __init__(self, folder: Path, options: Options, world: World) -> None:
        """Keeps other runs out of the folder, and removes what one that was killed left there.

        Raises:
            FolderInUseError: another run is writing there.
        """
        self.folder, self._options, self._world = folder, options, world
        self._writing: Future[Any] | None = None
        world.first(self._clear)

    def _clear(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = hold(self.folder.parent)
        for left in self.folder.glob(f"*{_ASIDE}"):  # by a process that was killed
            shutil.rmtree(left)

    def all(self) -> list[Path]:
        """Complete checkpoints, oldest first."""
        return sorted(path for path in self.folder.glob("step-*") if path.name[5:].isdigit())

    def last(self) -> Path | None:
        """The last complete one, as the first process sees it: other machines may see it later."""
        found = self._world.gather(self.all())[0]
        return found[-1] if found else None

    @property
    def failed(self) -> bool:
        """Whether one could not be written, of which `wait` tells; known before the next is due."""
        writing = self._writing
        return writing is not None and writing.done() and writing.exception() is not None

    def save(self, model: nn.Module, optimizer: Optimizer, state: dict[str, Any]) -> None:
        """Write a checkpoint; every process calls.

        Args:
            model: to be saved.
            optimizer: of its parameters.
            state: of the run, as JSON takes it; `step` names the folder.
        """
        self.wait()
        writer = _Writer(self.folder / f"step-{state['step']:08d}", state)
        # A group of its own, as its thread talks while gradients are summed.
        options = {"storage_writer": writer, "process_group": self._world.control}
        if self._options.asynchronous:
            self._writing = dcp.async_save(_content(model, optimizer), **options)
        else:
            with _told("written"):
                dcp.save(_content(model, optimizer), **options)
            self._remove_old()

    def wait(self) -> None:
        """Return when the checkpoint that is being written is in place.

        Raises:
            CheckpointError: it could not be written.
        """
        if self._writing is not None:
            with _told("written"):
                self._writing.result()
            self._writing = None
            self._remove_old()

    def amend(self, state: dict[str, Any]) -> None:
        """Write another state of the run into the last checkpoint, in one go."""
        path = self.all()[-1] / _STATE
        content = {**json.loads(path.read_bytes()), "state": state}
        del content["checksum"]
        aside = path.with_suffix(_ASIDE)
        _write(aside, _state_text(content))
        aside.rename(path)

    def _remove_old(self) -> None:
        if self._world.is_first:
            for path in self.all()[: -self._options.keep]:
                shutil.rmtree(path)

    def load(self, path: Path, model: nn.Module, optimizer: Optimizer) -> None:
        """Fill a model like that of the checkpoint, whatever number of processes wrote it.

        Raises:
            CheckpointError: its tensors have other names or shapes.
        """
        content, group = _content(model, optimizer), self._world.control
        with _told("read"):
            dcp.load(content, storage_reader=dcp.FileSystemReader(path), process_group=group)
        loaded = {"model_state_dict": content["model"], "optim_state_dict": content["optimizer"]}
        groups = optimizer.param_groups
        options = [{key: group[key] for key in group if key != "params"} for group in groups]
        set_state_dict(model, optimizer, **loaded)
        for group, own in zip(optimizer.param_groups, options, strict=True):
            group.update(own)  # betas and decay are the configuration's, as the rate is

    def state(self, path: Path) -> dict[str, Any]:
        """The state of the run, after each process has checked its part of the files.

        Raises:
            CheckpointError: a file is not there, or not as it was written.
        """
        try:
            content = read_state(path)
            names = sorted(content["files"])[self._world.rank :: self._world.num_ranks]
            problems = [each for name in names if (each := _wrong(path / name, content["files"]))]
        except CheckpointError as error:
            content, problems = {}, [str(error)]
        if found := sorted({each for part in self._world.gather(problems) for each in part}):
            others = [each.name for each in self.all() if each != path]
            advice = f"remove {path} to go on from {others[-1]}" if others else "there is no other"
            raise CheckpointError("; ".join([*found, advice]))
        return dict(content["state"])


def _content(model: nn.Module, optimizer: Optimizer) -> dict[str, Any]:
    weights, moments = get_state_dict(model, optimizer)
    return {"model": weights, "optimizer": moments}


def check_same(path: Path, what: str, was: dict[str, Any], now: dict[str, Any]) -> None:
    """Compare what a checkpoint was made of with what is to go on from it.

    Args:
        path: of the checkpoint.
        what: is compared, for the message.
        was: as the checkpoint has it.
        now: of the run.

    Raises:
        CheckpointError: they differ.
    """
    now = json.loads(json.dumps(now))  # numbers as keys become texts, as in the checkpoint
    names = [name for name in sorted(now) if was.get(name) != now[name]]
    if differs := [f"{name} was {was.get(name)}, is {now[name]}" for name in names]:
        raise CheckpointError(
            f"{path} is of another {what} ({'; '.join(differs)}): restore the configuration (stages"
            " are shares of steps * batch.sequences) and the corpus, or train into another folder"
        )


def settings_of_both(was: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """What a model's settings now say of what is computed, as far as a checkpoint says it too.

    Versions of `transformers` differ in what they write.
    """
    return {name: now[name] for name in now if name not in _ABOUT and (name in was or not was)}


def read_state(path: Path) -> dict[str, Any]:
    """The content of a checkpoint's `checkpoint.json`.

    Raises:
        CheckpointError: it is not there or not as it was written.
    """
    try:
        content: dict[str, Any] = json.loads((path / _STATE).read_bytes())
        if content.pop("checksum") == _checksum_of(content):
            return content
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise CheckpointError(f"{path / _STATE} is damaged or not there")


def _wrong(path: Path, sums: dict[str, str]) -> str:
    if not path.is_file():
        return f"{path} is not there"
    return "" if checksum(path) == sums[path.name] else f"{path} is damaged: its checksum differs"
