"""Weights in the Hugging Face layout: `config.json` and safetensors, in one file or several."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import xxhash
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from glotmill.trainer.config import ConfigError
from glotmill.trainer.model import Llama, LlamaConfig

_SINGLE, _INDEX = "model.safetensors", "model.safetensors.index.json"
_FILE_BYTES = 5 << 30


def fill(parameter: Tensor, whole: Tensor) -> None:
    """Write a whole tensor into a parameter, of which this process may hold only its part.

    Raises:
        ConfigError: the shapes differ.
    """
    if parameter.shape != whole.shape:
        shapes = f"{tuple(whole.shape)}, the model {tuple(parameter.shape)}"
        raise ConfigError(f"the weights and config.json do not fit together: a tensor is {shapes}")
    with torch.no_grad():
        if not isinstance(parameter, DTensor):
            parameter.copy_(whole)
            return
        # No source rank: each process cuts its own part out of what it read itself.
        part = distribute_tensor(
            whole.to(parameter.device, parameter.dtype),
            parameter.device_mesh,
            parameter.placements,
            src_data_rank=None,
        )
        parameter.to_local().copy_(part.to_local())


def init_weights(model: Llama, seed: int) -> None:
    """Random weights, each tensor by a hash of the seed and its name: the same on any layout."""
    for name, parameter in model.named_parameters():
        generator = torch.Generator().manual_seed(xxhash.xxh3_64_intdigest(name.encode(), seed))
        if parameter.ndim > 1:
            whole = torch.empty(parameter.shape)
            whole.normal_(0.0, model.config.initializer_range, generator=generator)
        else:
            whole = (torch.zeros if name.endswith("bias") else torch.ones)(parameter.shape)
        fill(parameter, whole)


def load_weights(model: nn.Module, folder: Path) -> None:
    """Fill a model from safetensors, one tensor in memory at a time.

    Raises:
        ConfigError: a file or a tensor is not there, or does not fit.
    """
    files = _files(folder)
    for name, parameter in model.named_parameters():
        if name not in files:
            raise ConfigError(f"{folder} holds no tensor {name}; there are {len(files)} others")
        try:
            with safe_open(files[name], framework="pt") as file:
                fill(parameter, file.get_tensor(name))
        except (SafetensorError, OSError) as error:
            raise ConfigError(f"{files[name]} cannot be read: {error}") from None


def _files(folder: Path) -> dict[str, Path]:
    """The file of each tensor."""
    if (folder / _INDEX).is_file():
        names = json.loads((folder / _INDEX).read_bytes())["weight_map"]
        return {tensor: folder / name for tensor, name in names.items()}
    if not (folder / _SINGLE).is_file():
        message = f"neither {_SINGLE} nor {_INDEX}: other formats of weights are not read"
        raise ConfigError(f"{folder} holds {message}")
    with safe_open(folder / _SINGLE, framework="pt") as file:
        return dict.fromkeys(file.keys(), folder / _SINGLE)


def save_weights(
    model: nn.Module,
    folder: Path,
    config: dict[str, Any],
    dtype: torch.dtype,
    *,
    writes: bool = True,
    file_bytes: int = _FILE_BYTES,
) -> None:
    """Write a model as `transformers` reads it; every process calls, one of them writes.

    Args:
        model: whose parameters are gathered one after the other.
        folder: to write into.
        config: content of config.json.
        dtype: of the weights in the files.
        writes: whether this process writes.
        file_bytes: size of a file, about.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files: list[dict[str, Tensor]] = [{}]
    size = 0
    written: list[list[str]] = []
    for name, whole in _whole_tensors(model, dtype):
        if not writes:
            continue
        if files[0] and size + whole.nbytes > file_bytes:
            written.append(_write_part(files[0], folder, len(written)))
            size, files[0] = 0, {}
        files[0][name] = whole
        size += whole.nbytes
    if writes:
        written.append(_write_part(files[0], folder, len(written)))
        _name_parts(folder, written)
        content = {**config, "dtype": str(dtype).removeprefix("torch.")}
        (folder / "config.json").write_text(json.dumps(content, indent=2) + "\n")


def _whole_tensors(model: nn.Module, dtype: torch.dtype) -> Iterator[tuple[str, Tensor]]:
    for name, parameter in model.named_parameters():
        tensor = parameter.detach()
        whole = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
        yield name.removeprefix("inner."), whole.to("cpu", dtype).contiguous()


def _part(number: int) -> str:
    return f"part-{number}.safetensors"


def _write_part(tensors: dict[str, Tensor], folder: Path, number: int) -> list[str]:
    save_file(tensors, folder / _part(number), metadata={"format": "pt"})
    return list(tensors)


def _name_parts(folder: Path, written: list[list[str]]) -> None:
    """Names files as `transformers` expects, now that their number is known."""
    total = len(written)
    names = [f"model-{i:05d}-of-{total:05d}.safetensors" for i in range(1, total + 1)]
    names = [_SINGLE] if total == 1 else names
    for number, name in enumerate(names):
        (folder / _part(number)).rename(folder / name)
    if total > 1:
        pairs = zip(names, written, strict=True)
        index = {tensor: name for name, tensors in pairs for tensor in tensors}
        sizes = {"total_size": sum((folder / name).stat().st_size for name in names)}
        content = {"metadata": sizes, "weight_map": index}
        (folder / _INDEX).write_text(json.dumps(content, indent=2) + "\n")


def config_json(config: LlamaConfig) -> dict[str, Any]:
    """The `config.json` of one of our models, as both older and newer `transformers` read it."""
    content = {**asdict(config), "model_type": "llama", "hidden_act": "silu"}
    rope = content.pop("rope_scaling")
    scaled = rope["rope_type"] != "default"
    content["rope_parameters"] = {**rope, "rope_theta": config.rope_theta}
    return {
        "architectures": ["LlamaForCausalLM"],
        **content,
        "rope_scaling": rope if scaled else None,
    }
