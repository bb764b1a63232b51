"""One process of a run in test_training_layouts.py: trains, and writes down what it learned from.

    python layout_worker.py train.yaml STOP_AFTER

STOP_AFTER is the step after which the first process asks to stop; 0 for never.
"""

import json
import os
import sys
from pathlib import Path

import torch
import xxhash

from glotmill.trainer.config import load_config
from glotmill.trainer.data import IGNORED, Step
from glotmill.trainer.launch import end_process, listen
from glotmill.trainer.loop import Trainer
from glotmill.trainer.world import join, leave


def rows(step: Step) -> list[list[str]]:
    """A hash of each sequence, by micro-batch, without those that fill up."""
    return [
        [
            xxhash.xxh3_64_hexdigest(tokens.tobytes())
            for tokens, targets in zip(batch.tokens, batch.targets, strict=True)
            if (targets != IGNORED).any()
        ]
        for batch in step.batches
    ]


def main(path: str, stop_after: int) -> None:
    torch.set_num_threads(1)
    config = load_config(path)
    world = join(config.device)
    # The launcher starts this in a session of its own: a test that kills needs to know whom.
    Path(config.out).mkdir(parents=True, exist_ok=True)
    (Path(config.out) / f"pid-{world.rank}").write_text(str(os.getpid()))
    trainer = Trainer(config, world)
    listen(trainer)
    seen = Path(config.out) / f"seen-{world.num_ranks}-{world.rank}.jsonl"

    def note(step: Step) -> None:
        with seen.open("a") as file:
            line = {"step": trainer.state.step, "position": step.position, "rows": rows(step)}
            file.write(json.dumps(line) + "\n")
        if world.is_first and trainer.state.step == stop_after - 1:
            trainer.stop = True

    trainer.on_step = note
    trainer.run()
    leave()
    end_process(0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
