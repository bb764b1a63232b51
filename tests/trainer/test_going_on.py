"""A run that goes on with another batch, corpus or optimiser; folders that it leaves alone."""

import errno
import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from token_corpus import write_corpus

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'glotmill[train]'")

from glotmill.schemas.indexed_dataset import IndexedDatasetError  # noqa: E402
from glotmill.schemas.training import TrainingStage, load_training  # noqa: E402
from glotmill.trainer.checkpoint import CheckpointError, check_same, settings_of_both  # noqa: E402
from glotmill.trainer.config import ConfigError, TrainConfig  # noqa: E402
from glotmill.trainer.data import Corpus, Cut, DataError, Step, make_batch  # noqa: E402
from glotmill.trainer.lock import FolderInUseError  # noqa: E402
from glotmill.trainer.loop import Trainer  # noqa: E402
from glotmill.trainer.world import World  # noqa: E402

Make = Callable[..., TrainConfig]
CUT = Cut(32)


def positions_of(trainer: Trainer, stop: int | None = None) -> list[int]:
    """Train, to a step or the end; the samples of the batches that were learned from."""
    found: list[int] = []

    def note(step: Step) -> None:
        found.extend(range(step.position, step.position + step.num_samples))
        if trainer.state.step + 1 == stop:
            trainer.stop = True

    trainer.on_step = note
    trainer.run()
    return found


@pytest.mark.parametrize("batch", [3, 20])
def test_another_batch_sees_the_rest_of_the_plan(
    batch: int, make_config: Make, world: World
) -> None:
    first = Trainer(make_config(steps=None), world)
    num_samples = first.num_steps * 8
    seen = positions_of(first, stop=first.num_steps // 2)
    rest = Trainer(make_config(steps=None, batch={"sequences": batch, "micro": 2}), world)
    seen += positions_of(rest)
    assert seen == list(range(len(seen)))
    assert abs(len(seen) - num_samples) < max(8, batch)


def test_another_batch_under_stages(make_config: Make, world: World, tmp_path: Path) -> None:
    stages = [
        TrainingStage(name="all", share_of_tokens=0.5, weights={"train-monolingual": 1.0}),
        TrainingStage(name="last", share_of_tokens=0.5, weights={"train-code": 1.0}),
    ]
    data = str(write_corpus(tmp_path / "staged", stages=stages))
    positions_of(Trainer(make_config(data=data, steps=None), world), stop=2)
    Trainer(make_config(data=data, steps=None, batch={"sequences": 5}), world)
    with pytest.raises(CheckpointError, match=r"stages was .*shares of steps \* batch.sequences"):
        Trainer(make_config(data=data, steps=40), world)


def test_fewer_steps_than_were_done(make_config: Make, world: World) -> None:
    positions_of(Trainer(make_config(), world), stop=5)
    with pytest.raises(ConfigError, match="steps is 4, but the run stands at step 5"):
        Trainer(make_config(steps=4), world)


def test_another_shuffle_of_the_same_documents(
    make_config: Make, world: World, training_yaml: Path, tmp_path: Path
) -> None:
    positions_of(Trainer(make_config(), world), stop=4)
    again = tmp_path / "again"
    shutil.copytree(training_yaml.parent, again)
    path = again / "tokens" / "train-code_text_document.bin"
    np.roll(np.fromfile(path, "<u2"), 40).tofile(path)
    with pytest.raises(CheckpointError, match=r"another order of samples .content was"):
        Trainer(make_config(data=str(again / training_yaml.name)), world)
    shutil.copytree(training_yaml.parent, again, dirs_exist_ok=True)
    Trainer(make_config(data=str(again / training_yaml.name)), world)


def test_the_optimiser_is_that_of_the_configuration(make_config: Make, world: World) -> None:
    positions_of(Trainer(make_config(), world), stop=4)
    options = {"lr": 3e-3, "weight_decay": 0.5, "betas": (0.5, 0.6), "eps": 1e-3}
    optimizer = Trainer(make_config(optimizer=options), world).learner.optimizer
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.5, 0.0]
    assert all((g["betas"], g["eps"]) == ((0.5, 0.6), 1e-3) for g in optimizer.param_groups)
    assert all(float(each["step"]) == 4 for each in optimizer.state.values())


