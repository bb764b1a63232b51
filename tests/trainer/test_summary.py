"""What a run says at its end, and lines of metrics that a crash left damaged; needs no torch."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from glotmill.trainer.metrics import MetricsLog, read_metrics
from glotmill.trainer.summary import print_summary


def part(bits: float | None, loss: float = 2.0) -> dict[str, Any]:
    told = {} if bits is None else {"bits_per_byte": bits}
    return {"loss": loss, "num_tokens": 9, **told}


def write_run(folder: Path, *tiers: dict[str, float | None]) -> Path:
    """A run with a validation for each of some bits per byte by tier."""
    log = MetricsLog(folder, 0, tensorboard=False)
    (folder / "train.json").write_text(json.dumps({"data": str(folder / "c" / "training.yaml")}))
    for step, bits in enumerate(tiers):
        by_tier = {name: part(value) for name, value in bits.items()}
        label = {"swh_Latn": part(3.0 - step), "[b]": part(None)}
        views = {"all": {"all": part(3.0)}, "tier": by_tier, "label": label}
        log.write("validation", step, **views)
        log.write("train_parts", step, seen={"swh_Latn": 1234 * step}, planned={"swh_Latn": 4936})
    log.close()
    return folder


def told(folder: Path) -> str:
    console = Console(file=StringIO(), width=100)
    print_summary(folder, console)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def test_labels_and_tiers_are_told(tmp_path: Path) -> None:
    text = told(write_run(tmp_path, {"high": 4.0, "low": 5.0}, {"high": 3.0, "low": 4.9}))
    lines = [[cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines()]
    assert ["swh_Latn", "3.000", "2.000", "-33.3%", "1,234", "25%"] in lines
    assert ["[b]", "-", "-", "-", "0", "-"] in lines
    assert ["high", "4.000", "3.000", "-25.0%", "2.000", "2.000"] in lines
    assert ["all", "3.000", "3.000", "+0.0%", "2.000", "2.000"] in lines
    assert "bits per byte have fallen for every tier" in text
    command = f"next: glotmill report {tmp_path}/c --training {tmp_path}"
    assert text.splitlines()[-1] == command


@pytest.mark.parametrize("after", [5.0, 5.1, None])
def test_tiers_that_are_no_better_are_named(tmp_path: Path, after: float | None) -> None:
    text = told(write_run(tmp_path, {"high": 4.0, "low": 5.0}, {"high": 3.0, "low": after}))
    assert "bits per byte have not fallen for these tiers: low" in text


def test_nothing_held_out(tmp_path: Path) -> None:
    assert "nothing was held out" in told(write_run(tmp_path, {}, {}))


def test_damaged_lines_stop_neither_a_run_nor_its_summary(tmp_path: Path) -> None:
    folder = write_run(tmp_path, {"high": 4.0}, {"high": 3.0}, {"high": 2.0})
    path = folder / "metrics.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1] = b"\0\xff\n"
    path.write_bytes(b"".join(lines) + b'{"kind": "val')
    MetricsLog(folder, 1, tensorboard=False).close()
    assert [line["step"] for line in read_metrics(path)] == [0, 1, 1]
    assert path.read_bytes() == b"".join(lines[:4])
    assert "-25.0%" in told(folder)


def test_a_run_that_starts_anew_is_told_without_the_one_before(tmp_path: Path) -> None:
    write_run(tmp_path, {"high": 9.0}, {"high": 8.0})
    text = told(write_run(tmp_path, {"high": 4.0}, {"high": 3.0}))
    assert [line["step"] for line in read_metrics(tmp_path / "metrics.jsonl")] == [0, 0, 1, 1]
    assert "-25.0%" in text


def test_curves_of_a_run_that_starts_anew_are_its_own(tmp_path: Path) -> None:
    pytest.importorskip("torch.utils.tensorboard", reason="no torch or no tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for loss in (9.0, 4.0):
        log = MetricsLog(tmp_path, 0, tensorboard=True)
        log.write("validation", 0, loss=loss)
        log.close()
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.value for event in board.Scalars("validation/loss")] == [4.0]
