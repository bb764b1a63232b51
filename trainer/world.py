"""The processes of a run: who this one is, and how a model is spread over them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

from glotmill.trainer.config import ConfigError

# What a process is told by torchrun, here for one alone, and what Slurm calls the same.
_ALONE = {"RANK": 0, "WORLD_SIZE": 1, "LOCAL_RANK": 0}
_SLURM = {"RANK": "SLURM_PROCID", "WORLD_SIZE": "SLURM_NTASKS", "LOCAL_RANK": "SLURM_LOCALID"}


@dataclass(frozen=True)
class World:
    """This process among the others.

    Attributes:
        rank: which one this is.
        num_ranks: how many there are.
        device: that this one computes on.
        mesh: all of them, to spread parameters over.
        control: group on the CPU for what checkpoints say to each other, apart from gradients.
    """

    rank: int
    num_ranks: int
    device: torch.device
    mesh: DeviceMesh
    control: Any

    @property
    def is_first(self) -> bool:
        """Whether this process writes what is written once."""
        return self.rank == 0

    def first(self, work: Callable[[], None]) -> None:
        """Let the first process do something, the others wait for it, and all fail if it fails."""
        error: Exception | None = None
        if self.is_first:
            try:
                work()
            except Exception as found:
                error = found
        if (failed := self.gather(error)[0]) is not None:
            raise failed

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """The sum over all processes, in place."""
        dist.all_reduce(values)
        return values

    def gather(self, value: Any) -> list[Any]:
        """What each process says, by rank."""
        values = [None] * self.num_ranks
        dist.all_gather_object(values, value, group=self.control)
        return values


def settings_of(environment: Mapping[str, str]) -> dict[str, int]:
    """Rank, number of processes and local rank, from torchrun, from Slurm, or alone.

    Raises:
        ConfigError: under Slurm with several processes nothing says where the first one is.

    >>> settings_of({"SLURM_PROCID": "3", "SLURM_NTASKS": "8", "SLURM_LOCALID": "1",
    ...              "MASTER_ADDR": "node1"})
    {'RANK': 3, 'WORLD_SIZE': 8, 'LOCAL_RANK': 1}
    """
    told = {}
    # A shell on a Slurm node has no step of several tasks; srun gives each of them its number.
    if "RANK" in environment:
        told = {name: environment[name] for name in _ALONE if name in environment}
    elif int(environment.get("SLURM_NTASKS", 1)) > 1 and "SLURM_PROCID" in environment:
        if "MASTER_ADDR" not in environment:
            raise ConfigError("MASTER_ADDR is not set: export the name of the first node")
        told = {name: environment[slurm] for name, slurm in _SLURM.items()}
    return {**_ALONE, **{name: int(value) for name, value in told.items()}}


def join(device: str) -> World:
    """Meet the other processes; one alone is a group of one, so there is one path for all.

    Args:
        device: auto, cpu or cuda.
    """
    settings = settings_of(os.environ)
    rank, num_ranks = settings["RANK"], settings["WORLD_SIZE"]
    cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())
    if cuda and not torch.cuda.is_available():
        raise ConfigError("device is cuda, but torch finds no GPU here")
    where = torch.device("cpu")
    if cuda:  # with a GPU a task, Slurm shows each task its own alone
        where = torch.device("cuda", settings["LOCAL_RANK"] % torch.cuda.device_count())
        torch.cuda.set_device(where)
    if not dist.is_initialized():
        os.environ.setdefault("MASTER_PORT", "29500")
        store = dist.HashStore() if num_ranks == 1 else None
        backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
        dist.init_process_group(backend, rank=rank, world_size=num_ranks, store=store)
    mesh = init_device_mesh(where.type, (num_ranks,))
    control = dist.new_group(backend="gloo", timeout=timedelta(hours=2))
    return World(rank, num_ranks, where, mesh, control)


def leave() -> None:
    """Part from the other processes."""
    if dist.is_initialized():
        dist.destroy_process_group()


def spread(model: nn.Module, world: World, dtype: torch.dtype, recompiled: bool) -> None:
    """Shard a model's parameters over all processes, layer by layer (FSDP2).

    Parameters are kept in float32; a layer computes in `dtype`, gradients are summed in float32.

    Args:
        model: with its layers in one list.
        world: the processes.
        dtype: that layers compute in.
        recompiled: compile each layer.
    """
    policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32)
    for layer in layers_of(model):
        if recompiled:
            layer.compile()
        fully_shard(layer, mesh=world.mesh, mp_policy=policy)
    fully_shard(model, mesh=world.mesh, mp_policy=policy)


def layers_of(model: nn.Module) -> nn.ModuleList:
    """The list of a model's layers: the longest there is."""
    lists = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    return max(lists, key=len, default=nn.ModuleList())
