"""Fixtures of the trainer's tests; those that train need torch."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from token_corpus import write_corpus

NEEDS_TORCH = "torch is not installed: pip install 'glotmill[train]'"


@pytest.fixture(scope="session")
def world() -> Iterator[Any]:
    """This process as a group of one, on the CPU."""
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    from glotmill.trainer.world import join, leave

    torch.set_num_threads(1)
    yield join("cpu")
    leave()


@pytest.fixture(scope="session")
def training_yaml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def config_in(training_yaml: Path) -> Callable[..., Any]:
    """Configurations of a model of some thousand weights, changed as said, by their folder."""
    from glotmill.trainer.config import TrainConfig

    def make(folder: Path, /, **changes: Any) -> TrainConfig:
        base: dict[str, Any] = {
            "data": str(training_yaml),
            "out": str(folder),
            "model": {
                "shape": {
                    "hidden_size": 32,
                    "intermediate_size": 64,
                    "num_hidden_layers": 2,
                    "num_attention_heads": 4,
                    "num_key_value_heads": 2,
                }
            },
            "sequence_length": 32,
            "steps": 12,
            "batch": {"sequences": 8, "micro": 2},
            "optimizer": {"lr": 3e-3},
            "schedule": {"warmup_steps": 2},
            "validation": {"every": 6, "max_sequences": 4},
            "checkpoints": {"every": 4, "keep": 2},
            "log_every": 1,
            "tensorboard": False,
            "device": "cpu",
        }
        return TrainConfig.model_validate({**base, **changes})

    return make


@pytest.fixture
def make_config(tmp_path: Path, config_in: Callable[..., Any]) -> Callable[..., Any]:
    """The same in a folder of the test's own."""
    return partial(config_in, tmp_path / "run")
