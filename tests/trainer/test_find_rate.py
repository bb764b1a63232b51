"""The largest stable rate: batches differ, and one rate that is not stable ends no search."""

from collections.abc import Callable
from io import StringIO

import pytest
from rich.console import Console

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'glotmill[train]'")

from glotmill.trainer.config import TrainConfig  # noqa: E402
from glotmill.trainer.find_rate import find_rate  # noqa: E402
from glotmill.trainer.world import World  # noqa: E402


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
