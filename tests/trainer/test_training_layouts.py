"""Runs of 1, 2 and 4 processes: one order of samples, one loss, whatever is killed in between."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml
from token_corpus import write_corpus, write_lists

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'glotmill[train]'")

from safetensors.torch import load_file  # noqa: E402

from glotmill.trainer.checkpoint import CheckpointError, read_state  # noqa: E402
from glotmill.trainer.config import TrainConfig  # noqa: E402
from glotmill.trainer.loop import Trainer  # noqa: E402
from glotmill.trainer.world import World  # noqa: E402

pytestmark = pytest.mark.slow

Make = Callable[..., TrainConfig]
WORKER = Path(__file__).with_name("layout_worker.py")
STEPS, SAMPLES = 12, 6
# Six sequences do not come out even on four processes: two of them fill up.
CHANGES = {"steps": STEPS, "batch": {"sequences": SAMPLES, "micro": 2}}


@pytest.fixture
def config(make_config: Make) -> TrainConfig:
    return make_config(**CHANGES)


def start(config: TrainConfig, num_ranks: int, stop_after: int = 0) -> subprocess.Popen[str]:
    launcher = ["--standalone", "--nproc-per-node", str(num_ranks)] if num_ranks > 1 else []
    return launch(config, launcher, stop_after=stop_after)


def launch(
    config: TrainConfig, launcher: Sequence[str] = (), *, stop_after: int = 0, **told: str
) -> subprocess.Popen[str]:
    """Start a process, or torchrun with some options; `told` are variables of its environment."""
    path = Path(config.out).with_suffix(".yaml")
    path.write_text(yaml.safe_dump(config.model_dump(mode="json", exclude_none=True)))
    torchrun = ["-m", "torch.distributed.run", *launcher] if launcher else []
    return subprocess.Popen(
        [sys.executable, *torchrun, str(WORKER), str(path), str(stop_after)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **told},
        start_new_session=True,
    )


def run(config: TrainConfig, num_ranks: int, stop_after: int = 0) -> None:
    end(start(config, num_ranks, stop_after))


def end(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors[-3000:]


def losses(config: TrainConfig) -> list[float]:
    lines = map(json.loads, (Path(config.out) / "metrics.jsonl").read_text().splitlines())
    return [line["loss"] for line in lines if line["kind"] == "train"]


def seen(config: TrainConfig, num_ranks: int) -> dict[int, list[str]]:
    """The sequences of each step in the global order, put together from what each rank wrote."""
    paths = [Path(config.out) / f"seen-{num_ranks}-{rank}.jsonl" for rank in range(num_ranks)]
    by_rank: list[list[dict[str, Any]]] = [
        [json.loads(line) for line in path.read_text().splitlines()] for path in paths
    ]
    steps = {}
    for lines in zip(*by_rank, strict=True):
        assert len({line["position"] for line in lines}) == 1
        turns = zip(*(line["rows"] for line in lines), strict=True)
        steps[lines[0]["step"]] = list(chain.from_iterable(chain.from_iterable(turns)))
    return steps


@pytest.fixture(scope="module")
def reference(config_in: Make, tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    """The run of one process, in one go."""
    one = config_in(tmp_path_factory.mktemp("reference") / "run", **CHANGES)
    run(one, 1)
    assert sorted(seen(one, 1)) == list(range(STEPS))
    assert [len(rows) for rows in seen(one, 1).values()] == [SAMPLES] * STEPS
    return one


@pytest.mark.parametrize("num_ranks", [2, 4])
def test_layouts_see_one_order_and_come_to_one_loss(
    num_ranks: int, config: TrainConfig, reference: TrainConfig
) -> None:
    run(config, num_ranks)
    assert seen(config, num_ranks) == seen(reference, 1)
    assert losses(config) == pytest.approx(losses(reference), rel=1e-4)
    folders = [Path(each.out) / "model" for each in (config, reference)]
    assert {path.name for path in folders[0].iterdir()} == {"config.json", "model.safetensors"}
    found, wanted = (load_file(folder / "model.safetensors") for folder in folders)
    assert found.keys() == wanted.keys()
    for name, weights in wanted.items():
        torch.testing.assert_close(found[name], weights, rtol=1e-3, atol=1e-5)


def test_tasks_of_slurm_meet(config: TrainConfig, reference: TrainConfig, closed_port: int) -> None:
    told = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(closed_port), "SLURM_NTASKS": "2"}
    tasks = [launch(config, SLURM_PROCID=n, SLURM_LOCALID=n, **told) for n in ("0", "1")]
    for task in tasks:
        end(task)
    assert seen(config, 2) == seen(reference, 1)


def test_two_nodes_with_a_launcher_each_meet(
    config: TrainConfig, reference: TrainConfig, closed_port: int
) -> None:
    """One has a process, the other two."""
    where = ["--nnodes", "2", "--master-addr", "127.0.0.1", "--master-port", str(closed_port)]
    nodes = [
        launch(config, [*where, "--node-rank", rank, "--nproc-per-node", num_processes])
        for rank, num_processes in (("0", "1"), ("1", "2"))
    ]
    for node in nodes:
        end(node)
    assert seen(config, 3) == seen(reference, 1)
    assert losses(config) == pytest.approx(losses(reference), rel=1e-4)


def test_a_run_moved_from_2_to_1_to_4_processes_sees_each_sample_once(
    config: TrainConfig, reference: TrainConfig
) -> None:
    run(config, 2, stop_after=5)
    run(config, 1, stop_after=8)
    run(config, 4)
    parts = [seen(config, num_ranks) for num_ranks in (2, 1, 4)]
    assert [sorted(part) for part in parts] == [[0, 1, 2, 3, 4], [5, 6, 7], [8, 9, 10, 11]]
    together = {step: rows for part in parts for step, rows in part.items()}
    assert together == seen(reference, 1)
    counted = Counter(chain.from_iterable(together.values()))
    assert counted == Counter(chain.from_iterable(seen(reference, 1).values()))
    assert sum(counted.values()) == STEPS * SAMPLES
    assert losses(config) == pytest.approx(losses(reference), rel=1e-4)


def test_two_processes_resume_to_the_same_bits(config: TrainConfig, tmp_path: Path) -> None:
    parted = config.model_copy(update={"out": str(tmp_path / "parted")})
    run(config, 2)
    run(parted, 2, stop_after=7)
    run(parted, 2)
    assert losses(parted) == losses(config)
    weights = [Path(each.out) / "model" / "model.safetensors" for each in (config, parted)]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_two_processes_read_lists_as_one_reads_token_files(
    config: TrainConfig, reference: TrainConfig, tmp_path: Path
) -> None:
    """The first process converts them, the other waits; where that fails, both say why."""
    folder = tmp_path / "lists"
    data = write_corpus(folder)
    lists = config.model_copy(update={"data": str(data), "tokens": "parquet"})
    process = start(lists, 2)
    _, errors = process.communicate(timeout=120)
    assert process.returncode != 0
    assert errors.count(f"ShardError: {folder} holds no finished corpus") >= 2
    write_lists(folder, 32)
    run(lists, 2)
    assert seen(lists, 2) == seen(reference, 1)


def wait_for(condition: Callable[[], bool], seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "what was waited for did not come"
        time.sleep(0.0005)


def kill(config: TrainConfig, process: subprocess.Popen[str]) -> None:
    """Kill the launcher and what it launched, without a chance to do anything."""
    for path in Path(config.out).glob("pid-*"):
        os.kill(int(path.read_text()), signal.SIGKILL)
    process.kill()
    process.communicate()


@pytest.mark.parametrize("asynchronous", [True, False])
def test_a_kill_while_saving_leaves_the_last_checkpoint_whole(
    asynchronous: bool, make_config: Make, world: World
) -> None:
    shape = {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 4}
    config = make_config(
        steps=500,
        model={"shape": shape},
        checkpoints={"every": 1, "keep": 3, "asynchronous": asynchronous},
    )
    folder = Path(config.out) / "checkpoints"
    steps = []
    for _ in range(2):
        before = len(list(folder.glob("step-????????")))
        process = start(config, 2)
        kept = [path.name for path in folder.glob("step-????????")]
        wait_for(lambda kept=kept: any(p.name not in kept for p in folder.glob("step-????????")))
        wait_for(lambda: any(folder.glob("*.tmp/*.distcp")))
        kill(config, process)
        assert len(list(folder.glob("step-????????"))) >= max(1, before)
        assert list(folder.glob("*.tmp")), "it was killed after the save, not in it"
        last = sorted(folder.glob("step-????????"))[-1]
        steps.append(read_state(last)["state"]["step"])
        assert Trainer(config, world).state.step == steps[-1]
    assert steps == sorted(set(steps)), "each run goes on from the one before"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_saves_and_leaves(number: int, make_config: Make, world: World) -> None:
    config = make_config(steps=100_000, checkpoints={"every": 100_000})
    process = start(config, 1)
    wait_for(lambda: (Path(config.out) / "seen-1-0.jsonl").exists())
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors[-3000:]
    done = len(seen(config, 1))
    assert Trainer(config, world).state.step == done < 100_000


def test_sigterm_reaches_the_processes_of_torchrun(make_config: Make, world: World) -> None:
    config = make_config(steps=100_000, checkpoints={"every": 100_000})
    process = start(config, 2)
    wait_for(lambda: (Path(config.out) / "seen-2-1.jsonl").exists())
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=90)
    trainer = Trainer(config, world)
    assert trainer.state.step == len(seen(config, 2)) > 0


def test_a_damaged_checkpoint_is_refused_by_all(config: TrainConfig) -> None:
    run(config, 2, stop_after=3)
    damaged = Path(config.out) / "checkpoints" / "step-00000003" / "__1_0.distcp"
    damaged.write_bytes(damaged.read_bytes()[:-100])
    process = start(config, 2)
    _, errors = process.communicate(timeout=120)
    assert process.returncode != 0
    assert CheckpointError.__name__ in errors
    assert "__1_0.distcp is damaged" in errors