def test_other_folders_beside_the_checkpoints(make_config: Make, world: World) -> None:
    config = make_config()
    positions_of(Trainer(config, world), stop=4)
    (Path(config.out) / "checkpoints" / "step-00000004.bak").mkdir()
    (Path(config.out) / "checkpoints" / "step-notes.txt").touch()
    assert Trainer(config, world).state.step == 4


def test_one_run_at_a_time_in_a_folder(make_config: Make, world: World, tmp_path: Path) -> None:
    folder = tmp_path / "run" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "step-00000008.tmp").mkdir()
    with (folder.parent / ".lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(FolderInUseError, match=f"another run is training into {tmp_path}"):
            Trainer(make_config(), world)
    assert (folder / "step-00000008.tmp").is_dir()
    trainer = Trainer(make_config(), world)
    assert not (folder / "step-00000008.tmp").is_dir()
    with (folder.parent / ".lock").open("wb") as file:
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        del trainer
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_file_system_without_locks(
    make_config: Make, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.warns(UserWarning, match="nothing keeps a second run out of .*No locks available"):
        trainer = Trainer(make_config(), world)
    assert positions_of(trainer, stop=1) == list(range(8))


def test_settings_of_a_model_of_transformers() -> None:
    was = {"id2label": {"0": "a"}, "n_head": 4, "rope": {"1": [1, 2]}, "eos_token_id": 2}
    same = {"id2label": {0: "a"}, "n_head": 4, "rope": {1: (1, 2)}, "new": 1}
    check_same(Path("c"), "model", was, settings_of_both(was, same))
    with pytest.raises(CheckpointError, match="n_head was None, is 4"):
        check_same(Path("c"), "model", {}, settings_of_both({}, same))
    with pytest.raises(CheckpointError, match=r"c is of another model .n_head was 4, is 8"):
        check_same(Path("c"), "model", was, settings_of_both(was, {"n_head": 8, "eos_token_id": 3}))


def test_a_rewind_is_remembered_by_a_run_that_stops_at_once(
    make_config: Make, world: World
) -> None:
    config = make_config(spikes={"action": "rewind", "window": 8})
    trainer = Trainer(config, world)
    norm = trainer.learner.model.model.norm.weight

    def spoil(step: Step) -> None:
        if trainer.state.step == 6:
            trainer.stop = True
            with torch.no_grad():
                norm.fill_(float("nan"))

    trainer.on_step = spoil
    assert trainer.run() == "stopped"
    assert trainer.state.skipped == [(48, 8)]
    again = Trainer(config, world)
    assert [tuple(each) for each in again.state.skipped] == [(48, 8)]
    assert again.run() == "finished"


def test_a_run_writes_over_nothing(
    make_config: Make, world: World, training_yaml: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="is the folder of the corpus: 'out' must be one of its"):
        Trainer(make_config(out=str(training_yaml.parent)), world)
    with pytest.raises(ConfigError, match="is where this run saves its model"):
        Trainer(make_config(model={"path": str(tmp_path / "run" / "model")}), world)


def test_the_largest_seed(make_config: Make, world: World) -> None:
    assert positions_of(Trainer(make_config(seed=2**63 - 1), world), stop=1)


def test_a_dataset_shorter_than_a_sequence_is_read_once(training_yaml: Path) -> None:
    corpus = Corpus(load_training(training_yaml), training_yaml.parent, CUT)
    size = corpus.validation[1].num_tokens
    batch = make_batch(corpus.validation, [(1, 0)], Cut(2 * size, mask_documents=False))
    assert (batch.targets >= 0).sum() == size - 1
    assert batch.tokens[0, :size].tolist() == corpus.validation[1].read(0, size)[0].tolist()


@pytest.mark.parametrize("content", [b"", b"PAR1"])
def test_a_damaged_table_of_documents(content: bytes, tmp_path: Path) -> None:
    path = write_corpus(tmp_path, count=30)
    training = load_training(path)
    (tmp_path / str(training.datasets[0].documents)).write_bytes(content)
    with pytest.raises(DataError, match=r"documents.parquet is damaged"):
        Corpus(training, tmp_path, CUT)


def test_a_damaged_index(tmp_path: Path) -> None:
    path = write_corpus(tmp_path, count=30)
    index = tmp_path / "tokens" / "train-code_text_document.idx"
    content = bytearray(index.read_bytes())
    content[34] += 1  # of the first sequence's length
    index.write_bytes(content)
    with pytest.raises(IndexedDatasetError, match="the pointer of sequence 1 is not the sum"):
        Corpus(load_training(path), tmp_path, CUT)
