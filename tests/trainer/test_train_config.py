"""train.yaml: errors with their lines, paths from its folder; and the schedule it describes."""

from itertools import pairwise
from pathlib import Path

import pytest

from glotmill.trainer.config import ConfigError, Schedule, load_config
from glotmill.trainer.schedule import rate_at

MINIMAL = "data: corpus/training.yaml\nout: run\nmodel: {shape: {}}\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "train.yaml"
    path.write_text(text)
    return path


def test_defaults_and_paths(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, MINIMAL))
    assert config.data == str(tmp_path / "corpus" / "training.yaml")
    assert config.out == str(tmp_path / "run")
    assert config.optimizer.lr == 1e-4
    assert config.steps is None


def test_numbers_as_people_write_them(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, MINIMAL + "optimizer: {lr: 3e-4}\nz_loss: 1e-4\n"))
    assert (config.optimizer.lr, config.z_loss) == (3e-4, 1e-4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sequence_lenght: 8\n", r"train.yaml:4: unknown key 'sequence_lenght'; did you mean 's"),
        ("batch:\n  micro: 0\n", r"train.yaml:5: 'batch.micro' wants at least 1"),
        ("schedule: {kind: linear}\n", r"train.yaml:4: 'schedule.kind' is 'linear'; .*cosine"),
        ("model: {shape: {}, path: x}\n", "exactly one of path, transformers and shape"),
        ("steps: many\n", r"train.yaml:4: 'steps' wants a whole number, not 'many'"),
        (
            "optimizer:\n  betas: [0.9, 1.0]\n",
            r"train.yaml:5: 'optimizer.betas.1' wants less than 1",
        ),
        (
            "optimizer:\n  lr: .inf\n",
            r"train.yaml:5: 'optimizer.lr' wants a finite number, not inf",
        ),
        ("z_loss: .nan\n", r"train.yaml:4: 'z_loss' wants a finite number, not nan"),
        ("peak_flops: .inf\n", r"train.yaml:4: 'peak_flops' wants a finite number"),
        ("spikes: {deviations: .inf}\n", r"'spikes.deviations' wants a finite number"),
        ("model: {shape: {rope_theta: .inf}}\n", r"'model.shape.rope_theta' wants a finite number"),
    ],
)
def test_errors(text: str, message: str, tmp_path: Path) -> None:
    base = MINIMAL.replace("model: {shape: {}}\n", "") if text.startswith("model") else MINIMAL
    with pytest.raises(ConfigError, match=message):
        load_config(write(tmp_path, base + text))


def test_environment_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, MINIMAL.replace("out: run", "out: ${SCRATCH}/run"))
    with pytest.raises(ConfigError, match=r"train.yaml:2:.* variable SCRATCH is not set"):
        load_config(path)
    monkeypatch.setenv("SCRATCH", str(tmp_path / "scratch"))
    assert load_config(path).out == str(tmp_path / "scratch" / "run")


@pytest.mark.parametrize("text", ["- a list\n", "a: [\n", ""])
def test_no_map(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"train.yaml"):
        load_config(write(tmp_path, text))


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none.yaml cannot be read"):
        load_config(tmp_path / "none.yaml")


def rates(schedule: Schedule, num_steps: int = 100) -> list[float]:
    return [rate_at(step, num_steps, schedule) for step in range(num_steps)]


@pytest.mark.parametrize("kind", ["cosine", "wsd", "constant"])
def test_every_schedule_rises_to_the_top(kind: str) -> None:
    found = rates(Schedule(kind=kind, warmup_steps=10, warmup_from=0.1))  # type: ignore[arg-type]
    assert found[0] == pytest.approx(0.19)
    assert found[9] == 1.0
    assert all(one < other for one, other in pairwise(found[:10]))
    assert all(one >= other for one, other in pairwise(found[9:]))
    assert found[-1] == pytest.approx(1.0 if kind == "constant" else 0.1)


def test_wsd_is_stable_until_it_descends() -> None:
    found = rates(Schedule(kind="wsd", warmup_steps=10, decay_share=0.2))
    assert found[10:80] == [1.0] * 70
    assert found[80] < 1.0


def test_a_restart_rises_from_where_the_descent_has_arrived() -> None:
    found = rates(Schedule(warmup_steps=10, end=0.2, restarts=(60,)))
    assert found[59] == pytest.approx(0.2)
    assert found[60] == pytest.approx(0.2 + 0.8 / 10)
    assert found[69] == 1.0
    assert found[99] == pytest.approx(0.2)


def test_a_run_shorter_than_its_warmup() -> None:
    assert rates(Schedule(warmup_steps=100), 4) == [0.25, 0.5, 0.75, 1.0]
