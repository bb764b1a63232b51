"""The Flex Template's program: one job on Dataflow that runs a recipe from a `gs://` folder.

Dataflow starts a Flex Template as a single pipeline, and a run of glotmill is several, one a stage,
with a launcher between them. So the template's pipeline has one element, and working on it is the
whole run: on the one worker that gets it (`machine_type` says how large), or on further jobs that
it submits, where `run_options` names Dataflow as the engine.
"""

import argparse
import sys

from apache_beam.options.pipeline_options import PipelineOptions

from glotmill.pipelines.dataflow import run_recipe_in_job


def main(arguments: list[str]) -> None:
    """Builds the pipeline; Beam's own options, which Dataflow adds, are passed on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--run_options", default="")
    ours, beams = parser.parse_known_args(arguments)
    run_recipe_in_job(ours.recipe, ours.out, ours.run_options, PipelineOptions(beams))


if __name__ == "__main__":
    main(sys.argv[1:])
