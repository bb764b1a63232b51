"""`python -m glotmill.trainer` from outside: a run, its table, and what is said of wrong input."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

pytest.importorskip("torch", reason="torch is not installed: pip install 'glotmill[train]'")

from glotmill.trainer.config import TrainConfig
from glotmill.trainer.launch import main

ROOT = Path(__file__).parents[2]
GLOTMILL = Path(sys.executable).with_name("glotmill")
# Two threads that wait for each other lose most of their time to other tests.
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}


def command(folder: Path, config: TrainConfig, *options: str) -> subprocess.CompletedProcess[str]:
    path = folder / "train.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json", exclude_none=True)))
    return subprocess.run(
        [sys.executable, "-m", "glotmill.trainer", str(path), *options],
        capture_output=True,
        text=True,
        timeout=240,
        env=ONE_THREAD,
    )


@pytest.mark.slow
def test_a_run_prints_a_table_and_goes_on_from_its_end(
    tmp_path: Path, make_config: Callable[..., TrainConfig]
) -> None:
    config = make_config()
    done = command(tmp_path, config)
    assert done.returncode == 0, done.stderr
    assert "finished at step 12" in done.stderr
    for word in ("swh_Latn", "hin_Deva", "medium", "tokens seen"):
        assert word in done.stdout
    again = command(tmp_path, config)
    assert again.returncode == 0, again.stderr
    assert "step 12 of 12" in again.stderr
    lines = (Path(config.out) / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines][-1] == 12


def test_an_error_that_nobody_foresaw_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run_out_of_memory(*_: object, **__: object) -> int:
        raise RuntimeError("out of memory")

    monkeypatch.setattr("glotmill.trainer.launch.train", run_out_of_memory)
    assert main(["train.yaml"]) == 1
    assert "RuntimeError: out of memory" in capsys.readouterr().err


@pytest.mark.slow
def test_wrong_input_has_exit_code_2(
    tmp_path: Path, make_config: Callable[..., TrainConfig]
) -> None:
    done = command(tmp_path, make_config(data=str(tmp_path / "none.yaml")))
    assert done.returncode == 2
    assert "none.yaml cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_to_has_exit_code_1(
    tmp_path: Path, make_config: Callable[..., TrainConfig]
) -> None:
    (tmp_path / "file").touch()
    done = command(tmp_path, make_config(out=str(tmp_path / "file" / "run")))
    assert done.returncode == 1
    assert "Not a directory" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_interrupt_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    launch = pytest.importorskip("glotmill.trainer.launch", reason="torch is not installed")

    def interrupted(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(launch, "train", interrupted)
    assert launch.main(["train.yaml"]) == 130
    assert "interrupted" in capsys.readouterr().err


def readme_commands() -> list[list[str]]:
    """The two commands of the README that train on the sample."""
    (line,) = re.findall(
        r"glotmill run recipes/udhr-tokens.yaml && .*", (ROOT / "README.md").read_text()
    )
    return [part.split()[1:] for part in line.split("&&")]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("steps", "share"), [(60, 0.9), pytest.param(260, 0.85, marks=pytest.mark.exhaustive)]
)
def test_the_demonstration_of_the_readme(tmp_path: Path, steps: int, share: float) -> None:
    """All of it, and its first steps."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    recipe = tmp_path / "recipes" / "sample" / "train.yaml"
    recipe.write_text(recipe.read_text().replace("steps: 260", f"steps: {steps}"))
    printed = ""
    for arguments in readme_commands():
        done = subprocess.run(
            [str(GLOTMILL), *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=1800,
            env=ONE_THREAD,
        )
        assert done.returncode == 0, done.stderr
        printed = done.stdout
    metrics = tmp_path / "out" / "udhr-model" / "metrics.jsonl"
    lines = [json.loads(line) for line in metrics.read_text().splitlines()]
    first, *_, last = [line for line in lines if line["kind"] == "validation"]
    assert set(first["tier"]) == set(last["tier"]) == {"large", "middle", "small"}
    bits = {
        tier: [round(line["tier"][tier]["bits_per_byte"], 3) for line in (first, last)]
        for tier in last["tier"]
    }
    for tier, (before, after) in bits.items():
        assert after < share * before, tier
        assert re.search(
            rf"{tier} +\S {before:.3f} +\S {after:.3f} ", re.sub(" {2,}", " ", printed)
        )
    model = metrics.with_name("model")
    assert AutoModelForCausalLM.from_pretrained(model).config.model_type == "llama"
    assert AutoTokenizer.from_pretrained(model)("dignity").input_ids
    assert len(last["label"]) > 100
    for label in last["label"]:
        assert label in printed


def test_the_package_is_imported_without_torch() -> None:
    blocked = "import sys; sys.modules['torch'] = None; import glotmill.trainer"
    modules = ("order", "data", "config", "schedule", "spikes", "plan", "summary")
    imports = "; ".join(f"import glotmill.trainer.{name}" for name in modules)
    done = subprocess.run([sys.executable, "-c", f"{blocked}; {imports}"], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
