"""Jobs for Dataflow, built and staged without it: what would be sent there."""

import json
import subprocess
import sys
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from object_stores import Proxy

from glotmill.pipelines import build
from glotmill.pipelines.dataflow import (
    DataflowOptions,
    TemplateStaged,
    check_paths,
    run_on_dataflow,
    run_recipe_in_job,
)
from glotmill.pipelines.errors import UserError
from glotmill.schemas.lock import Input, Lock, Unit, UnitSlice
from glotmill.schemas.recipe import Recipe
from glotmill.transforms import storage
from glotmill.transforms.compose import ComposeUnits

IMAGE = "europe-west4-docker.pkg.dev/no-project/images/glotmill:0.1.0"
OPTIONS = {
    "project": "no-project",
    "region": "europe-west4",
    "temp_location": "gs://corpora/temporary",
    "image": IMAGE,
}
NUM_LANGUAGES, NUM_PAIRS = 546, 2_500


def lock_of(num_languages: int, num_pairs: int) -> Lock:
    """A lock of as many files of text, and of as many of pairs."""
    recipe = Recipe.model_validate(
        {
            "glotmill": 1,
            "name": "many",
            "sources": [
                {
                    "name": "text",
                    "path": "gs://corpora/text/*.jsonl.zst",
                    "language": {"path": "/([a-z]+)_"},
                },
            ],
        }
    )
    units = tuple(
        Unit(
            key=f"{number * 0x9E3779B97F4A7C15_F39CC0605CEDC835 % 2**128:032x}",
            source="text",
            num_bytes=1 << 26,
            slices=(
                UnitSlice(
                    path=f"gs://corpora/text/{number:05}_Latn.jsonl.zst",
                    name=f"{number:05}_Latn.jsonl.zst",
                    format="jsonl",
                    checksum=f"gs:{number * 0x9E3779B1 % 2**32:08x}",
                    start=0,
                    end=1 << 26,
                ),
            ),
        )
        for number in range(num_languages + num_pairs)
    )
    return Lock(glotmill="0", recipe=recipe, inputs=(), units=units)


def staged(gcs: Proxy, make: object) -> tuple[dict[str, object], bytes]:
    """The job as it was staged, and the bytes of its pipeline."""
    location = "gs://corpora/templates/job"
    storage.delete(["gs://corpora/temporary", location])
    with pytest.raises(TemplateStaged, match="was staged at gs://corpora/templates/job"):
        run_on_dataflow(make, DataflowOptions(**OPTIONS, template_location=location))  # type: ignore[arg-type]
    (proto,) = storage.match("gs://corpora/temporary/**pipeline.pb")
    return json.loads(storage.read_bytes(location)), storage.read_bytes(proto.path)


def pipeline_of(content: bytes) -> object:
    from apache_beam.portability.api import beam_runner_api_pb2

    return beam_runner_api_pb2.Pipeline.FromString(content)


def stages_of(num_languages: int, num_pairs: int) -> dict[str, object]:
    lock = lock_of(num_languages, num_pairs)
    ordinals = range(len(lock.units))
    root = "gs://corpora/out"
    by_label = {f"l{number:03}_Latn": 10**6 for number in range(num_languages)}
    return {
        "ingest": lambda p: build.ingest(p, lock, f"{root}/units.parquet", ordinals, root),
        "deduplicate": lambda p: build.deduplicate(
            p, lock.recipe.deduplicate, root, ordinals, by_label, 10**9
        ),
        "compose": lambda p: build.each_unit(p, ComposeUnits(root, "{}", None, 1), ordinals),
        "mix": lambda p: build.mix(p, lock, root, ordinals, 3),
    }


@pytest.mark.parametrize(
    "stage",
    [
        "ingest",
        *(pytest.param(each, marks=pytest.mark.slow) for each in ("deduplicate", "compose", "mix")),
    ],
)
def test_jobs_are_staged_small(gcs: Proxy, credentials: None, stage: str) -> None:
    job, content = staged(gcs, stages_of(NUM_LANGUAGES, NUM_PAIRS)[stage])
    pipeline = pipeline_of(content)
    images = {
        environment.payload
        for environment in pipeline.components.environments.values()  # type: ignore[attr-defined]
    }
    assert len(images) == 1
    assert IMAGE.encode() in images.pop()
    assert job["environment"]["workerPools"][0]["sdkHarnessContainerImages"]  # type: ignore[index]
    assert IMAGE in json.dumps(job)
    assert len(content) < 100_000
    assert len(json.dumps(job)) < 1_000_000
    small = pipeline_of(staged(gcs, stages_of(1, 1)[stage])[1])
    assert len(small.components.transforms) == len(pipeline.components.transforms)  # type: ignore[attr-defined]


def test_options_become_beams_flags() -> None:
    options = DataflowOptions(
        **OPTIONS, max_workers=20, machine_type="n2-standard-8", more=("--experiments=x",)
    )
    flags = options.arguments(workers=50)
    assert {
        "--runner=DataflowRunner",
        f"--sdk_container_image={IMAGE}",
        "--sdk_location=container",
    } <= set(flags)
    assert {"--num_workers=20", "--max_num_workers=20", "--machine_type=n2-standard-8"} <= set(
        flags
    )
    assert flags[-1] == "--experiments=x"
    assert not [flag for flag in flags if flag.endswith("=None")]
    known = PipelineOptions(flags).get_all_options(drop_default=True)
    assert known["region"] == "europe-west4"


