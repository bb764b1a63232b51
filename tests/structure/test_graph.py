"""The built graphs: every element typed, the number of steps independent of the data."""

from collections.abc import Sequence
from functools import cache

import apache_beam as beam
import pytest
from apache_beam import typehints
from apache_beam.options.pipeline_options import PipelineOptions
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


@cache
def lock_of(num_units: int) -> Lock:
    unit = Unit(key="0" * 32, source="a", num_bytes=1, slices=())
    return Lock(glotmill="0", recipe=RECIPE, inputs=(), units=(unit,) * num_units)


def build_stage(
    stage: str, lock: Lock, num_labels: int = 3, ordinals: Sequence[int] | None = None
) -> beam.Pipeline:
    # With one worker nothing is spread.
    options = PipelineOptions(["--direct_num_workers=2"])
    pipeline = beam.Pipeline(runner=FnApiRunner(), options=options)
    ordinals = range(len(lock.units)) if ordinals is None else ordinals
    wanted = {("monolingual", f"aa{number}_Latn"): 2 for number in range(num_labels)}
    stages = {
        "ingest": lambda: build.ingest(pipeline, lock, "units", ordinals, "out"),
        "exact": lambda: build.deduplicate(
            pipeline, Deduplicate(), "out", ordinals, {}, 0, pair_ordinals=ordinals
        ),
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


def num_bytes(pipeline: beam.Pipeline) -> int:
    return int(pipeline.to_runner_api().ByteSize())


@pytest.mark.parametrize("stage", STAGES)
def test_graphs_do_not_grow_with_units(stage: str) -> None:
    few, many = (num_bytes(build_stage(stage, lock_of(n))) for n in (20_000, 200_000))
    # Functions are pickled and compressed, so that an order of hashes moves the size by some bytes.
    assert abs(many - few) < 1_000
    assert many < 100_000


def test_what_is_left_of_an_ingest_that_was_cut_off_stays_small() -> None:
    """Units are done in any order: at the worst every other one is left."""
    left = range(0, 100_000, 2)
    assert num_bytes(build_stage("ingest", lock_of(100_000), ordinals=left)) < 1_000_000
