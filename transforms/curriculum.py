"""Curriculum: stages of training, each with its own part of every category.

A drawn copy has a place in [0, 1) by its hash. The parts of its category that go to the stages cut
that range, and where the copy falls inside its cut is its place in the stage. So every stage is
shuffled, a recipe without stages is one stage, and a copy is in one stage only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from glotmill.schemas.curriculum import Stage
from glotmill.transforms.draws import DRAWS
from glotmill.transforms.plan import PLAN_PATH
from glotmill.transforms.tables import read_table

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Curriculum:
    """Where the copies of each category go.

    Attributes:
        cuts: of each category, the ends of the parts that go to the stages; the last is 1.
        starts: where each stage begins in the corpus, in [0, 1]; one more than there are stages.
    """

    cuts: Mapping[str, tuple[float, ...]]
    starts: tuple[float, ...]

    def place(self, category: str, draws: Ints) -> Ints:
        """Places in the corpus of copies of a category; int64, 63 bits.

        Args:
            category: of all of them.
            draws: of the shuffle, 63 bits.
        """
        if len(self.starts) == 2:
            return draws
        cuts = np.array((0.0, *self.cuts[category]))
        places = np.minimum(draws / DRAWS, np.nextafter(1.0, 0.0))
        stage = np.clip(np.searchsorted(cuts, places, side="right") - 1, 0, len(cuts) - 2)
        # Stages that take nothing of the category have no width, and no copy falls into them.
        inside = (places - cuts[stage]) / (cuts[stage + 1] - cuts[stage])
        starts = np.array(self.starts)
        moved = starts[stage] + inside * (starts[stage + 1] - starts[stage])
        last = np.nextafter(starts[stage + 1], 0)
        return np.asarray(np.minimum(moved, last) * DRAWS, np.int64)

    def stage_of(self, places: Ints) -> Ints:
        """The number of the stage that each place is in."""
        found = np.searchsorted(np.array(self.starts), places / DRAWS, side="right") - 1
        return np.clip(found, 0, len(self.starts) - 2)


#: One shuffle throughout.
SHUFFLED = Curriculum({}, (0.0, 1.0))


def curriculum_of(stages: Sequence[Stage], amounts: Mapping[str, float]) -> Curriculum:
    """The curriculum of a recipe.

    Args:
        stages: in the order of training; none give one shuffle.
        amounts: what is drawn of each category, in any unit.

    >>> stages = [Stage(name="all", parts={"*": 3}), Stage(name="end", parts={"book": 1, "*": 1})]
    >>> curriculum_of(stages, {"book": 40.0, "code": 60.0}).starts
    (0.0, 0.75, 1.0)
    """
    if not stages:
        return SHUFFLED
    parts = {category: parts_of(stages, category) for category in amounts}
    sizes = [
        math.fsum(parts[category][number] * amount for category, amount in amounts.items())
        for number in range(len(stages))
    ]
    total = math.fsum(sizes) or 1.0
    ends = [math.fsum(sizes[: number + 1]) / total for number in range(len(stages))]
    cuts = {
        category: (*(math.fsum(of[: n + 1]) for n in range(len(of) - 1)), 1.0)
        for category, of in parts.items()
    }
    return Curriculum(cuts, (0.0, *ends[:-1], 1.0))


def parts_of(stages: Sequence[Stage], category: str) -> list[float]:
    """The part of a category that each stage takes; they sum to 1."""
    wanted = [stage.part_of(category) for stage in stages]
    total = math.fsum(wanted)
    return [each / total for each in wanted]


def planned_bytes(plan: pa.Table) -> dict[str, float]:
    """What a plan draws of each category, in UTF-8 bytes of text."""
    found: dict[str, float] = {}
    for row in plan.select(["category", "epochs", "num_bytes"]).to_pylist():
        amount = (row["epochs"] or 0.0) * row["num_bytes"]
        found[row["category"]] = found.get(row["category"], 0.0) + amount
    return found


def read_curriculum(root: str, stages: Sequence[Stage]) -> Curriculum:
    """The curriculum of a run whose plan is written."""
    return curriculum_of(stages, planned_bytes(read_table(f"{root}/{PLAN_PATH}")))