def test_options_that_cannot_be_right_are_named_at_once() -> None:
    wrong = {
        **OPTIONS,
        "temp_location": "/tmp/x",
        "image": "",
        "job_name": "My Job",
        "more": ("x",),
    }
    with pytest.raises(UserError) as caught:
        DataflowOptions(**wrong)  # type: ignore[arg-type]
    message = str(caught.value)
    for part in (
        "--temp_location must be a gs:// path",
        "--image is missing",
        "'My Job'",
        "'x' is",
    ):
        assert part in message


def test_files_of_this_machine_are_refused(tmp_path: Path) -> None:
    lock = lock_of(1, 0)
    check_paths(lock, "gs://corpora/out")
    item = Input(source="text", path=f"{tmp_path}/a", name="a", format="jsonl", size=1, checksum="")
    with pytest.raises(UserError, match=r"cannot reach files of this machine: out, .*/a\. Copy"):
        check_paths(lock.model_copy(update={"inputs": (item,)}), "out")


DEPLOY = Path(__file__).parents[2] / "deploy" / "dataflow"


def test_the_flex_template_is_one_that_dataflow_knows() -> None:
    types = pytest.importorskip("google.cloud.dataflow_v1beta3.types")
    spec = types.ContainerSpec.from_json((DEPLOY / "template.json").read_text())
    assert [parameter.name for parameter in spec.metadata.parameters] == [
        "recipe",
        "out",
        "run_options",
    ]
    assert spec.sdk_info.language.name == "PYTHON"
    assert (spec.default_environment.num_workers, spec.default_environment.max_workers) == (1, 1)


def test_the_flex_templates_program_stages_its_job(gcs: Proxy, credentials: None) -> None:
    location = "gs://corpora/templates/flex"
    flags = ["--runner=DataflowRunner", "--project=no-project", "--region=europe-west4",
             "--temp_location=gs://corpora/flex", "--staging_location=gs://corpora/flex/staging",
             f"--sdk_container_image={IMAGE}", "--sdk_location=container",
             f"--template_location={location}"]  # fmt: skip
    ours = ["--recipe=gs://corpora/r.yaml", "--out=gs://corpora/out", "--run_options=--workers 4"]
    subprocess.run(
        [sys.executable, DEPLOY / "main.py", *ours, *flags],
        check=True,
        capture_output=True,
        timeout=120,
    )
    assert storage.exists(location)
    (proto,) = storage.match("gs://corpora/flex/**pipeline.pb")
    names = {
        t.unique_name
        for t in pipeline_of(storage.read_bytes(proto.path)).components.transforms.values()
    }  # type: ignore[attr-defined]
    assert "Run" in names


@pytest.mark.slow
def test_the_flex_templates_job_runs_a_recipe(gcs: Proxy, tmp_path: Path) -> None:
    """In this process, as Dataflow's worker would."""
    rows = [
        {"text": f"The quick brown fox number {n} jumps over the lazy dog.", "lang": "en"}
        for n in range(50)
    ]
    storage.write_atomically(
        "gs://corpora/flex-in/a.jsonl", "".join(json.dumps(r) + "\n" for r in rows).encode()
    )
    recipe = "glotmill: 1\nname: a\nsources: [{name: a, path: a.jsonl, language: {column: lang}}]\n"
    storage.write_atomically("gs://corpora/flex-in/recipe.yaml", recipe.encode())
    options = PipelineOptions(
        ["--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner"]
    )
    for _ in range(2):
        run_recipe_in_job(
            "gs://corpora/flex-in/recipe.yaml", "gs://corpora/flex-out", "--workers 1", options
        )
        assert storage.exists("gs://corpora/flex-out/_SUCCESS")
    with pytest.raises(RuntimeError, match=r"no object gs://corpora/flex-in/absent\.yaml"):
        run_recipe_in_job("gs://corpora/flex-in/absent.yaml", "gs://corpora/flex-out", "", options)
    with pytest.raises(UserError, match="the job cannot reach out: name a gs:// path"):
        run_recipe_in_job("gs://corpora/flex-in/recipe.yaml", "out", "", options)


@pytest.mark.parametrize(
    ("arguments", "runs"),
    [
        (["--id=1", "--provision_endpoint=localhost:1"], "boot"),
        (["--worker_pool"], "boot"),
        (["--version"], "glotmill"),
        (["run", "recipe.yaml"], "glotmill"),
    ],
)
def test_the_image_starts_a_worker_or_the_command(
    tmp_path: Path, arguments: list[str], runs: str
) -> None:
    for name in ("boot", "glotmill"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho {name} "$@"\n')
        (tmp_path / name).chmod(0o755)
    entrypoint = DEPLOY.parent / "entrypoint.sh"
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "BEAM_BOOT": f"{tmp_path}/boot"}
    done = subprocess.run(
        ["sh", entrypoint, *arguments], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [runs, *arguments]


def test_the_image_has_the_beam_that_is_tested() -> None:
    dockerfile = (DEPLOY.parents[1] / "Dockerfile").read_text()
    assert f"ARG BEAM={beam.__version__}\n" in dockerfile
    for line in dockerfile.splitlines():
        if line.startswith("COPY") and "--from" not in line and ". ." not in line:
            assert (DEPLOY.parents[1] / line.split()[-2]).exists(), line
