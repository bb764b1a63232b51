"""The model of a run: ours from a folder, another through `transformers`, or a new one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from glotmill.trainer.config import ConfigError, Shape, TrainConfig
from glotmill.trainer.model import Llama, LlamaConfig, Mask
from glotmill.trainer.weights import config_json, init_weights, load_weights
from glotmill.trainer.world import World, spread

# Rows of a new model's embedding come in multiples of this, for the matrix units of a GPU.
_ROWS = 64


class Transformers(nn.Module):
    """Any causal language model of `transformers`, called as ours is."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner
        self.config = inner.config

    def forward(self, tokens: Tensor, positions: Tensor, mask: Mask = None) -> Tensor:
        """Logits of the token after each, [batch, length, vocab_size]."""
        options = {"position_ids": positions, "attention_mask": mask, "use_cache": False}
        return self.inner(input_ids=tokens, **options).logits


def build(
    config: TrainConfig, vocab_size: int, world: World, dtype: torch.dtype
) -> tuple[nn.Module, dict[str, Any]]:
    """The model, spread over the processes, and its `config.json`.

    Args:
        config: of the run.
        vocab_size: of the tokenizer that made the tokens.
        world: the processes.
        dtype: that the model computes in.

    Raises:
        ConfigError: the model is not there, or is too small for the tokens.
    """
    source = config.model
    if source.transformers is not None:
        return _build_transformers(config, vocab_size, world, dtype)
    folder = None if source.path is None else Path(source.path)
    shape = _shape_json(source.shape or Shape(), vocab_size)
    content = shape if folder is None else read_json(folder / "config.json")
    llama = LlamaConfig.from_json(content)
    _check_vocabulary(llama.vocab_size, vocab_size)
    with torch.device("meta"):
        model = Llama(llama)
    for layer in model.model.layers:
        layer.recompute = config.activation_checkpointing
    spread(model, world, dtype, config.compile)
    model.to_empty(device=world.device)
    if folder is None:
        init_weights(model, config.seed)
        return model, config_json(llama)
    load_weights(model, folder)
    return model, content


def _build_transformers(
    config: TrainConfig, vocab_size: int, world: World, dtype: torch.dtype
) -> tuple[nn.Module, dict[str, Any]]:
    try:
        from transformers import AutoModelForCausalLM
    except ImportError:
        message = "model.transformers needs the package transformers: pip install transformers"
        raise ConfigError(message) from None
    name = config.model.transformers
    try:
        inner = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise ConfigError(f"model.transformers: {name} cannot be loaded: {error}") from None
    _check_vocabulary(inner.config.vocab_size, vocab_size)
    if config.activation_checkpointing:
        options = {"use_reentrant": False}
        inner.gradient_checkpointing_enable(gradient_checkpointing_kwargs=options)
    model = Transformers(inner.to(world.device))
    spread(model, world, dtype, config.compile)
    return model, inner.config.to_dict()


def read_json(path: Path) -> dict[str, Any]:
    """The content of a file of a model.

    Raises:
        ConfigError: it is not there.
    """
    if not path.is_file():
        raise ConfigError(f"there is no {path}: a model is a folder with config.json and weights")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _shape_json(shape: Shape, vocab_size: int) -> dict[str, Any]:
    rows = shape.vocab_size or -(-vocab_size // _ROWS) * _ROWS
    return {**shape.model_dump(), "vocab_size": rows, "model_type": "llama"}


def _check_vocabulary(rows: int, vocab_size: int) -> None:
    if rows < vocab_size:
        raise ConfigError(
            f"the model has {rows:,} tokens, but the corpus was made with a tokenizer of"
            f" {vocab_size:,}: use the tokenizer of the model in the mix"
        )
