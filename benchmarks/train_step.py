"""One step of training: tokens a second and MFU of the trainer, and of others on the same model.

    python benchmarks/train_step.py [--shape 1b] [--compile] [--micro 4] [--steps 20]

The others are the same module in a bare loop (no sharding, metrics or documents: float32 weights,
autocast to bf16 on a GPU, fused AdamW, clipped gradients), and the Trainer of `transformers` with
its own Llama, where it and `accelerate` are installed. On a GPU the model is that of Llama 3.2
with 1.2 billion parameters (`1b`). On a CPU take `--shape small`: there the time is that of one
thread on the processor, and the fastest step counts, as other work disturbs. Batches are random
tokens, made beforehand.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from glotmill.trainer.config import TrainConfig
from glotmill.trainer.data import Batch, Step
from glotmill.trainer.learner import Learner
from glotmill.trainer.model import Llama, LlamaConfig
from glotmill.trainer.model_json import config_json, config_of
from glotmill.trainer.speed import flops_per_token, peak_flops
from glotmill.trainer.world import World, join, leave

# Steps before those that are measured.
WARMUP = 3
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
    tokens = rng.integers(0, SHAPES[given.shape]["vocab_size"], shape, np.int32)
    positions = np.tile(np.arange(given.length, dtype=np.int32), (given.micro, 1))
    number = positions * documents // given.length
    batch = Batch(tokens, tokens, number, positions, np.zeros_like(tokens))
    return Step(0, given.micro, [batch])


def ours(
    given: argparse.Namespace, world: World, documents: int, compiled: bool
) -> Callable[[], None]:
    config = make_config(given, documents > 1, compiled)
    learner = Learner(config, SHAPES[given.shape]["vocab_size"], 1, world)
    step = make_step(given, documents)

    def once() -> None:
        learner.backward(step)
        learner.update(1e-4)

    return once


def llama_config(given: argparse.Namespace) -> LlamaConfig:
    content = {**SHAPES[given.shape], "model_type": "llama", "tie_word_embeddings": True}
    return config_of(content)


def bare(given: argparse.Namespace, world: World, compiled: bool) -> Callable[[], None]:
    model = Llama(llama_config(given)).to(world.device)
    called = torch.compile(model) if compiled else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    batch = make_step(given, 1).batches[0]
    tokens = torch.from_numpy(batch.tokens).to(world.device).long()
    positions = torch.from_numpy(batch.positions).to(world.device).long()

    def once() -> None:
        with torch.autocast(world.device.type, torch.bfloat16, enabled=tokens.is_cuda):
            logits = called(tokens, positions)
        functional.cross_entropy(logits.flatten(0, 1).float(), tokens.flatten()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return once


def now(device: torch.device) -> float:
    """Seconds of this process on a CPU; by the clock on the wall once a GPU is done."""
    if device.type != "cuda":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def seconds_of(once: Callable[[], None], given: argparse.Namespace, world: World) -> float:
    """Of a step."""
    times = []
    for _ in range(WARMUP + given.steps):
        once()
        times.append(now(world.device))
    return seconds_between(times, world)


def seconds_between(times: list[float], world: World) -> float:
    """Of a step, by when each ended: the mean on a GPU, the fastest on a CPU that others use."""
    steps = np.diff(times[WARMUP - 1 :])
    return float(steps.mean() if world.device.type == "cuda" else steps.min())


def seconds_of_transformers(given: argparse.Namespace, world: World, compiled: bool) -> float:
    """Of a step of its Trainer, its own Llama under it."""
    import transformers

    times: list[float] = []

    class Watch(transformers.TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            times.append(now(world.device))

    content = config_json(llama_config(given))
    rows = torch.from_numpy(make_step(given, 1).batches[0].tokens).long()
    with tempfile.TemporaryDirectory() as folder:
        options = transformers.TrainingArguments(
            output_dir=folder,
            max_steps=WARMUP + given.steps,
            per_device_train_batch_size=given.micro,
            learning_rate=1e-4,
            lr_scheduler_type="constant",
            optim="adamw_torch_fused",
            bf16=world.device.type == "cuda",
            use_cpu=world.device.type == "cpu",
            torch_compile=compiled,
            logging_strategy="no",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            **({"gradient_checkpointing": True} if given.recompute else {}),
        )
        transformers.Trainer(
            model=transformers.LlamaForCausalLM(transformers.LlamaConfig(**content)),
            args=options,
            train_dataset=[{"input_ids": row, "labels": row} for row in rows],
            callbacks=[Watch()],
        ).train()
    return seconds_between(times, world)


def contenders(given: argparse.Namespace, world: World) -> Iterator[tuple[str, float, float]]:
    """Name, seconds of a step, and operations a token."""
    with torch.device("meta"):
        model = Llama(llama_config(given))
    flops = flops_per_token(model, given.length)
    for compiled in (False, True) if given.compile else (False,):
        kind = ", compiled" if compiled else ""
        yield f"bare loop{kind}", seconds_of(bare(given, world, compiled), given, world), flops
        for documents, name in ((1, "trainer"), (8, "trainer, 8 documents masked")):
            once = ours(given, world, documents, compiled)
            yield f"{name}{kind}", seconds_of(once, given, world), flops
        if find_spec("transformers") and find_spec("accelerate"):
            seconds = seconds_of_transformers(given, world, compiled)
            yield f"transformers.Trainer{kind}", seconds, flops


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
    if world.device.type == "cpu":
        torch.set_num_threads(1)
    print("| loop | tokens/s | of the bare loop | MFU | GiB |\n|---|---|---|---|---|")
    first = 0.0
    for name, seconds, flops in contenders(given, world):
        first = first or seconds
        print(row_of(name, seconds, first / seconds, flops, given, world), flush=True)
    leave()


def row_of(
    name: str, seconds: float, share: float, flops: float, given: argparse.Namespace, world: World
) -> str:
    speed = given.micro * given.length / seconds
    peak = peak_flops(world.device, given.peak)
    mfu = f"{speed * flops / peak:.1%}" if peak else "-"
    memory = "-"
    if world.device.type == "cuda":
        memory = f"{torch.cuda.max_memory_allocated() / 2**30:.1f}"
        torch.cuda.reset_peak_memory_stats()
    return f"| {name} | {speed:,.0f} | {share:.2f} | {mfu} | {memory} |"


if __name__ == "__main__":
    main()
