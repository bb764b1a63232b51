"""The built graphs: every element typed, the number of steps independent of the data."""

import apache_beam as beam
import pytest
from apache_beam import typehints
from apache_beam.pipeline import PipelineVisitor
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from glotmill.pipelines import build
from glotmill.schemas.lock import Lock, Unit
from glotmill.schemas.recipe import Deduplicate, Near, Recipe
from glotmill.transforms.compose import ComposeUnits
from glotmill.transforms.split import SplitRule

RECIPE = Recipe.model_validate(
    {"glotmill": 1, "name": "graph", "sources": [{"name": "a", "path": "a.txt"}]}
)

STAGES = [
    *("ingest", "exact", "none", "sketch", "jaccard", "shadows"),
    *("split", "held_out", "leaks", "compose", "mix"),
]


def lock_of(num_units: int) -> Lock:
    units = tuple(
        Unit(key=f"{number:032x}", source="a", num_bytes=1, slices=())
        for number in range(num_units)
    )
    return Lock(glotmill="0", recipe=RECIPE, inputs=(), units=units)


def build_stage(stage: str, lock: Lock, num_labels: int = 3) -> beam.Pipeline:
    pipeline = beam.Pipeline(runner=FnApiRunner())
    ordinals = range(len(lock.units))
    wanted = {("monolingual", f"aa{number}_Latn"): 2 for number in range(num_labels)}
    stages = {
        "ingest": lambda: build.ingest(pipeline, lock, lock.units, "out"),
        "exact": lambda: build.deduplicate(pipeline, Deduplicate(), "out", ordinals, {}, 0),
        **{
            verify: lambda verify=verify: build.deduplicate(
                pipeline,
                Deduplicate(near=Near(verify=verify)),
                "out",
                ordinals,
                {label: 2 for _, label in wanted},
                2,
            )
            for verify in ("none", "sketch", "jaccard")
        },
        "shadows": lambda: build.count_shadows(
            pipeline, Deduplicate(near=Near()), "out", ordinals, 2
        ),
        "split": lambda: build.split(pipeline, lock, "out", wanted, SplitRule(1)),
        "held_out": lambda: build.held_out(pipeline, lock, "out"),
        "leaks": lambda: build.leaks(pipeline, lock, "out"),
        "compose": lambda: build.each_unit(pipeline, ComposeUnits("out", "{}", None, 1), ordinals),
        "mix": lambda: build.mix(pipeline, lock, "out", ordinals, 3),
    }
    stages[stage]()
    return pipeline


class Outputs(PipelineVisitor):
    def __init__(self) -> None:
        self.types: dict[str, object] = {}

    def visit_transform(self, node: beam.pipeline.AppliedPTransform) -> None:
        for output in node.outputs.values():
            if isinstance(output, beam.PCollection):
                self.types[node.full_label] = output.element_type


@pytest.mark.parametrize("stage", STAGES)
def test_no_element_of_our_steps_is_any(stage: str) -> None:
    visitor = Outputs()
    build_stage(stage, lock_of(3)).visit(visitor)
    # Inside Create and Reshuffle Beam uses types of its own.
    ours = {
        label: kind
        for label, kind in visitor.types.items()
        if not label.startswith(("Units/", "Spread/")) and "/KeyWithVoid" not in label
    }
    assert ours
    untyped = [label for label, kind in ours.items() if "Any" in str(kind)]
    assert untyped == []
    assert typehints.Any not in ours.values()


@pytest.mark.parametrize("stage", STAGES)
def test_number_of_steps_is_independent_of_units_and_labels(stage: str) -> None:
    def num_steps(num_units: int, num_labels: int) -> int:
        pipeline = build_stage(stage, lock_of(num_units), num_labels)
        return len(pipeline.to_runner_api().components.transforms)

    assert num_steps(1, 1) == num_steps(500, 1_000)
