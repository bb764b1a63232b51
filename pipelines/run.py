"""Run: a recipe to a finished output directory, skipping what is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version

from glotmill.pipelines.against import check_others
from glotmill.pipelines.changed_inputs import check_unchanged
from glotmill.pipelines.checksums import KeptChecksums
from glotmill.pipelines.engine import Build
from glotmill.pipelines.errors import RunError, UserError
from glotmill.pipelines.lock_directory import HeldDirectory, hold_directory, refuse_if_held
from glotmill.pipelines.stages.base import Job, Manifests, Stage, complete, run_stage
from glotmill.pipelines.stages.compose import ComposeStage
from glotmill.pipelines.stages.deduplicate import DeduplicateStage
from glotmill.pipelines.stages.ingest import IngestStage, index_units, unit_records
from glotmill.pipelines.stages.mix import MixStage
from glotmill.pipelines.stages.report import ReportStage
from glotmill.pipelines.units import check_inputs, find_inputs, lock_recipe
from glotmill.schemas.loading import LoadedRecipe
from glotmill.schemas.lock import Lock, dump_lock
from glotmill.schemas.manifest import SUCCESS, Manifest
from glotmill.schemas.wording import counted
from glotmill.transforms import storage
from glotmill.transforms.batches import StageOrderError
from glotmill.transforms.custom import CustomStageError, make_annotator, make_filter
from glotmill.transforms.evaluation_sets import EvaluationSetError, evaluation_index
from glotmill.transforms.identify import load_model
from glotmill.transforms.ingest import annotators
from glotmill.transforms.models.fasttext_model import ModelError
from glotmill.transforms.records import temporary_folder
from glotmill.transforms.tokenize import TextTokenizer
from glotmill.transforms.tokenizers.base import TokenizerError
from glotmill.transforms.unit_index import read_manifest

LOCK = "recipe.lock.yaml"

STAGES: tuple[Stage, ...] = (
    IngestStage(),
    DeduplicateStage(),
    ComposeStage(),
    MixStage(),
    ReportStage(),
)


def check_stages(loaded: LoadedRecipe) -> None:
    """Makes every stage of the recipe once, without loading or reading anything.

    Raises:
        UserError: a custom stage is missing, or reads a column that is not there.
    """
    recipe = loaded.recipe
    for make, stages, key in (
        (make_annotator, recipe.stages, ("stages",)),
        (make_filter, recipe.filters.custom, ("filters", "custom")),
    ):
        for index, stage in enumerate(stages):
            try:
                make(stage)
            except CustomStageError as error:
                raise UserError(f"{loaded.position(*key, index)}: {error}") from None
    for source in recipe.sources:
        try:
            annotators(recipe, source)
        except StageOrderError as error:
            raise UserError(f"{loaded.position('stages')}: {error}") from None


def check_model(loaded: LoadedRecipe) -> None:
    """Loads the identification model once.

    Raises:
        UserError: it cannot be used.
    """
    options = loaded.recipe.identify
    if not options.enabled:
        return
    try:
        load_model(options.model)
    except ModelError as error:
        raise UserError(f"{loaded.position('identify', 'model')}: {error}") from None


def check_tokenizer(loaded: LoadedRecipe) -> None:
    """Loads the tokenizer once, and looks up the tokens that begin and end documents.

    Raises:
        UserError: it cannot be used.
    """
    options = loaded.recipe.output.tokens
    if options is None:
        return
    try:
        TextTokenizer(options)
    except TokenizerError as error:
        raise UserError(f"{loaded.position('output', 'tokens', 'tokenizer')}: {error}") from None


def check_evaluation_sets(loaded: LoadedRecipe) -> str | None:
    """Reads the evaluation sets once.

    Returns:
        What a person may want to know of them.

    Raises:
        UserError: one has no files, or cannot be read as the recipe says.
    """
    options = loaded.recipe.decontaminate
    try:
        index = evaluation_index(loaded.recipe)
    except EvaluationSetError as error:
        position = loaded.position("decontaminate", "sets", error.number, "path")
        raise UserError(f"{position}: {error}") from None
    if index is None or options is None:
        return None
    names = ", ".join(each.name for each in options.sets)
    size = f"{index.num_runs:,} runs of words, {index.num_bytes / 1e6:,.1f} MB"
    return f"evaluation sets to stay clear of: {names} ({size})"


def prepare(loaded: LoadedRecipe, root: str, tell: Callable[[str], None]) -> Lock:
    """Finds, checks and fixes the inputs.

    Args:
        loaded: the recipe.
        root: the output directory.
        tell: shows a line to the person who watches.

    Raises:
        UserError: an input is missing or unfit, or a stage, the model, the tokenizer or an
            evaluation set cannot be used.
        RunError: another run is at work there.
    """
    refuse_if_held(root, tell)
    check_stages(loaded)
    check_model(loaded)
    check_tokenizer(loaded)
    check_others(loaded, root)
    if told := check_evaluation_sets(loaded):
        tell(told)
    found = find_inputs(loaded)
    check_inputs(loaded, found)
    num_files = sum(len(files) for _, files in found)
    num_bytes = sum(file.size for _, files in found for file in files)
    sources = counted(len(found), "source")
    tell(f"{counted(num_files, 'file')}, {num_bytes / 1e6:,.1f} MB, of {sources}")
    checksums = KeptChecksums(root)
    lock = lock_recipe(loaded, found, checksums)
    checksums.save()
    return lock


def execute(job: Job, held: HeldDirectory | None = None) -> Manifests:
    """Runs the stages that are not done and marks the corpus as complete.

    Args:
        job: what is run.
        held: the output directory, where this run has it to itself already.

    Raises:
        RunError: a stage left out something it should have written, an input or a tokenizer changed
            meanwhile, or another run is at work in the output directory.
    """
    if held is None:
        with hold_directory(job.root) as taken:
            return execute(job, taken)
    held.check()  # what was done under it before, such as waiting for a job, may have taken long
    storage.write_atomically(f"{job.root}/{LOCK}", dump_lock(job.lock))
    manifests = _run_stages(replace(job, run=held.guarded(job.run)))
    held.check()
    _complete_corpus(job.root, manifests)
    return manifests


def _run_stages(job: Job) -> Manifests:
    manifests: Manifests = {}
    key = ""
    for stage in STAGES:
        key = stage.key(job, key)
        reads_inputs = stage.name == "ingest"
        engine = _then_checking_inputs(job) if reads_inputs else job
        manifests[stage.name] = run_stage(stage, engine, key, manifests)
        if reads_inputs:
            index_units(job, unit_records(job.root))
    _check_keys(job, manifests)
    # A run that was killed right after it had marked a stage left what that stage needed, and a
    # launcher or worker that was killed anywhere may have left half a file.
    storage.delete([temporary_folder(job.root, stage.name) for stage in STAGES])
    storage.delete_temporaries(job.root)
    return manifests


def _check_keys(job: Job, manifests: Manifests) -> None:
    """Looks whether the tokenizer and the corpora to stay clear of are as they were.

    Raises:
        RunError: they are not; the stages that read them are to be done again.
    """
    key = ""
    for number, stage in enumerate(STAGES):
        key = stage.key(job, key)
        if key != manifests[stage.name].key:
            again = [later.name for later in STAGES[number:]]
            storage.delete([f"{job.root}/{name}/{SUCCESS}" for name in again])
            raise RunError(
                f"what the stage '{stage.name}' reads besides the inputs (a tokenizer, another "
                "corpus) changed during the run; run again to use it as it is now"
            )


def _then_checking_inputs(job: Job) -> Job:
    """The job, whose inputs are looked at again once an engine has read them."""

    def run(build: Build, workers: int) -> None:
        checksums = KeptChecksums(job.root)
        try:
            job.run(build, workers)
        except Exception:
            check_unchanged(job.lock, job.root, checksums)  # which may be why it failed
            raise
        check_unchanged(job.lock, job.root, checksums)

    return replace(job, run=run)


def _complete_corpus(root: str, manifests: Manifests) -> None:
    """Writes the corpus's own manifest: what a reader of the shards needs, and nothing else."""
    mix, report = manifests["mix"], manifests["report"]
    counts: dict[str, int] = {}
    for manifest in manifests.values():
        counts |= manifest.counts
    corpus = Manifest(
        stage="corpus",
        key=report.key,
        glotmill=version("glotmill"),
        files=(
            *mix.under("shards"),
            *mix.under("tokens"),
            *(file for file in mix.files if file.path.startswith("training.")),
            *report.files,
        ),
        counts=counts,
    )
    if read_manifest(root, "") != corpus:
        complete(root, "", corpus)
