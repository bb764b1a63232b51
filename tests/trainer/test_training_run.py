"""A run in one process: it learns, resumes to the same bits, passes spikes, says what it saw."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from token_corpus import EOS, VOCAB, write_corpus

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'glotmill[train]'")

from safetensors.torch import load_file  # noqa: E402

from glotmill.schemas.training import TrainingStage  # noqa: E402
from glotmill.trainer.checkpoint import CheckpointError, Checkpoints  # noqa: E402
from glotmill.trainer.config import Checkpoints as Options  # noqa: E402
from glotmill.trainer.config import ConfigError, TrainConfig  # noqa: E402
from glotmill.trainer.data import Cut, Step, make_batch  # noqa: E402
from glotmill.trainer.find_rate import find_rate  # noqa: E402
from glotmill.trainer.loop import Trainer, TrainingError  # noqa: E402
from glotmill.trainer.weights import save_weights  # noqa: E402
from glotmill.trainer.world import World  # noqa: E402

Make = Callable[..., TrainConfig]
REWIND = {"action": "rewind", "window": 8}


def lines(config: TrainConfig, kind: str = "train") -> list[dict[str, Any]]:
    path = Path(config.out) / "metrics.jsonl"
    return [line for line in map(json.loads, path.read_text().splitlines()) if line["kind"] == kind]


def losses(config: TrainConfig) -> list[float]:
    return [line["loss"] for line in lines(config)]


def value_at(line: dict[str, Any], name: str) -> Any:
    """A number of a line of metrics by its path, `tier/high/loss`."""
    for key in name.split("/"):
        line = line[key]
    return line


def stop_after(trainer: Trainer, step: int) -> None:
    def watch(_: Step) -> None:
        if trainer.state.step == step - 1:
            trainer.stop = True

    trainer.on_step = watch


def poison(trainer: Trainer, position: int, factor: float = 40.0) -> None:
    """Let the weights be off while one batch is learned from, as a bad batch would have it."""
    head = trainer.learner.model.model.norm.weight
    before = head.detach().clone()

    def spoil(step: Step) -> None:
        with torch.no_grad():
            head.copy_(before * factor if step.position == position else before)

    trainer.on_step = spoil


def test_loss_falls_on_every_tier(make_config: Make, world: World) -> None:
    config = make_config(steps=60, optimizer={"lr": 1e-2}, validation={"every": 30})
    assert Trainer(config, world).run() == "finished"
    first, *_, last = lines(config, "validation")
    assert set(last["tier"]) == {"high", "low", "medium"}
    for tier, now in last["tier"].items():
        assert now["bits_per_byte"] < 0.9 * first["tier"][tier]["bits_per_byte"]
    assert last["forgetting"]["code"] < 0
    assert set(last["label"]) == {"eng_Latn", "swh_Latn", "hin_Deva"}
    assert set(last["source"]) == {"source-0", "source-1"}


def test_tokens_seen_are_counted(make_config: Make, world: World) -> None:
    config = make_config()
    trainer = Trainer(config, world)
    learned = 0

    def count(step: Step) -> None:
        nonlocal learned
        learned += sum(int((batch.targets >= 0).sum()) for batch in step.batches)

    trainer.on_step = count
    trainer.run()
    parts = lines(config, "train_parts")
    assert sum(parts[-1]["seen"].values()) == learned
    assert parts[-1]["planned"] == {"eng_Latn": 2000, "swh_Latn": 1000, "hin_Deva": 1000}
    assert sum(line["all"].get("all", {}).get("num_tokens", 0) for line in parts) == learned
    assert lines(config)[-1]["position"] == 12 * 8


def test_a_resumed_run_gives_the_same_bits(make_config: Make, world: World, tmp_path: Path) -> None:
    whole = make_config(out=str(tmp_path / "whole"))
    Trainer(whole, world).run()
    parted = make_config(out=str(tmp_path / "parted"))
    for stop in (3, 7):
        trainer = Trainer(parted, world)
        stop_after(trainer, stop)
        assert trainer.run() == "stopped"
        assert trainer.state.step == stop
    assert Trainer(parted, world).run() == "finished"
    assert losses(parted) == losses(whole)
    assert lines(parted, "validation") == lines(whole, "validation")
    assert lines(parted, "train_parts") == lines(whole, "train_parts")
    one, other = (load_file(Path(c.out) / "model" / "model.safetensors") for c in (whole, parted))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_killed_between_checkpoints_goes_back(make_config: Make, world: World) -> None:
    config = make_config()
    Trainer(config, world).run()
    whole = losses(config)
    # As after a kill at step 9: metrics are ahead of the last checkpoint.
    trainer = Trainer(make_config(out=config.out + "-killed"), world)

    def kill(step: Step) -> None:
        if trainer.state.step == 9:
            raise KeyboardInterrupt

    trainer.on_step = kill
    with pytest.raises(KeyboardInterrupt):
        trainer.run()
    again = make_config(out=config.out + "-killed")
    assert len(losses(again)) == 9
    Trainer(again, world).run()
    assert losses(again) == whole


def test_micro_batches_and_recomputing_change_nothing(
    make_config: Make, world: World, tmp_path: Path
) -> None:
    runs = [
        make_config(out=str(tmp_path / name), checkpoints={"asynchronous": False}, **changes)
        for name, changes in (
            ("a", {}),
            ("b", {"batch": {"sequences": 8, "micro": 3}}),
            ("c", {"activation_checkpointing": True}),
        )
    ]
    for config in runs:
        Trainer(config, world).run()
    assert losses(runs[1]) == pytest.approx(losses(runs[0]), rel=1e-5)
    assert losses(runs[2]) == losses(runs[0])


def test_bf16_computes_beside_weights_in_float32(
    make_config: Make, world: World, tmp_path: Path
) -> None:
    runs = [make_config(out=str(tmp_path / kind), precision=kind) for kind in ("fp32", "bf16")]
    for config in runs:
        trainer = Trainer(config, world)
        trainer.run()
        assert all(each.dtype == torch.float32 for each in trainer.learner.model.parameters())
    assert losses(runs[1]) == pytest.approx(losses(runs[0]), rel=5e-3)
    assert losses(runs[1]) != losses(runs[0])
    one, other = (load_file(Path(c.out) / "model" / "model.safetensors") for c in runs)
    assert {each.dtype for each in other.values()} == {torch.bfloat16}
    for name, weights in one.items():
        torch.testing.assert_close(other[name].float(), weights, rtol=0.02, atol=0.01)


def test_z_loss_pulls_the_denominator(make_config: Make, world: World, tmp_path: Path) -> None:
    plain, pulled = (
        make_config(out=str(tmp_path / str(weight)), z_loss=weight) for weight in (0.0, 1.0)
    )
    for config in (plain, pulled):
        Trainer(config, world).run()
    assert losses(plain)[0] == losses(pulled)[0]
    assert losses(plain)[-1] != losses(pulled)[-1]


@pytest.mark.parametrize("action", ["log", "skip", "rewind"])
def test_a_spike(action: str, make_config: Make, world: World) -> None:
    spikes = {"action": action, "window": 8, "deviations": 5.0}
    config = make_config(
        spikes=spikes, optimizer={"lr": 1e-6}, schedule={"kind": "constant", "warmup_steps": 0}
    )
    trainer = Trainer(config, world)
    poison(trainer, position=48)
    trainer.run()
    (spike,) = map(json.loads, (Path(config.out) / "spikes.jsonl").read_text().splitlines())
    assert (spike["step"], spike["position"]) == (6, 48)
    assert spike["loss"] > spike["limit"]
    assert {"dataset", "label", "source", "content_hash"} <= set(spike["documents"][0])
    positions = [line["position"] for line in lines(config)]
    left_out = 8 if action == "rewind" else 0
    assert positions == [8 * n + (left_out if n > 6 else 0) for n in range(1, 13)]
    updated = "gradient_norm" in lines(config)[6]
    assert updated == (action != "skip")


def test_a_loss_that_stays_is_no_spike_any_more(make_config: Make, world: World) -> None:
    config = make_config(spikes={"action": "skip", "window": 8}, optimizer={"lr": 1e-6}, steps=20)
    trainer = Trainer(config, world)
    norm = trainer.learner.model.model.norm.weight

    def spoil(step: Step) -> None:
        with torch.no_grad():
            norm.fill_(40.0 if trainer.state.step >= 6 else 1.0)

    trainer.on_step = spoil
    trainer.run()
    learned = ["gradient_norm" in line for line in lines(config)]
    assert learned == [True] * 6 + [False] * 4 + [True] * 10


def test_losses_of_another_stage_are_told_apart(
    make_config: Make, world: World, tmp_path: Path
) -> None:
    stages = [
        TrainingStage(name="all", share_of_tokens=0.5, weights={"train-monolingual": 1.0}),
        TrainingStage(name="last", share_of_tokens=0.5, weights={"train-code": 1.0}),
    ]
    data = str(write_corpus(tmp_path / "staged", stages=stages))
    trainer = Trainer(make_config(data=data, steps=10), world)
    trainer.run()
    assert trainer.state.window == [line["loss"] for line in lines(trainer.config)][5:]
    # Where the stage's start is left out too.
    config = make_config(data=data, steps=10, out=str(tmp_path / "other"), spikes=REWIND)
    trainer = Trainer(config, world)
    poison(trainer, position=40, factor=math.nan)
    trainer.run()
    assert trainer.state.skipped == [(40, 8)]
    assert trainer.state.window == [line["loss"] for line in lines(config)][5:]


def test_curves_of_tensorboard_are_those_of_the_lines(make_config: Make, world: World) -> None:
    """After a rewind too: what was drawn beyond the checkpoint is taken back."""
    reader = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="no tensorboard"
    )
    spikes = {"action": "rewind", "window": 8}
    config = make_config(spikes=spikes, optimizer={"lr": 1e-6}, tensorboard=True)
    trainer = Trainer(config, world)
    poison(trainer, position=48)
    trainer.run()
    board = reader.EventAccumulator(str(Path(config.out) / "tensorboard")).Reload()
    for kind, names in (
        ("train", ["loss", "learning_rate", "tier/high/bits_per_byte"]),
        ("validation", ["all/all/loss", "label/hin_Deva/bits_per_byte", "forgetting/code"]),
    ):
        for name in names:
            wanted = {line["step"]: value_at(line, name) for line in lines(config, kind)}
            drawn = {event.step: event.value for event in board.Scalars(f"{kind}/{name}")}
            assert drawn == pytest.approx(wanted), name
    assert len(board.Scalars("train/loss")) == 12


def test_rewinds_come_to_an_end(make_config: Make, world: World) -> None:
    spikes = {"action": "rewind", "window": 8, "max_rewinds": 1}
    trainer = Trainer(make_config(spikes=spikes, optimizer={"lr": 1e-6}), world)
    norm = trainer.learner.model.model.norm.weight

    def spoil(step: Step) -> None:
        with torch.no_grad():
            norm.fill_(40.0 if trainer.state.step == 6 else 1.0)

    trainer.on_step = spoil
    with pytest.raises(TrainingError, match=r"leapt again after 1 rewind: lower optimizer.lr"):
        trainer.run()


def test_a_loss_that_is_no_number_is_never_learned_from(make_config: Make, world: World) -> None:
    trainer = Trainer(make_config(), world)
    norm = trainer.learner.model.model.norm.weight
    before: list[Any] = []

    def spoil(step: Step) -> None:
        with torch.no_grad():
            if trainer.state.step == 6:
                before.append(norm.detach().clone())
                norm.fill_(float("nan"))
            if trainer.state.step == 7:
                norm.copy_(before[0])

    trainer.on_step = spoil
    trainer.run()
    assert all(torch.isfinite(each).all() for each in trainer.learner.model.parameters())
    found = losses(trainer.config)
    assert found[6] is None
    assert torch.isfinite(torch.tensor(found[7:])).all()


def test_a_run_whose_weights_have_overflowed_ends(make_config: Make, world: World) -> None:
    trainer = Trainer(make_config(steps=40), world)
    norm = trainer.learner.model.model.norm.weight

    def spoil(step: Step) -> None:
        if trainer.state.step == 6:
            with torch.no_grad():
                norm.fill_(float("inf"))

    trainer.on_step = spoil
    with pytest.raises(TrainingError, match=r"step 15: .* for 10 steps in a row: lower optim"):
        trainer.run()
    assert len(losses(trainer.config)) == 15


@pytest.mark.parametrize("name", ["__0_0.distcp", ".metadata", "checkpoint.json"])
def test_a_damaged_checkpoint_is_refused(name: str, make_config: Make, world: World) -> None:
    config = make_config()
    Trainer(config, world).run()
    damaged = Path(config.out) / "checkpoints" / "step-00000012" / name
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"{name} is damaged.*go on from step-00000008"):
        Trainer(config, world)
    damaged.unlink()
    with pytest.raises(CheckpointError, match=rf"{name} is (damaged or )?not there"):
        Trainer(config, world)


def test_a_checkpoint_of_another_order_is_refused(make_config: Make, world: World) -> None:
    Trainer(make_config(), world).run()
    with pytest.raises(CheckpointError, match=r"seed was 1, is 2.*train into another folder"):
        Trainer(make_config(seed=2), world)


def test_a_checkpoint_of_other_heads_is_refused(make_config: Make, world: World) -> None:
    """Their size is written by some versions of `transformers` only, so it is no setting."""
    config = make_config(steps=2)
    Trainer(config, world).run()
    shape = {**config.model.model_dump()["shape"], "head_dim": 16}
    with pytest.raises(CheckpointError, match=r"could not be read: .*[Ss]ize mismatch"):
        Trainer(make_config(steps=2, model={"shape": shape}), world)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_hidden_layers": 1}, "num_hidden_layers was 2, is 1"),
        ({"num_hidden_layers": 3}, "num_hidden_layers was 2, is 3"),
        ({"intermediate_size": 48}, "intermediate_size was 64, is 48"),
        ({"num_attention_heads": 8, "num_key_value_heads": 4}, "num_attention_heads was 4, is 8"),
        ({"rope_theta": 2e4}, "rope_theta was .*, is 20000.0"),
    ],
)
def test_a_checkpoint_of_another_model_is_refused(
    change: dict[str, int], message: str, make_config: Make, world: World
) -> None:
    config = make_config(steps=2)
    Trainer(config, world).run()
    shape = {**config.model.model_dump()["shape"], **change}
    with pytest.raises(CheckpointError, match=rf"of another model .{message}.*restore"):
        Trainer(make_config(model={"shape": shape}), world)


def test_the_last_checkpoints_are_kept(make_config: Make, world: World) -> None:
    config = make_config(checkpoints={"every": 2, "keep": 3})
    Trainer(config, world).run()
    kept = sorted(path.name for path in (Path(config.out) / "checkpoints").iterdir())
    assert kept == ["step-00000008", "step-00000010", "step-00000012"]


def test_what_is_left_of_a_save_is_removed(make_config: Make, world: World) -> None:
    config = make_config()
    left = Path(config.out) / "checkpoints" / "step-00000004.tmp"
    left.mkdir(parents=True)
    assert Trainer(config, world).state.step == 0
    assert not left.exists()


@pytest.mark.slow
@pytest.mark.parametrize("tied", [False, True])
def test_continued_training_of_a_model_of_transformers(
    tied: bool, make_config: Make, world: World, tmp_path: Path
) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    torch.manual_seed(0)
    shape = {
        "vocab_size": VOCAB,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "tie_word_embeddings": tied,
    }
    transformers.LlamaForCausalLM(transformers.LlamaConfig(**shape)).save_pretrained(tmp_path / "m")
    ends = transformers.GenerationConfig(eos_token_id=[7, 9])
    ends.save_pretrained(tmp_path / "m")
    ours, theirs = (
        make_config(model={kind: str(tmp_path / "m")}, out=str(tmp_path / kind))
        for kind in ("path", "transformers")
    )
    for config in (ours, theirs):
        trainer = Trainer(config, world)
        stop_after(trainer, 7)
        trainer.run()
        Trainer(config, world).run()
    assert losses(ours) == pytest.approx(losses(theirs), rel=1e-5)
    for config in (ours, theirs):
        folder = Path(config.out) / "model"
        model = transformers.AutoModelForCausalLM.from_pretrained(folder)
        assert model.config.vocab_size == VOCAB
        assert model.generation_config.eos_token_id == [7, 9]


def test_a_new_model_knows_where_text_ends(make_config: Make, world: World) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    config = make_config(steps=1)
    Trainer(config, world).run()
    read = transformers.AutoModelForCausalLM.from_pretrained(Path(config.out) / "model").config
    assert (read.eos_token_id, read.bos_token_id) == (EOS, None)
    assert read.max_position_embeddings == config.sequence_length


@pytest.mark.parametrize(
    "change",
    [{"num_attention_heads": 5}, {"num_key_value_heads": 3}, {"head_dim": 7}],
)
def test_sizes_of_a_model_that_do_not_fit_together(
    change: dict[str, int], make_config: Make, world: World
) -> None:
    with pytest.raises(
        ConfigError, match=rf"must be a multiple of .*{next(iter(change.values()))}"
    ):
        Trainer(make_config(model={"shape": {"hidden_size": 32, **change}}), world)


def test_a_watched_category_without_validation(make_config: Make, world: World) -> None:
    watch = {"watch": ["code", "maths", "books"]}
    with pytest.raises(
        ConfigError, match=r"names books, maths, of .*; there are code, monolingual"
    ):
        Trainer(make_config(validation=watch), world)


def test_a_model_with_another_tokenizer(make_config: Make, world: World, tmp_path: Path) -> None:
    data = write_corpus(tmp_path, count=60)
    (tmp_path / "model").mkdir()
    own, made = tmp_path / "model" / "tokenizer.json", tmp_path / "tokenizer.json"
    made.write_text(json.dumps({"model": {"vocab": {"a": 0, "b": 1}}, "added_tokens": []}))
    config = make_config(data=str(data), model={"path": str(tmp_path / "model")})
    own.write_text(json.dumps({"model": {"vocab": {"b": 0, "a": 1}}}))
    with pytest.raises(ConfigError, match=r"model/tokenizer.json numbers its pieces otherwise"):
        Trainer(config, world)
    own.write_text(json.dumps({"model": {"vocab": {"b": 1, "a": 0}}}))
    with pytest.raises(ConfigError, match=r"there is no .*config.json"):
        Trainer(config, world)


def test_a_model_too_small_for_the_tokens(make_config: Make, world: World) -> None:
    with pytest.raises(ConfigError, match=r"has 64 tokens, but .* a tokenizer of 96"):
        Trainer(make_config(model={"shape": {"vocab_size": 64}}), world)


@pytest.mark.slow
def test_the_largest_stable_rate_is_named(
    make_config: Make, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from io import StringIO

    from rich.console import Console

    monkeypatch.setattr("glotmill.trainer.find_rate._RATES", (1e-3, 1e-2, 30.0))
    told = Console(file=StringIO(), width=200)
    config = make_config(optimizer={"lr": 1e-4, "clip": 1e9})
    assert find_rate(config, world, told) == 1e-2
    assert "lr 3e+01" in told.file.getvalue()  # type: ignore[attr-defined]
    assert "largest stable lr: 1e-02" in told.file.getvalue()  # type: ignore[attr-defined]


def test_a_corpus_without_validation(make_config: Make, world: World, tmp_path: Path) -> None:
    training = yaml.safe_load(write_corpus(tmp_path, count=60).read_text())
    training["datasets"] = [each for each in training["datasets"] if each["split"] == "train"]
    (tmp_path / "training.yaml").write_text(yaml.safe_dump(training))
    config = make_config(data=str(tmp_path / "training.yaml"), steps=2)
    assert Trainer(config, world).run() == "finished"
    assert lines(config, "validation")[-1]["all"] == {}


@pytest.mark.slow
def test_another_architecture_through_transformers(
    make_config: Make, world: World, tmp_path: Path
) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    neox = transformers.GPTNeoXConfig(vocab_size=VOCAB, num_attention_heads=4, **shape)
    transformers.GPTNeoXForCausalLM(neox).save_pretrained(tmp_path / "m")
    config = make_config(model={"transformers": str(tmp_path / "m")}, steps=40)
    Trainer(config, world).run()
    assert losses(config)[-1] < 0.9 * losses(config)[0]
    with pytest.raises(ConfigError, match=r"give it as model.transformers"):
        Trainer(make_config(model={"path": str(tmp_path / "m")}), world)


def test_a_checkpoint_that_cannot_be_written_ends_the_run_before_the_next_is_due(
    make_config: Make, world: World
) -> None:
    config = make_config(steps=400, checkpoints={"every": 100, "asynchronous": True})
    trainer = Trainer(config, world)
    in_the_way = Path(config.out) / "checkpoints" / "step-00000100.tmp"
    trainer.on_step = lambda step: in_the_way.touch()
    with pytest.raises(CheckpointError, match=r"could not be written: .*File exists"):
        trainer.run()
    assert 100 < trainer.state.step < 200


def test_a_stop_saves_before_it_validates(make_config: Make, world: World, tmp_path: Path) -> None:
    whole, parted = (make_config(out=str(tmp_path / name)) for name in ("whole", "parted"))
    Trainer(whole, world).run()
    trainer = Trainer(parted, world)
    stop_after(trainer, 6)
    assert trainer.run() == "stopped"
    assert [line["step"] for line in lines(parted, "validation")] == [0]
    assert Trainer(parted, world).run() == "finished"
    for kind in ("validation", "train_parts"):
        assert lines(parted, kind) == lines(whole, kind)


def test_weights_are_saved_as_they_are_after_layers_were_called(
    make_config: Make, world: World, tmp_path: Path
) -> None:
    learner = Trainer(make_config(precision="bf16"), world).learner
    before = {name: each.full_tensor() for name, each in learner.model.named_parameters()}
    learner.evaluate([make_batch([], [(-1, 0)], Cut(32))])
    save_weights(learner.model, tmp_path / "saved", learner.config_json, torch.float32)
    saved = load_file(tmp_path / "saved" / "model.safetensors")
    assert all(torch.equal(saved[name], each) for name, each in before.items())


def test_the_first_process_says_which_checkpoint_is_the_last(world: World, tmp_path: Path) -> None:
    newest = tmp_path / "step-00000012"

    class Second(World):
        """A process that does not see yet what the first one sees."""

        def gather(self, value: Any) -> list[Any]:
            return [[newest] if value == [] else value, value]

    second = Second(**{**vars(world), "rank": 1, "num_ranks": 2})
    assert Checkpoints(tmp_path, Options(), second).last() == newest


def test_a_longer_run_keeps_what_was_validated(make_config: Make, world: World) -> None:
    for steps in (10, 10, 20):
        config = make_config(steps=steps)
        assert Trainer(config, world).run() == "finished"
    for kind in ("validation", "train_parts"):
        assert [line["step"] for line in lines(config, kind)] == [0, 6, 10, 12, 18, 20]
    parts = [line for line in lines(config, "train_parts") if line["step"]]
    counts = [line["all"]["all"]["num_tokens"] for line in parts]
    assert sum(counts) == sum(parts[-1]["seen"].values())
