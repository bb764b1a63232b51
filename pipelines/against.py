"""Corpora of earlier runs that a run is deduplicated against."""

from __future__ import annotations

from glotmill.pipelines.errors import UserError
from glotmill.pipelines.units import near_key
from glotmill.schemas.lock import parse_lock
from glotmill.schemas.recipe import Recipe
from glotmill.transforms import storage
from glotmill.transforms.unit_index import read_manifest


def key_of_other(recipe: Recipe, path: str) -> str:
    """The key of what deduplication left of another corpus.

    Args:
        recipe: of this run.
        path: output directory of the other.

    Raises:
        UserError: it is not a finished output, or its sketches cannot be compared with ours.
    """
    manifest = read_manifest(path, "deduplicate")
    if manifest is None:
        raise UserError(f"{path} is no finished output of glotmill")
    wanted = near_key(recipe)
    if wanted is not None:
        there = near_key(parse_lock(storage.read_bytes(f"{path}/recipe.lock.yaml")).recipe)
        if there != wanted:
            raise UserError(
                f"{path} was made with other settings of near duplicates "
                f"({_shown(there)}; here {_shown(wanted)}): run it again with these"
            )
    return manifest.key


def _shown(settings: dict[str, int] | None) -> str:
    if settings is None:
        return "none"
    return ", ".join(f"{name} {value}" for name, value in settings.items())
