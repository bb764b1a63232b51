"""Corpora of earlier runs that a run is deduplicated against."""

from __future__ import annotations

import os

from glotmill.dashboard.statistics import IncompleteRun, read_lock
from glotmill.pipelines.errors import UserError
from glotmill.pipelines.unit_keys import INGEST_VERSION, near_key
from glotmill.schemas.loading import LoadedRecipe
from glotmill.schemas.recipe import Recipe
from glotmill.transforms import storage
from glotmill.transforms.unit_index import read_manifest


def check_others(loaded: LoadedRecipe, root: str) -> None:
    """Looks at the corpora that a run is to be deduplicated against.

    Args:
        loaded: the recipe.
        root: output directory of the run.

    Raises:
        UserError: one is the run itself, named twice, not finished, or cannot be compared with.
    """
    seen = {_resolved(root)}
    for index, path in enumerate(loaded.recipe.deduplicate.against):
        try:
            if _resolved(path) in seen:
                raise UserError(f"{path} is named twice, or is the output of this very run")
            seen.add(_resolved(path))
            key_of_other(loaded.recipe, path)
        except UserError as error:
            position = loaded.position("deduplicate", "against", index)
            raise UserError(f"{position}: {error}") from None


def _resolved(path: str) -> str:
    return os.path.realpath(path) if storage.is_local(path) else path.rstrip("/")


def key_of_other(recipe: Recipe, path: str) -> str:
    """The key of what deduplication left of another corpus.

    Args:
        recipe: of this run.
        path: output directory of the other.

    Raises:
        UserError: it is not a finished output, or its texts cannot be compared with ours.
    """
    manifest = read_manifest(path, "deduplicate")
    if manifest is None or read_manifest(path, "") is None:
        raise UserError(f"{path} is no finished output of glotmill")
    try:
        lock = read_lock(path)
    except IncompleteRun as error:
        raise UserError(f"{error}: run it again") from None
    if lock.ingest_version != INGEST_VERSION:
        raise UserError(f"{path} was made by another version of glotmill: run it again")
    if lock.recipe.normalise != recipe.normalise:
        raise UserError(f"{path} was normalised in another way: run it again with these settings")
    wanted, there = near_key(recipe), near_key(lock.recipe)
    if wanted is not None and there != wanted:
        raise UserError(
            f"{path} was made with other settings of near duplicates "
            f"({_shown(there)}; here {_shown(wanted)}): run it again with these"
        )
    return manifest.key


def _shown(settings: dict[str, int] | None) -> str:
    if settings is None:
        return "none"
    return ", ".join(f"{name} {value}" for name, value in settings.items())
