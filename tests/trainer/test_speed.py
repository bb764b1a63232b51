"""Operations against those that torch counts; utilisation, and what is left out of the time."""

import time
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'glotmill[train]'")

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from glotmill.trainer.model import Llama, LlamaConfig  # noqa: E402
from glotmill.trainer.speed import Clock, flops_per_token, peak_flops  # noqa: E402

LENGTH, BATCH, LAYERS, HIDDEN = 128, 2, 3, 64


def llama(**changes: Any) -> Llama:
    shape = {"hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": 8}
    content = {"vocab_size": 160, "intermediate_size": 112, "num_key_value_heads": 2, **shape}
    return Llama(LlamaConfig(**{"rope_scaling": {"rope_type": "default"}, **content, **changes}))


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("head_dim", [8, 16])
def test_operations_are_those_that_torch_counts(tied: bool, head_dim: int) -> None:
    model = llama(tie_word_embeddings=tied, head_dim=head_dim)
    tokens = torch.zeros((BATCH, LENGTH), dtype=torch.long)
    with FlopCounterMode(display=False) as counter:
        model(tokens, torch.arange(LENGTH).expand(BATCH, LENGTH)).sum().backward()
    matrices = counter.get_flop_counts()["Global"][torch.ops.aten.mm] / tokens.numel()
    norms = sum(each.numel() for name, each in model.named_parameters() if "norm" in name)
    # Of the scores and of what is read by them, forwards 2 and backwards 4 each; half are masked.
    attention = 12 * LAYERS * 8 * head_dim * LENGTH / 2
    assert flops_per_token(model, LENGTH) == matrices + 6 * norms + attention


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize(
    ("config", "model"),
    [("GPT2Config", "GPT2LMHeadModel"), ("GPTNeoXConfig", "GPTNeoXForCausalLM")],
)
def test_embeddings_are_told_by_what_they_do(config: str, model: str, tied: bool) -> None:
    """GPT-2 calls them `wte` and `wpe`; GPT-NeoX's `embed_out` was a matrix of the output."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    shape = {"hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": 8}
    content = {"vocab_size": 160, "tie_word_embeddings": tied, **shape}
    made = getattr(transformers, model)(getattr(transformers, config)(**content))
    tokens = torch.zeros((BATCH, LENGTH), dtype=torch.long)
    with FlopCounterMode(display=False) as counter:
        made(tokens).logits.sum().backward()
    counts = counter.get_flop_counts()["Global"]
    matrices = sum(counts[each] for each in (torch.ops.aten.mm, torch.ops.aten.addmm))
    vectors = sum(each.numel() for each in made.parameters() if each.ndim == 1)
    attention = 12 * LAYERS * HIDDEN * LENGTH / 2
    expected = matrices / tokens.numel() + 6 * vectors + attention
    assert flops_per_token(made, LENGTH) == expected


def test_the_utilisation(make_config: Callable[..., Any], world: Any) -> None:
    model = llama(head_dim=8)
    config = make_config(peak_flops=1e9, sequence_length=LENGTH)
    begin = time.perf_counter()
    clock = Clock(model, config, world)
    clock.count(1000)
    time.sleep(0.05)
    with clock.paused():
        time.sleep(0.5)
    lap = clock.lap()
    took = time.perf_counter() - begin - 0.5
    assert 1000 / took <= lap["tokens_per_second"] <= 1000 / 0.05
    operations = flops_per_token(model, LENGTH)
    assert lap["mfu"] == pytest.approx(lap["tokens_per_second"] * operations / 1e9)
    assert "memory_bytes" not in lap  # of a GPU
    assert clock.lap()["tokens_per_second"] == 0, "each lap counts its own"


def test_the_wait_for_data(make_config: Callable[..., Any], world: Any) -> None:
    def slow() -> Any:
        for number in count():
            time.sleep(0.2)
            yield number

    clock, items = Clock(llama(head_dim=8), make_config(), world), slow()
    assert [clock.wait_for(items) for _ in range(2)] == [0, 1]
    lap = clock.lap()
    assert 0.1 < lap["waiting_for_data"] <= 1
    assert "mfu" not in lap, "the peak of this device is not known"


@pytest.mark.parametrize(
    ("name", "flops"),
    [
        ("NVIDIA H200", 989e12),
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA H100 NVL", 835e12),
        ("NVIDIA GB200", 2500e12),
        ("NVIDIA B200", 2250e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA GeForce GTX 1080", None),
    ],
)
def test_the_peak_goes_by_the_name(
    name: str, flops: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: name)
    assert peak_flops(torch.device("cuda"), None) == flops
    assert peak_flops(torch.device("cuda"), 1e12) == 1e12
