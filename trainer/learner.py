"""The learner: a model spread over the processes, its optimiser, and one step of learning."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.nn import functional

from glotmill.trainer.build import build
from glotmill.trainer.config import TrainConfig
from glotmill.trainer.data import IGNORED, Batch, Step
from glotmill.trainer.model import Llama, document_mask
from glotmill.trainer.world import World


@dataclass(frozen=True)
class Sums:
    """What a step or a validation comes to, over all processes.

    Attributes:
        losses: sum by group, in nats.
        counts: tokens by group.
        stop: whether any process was asked to end.
    """

    losses: npt.NDArray[np.float64]
    counts: npt.NDArray[np.float64]
    stop: bool

    @property
    def loss(self) -> float:
        """Mean over all tokens."""
        return float(self.losses.sum() / max(1.0, self.counts.sum()))


class Learner:
    """A model in training.

    Attributes:
        model: spread over the processes.
        optimizer: of its parameters.
        config_json: what its weights are saved with.
        settings: what of it decides what is computed.
        dtype: that it computes in.
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
        auto = "bf16" if world.device.type == "cuda" else "fp32"
        precision = auto if config.precision == "auto" else config.precision
        self.dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self.model, self.config_json = build(config, vocab_size, world, self.dtype)
        own = asdict(self.model.config) if isinstance(self.model, Llama) else self.config_json
        self.settings: dict[str, Any] = own
        self.optimizer = _optimizer(self.model, config)
        # Not compiled, it holds several float32 matrices of the size of the logits.
        compiled = config.compile or world.device.type == "cuda"
        self._losses = torch.compile(_losses) if compiled else _losses

    def backward(self, step: Step, stop: bool = False) -> Sums:
        """Gradients of a step's mean loss, summed over all its tokens and processes.

        Args:
            step: this process's part.
            stop: whether this process was asked to end.
        """
        self.model.train()
        sums = self._no_sums()
        for batch in step.batches:
            self._forward(batch, sums).backward()
        total = self._over_processes(sums, stop)
        # The number of tokens is known only now: cuts between documents are not learned from.
        # Gradients are means over processes by now.
        share = max(1.0, float(total.counts.sum())) / self._world.num_ranks
        gradients = [each.grad for each in self.model.parameters() if each.grad is not None]
        torch._foreach_div_(gradients, share)
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
        sums = self._no_sums()
        with torch.no_grad():
            for batch in batches:
                self._forward(batch, sums)
        return self._over_processes(sums, stop=False)

    def _forward(self, batch: Batch, sums: Tensor) -> Tensor:
        """What gradients are taken of, summed over the batch; losses and tokens go into `sums`."""
        tokens, positions, targets, groups, documents = self._on_device(batch)
        mask = None
        if self._config.mask_documents:
            mask = document_mask(documents, tokens.is_cuda and isinstance(self.model, Llama))
        logits = self.model(tokens, positions, mask)
        losses, penalty = self._losses(logits, targets, self._config.z_loss)
        learned = (targets != IGNORED).flatten()
        sums[0].index_add_(0, groups.flatten(), losses.detach().double())
        sums[1].index_add_(0, groups.flatten(), learned.double())
        return losses.sum() + penalty

    def _on_device(self, batch: Batch) -> Tensor:
        """Tokens, positions, targets, groups and documents, [5, num_sequences, length]."""
        arrays = (batch.tokens, batch.positions, batch.targets, batch.groups, batch.documents)
        whole = torch.from_numpy(np.stack(arrays))
        if self._world.device.type == "cuda":
            whole = whole.pin_memory()  # else the copy waits for all that the GPU has to do
        return whole.to(self._world.device, non_blocking=True).long()

    def _no_sums(self) -> Tensor:
        return torch.zeros(2, self._num_groups, dtype=torch.float64, device=self._world.device)

    def _over_processes(self, sums: Tensor, stop: bool) -> Sums:
        flag = sums.new_full((2, 1), float(stop))
        total = self._world.sum(torch.cat((sums, flag), dim=1)).cpu().numpy()
        return Sums(total[0, :-1], total[1, :-1], bool(total[0, -1] > 0))


def _losses(logits: Tensor, targets: Tensor, z_loss: float) -> tuple[Tensor, Tensor]:
    """Cross-entropy of each token, float32 [batch * length], and the weighted sum of z-losses."""
    logits, targets = logits.float().flatten(0, 1), targets.flatten()
    losses = functional.cross_entropy(logits, targets, ignore_index=IGNORED, reduction="none")
    if not z_loss:
        return losses, losses.new_zeros(())
    squares = logits.logsumexp(-1).square()
    return losses, z_loss * squares.where(targets != IGNORED, 0.0).sum()


def _optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW, its moments sharded as the parameters are."""
    options = config.optimizer
    tables = {id(each.weight) for each in model.modules() if isinstance(each, nn.Embedding)}
    trained = [each for each in model.parameters() if each.requires_grad]
    decays = [each for each in trained if each.ndim > 1 and id(each) not in tables]
    others = [each for each in trained if each.ndim <= 1 or id(each) in tables]
    kinds = ((decays, options.weight_decay), (others, 0.0))
    groups = [{"params": params, "weight_decay": decay} for params, decay in kinds if params]
    return torch.optim.AdamW(
        groups, lr=options.lr, betas=options.betas, eps=options.eps, fused=True
    )
