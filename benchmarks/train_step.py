"""One training step: tokens a second and MFU of the trainer, against the same model in a bare loop.

    python benchmarks/train_step.py [--shape 1b] [--compile] [--micro 4] [--steps 20]

On a GPU: bf16, a Llama-3-shaped model of 1.2 billion parameters (`1b`, that of Llama 3.2). The bare
loop is the same module without sharding: float32 weights, autocast to bf16, fused AdamW, no
metrics, no documents. On a CPU take `--shape small`. Batches are random tokens, made beforehand.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from glotmill.trainer.config import TrainConfig
from glotmill.trainer.data import Batch, Step
from glotmill.trainer.learner import Learner
from glotmill.trainer.model import Llama, LlamaConfig
from glotmill.trainer.speed import flops_per_token, peak_flops
from glotmill.trainer.world import World, join, leave

ROPE = {
    "rope_type": "llama3",
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
SHAPES: dict[str, dict[str, Any]] = {
    "1b": {
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 64,
        "vocab_size": 128_256,
        "rope_theta": 500_000.0,
        "rope_scaling": ROPE,
    },
    "small": {
        "hidden_size": 256,
        "intermediate_size": 688,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 4096,
    },
}


def make_config(given: argparse.Namespace, mask_documents: bool, compiled: bool) -> TrainConfig:
    return TrainConfig.model_validate(
        {
            "data": "",
            "out": "",
            "model": {"shape": SHAPES[given.shape]},
            "sequence_length": given.length,
            "batch": {"sequences": given.micro, "micro": given.micro},
            "mask_documents": mask_documents,
            "activation_checkpointing": given.recompute,
            "compile": compiled,
            "peak_flops": given.peak,
        }
    )


def make_step(given: argparse.Namespace, documents: int) -> Step:
    """Random tokens, each sequence of as many documents of equal length as asked for."""
    shape = (given.micro, given.length)
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, SHAPES[given.shape]["vocab_size"], shape)
    number = np.broadcast_to(np.arange(given.length) * documents // given.length, shape)
    positions = np.broadcast_to(np.arange(given.length), shape)
    batch = Batch(tokens, tokens, number.astype(np.int32), positions.copy(), np.zeros_like(tokens))
    return Step(0, given.micro, [batch])


def ours(given: argparse.Namespace, world: World, documents: int, compiled: bool) -> Any:
    config = make_config(given, documents > 1, compiled)
    learner = Learner(config, SHAPES[given.shape]["vocab_size"], 1, world)
    step = make_step(given, documents)

    def once() -> None:
        learner.backward(step)
        learner.update(1e-4)

    return once, flops_per_token(learner.model, learner.config_json, given.length)


def bare(given: argparse.Namespace, world: World, compiled: bool) -> Callable[[], None]:
    content = {**SHAPES[given.shape], "model_type": "llama", "tie_word_embeddings": True}
    model = Llama(LlamaConfig.from_json(content)).to(world.device)
    called = torch.compile(model) if compiled else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    batch = make_step(given, 1).batches[0]
    tokens = torch.from_numpy(batch.tokens).to(world.device)
    positions = torch.from_numpy(batch.positions).to(world.device)

    def once() -> None:
        with torch.autocast(world.device.type, torch.bfloat16, enabled=tokens.is_cuda):
            logits = called(tokens, positions)
        functional.cross_entropy(logits.flatten(0, 1).float(), tokens.flatten()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return once


def measure(name: str, once: Callable[[], None], flops: float, given: Any, world: World) -> None:
    for _ in range(3):
        once()
    if world.device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    begin = time.perf_counter()
    for _ in range(given.steps):
        once()
    if world.device.type == "cuda":
        torch.cuda.synchronize()
    speed = given.steps * given.micro * given.length / (time.perf_counter() - begin)
    peak = peak_flops(world.device, given.peak)
    mfu = f"{speed * flops / peak:.1%}" if peak else "-"
    memory = torch.cuda.max_memory_allocated() / 2**30 if world.device.type == "cuda" else 0
    print(f"| {name} | {speed:,.0f} | {mfu} | {memory:.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="1b")
    parser.add_argument("--length", type=int, default=4096)
    parser.add_argument("--micro", type=int, default=4)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--peak", type=float, help="operations a second of the device")
    parser.add_argument("--compile", action="store_true", help="measure compiled ones too")
    parser.add_argument("--recompute", action="store_true", help="activation checkpointing")
    given = parser.parse_args()
    world = join("auto")
    print("| loop | tokens/s | MFU | GiB |\n|---|---|---|---|")
    for compiled in (False, True) if given.compile else (False,):
        kind = ", compiled" if compiled else ""
        once, flops = ours(given, world, 1, compiled)
        measure(f"trainer{kind}", once, flops, given, world)
        once, flops = ours(given, world, 8, compiled)
        measure(f"trainer, 8 documents masked{kind}", once, flops, given, world)
        del once
        measure(f"bare loop{kind}", bare(given, world, compiled), flops, given, world)
    leave()


if __name__ == "__main__":
    main()
