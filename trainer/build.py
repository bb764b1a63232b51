"""The model of a run: ours from a folder, another through `transformers`, or a new one."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from glotmill.trainer.config import ConfigError, Shape, TrainConfig
from glotmill.trainer.model import Llama
from glotmill.trainer.model_json import config_json, config_of, read_json
from glotmill.trainer.weights import init_weights, load_weights
from glotmill.trainer.world import World, spread

# Kinds of layers of `transformers`.
_FULL, _SLIDING = "full_attention", "sliding_attention"
# Tokens by which a model of `transformers` is tried.
_TRIED = 256
# Rows of a new model's embedding come in multiples of this, for the matrix units of a GPU.
_ROWS = 64


class Transformers(nn.Module):
    """Any causal language model of `transformers`, called as ours is.

    It is given positions, and masks always: without one, `transformers` takes positions that are
    reset for documents, and hides them from each other. Where sequences are no more than their
    tokens (`plain`) it is given neither.
    """

    def __init__(self, inner: Any, dtype: torch.dtype, *, plain: bool = False) -> None:
        super().__init__()
        self.inner = inner
        self.config = inner.config
        text = inner.config.get_text_config()
        self._dtype, self._window = dtype, getattr(text, "sliding_window", None)
        self._kinds, self._plain = set(getattr(text, "layer_types", None) or ()), plain
        if not plain and (others := self._kinds - {_FULL, _SLIDING}):
            raise ConfigError(f"layers of {', '.join(sorted(others))} take no masks")

    def forward(self, tokens: Tensor, positions: Tensor, mask: Tensor | None = None) -> Tensor:
        """Logits of the token after each, [batch, length, vocab_size]."""
        options = {}
        if not self._plain:
            options = {"position_ids": positions, "attention_mask": self._masks(tokens, mask)}
        return self.inner(input_ids=tokens, use_cache=False, **options).logits

    def _masks(self, tokens: Tensor, mask: Tensor | None) -> Any:
        """What is added to scores: one mask, or one for each kind of layers."""
        places = torch.arange(tokens.shape[1], device=tokens.device)
        distance = places[:, None] - places[None, :]
        seen = (distance >= 0).expand(len(tokens), 1, -1, -1) if mask is None else mask
        near = seen if self._window is None else seen & (distance < self._window)
        if _SLIDING in self._kinds:
            return {_FULL: self._added(seen), _SLIDING: self._added(near)}
        return self._added(seen if self._kinds else near)

    def _added(self, seen: Tensor) -> Tensor:
        hidden = torch.zeros(seen.shape, dtype=self._dtype, device=seen.device)
        return hidden.masked_fill_(~seen, torch.finfo(self._dtype).min)


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
    content = shape if folder is None else read_json(folder)
    llama = config_of(content)
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
    load_weights(model, folder, world.control)
    return model, content


def _build_transformers(
    config: TrainConfig, vocab_size: int, world: World, dtype: torch.dtype
) -> tuple[nn.Module, dict[str, Any]]:
    try:
        from transformers import AutoModelForCausalLM
    except ImportError:
        message = "model.transformers needs the package transformers: pip install transformers"
        raise ConfigError(message) from None
    name, plain = config.model.transformers, not (config.mask_documents or config.reset_positions)
    try:
        inner, found = AutoModelForCausalLM.from_pretrained(
            name, dtype=torch.float32, output_loading_info=True
        )
        if missing := sorted(found["missing_keys"]):
            raise ConfigError(f"there is no tensor {missing[0]} ({len(missing)} are missing)")
        _try(Transformers(inner.eval(), torch.float32, plain=plain), config.sequence_length)
    except Exception as error:  # models of others fail in ways of their own
        advice = "" if plain else " ('mask_documents' and 'reset_positions' ask for masks)"
        raise ConfigError(
            f"model.transformers: {name} cannot be trained: {error}{advice}"
        ) from None
    _check_vocabulary(inner.config.get_text_config().vocab_size, vocab_size)
    if config.activation_checkpointing:
        options = {"use_reentrant": False}
        inner.gradient_checkpointing_enable(gradient_checkpointing_kwargs=options)
    model = Transformers(inner.to(world.device), dtype, plain=plain)
    spread(model, world, dtype, config.compile)
    return model, inner.config.to_dict()


def _try(model: Transformers, sequence_length: int) -> None:
    """Refuse a model that hides other tokens than our masks do, or has no such position."""
    inner, rows = model.inner, model.config.get_text_config().vocab_size
    tokens = torch.arange(min(_TRIED, sequence_length)).remainder(rows)[None]
    positions = torch.arange(tokens.shape[1])[None]
    last = {"position_ids": torch.tensor([[sequence_length - 1]])}
    with torch.no_grad():
        own = inner(input_ids=tokens, use_cache=False).logits
        difference = (model(tokens, positions) - own).abs().mean()
        if last.keys() <= signature(inner.forward).parameters.keys():
            inner(input_ids=tokens[:, :1], use_cache=False, **last)
    if not difference <= 0.01 * own.std():
        raise ConfigError("it attends to other tokens than those that masks show it")


def _shape_json(shape: Shape, vocab_size: int) -> dict[str, Any]:
    rows = shape.vocab_size or -(-vocab_size // _ROWS) * _ROWS
    return {**shape.model_dump(), "vocab_size": rows, "model_type": "llama"}


def _check_vocabulary(rows: int, vocab_size: int) -> None:
    if rows < vocab_size:
        raise ConfigError(
            f"the model has {rows:,} tokens, but the corpus was made with a tokenizer of"
            f" {vocab_size:,}: use the tokenizer of the model in the mix"
        )
