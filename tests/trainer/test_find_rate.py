"""The largest stable rate: batches differ, and one rate that is not stable ends no search."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from token_corpus import write_corpus

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'glotmill[train]'")

from glotmill.schemas.training import TrainingStage  # noqa: E402
from glotmill.trainer.config import TrainConfig  # noqa: E402
from glotmill.trainer.find_rate import find_rate  # noqa: E402
from glotmill.trainer.world import World  # noqa: E402


def test_only_the_first_stage_is_tried(
    make_config: Callable[..., TrainConfig],
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stages = [
        TrainingStage(name="all", share_of_tokens=0.5, weights={"train-monolingual": 1.0}),
        TrainingStage(name="last", share_of_tokens=0.5, weights={"train-code": 1.0}),
    ]
    data = str(write_corpus(tmp_path / "staged", stages=stages))
    monkeypatch.setattr("glotmill.trainer.find_rate._RATES", (1e-3,))
    told = []
    for steps in (20, 2000):
        console = Console(file=StringIO(), width=200)
        assert find_rate(make_config(data=data, steps=steps), world, console) == 1e-3
        told.append(console.file.getvalue())  # type: ignore[attr-defined]
    assert told[0] == told[1]


def test_noise_and_a_spike_end_no_search(
    make_config: Callable[..., TrainConfig], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is learned at 1e-9: the last quarter is worse by its batches, by one error."""
    monkeypatch.setattr("glotmill.trainer.find_rate._RATES", (1e-9, 30.0, 1e-3))
    console = Console(file=StringIO(), width=200)
    config = make_config(optimizer={"clip": 1e9}, seed=1)
    assert find_rate(config, world, console) == 1e-3
    told = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [line.rsplit(", ")[-1] for line in told[:3]] == ["stable", "not stable", "stable"]
    assert told[3] == "largest stable lr: 1e-03"
