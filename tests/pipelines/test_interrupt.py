"""Ctrl-C stops a run with one line, and the next run goes on."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

RECIPE = """\
glotmill: 1
name: long
ingest: {unit_bytes: 100000}
sources: [{name: a, path: "*.jsonl", language: {code: en}}]
"""


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_interrupt(tmp_path: Path, sample_rows: list[dict[str, object]], workers: int) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    with (tmp_path / "a.jsonl").open("w") as file:
        for row in sample_rows:
            file.write(json.dumps({"text": row["text"]}) + "\n")
    command = Path(sys.executable).parent / "glotmill"
    process = subprocess.Popen(
        [command, "run", "recipe.yaml", "--out", "out", "--workers", str(workers)],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    units = tmp_path / "out" / "ingest" / "units"
    deadline = time.monotonic() + 120
    while not (units.is_dir() and any(units.iterdir())):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    error = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert error == "stopped; run the same command again to go on\n"
    assert not (tmp_path / "out" / "_SUCCESS").exists()
