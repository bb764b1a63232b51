"""What the trainer really writes is what the report shows beside the corpus."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from token_corpus import write_corpus

pytest.importorskip("torch", reason="torch is not installed: pip install 'glotmill[train]'")

from glotmill.dashboard import build_training_report
from glotmill.dashboard.overview import make_report
from glotmill.dashboard.statistics import gather
from glotmill.dashboard.training import training_report
from glotmill.trainer.config import TrainConfig
from glotmill.trainer.data import Step
from glotmill.trainer.loop import Trainer
from glotmill.trainer.world import World

sys.path.append(str(Path(__file__).parents[1] / "dashboard"))

from run_writer import RunWriter, planned, row

RECIPE = {
    "glotmill": 1,
    "name": "small",
    "seed": 1,
    "sources": [{"name": "web", "path": "w.jsonl"}],
}


def finish_corpus(root: Path) -> None:
    """Makes the folder with a training.yaml the output of a finished run."""
    run = RunWriter(root, RECIPE)
    run.statistics("ingest", [row("ingest", "kept", "", "web", "swh_Latn", (9, 900, 150))])
    run.finish([planned("monolingual", "swh_Latn", "low", 1.0, (9, 900, 150), 150.0)], {})


def test_a_run_is_shown(
    make_config: Callable[..., TrainConfig], tmp_path: Path, world: World
) -> None:
    training_yaml = write_corpus(tmp_path / "corpus", count=60)
    finish_corpus(training_yaml.parent)
    spikes = {"window": 8, "deviations": 5.0}
    trainer = Trainer(make_config(data=str(training_yaml), spikes=spikes), world)
    norm = trainer.learner.model.model.norm.weight

    def leap(step: Step) -> None:
        if step.position == 48:
            norm.data.mul_(40)

    trainer.on_step = leap
    trainer.run()
    root, out = str(training_yaml.parent), trainer.config.out
    build_training_report(root, [out])
    assert (training_yaml.parent / "report-training.html").stat().st_size > 100_000

    shown = training_report(make_report(gather(root)), [out])
    (run,) = shown.runs
    lines = [json.loads(line) for line in Path(out, "metrics.jsonl").read_text().splitlines()]
    assert (run.log.damaged, run.log.is_cut) == ([], False)
    assert len(run.log.steps) + len(run.log.stretches) + len(run.log.validations) == len(lines)
    assert run.spikes.read[0].step == 6
    assert run.spikes.read[0].documents[0].label in {"eng_Latn", "swh_Latn", "hin_Deva"}
    validations = [line for line in lines if line["kind"] == "validation"]
    found = {each.label: each for each in shown.labels}["swh_Latn"]
    assert (found.words, found.planned) == (150, 1000)
    assert found.losses.bits_before == validations[0]["label"]["swh_Latn"]["bits_per_byte"]
    assert found.losses.bits_after == validations[-1]["label"]["swh_Latn"]["bits_per_byte"]
    assert sum(each.seen for each in shown.labels) == run.log.steps[-1].num_tokens
    assert {each.category: each.worse for each in shown.forgetting} == (
        validations[-1]["forgetting"]
    )
