"""Google Cloud Dataflow: options, and a pipeline that is run there or staged as a template."""

from __future__ import annotations

import logging
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import apache_beam as beam
from apache_beam import typehints
from apache_beam.options.pipeline_options import PipelineOptions

from glotmill.pipelines.engines.beam_options import check_beam_options
from glotmill.pipelines.engines.interrupts import interrupts_deferred
from glotmill.pipelines.errors import RunError, UserError
from glotmill.schemas.lock import Lock
from glotmill.transforms import storage
from glotmill.transforms.models.fasttext_model import BUILTIN

Build: TypeAlias = Callable[[beam.Pipeline], object]

_JOB_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_NUM_SHOWN = 5


class RunningJob(Protocol):
    """What Beam gives for a job that was submitted to Dataflow."""

    def job_id(self) -> str:
        """Dataflow's name of it."""

    def cancel(self) -> object:
        """Asks Dataflow to end it."""


class TemplateStaged(RunError):  # noqa: N818
    """The pipeline was written as a template and not run: the stages after it cannot go on."""


@dataclass(frozen=True, kw_only=True)
class DataflowOptions:
    """What Dataflow needs to know; anything else of Beam's goes into `more`.

    Attributes:
        project: the Google Cloud project that pays.
        region: where the workers run, such as `europe-west4`; best where the data lies.
        temp_location: a `gs://` folder for staged files.
        image: the container image built from the project's Dockerfile, in Artifact Registry.
        max_workers: most machines at a time.
        machine_type: of a worker, such as `n2-standard-8`.
        service_account: whose rights the workers have; the project's default where none is named.
        job_name: beginning of the jobs' names.
        template_location: a `gs://` path: the first pipeline is staged there and not run.
        more: further options of Beam's, as `--experiments=...`.
    """

    project: str
    region: str
    temp_location: str
    image: str
    max_workers: int | None = None
    machine_type: str | None = None
    service_account: str | None = None
    job_name: str = "glotmill"
    template_location: str | None = None
    more: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Checks what can be checked without asking anybody.

        Raises:
            UserError: an option cannot be right, or Beam does not know it.
        """
        if problems := list(self._problems()):
            raise UserError("\n".join(problems))
        check_beam_options(self.more)

    def _problems(self) -> Iterator[str]:
        for name in ("temp_location", "template_location"):
            value = getattr(self, name)
            if value is not None and not value.startswith("gs://"):
                yield f"--{name} must be a gs:// path that Dataflow can write to, not {value!r}"
        if not self.image:
            yield (
                "--image is missing: Dataflow's own image has no glotmill. Build one with "
                "'docker build -t REGION-docker.pkg.dev/PROJECT/REPOSITORY/glotmill .' and push it"
            )
        if not _JOB_NAME.fullmatch(self.job_name):
            yield f"--job_name {self.job_name!r}: small letters, digits and hyphens, a letter first"
        if self.max_workers is not None and self.max_workers < 1:
            yield f"--max_num_workers is to be 1 or more, not {self.max_workers}"
        yield from (
            f"{each!r} is no option of Beam's: write it as --name=value"
            for each in self.more
            if not each.startswith("--")
        )

    def arguments(self, workers: int | None = None) -> list[str]:
        """The options as Beam's own flags.

        Args:
            workers: machines to begin with, where it is known what the work is worth.
        """
        most = self.max_workers
        values = {
            "runner": "DataflowRunner",
            "project": self.project,
            "region": self.region,
            "temp_location": self.temp_location,
            "staging_location": f"{self.temp_location.rstrip('/')}/staging",
            "job_name": f"{self.job_name[:40]}-{time.strftime('%m%d-%H%M%S')}",
            "sdk_container_image": self.image,
            # The image holds Beam and glotmill: nothing is installed when a worker starts.
            "sdk_location": "container",
            "num_workers": workers and min(workers, most or workers),
            "max_num_workers": most,
            "machine_type": self.machine_type,
            "service_account_email": self.service_account,
            "template_location": self.template_location,
        }
        flags = [f"--{name}={value}" for name, value in values.items() if value is not None]
        return [*flags, *self.more]


def run_on_dataflow(
    build: Build,
    options: DataflowOptions,
    *,
    workers: int | None = None,
    stop: Callable[[RunningJob], None] | None = None,
) -> None:
    """Runs a pipeline on Dataflow and waits for it, or stages it as a template.

    Args:
        build: adds the transforms to an empty pipeline.
        options: where and how.
        workers: machines to begin with; Dataflow adds and removes some as it goes.
        stop: does with the job what the user wants, once the wait is interrupted.

    Raises:
        RunError: the job failed or was cancelled.
        TemplateStaged: the pipeline was staged, as `template_location` asks.
        UserError: the packages for Google Cloud are missing.
    """
    try:
        from apache_beam.runners.dataflow.dataflow_runner import (
            DataflowRunner,
            DataflowRuntimeException,
        )
    except ImportError as error:
        message = f"Dataflow needs the extra: pip install 'glotmill[gcp]' ({error})"
        raise UserError(message) from None
    pipeline = beam.Pipeline(
        runner=DataflowRunner(), options=PipelineOptions(options.arguments(workers))
    )
    build(pipeline)
    result: Any = None
    try:
        with interrupts_deferred():  # or a job might be left of which nobody knows the id
            result = pipeline.run()
        if options.template_location is not None:
            raise TemplateStaged(
                f"the pipeline was staged at {options.template_location} and not run; "
                "leave template_location out to run all stages"
            )
        state = result.wait_until_finish()
    except KeyboardInterrupt:
        if result is not None and stop is not None and options.template_location is None:
            stop(result)
        raise
    except DataflowRuntimeException as error:
        raise RunError(f"the Dataflow job {result.job_id()} failed: {error}") from error
    if state != "DONE":
        raise RunError(
            f"the Dataflow job {result.job_id()} ended as {state}; run again to go on with what "
            "is not done"
        )


def check_paths(lock: Lock, root: str) -> None:
    """Makes sure that workers elsewhere can reach all that the recipe names.

    Raises:
        UserError: something lies on this machine.
    """
    recipe = lock.recipe
    named = [root, *(each.path for each in lock.inputs), *recipe.deduplicate.against]
    if recipe.identify.enabled and recipe.identify.model != BUILTIN:
        named.append(recipe.identify.model)
    if recipe.output.tokens is not None:
        named.append(recipe.output.tokens.tokenizer)
    if recipe.decontaminate is not None:
        named += [pattern for each in recipe.decontaminate.sets for pattern in each.patterns]
    local = [path for path in named if storage.is_local(path)]
    if local:
        shown = ", ".join(local[:_NUM_SHOWN])
        more = f" and {len(local) - _NUM_SHOWN} more" if len(local) > _NUM_SHOWN else ""
        raise UserError(
            f"Dataflow's workers cannot reach files of this machine: {shown}{more}. Copy them to "
            "gs:// and name them there (gcloud storage cp -r)"
        )


def run_recipe_in_job(recipe: str, out: str, run_options: str, options: PipelineOptions) -> None:
    """Runs a recipe as the one element of a pipeline: what a Flex Template can start.

    Args:
        recipe: URI of the recipe.
        out: URI of the output directory.
        run_options: further options of `glotmill run`, as one would type them.
        options: Beam's own.

    Raises:
        UserError: the recipe or the output lies on this machine.
    """
    if local := [path for path in (recipe, out) if storage.is_local(path)]:
        raise UserError(f"the job cannot reach {' and '.join(local)}: name a gs:// path")
    command = ["run", recipe, "--out", out, *shlex.split(run_options)]
    pipeline = beam.Pipeline(options=options)
    pipeline | "Recipe" >> beam.Create([command]) | "Run" >> beam.ParDo(_RunCommand())
    pipeline.run()


@typehints.with_input_types(list[str])
@typehints.with_output_types(str)
class _RunCommand(beam.DoFn):
    """Runs the command line in a process of its own; its lines go into the worker's log.

    A worker that is lost takes the run with it: the element is tried again elsewhere, and the run
    goes on where it was.
    """

    def process(self, arguments: Sequence[str]) -> Iterator[str]:
        command = [sys.executable, "-c", "from glotmill.pipelines.cli import console; console()"]
        with subprocess.Popen(
            [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            lines = []
            for line in process.stdout or ():
                logging.getLogger("glotmill").info(line.rstrip())
                lines.append(line.rstrip())
        if process.returncode != 0:
            raise RuntimeError("\n".join(lines[-20:]) or f"exit code {process.returncode}")
        yield lines[-1] if lines else ""
