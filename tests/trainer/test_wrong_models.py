"""Models that cannot be: a run ends before it begins, with a sentence of what is missing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'glotmill[train]'")

from glotmill.trainer.config import ConfigError, TrainConfig  # noqa: E402
from glotmill.trainer.loop import Trainer  # noqa: E402
from glotmill.trainer.world import World  # noqa: E402

Make = Callable[..., TrainConfig]


@pytest.mark.parametrize("kind", ["linear", "llama3"])
def test_a_scaling_of_positions_without_its_numbers(
    kind: str, make_config: Make, world: World
) -> None:
    shape: dict[str, Any] = {"hidden_size": 32, "rope_scaling": {"rope_type": kind}}
    with pytest.raises(ConfigError, match=rf"rope_scaling '{kind}' wants numbers .*for factor"):
        Trainer(make_config(model={"shape": shape}), world)


def test_a_config_json_without_sizes(make_config: Make, world: World, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama", "vocab_size": 96}')
    with pytest.raises(ConfigError, match=r"no whole number above 0 for hidden_size, .*_heads$"):
        Trainer(make_config(model={"path": str(tmp_path)}), world)
