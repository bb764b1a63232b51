"""Weights in the Hugging Face layout: safetensors, in one file or several."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed.checkpoint as dcp
import xxhash
from safetensors import SafetensorError
from torch import nn
from torch.distributed.tensor import DTensor, distribute_tensor

from glotmill.trainer.config import ConfigError
from glotmill.trainer.model import Llama

_SINGLE, _INDEX, _PARTS = "model.safetensors", "model.safetensors.index.json", "sharded"
_FILE_BYTES, _COPIED = 5 << 30, 1 << 24
# Tensors of a model in this layout; files may hold others beside them, of other layouts.
_OF_A_MODEL = re.compile(r"(?:model|lm_head)\.(?!.*\brotary_emb\.inv_freq$)")


def init_weights(model: Llama, seed: int) -> None:
    """Random weights, each tensor by a hash of the seed and its name: the same on any layout."""
    for name, parameter in model.named_parameters():
        generator = torch.Generator().manual_seed(xxhash.xxh3_64_intdigest(name.encode(), seed))
        whole = torch.full(parameter.shape, 0.0 if name.endswith("bias") else 1.0)
        if parameter.ndim > 1:
            whole.normal_(0.0, model.config.initializer_range, generator=generator)
        with torch.no_grad():
            if isinstance(parameter, DTensor):
                # No source rank: each process cuts its own part out of what it drew itself.
                where = (parameter.device_mesh, parameter.placements)
                whole = distribute_tensor(whole.to(parameter.device), *where, src_data_rank=None)
            parameter.copy_(whole)


def load_weights(model: Llama, folder: Path, group: Any = None) -> None:
    """Fill a model from safetensors; every process calls, and reads its part of each tensor.

    Args:
        model: to fill.
        folder: that holds the files.
        group: of the processes.

    Raises:
        ConfigError: a file or a tensor is not there, is damaged, or does not fit.
    """
    wanted = {name: each.detach() for name, each in model.named_parameters()}
    reader = dcp.HuggingFaceStorageReader(str(folder))
    try:
        found = reader.read_metadata().state_dict_metadata
    except (SafetensorError, OSError) as error:
        raise ConfigError(f"the weights in {folder} cannot be read: {error}") from None
    if not found:
        message = f"neither {_SINGLE} nor parts of it: other formats of weights are not read"
        raise ConfigError(f"{folder} holds {message}")
    for name, parameter in wanted.items():
        if name not in found:
            raise ConfigError(f"{folder} holds no tensor {name}; there are {len(found)} others")
        if (shape := tuple(found[name].size)) != tuple(parameter.shape):
            shapes = f"{name} is {shape}, in the model {tuple(parameter.shape)}"
            raise ConfigError(f"the weights and config.json do not fit together: {shapes}")
    over = {name for name in found.keys() - wanted.keys() if _OF_A_MODEL.match(name)}
    if model.config.tie_word_embeddings:
        over.discard("lm_head.weight")
    if over:
        message = f"holds a tensor {min(over)} ({len(over)} in all) that config.json does not know"
        raise ConfigError(f"{folder} {message}: the model would be another one")
    dcp.load(wanted, storage_reader=reader, process_group=group)


def save_weights(
    model: nn.Module,
    folder: Path,
    config: dict[str, Any],
    dtype: torch.dtype,
    *,
    group: Any = None,
    writes: bool = True,
    file_bytes: int = _FILE_BYTES,
) -> None:
    """Write a model as `transformers` reads it; every process calls and writes its part.

    Args:
        model: to write.
        folder: to write into; what parts of another model it holds would be taken for this one's.
        config: content of config.json.
        dtype: of the weights in the files.
        group: of the processes, one that waits for the first to bring files together.
        writes: whether this process writes what is written once.
        file_bytes: size of a file, about.
    """
    # A layer that was just called may hold rounded weights; in its state there are none.
    state = model.state_dict()
    weights = {name: state[name].to(dtype) for name, _ in model.named_parameters()}
    # Buffers keep their type: some count, or are added to what float32 computes.
    buffers = {name: state[name] for name, _ in model.named_buffers() if name in state}
    tensors = {name.removeprefix("inner."): each for name, each in (weights | buffers).items()}
    ends = np.cumsum([each.numel() * each.itemsize for each in tensors.values()])
    _, files = np.unique((ends - 1) // file_bytes, return_inverse=True)
    numbers = dict(zip(tensors, (files + 1).tolist(), strict=True))
    # Parts of all processes first, then brought together by one, a file at a time.
    options = {"save_distributed": True, "enable_consolidation": True}
    writer = dcp.HuggingFaceStorageWriter(str(folder), numbers, **options)
    dcp.save(tensors, storage_writer=writer, process_group=group)
    if writes:
        shutil.rmtree(folder / _PARTS)
        for path in folder.glob("*.safetensors"):
            _say_whose(path)
        if max(numbers.values()) == 1:
            (folder / "model-00001-of-00001.safetensors").rename(folder / _SINGLE)
            (folder / _INDEX).unlink()
        content = {**config, "dtype": str(dtype).removeprefix("torch.")}
        content.pop("torch_dtype", None)  # its older name
        (folder / "config.json").write_text(json.dumps(content, indent=2) + "\n")


def _say_whose(path: Path) -> None:
    """Say in a file's header that it holds torch's tensors; older transformers ask for it."""
    aside = path.with_suffix(".tmp")
    with path.open("rb") as file, aside.open("wb") as new:
        size = int.from_bytes(file.read(8), "little")
        header = {"__metadata__": {"format": "pt"}, **json.loads(file.read(size))}
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8
        new.write(len(text).to_bytes(8, "little") + text)
        shutil.copyfileobj(file, new, _COPIED)
    aside.replace(path)
