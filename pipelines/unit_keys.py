"""Keys of units: what decides the output of each, so that what is finished stays finished."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

import xxhash

from glotmill.pipelines import bitext_inputs
from glotmill.pipelines.errors import UserError
from glotmill.schemas.lock import Lock, UnitSlice
from glotmill.schemas.recipe import CustomStage, Recipe, Source
from glotmill.transforms import storage
from glotmill.transforms.custom import CustomStageError, find_stage, package_of
from glotmill.transforms.evaluation_sets import EvaluationSetError, find_evaluation_files
from glotmill.transforms.hub import HubError, fetched_from_hub
from glotmill.transforms.models.fasttext_model import BUILTIN

#: Raised by one whenever ingest gives other output for the same recipe and input.
INGEST_VERSION = 10

#: The same for parallel text.
PAIRS_VERSION = 6

#: The same where text of evaluation sets is looked for.
DECONTAMINATE_VERSION = 3


def fingerprint(content: object) -> str:
    """A hash of anything that can be written as JSON; 32 hexadecimal digits."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return str(xxhash.xxh3_128_hexdigest(text.encode()))


def common_part(recipe: Recipe, checksum: Callable[[storage.InputFile], str]) -> dict[str, object]:
    """All that decides what ingest writes, but for the source and the input.

    Raises:
        EvaluationSetError: a set has no files.
    """
    return _ingest_part(recipe) | _evaluation_part(recipe, checksum)


def _ingest_part(recipe: Recipe) -> dict[str, object]:
    model = recipe.identify.model
    named = {"normalise", "stages", "script", "identify", "filters"}
    options = recipe.model_dump(mode="json", include=named)
    del options["filters"]["pairs"]
    return {
        "version": INGEST_VERSION,
        "recipe": options,
        "near": near_key(recipe),
        "max_record_bytes": recipe.ingest.max_record_bytes,
        "model": BUILTIN if model == BUILTIN else _model_checksum(model),
        "custom": {
            stage.name: _stage_version(stage) for stage in (*recipe.stages, *recipe.filters.custom)
        },
    }


def _evaluation_part(
    recipe: Recipe, checksum: Callable[[storage.InputFile], str]
) -> dict[str, object]:
    """What decides which documents hold text of evaluation sets; nothing where there are none."""
    options = recipe.decontaminate
    if options is None:
        return {}
    described = options.model_dump(mode="json")
    for each in described["sets"]:
        del each["path"]
    files = [
        [each.number, each.format, checksum(each.file)] for each in find_evaluation_files(options)
    ]
    return {"decontaminate": [DECONTAMINATE_VERSION, described, files]}


def source_part(
    recipe: Recipe, source: Source, checksum: Callable[[storage.InputFile], str]
) -> dict[str, object]:
    """What of the recipe, and of files that are no inputs, only parallel text depends on."""
    if not source.is_bitext:
        return {}
    return {
        "pairs": [PAIRS_VERSION, recipe.filters.pairs.model_dump(mode="json")],
        "documents": bitext_inputs.documents_key(source, checksum),
    }


def unit_key(source: Source, slices: Iterable[UnitSlice], part: dict[str, object]) -> str:
    """Hash of a unit's slices, its source, and all else that decides what ingest makes of them."""
    without = {"path", "priority", "domain", "licence"}
    if not source.is_bitext:
        without |= {"pairs"}
    options = source.model_dump(mode="json", exclude=without)
    described = [_described(piece) for piece in slices]
    return fingerprint({"part": part, "source": options, "slices": described})


def _described(piece: UnitSlice) -> dict[str, object]:
    """A slice without where its files lie."""
    data = piece.model_dump(exclude={"path"})
    for companion in data.get("companions", ()):
        del companion["path"]
    return data


def sources_read_otherwise(
    recipe: Recipe, lock: Lock, checksum: Callable[[storage.InputFile], str]
) -> list[str]:
    """Sources that a lock has other units of than the same files would give by a recipe now.

    Evaluation sets, documents of alignments and models are no inputs, but decide what ingest makes
    of these.

    Args:
        recipe: that of the lock, or one that says the same of its sources.
        lock: the resolved recipe.
        checksum: of a file as it is now.
    """
    first = {unit.source: unit for unit in reversed(lock.units)}
    try:
        part = common_part(recipe, checksum)
    except (EvaluationSetError, FileNotFoundError) as error:
        problem = error.args[-1]
        if isinstance(problem, OSError) and not isinstance(problem, FileNotFoundError):
            raise problem from None  # a store that does not answer tells of no change
        return [source.name for source in recipe.sources if source.name in first]
    return [
        source.name
        for source in recipe.sources
        if (unit := first.get(source.name)) is not None
        and unit.key != unit_key(source, unit.slices, part | source_part(recipe, source, checksum))
    ]


def near_key(recipe: Recipe) -> dict[str, int] | None:
    """What decides the band keys and sketches that ingest writes."""
    near = recipe.deduplicate.near
    if near is None:
        return None
    return near.model_dump(include={"ngram", "character_ngram", "cluster_ngram", "bands", "rows"})


def _model_checksum(model: str) -> str:
    if not model.startswith("hf://"):
        return storage.checksum(model)
    try:  # what a name on the hub stands for may change
        return storage.checksum(fetched_from_hub(model))
    except HubError as error:
        raise UserError(f"identify.model: {error}") from None


def _stage_version(stage: CustomStage) -> str:
    try:
        return package_of(find_stage(stage.name))
    except CustomStageError:  # who makes the stage says so
        return "unknown"
