"""Writes folders of training runs as the trainer leaves them, through its own records.

What is counted and written is the trainer's (`Breakdown`, `MetricsLog`, `forgetting`); losses are
made up, so that no torch is needed.
"""

import json
import math

from glotmill.schemas.training import (
    TokenizerFile,
    Training,
    TrainingDataset,
    TrainingLabel,
    dump_training,
)
from glotmill.trainer.config import TrainConfig
from glotmill.trainer.data import Group
from glotmill.trainer.metrics import Breakdown, MetricsLog, forgetting

HOSTILE = '</script><img src=x onerror="document.title=1">'
GROUPS = (
    Group("monolingual", "swh_Latn", "web"),
    Group("monolingual", "zho_Hans", "web"),
    Group("code", "zxx_Zyyy", HOSTILE),
    Group("monolingual", HOSTILE, "web"),
)
TIERS = ("large", "small", "large", "small")
VIEWS = ("all", "category", "tier", "source", "label")
#: Tokens of a step, by group.
COUNTS = (200.0, 80.0, 40.0, 0.0)
#: Tokens held out, by group.
HELD_OUT = (100.0, 50.0, 25.0, 5.0)


def training_file(wanted=10_000):
    """A training.yaml whose plan wants so many tokens of each label."""
    dataset = {"category": "monolingual", "prefix": "x", "documents": "x", "num_documents": 1}
    labels = [
        TrainingLabel(
            category=group.category,
            label=group.label,
            tier=tier,
            num_tokens=wanted,
            num_bytes=3 * wanted,
            num_validation_tokens=100,
        )
        for group, tier in zip(GROUPS, TIERS, strict=True)
    ]
    return Training(
        glotmill=1,
        name="small-corpus",
        tokenizer=TokenizerFile(kind="huggingface", path="t", sha256="0", vocab_size=96),
        dtype="uint16",
        datasets=[
            TrainingDataset(name=split, split=split, num_tokens=9, weight=1.0, **dataset)
            for split in ("train", "validation")
        ],
        labels=labels,
    )


def write_training_file(root, wanted=10_000):
    """Adds a training.yaml to an output directory."""
    with open(f"{root}/training.yaml", "wb") as file:
        file.write(dump_training(training_file(wanted)))


def loss_of(group, step, speed=0.05):
    """The loss of a group; code is forgotten, all else is learned."""
    if GROUPS[group].category == "code":
        return 2.0 + 0.01 * step
    return 2.0 + group + 4.0 * math.exp(-speed * step)


def write_run(folder, root, steps=20, every=10, speed=0.05, nan_at=None, **measures):
    """A run of so many steps on the corpus at `root`, validated before and after every so many."""
    training = training_file()
    config = TrainConfig.model_validate(
        {
            "data": f"{root}/training.yaml", "out": str(folder), "steps": steps,
            "model": {"shape": {"hidden_size": 64, "num_hidden_layers": 2}},
            "sequence_length": 80, "batch": {"sequences": 4},
        }
    )  # fmt: skip
    log = MetricsLog(folder, 0, tensorboard=False)
    (folder / "train.json").write_text(config.model_dump_json(indent=2) + "\n")
    breakdown = Breakdown(GROUPS, training)
    first, seen, sums = {}, [0.0] * 4, ([0.0] * 4, [0.0] * 4)

    def validate(step):
        nonlocal sums
        losses = [loss_of(i, step, speed) * count for i, count in enumerate(HELD_OUT)]
        now = breakdown.of(losses, HELD_OUT, VIEWS)
        first.update({} if first else now["category"])
        log.write("validation", step, **now, forgetting=forgetting(first, now["category"], []))
        labels = breakdown.of(seen, seen, ["label"])["label"]
        tokens = {label: part["num_tokens"] for label, part in labels.items()}
        planned = training.planned_tokens()
        parts = breakdown.of(*sums, VIEWS)
        log.write("train_parts", step, **parts, seen=tokens, planned=planned)
        sums = ([0.0] * 4, [0.0] * 4)

    validate(0)
    for step in range(1, steps + 1):
        losses = [loss_of(i, step, speed) * count for i, count in enumerate(COUNTS)]
        seen = added(seen, COUNTS)
        sums = (added(sums[0], losses), added(sums[1], COUNTS))
        loss = math.nan if step == nan_at else sum(losses) / sum(COUNTS)
        values = {"loss": loss, "learning_rate": 1e-3 / step, "gradient_norm": 1.0 + 1 / step}
        where = {"position": 4 * step, "num_tokens": int(sum(seen))}
        lap = {"tokens_per_second": 1000.0 + step, "waiting_for_data": 0.01, **measures}
        log.write("train", step, **values, **where, **lap,
                  **breakdown.of(losses, COUNTS, ["category", "tier"]))  # fmt: skip
        if step % every == 0:
            validate(step)
    log.close()
    return str(folder)


def added(sums, more):
    return [one + other for one, other in zip(sums, more, strict=True)]


def write_spikes(folder, *spikes):
    """Lines of `spikes.jsonl`: step, loss and limit of each; its documents are of two labels."""
    documents = [
        {"dataset": "train", "label": group.label, "category": group.category,
         "source": group.source, "content_hash": f"{number:032x}", "num_tokens": 7}
        for number, group in enumerate((GROUPS[0], GROUPS[0], GROUPS[3]))
    ]  # fmt: skip
    with open(f"{folder}/spikes.jsonl", "a", encoding="utf-8") as file:
        for step, loss, limit in spikes:
            where = {"step": step, "position": 4 * step, "loss": loss, "limit": limit}
            file.write(json.dumps({**where, "documents": documents}) + "\n")


def lines_of(folder, kind):
    """The lines of a kind, as they stand in `metrics.jsonl`."""
    with open(f"{folder}/metrics.jsonl", encoding="utf-8") as file:
        return [line for line in map(json.loads, file) if line["kind"] == kind]
