"""Inputs that changed after the lock was written: nothing that was made of them is used."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from glotmill.pipelines.errors import RunError
from glotmill.pipelines.unit_keys import sources_read_otherwise
from glotmill.schemas.lock import Input, Lock, Unit
from glotmill.transforms import storage
from glotmill.transforms.ingest import FOLDER

_NUM_AT_ONCE = 16
_NUM_SHOWN = 3


def check_unchanged(lock: Lock, root: str, checksum: Callable[[storage.InputFile], str]) -> None:
    """Looks whether each input is still as the lock says; units of one that is not are undone.

    So are those whose evaluation sets, documents of an alignment or model changed.

    Args:
        lock: the resolved recipe.
        root: the output directory.
        checksum: of a file as it is now.

    Raises:
        RunError: some are not.
    """
    with ThreadPoolExecutor(_NUM_AT_ONCE) as pool:
        found = pool.map(lambda each: _difference(each, checksum), lock.inputs)
        changed = {each.path: what for each, what in zip(lock.inputs, found, strict=True) if what}
    others = sources_read_otherwise(lock.recipe, lock, checksum)
    if not changed and not others:
        return
    undone = [
        unit
        for unit in lock.units
        if unit.source in others or not changed.keys().isdisjoint(_paths(unit))
    ]
    storage.delete(f"{root}/{FOLDER}/units/{unit.key}.json" for unit in undone)
    if not changed:
        raise RunError(
            "evaluation sets, documents of alignments or the model changed during the run, which "
            f"source '{others[0]}' is read with. What was made of it is not used; run again to "
            "read it with them as they are now"
        )
    shown = "; ".join(f"{path} {what}" for path, what in list(changed.items())[:_NUM_SHOWN])
    more = f"; and {len(changed) - _NUM_SHOWN} more" if len(changed) > _NUM_SHOWN else ""
    raise RunError(
        f"{len(changed)} of {len(lock.inputs)} inputs changed during the run: {shown}{more}. "
        "What was made of them is not used; run again to read them as they are now"
    )


def _difference(item: Input, checksum: Callable[[storage.InputFile], str]) -> str:
    """What has become of an input; empty where it is as it was."""
    try:
        (now,) = storage.match(storage.escape(item.path))
    except LookupError:
        return "is no longer there"
    if now.size != item.size:
        return f"had {item.size:,} bytes and has {now.size:,}"
    return "" if checksum(now) == item.checksum else "has other content of the same size"


def _paths(unit: Unit) -> Iterable[str]:
    for piece in unit.slices:
        yield piece.path
        yield from (each.path for each in piece.companions)
