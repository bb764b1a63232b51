"""The learner: a model spread over the processes, its optimiser, and one step of learning."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.nn import functional

from glotmill.trainer.config import ConfigError, Shape, TrainConfig
from glotmill.trainer.data import IGNORED, Batch, Step
from glotmill.trainer.model import Llama, LlamaConfig, Transformers, document_mask, read_json
from glotmill.trainer.weights import config_json, init_weights, load_weights
from glotmill.trainer.world import World, spread

# Rows of a new model's embedding come in multiples of this, for the matrix units of a GPU.
_ROWS = 64


@dataclass(frozen=True)
class Sums:
    """What a step or a validation comes to, over all processes.

    Attributes:
        losses: sum by group, in nats.
        counts: tokens by group.
        stop: whether any process was asked to end.
    """

    losses: list[float]
    counts: list[float]
    stop: bool = False

    @property
    def loss(self) -> float:
        """Mean over all tokens."""
        return sum(self.losses) / max(1.0, sum(self.counts))


class Learner:
    """A model in training.

    Attributes:
        model: spread over the processes.
        config_json: what its weights are saved with.
    """

    def __init__(self, config: TrainConfig, vocab_size: int, num_groups: int, world: World) -> None:
        """Builds, loads and spreads the model.

        Args:
            config: of the run.
            vocab_size: of the tokenizer that made the tokens.
            num_groups: that losses are told apart by.
            world: the processes.

        Raises:
            ConfigError: the model is not there, or is too small for the tokens.
        """
        self._config, self._world, self._num_groups = config, world, num_groups
        bf16 = config.precision == "bf16" or (
            config.precision == "auto" and world.device.type == "cuda"
        )
        self.dtype = torch.bfloat16 if bf16 else torch.float32
        self.model, self.config_json = _build(config, vocab_size, world, self.dtype)
        self.optimizer = _optimizer(self.model, config)
        self._losses = torch.compile(_losses) if config.compile else _losses
        # What gradients were multiplied with to sum rather than average them over processes.
        self._scale = world.num_ranks / (config.batch.sequences * config.sequence_length)

    def backward(self, step: Step, stop: bool = False) -> Sums:
        """Gradients of a step's mean loss, summed over all its tokens and processes.

        Args:
            step: this process's part.
            stop: whether this process was asked to end.
        """
        self.model.train()
        sums = torch.zeros(2, self._num_groups, dtype=torch.float64)
        sums = sums.to(self._world.device)
        for batch in step.batches:
            losses, penalty, targets, groups = self._forward(batch)
            ((losses.sum() + self._config.z_loss * penalty) * self._scale).backward()
            _add(sums, losses.detach(), targets, groups)
        total = self._reduce(sums, stop)
        # The number of tokens is known only now: cuts between documents are not learned from.
        share = self._scale / self._world.num_ranks * max(1.0, sum(total.counts))
        torch._foreach_div_(self._gradients(), share)
        return total

    def update(self, rate: float) -> float:
        """Clip the gradients and take a step of the optimiser.

        Args:
            rate: the learning rate.

        Returns:
            The norm of the gradients before they were clipped; where it is not finite, nothing
            is learned.
        """
        found = nn.utils.clip_grad_norm_(self.model.parameters(), self._config.optimizer.clip)
        norm = float(found.full_tensor() if isinstance(found, DTensor) else found)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if norm < float("inf"):
            self.optimizer.step()
        self.discard()
        return norm

    def discard(self) -> None:
        """Forget the gradients."""
        self.optimizer.zero_grad()

    def evaluate(self, batches: Iterable[Batch]) -> Sums:
        """Losses of this process's batches, summed over all processes."""
        self.model.eval()
        sums = torch.zeros(2, self._num_groups, dtype=torch.float64)
        sums = sums.to(self._world.device)
        with torch.no_grad():
            for batch in batches:
                losses, _, targets, groups = self._forward(batch)
                _add(sums, losses, targets, groups)
        return self._reduce(sums, stop=False)

    def _forward(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        device = self._world.device
        arrays = (batch.tokens, batch.positions, batch.targets, batch.groups)
        tokens, positions, targets, groups = (torch.from_numpy(x).to(device) for x in arrays)
        mask = None
        if self._config.mask_documents:
            blocks = device.type == "cuda" and isinstance(self.model, Llama)
            mask = document_mask(torch.from_numpy(batch.documents).to(device), blocks)
        logits = self.model(tokens, positions, mask)
        losses, penalty = self._losses(logits, targets, self._config.z_loss > 0)
        return losses, penalty, targets.flatten(), groups.flatten()

    def _reduce(self, sums: Tensor, stop: bool) -> Sums:
        flag = torch.tensor([stop], dtype=sums.dtype, device=sums.device)
        total = self._world.sum(torch.cat((sums.flatten(), flag))).cpu()
        losses, counts = total[:-1].view(2, -1).tolist()
        return Sums(losses, counts, bool(total[-1] > 0))

    def _gradients(self) -> list[Tensor]:
        return [each.grad for each in self.model.parameters() if each.grad is not None]


def _losses(logits: Tensor, targets: Tensor, with_penalty: bool) -> tuple[Tensor, Tensor]:
    """Cross-entropy of each token, float32 [batch * length], and the sum of z-losses."""
    logits, targets = logits.float().flatten(0, 1), targets.flatten()
    losses = functional.cross_entropy(logits, targets, ignore_index=IGNORED, reduction="none")
    if not with_penalty:
        return losses, losses.new_zeros(())
    squares = logits.logsumexp(-1).square()
    return losses, squares.where(targets != IGNORED, 0.0).sum()


def _add(sums: Tensor, losses: Tensor, targets: Tensor, groups: Tensor) -> None:
    learned = (targets != IGNORED).double()
    sums[0].index_add_(0, groups, losses.double())
    sums[1].index_add_(0, groups, learned)


def _build(
    config: TrainConfig, vocab_size: int, world: World, dtype: torch.dtype
) -> tuple[nn.Module, dict[str, Any]]:
    source = config.model
    if source.transformers is not None:
        return _build_transformers(config, vocab_size, world, dtype)
    content = (
        read_json(Path(source.path) / "config.json")
        if source.path is not None
        else _shape_json(source.shape or Shape(), vocab_size)
    )
    llama = LlamaConfig.from_json(content)
    _check_vocabulary(llama.vocab_size, vocab_size)
    with torch.device("meta"):
        model = Llama(llama)
    for layer in model.model.layers:
        layer.recompute = config.activation_checkpointing
    spread(model, world, dtype, config.compile)
    model.to_empty(device=world.device)
    if source.path is not None:
        load_weights(model, Path(source.path))
    else:
        init_weights(model, config.seed)
    return model, content if source.path is not None else config_json(llama)


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


def _shape_json(shape: Shape, vocab_size: int) -> dict[str, Any]:
    rows = shape.vocab_size or -(-vocab_size // _ROWS) * _ROWS
    return {**shape.model_dump(), "vocab_size": rows, "model_type": "llama"}


def _check_vocabulary(rows: int, vocab_size: int) -> None:
    if rows < vocab_size:
        raise ConfigError(
            f"the model has {rows:,} tokens, but the corpus was made with a tokenizer of"
            f" {vocab_size:,}: use the tokenizer of the model in the mix"
        )


def _optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW, its moments sharded as the parameters are."""
    options = config.optimizer
    named = [(name, each) for name, each in model.named_parameters() if each.requires_grad]
    matrices = [each for name, each in named if each.ndim > 1 and "embed" not in name]
    others = [each for name, each in named if each.ndim <= 1 or "embed" in name]
    groups = [
        {"params": matrices, "weight_decay": options.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(
        groups, lr=options.lr, betas=options.betas, eps=options.eps, fused=True
    )
