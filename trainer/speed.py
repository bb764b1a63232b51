"""How fast a run is: tokens a second, the share of what the devices can do, memory, waiting."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import nn

from glotmill.trainer.config import TrainConfig
from glotmill.trainer.model import LlamaConfig
from glotmill.trainer.world import World

_Item = TypeVar("_Item")

# Dense bf16 operations a second, from the makers' data sheets, by a part of the device's name; the
# first that fits.
_PEAK_FLOPS = {
    "GB200": 2500e12,
    "B200": 2250e12,
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100 NVL": 835e12,
    "H100": 989e12,
    "A100": 312e12,
    "MI300X": 1307e12,
    "MI250X": 191.5e12,
}


class Clock:
    """Measures the stretch since the last line of metrics, validation and saving left out."""

    def __init__(self, model: nn.Module, config: TrainConfig, world: World) -> None:
        """Starts.

        Args:
            model: that is trained.
            config: of the run.
            world: the processes.
        """
        self._device = world.device
        peak = peak_flops(world.device, config.peak_flops)
        self._peak = None if peak is None else peak * world.num_ranks
        self._flops = flops_per_token(model, config.sequence_length)
        self._restart()

    def _restart(self) -> None:
        self._since, self._waited, self._num_tokens = time.perf_counter(), 0.0, 0

    def count(self, num_tokens: int) -> None:
        """Add tokens that all processes together have learned from."""
        self._num_tokens += num_tokens

    def wait_for(self, items: Iterator[_Item]) -> _Item:
        """The next item; the wait for it counts as waiting for data."""
        begin = time.perf_counter()
        item = next(items)
        self._waited += time.perf_counter() - begin
        return item

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leaves out what is done meanwhile."""
        begin = time.perf_counter()
        yield
        self._since += time.perf_counter() - begin

    def lap(self) -> dict[str, float]:
        """Tokens a second, utilisation, memory, and the part of the time spent waiting for data.

        The utilisation of the devices' arithmetic (MFU) is there where their peak is known.
        """
        seconds = max(time.perf_counter() - self._since, 1e-9)
        speed = self._num_tokens / seconds
        values = {"tokens_per_second": speed, "waiting_for_data": self._waited / seconds}
        if self._peak is not None:
            values["mfu"] = speed * self._flops / self._peak
        if self._device.type == "cuda":
            values["memory_bytes"] = torch.cuda.max_memory_allocated(self._device)
        self._restart()
        return values


def flops_per_token(model: nn.Module, sequence_length: int) -> float:
    """Operations of a forward and a backward pass, per token (PaLM, arXiv 2204.02311, appendix B).

    Six for each parameter but those of embeddings, and 12 for each layer, channel of attention and
    token that is attended to, of which causality leaves half.
    """
    config: Any = model.config
    if not isinstance(config, LlamaConfig):  # of transformers, which knows other names of its parts
        config = config.get_text_config()
    # Tied, the embedding of the vocabulary is the output's matrix too.
    kept = config.vocab_size if getattr(config, "tie_word_embeddings", False) else None
    embeddings = (each for each in model.modules() if isinstance(each, nn.Embedding))
    looked_up = sum(each.weight.numel() for each in embeddings if each.num_embeddings != kept)
    parameters = sum(each.numel() for each in model.parameters()) - looked_up
    return 6.0 * (parameters + _attention_width(config) * sequence_length)


def _attention_width(config: Any) -> int:
    """Channels of attention of all layers; 0 where a model has none, or its own way to say it."""
    try:
        heads = config.num_attention_heads
        width = heads * (getattr(config, "head_dim", None) or config.hidden_size // heads)
        return int(config.num_hidden_layers * width)
    except Exception:  # configurations of others fail in ways of their own
        return 0


def peak_flops(device: torch.device, given: float | None) -> float | None:
    """Operations that a device can do in a second: as given, or by the name of the GPU."""
    if given is not None or device.type != "cuda":
        return given
    name = torch.cuda.get_device_name(device)
    return next((flops for known, flops in _PEAK_FLOPS.items() if known in name), None)
