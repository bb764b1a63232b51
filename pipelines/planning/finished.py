"""Whether the counts that a run left are those of a recipe."""

from __future__ import annotations

import os
from typing import Any

from rich.console import Console

from glotmill.dashboard.statistics import read_lock
from glotmill.pipelines.checksums import KeptChecksums
from glotmill.pipelines.errors import UserError
from glotmill.pipelines.progress import Reporter
from glotmill.pipelines.run import STAGES
from glotmill.pipelines.stages.base import Job
from glotmill.pipelines.unit_keys import INGEST_VERSION, sources_read_otherwise
from glotmill.pipelines.units import find_inputs, row_name, together
from glotmill.schemas.loading import LoadedRecipe
from glotmill.schemas.lock import Lock
from glotmill.schemas.recipe import Recipe
from glotmill.transforms.compose import FOLDER
from glotmill.transforms.unit_index import read_manifest

# Of a source what does not decide which documents it has; its files are compared by themselves.
_NOT_COUNTED = {"path", "licence"}


def has_counts(root: str) -> bool:
    """Whether a run's stage `compose` is done."""
    return read_manifest(root, FOLDER) is not None


def what_differs(loaded: LoadedRecipe, root: str) -> str | None:
    """What keeps the counts of a run from being those of a recipe; None where nothing does.

    Inputs are compared by name and size, since checksums would read all of them; by content what
    they are read with: evaluation sets, documents of alignments, models. Where inputs are gone
    nothing of this is compared.

    Args:
        loaded: the recipe.
        root: an output directory whose stage `compose` is done.
    """
    try:
        lock = read_lock(root)
    except ValueError:
        return "cannot be read: it is damaged, or another version of glotmill made it"
    there, wanted = _parts(lock.recipe), _parts(loaded.recipe)
    if loaded.recipe.output.tokens is None:  # tokens that are not wanted do no harm
        there["output.tokens"] = None
    if names := [name for name in wanted if wanted[name] != there[name]]:
        return f"has another recipe ({', '.join(names)})"
    if lock.ingest_version != INGEST_VERSION or not _is_done(lock, root):
        return "is not finished, or another version of glotmill made it"
    return _what_differs_of_inputs(loaded, lock, KeptChecksums(root))


def _parts(recipe: Recipe) -> dict[str, Any]:
    """What decides how much there is to draw, by the key of the recipe."""
    names = ("seed", "sources", "normalise", "stages", "script", "identify", "filters",
             "decontaminate", "deduplicate", "bitext")  # fmt: skip
    data = recipe.model_dump(mode="json")
    parts = {name: data[name] for name in names}
    parts["sources"] = [
        {key: value for key, value in source.items() if key not in _NOT_COUNTED}
        for source in parts["sources"]
    ]
    tokens = recipe.output.tokens
    no_count = {"formats", "datasets", "sequence_length", "packing"}
    return parts | {
        "ingest.max_record_bytes": recipe.ingest.max_record_bytes,
        "mix.exclude": sorted(recipe.mix.exclude),
        "mix.rehydrate": recipe.counts_shadows,
        "mix.validation": data["mix"]["validation"],
        "output.tokens": None if tokens is None else tokens.model_dump(exclude=no_count),
    }


def _what_differs_of_inputs(
    loaded: LoadedRecipe, lock: Lock, checksum: KeptChecksums
) -> str | None:
    try:
        found = find_inputs(loaded)
    except UserError:
        return None
    folder = os.path.dirname(loaded.path)
    try:
        there = {
            (source.name, row_name(file.path, folder), file.size)
            for source, files in found
            for group in together(source, files)
            for file in group
        }
    except UserError:  # a file without those that belong to it
        return "has other inputs"
    if there != {(each.source, each.name, each.size) for each in lock.inputs}:
        return "has other inputs"
    others = sources_read_otherwise(loaded.recipe, lock, checksum)
    if others:
        return (
            "has other evaluation sets, documents of alignments, models or custom stages "
            f"(source '{others[0]}')"
        )
    return None


def _is_done(lock: Lock, root: str) -> bool:
    """Whether the stage is done that the lock leads to: a run that goes on has a new lock first."""
    job = Job(lock, root, lambda _build, _workers: None, None, Reporter(Console(quiet=True)))
    key = ""
    try:
        for stage in STAGES:
            key = stage.key(job, key)
            if stage.name == FOLDER:
                break
    except UserError:  # a tokenizer or another corpus is gone
        return False
    manifest = read_manifest(root, FOLDER)
    return manifest is not None and manifest.key == key
