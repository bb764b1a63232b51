"""Paths in the details of rejects, written as the names of files on rows are.

So a corpus that is moved together with its recipe gives the same details.
"""

from collections.abc import Mapping, Sequence

from glotmill.schemas.lock import UnitSlice


def names_of_paths(
    slices: Sequence[UnitSlice], documents: Sequence[str]
) -> dict[str, dict[str, str]]:
    """By a slice's name, the names of paths that its rejects may speak of; the longest path first.

    Args:
        slices: of a unit.
        documents: folders and ZIP files of an alignment; named as if they were inputs.
    """
    found: dict[str, dict[str, str]] = {}
    for part in slices:
        folder = part.path.removesuffix(part.name)
        names = {path: path.removeprefix(folder) for path in documents}
        names |= {part.path: part.name, **{each.path: each.name for each in part.companions}}
        order = sorted(names, key=len, reverse=True)
        found[part.name] = {path: names[path] for path in order if path != names[path]}
    return found


def named(detail: str, names: Mapping[str, str]) -> str:
    """A detail with names in the places of paths.

    >>> named("/data/a.en: cut off", {"/data/a.en": "a.en"})
    'a.en: cut off'
    """
    for path, name in names.items():
        detail = detail.replace(path, name)
    return detail
