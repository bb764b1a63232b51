"""Inputs of a recipe, and the units they are cut into."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import cast

import xxhash

from glotmill.pipelines import bitext_inputs
from glotmill.pipelines.bitext_inputs import slice_of
from glotmill.pipelines.errors import UserError
from glotmill.pipelines.unit_keys import INGEST_VERSION, common_part, source_part, unit_key
from glotmill.schemas.formats import (
    BITEXT_FORMATS,
    COMPRESSED,
    TEXT_FORMATS,
    FileFormat,
    InputFormat,
    format_by_name,
)
from glotmill.schemas.loading import LoadedRecipe
from glotmill.schemas.lock import Input, Lock, Unit, UnitSlice
from glotmill.schemas.recipe import LanguagePath, Recipe, Source
from glotmill.transforms import storage
from glotmill.transforms.ingest import read_options
from glotmill.transforms.readers import probe, split_file
from glotmill.transforms.readers.errors import MissingColumn, ProbeError, WrongColumnType

# How much larger text is than its gzip or zstd file: 3.5 to 5 for text of many scripts.
_EXPANSION = 4

# Files of a source that are looked into before one is found that fits the recipe.
_NUM_PROBED = 10


def find_inputs(loaded: LoadedRecipe) -> list[tuple[Source, list[storage.InputFile]]]:
    """The files of every source, sorted by path, or as the recipe lists them for `pairs.codes`.

    Of several paths to one file, by whatever patterns, there is one: `storage.one_of_each`.

    Raises:
        UserError: a pattern matches nothing, or cannot be listed; all such are named at once.
    """
    found: list[tuple[Source, list[storage.InputFile]]] = []
    problems: list[str] = []
    for index, source in enumerate(loaded.recipe.sources):
        files: dict[str, storage.InputFile] = {}
        is_list = bool(source.pairs and source.pairs.codes)
        is_list &= source.format in bitext_inputs.OF_SEVERAL_FILES
        for pattern in source.patterns:
            try:
                matched = storage.match(pattern, inputs=True)
                files.update((file.path, file) for file in matched)
                is_list &= len(matched) == 1
            except (LookupError, OSError, ValueError) as error:
                position = loaded.position("sources", index, "path")
                problems.append(f"{position}: source '{source.name}': {error}")
        once = {file.path for file in storage.one_of_each(files.values())}
        paths = files if is_list else sorted(files)
        found.append((source, [files[path] for path in paths if path in once]))
    if problems:
        raise UserError("\n".join(problems))
    return found


def input_format(source: Source, path: str) -> InputFormat:
    """The format of a file, by its name where the recipe leaves it open.

    Raises:
        UserError: the name tells nothing.
    """
    if source.format != "auto":
        return source.format
    found = format_by_name(path, bitext=source.is_bitext)
    if found is None:
        known = BITEXT_FORMATS if source.is_bitext else TEXT_FORMATS
        raise UserError(
            f"source '{source.name}': the name of {path} tells no format; "
            f"write 'format:' ({', '.join(known[:-1])} or {known[-1]})"
        )
    return found


def row_name(path: str, folder: str) -> str:
    """The path that stands on rows: relative to the recipe where it lies under its folder."""
    if not storage.is_local(path):
        return path.removeprefix(f"{folder}/")
    absolute = Path(path).absolute()
    root = Path(folder).absolute()
    return absolute.relative_to(root).as_posix() if absolute.is_relative_to(root) else str(absolute)


def check_inputs(
    loaded: LoadedRecipe, found: Iterable[tuple[Source, list[storage.InputFile]]]
) -> None:
    """Looks into the first files of each source, until one is as the recipe says.

    Raises:
        UserError: a source's files cannot be read, lack a column the recipe names, or have paths
            in which a language is not found.
    """
    problems: list[str] = []
    for index, (source, files) in enumerate(found):
        problems += _silent_paths(loaded, index, source, files)
        tried: list[str] = []
        for group in together(source, files)[:_NUM_PROBED]:
            problem = _problem(loaded, index, source, group)
            if problem is None:
                break
            tried.append(problem)
        else:
            problems.append(tried[0])
    if problems:
        raise UserError("\n".join(problems))


def _silent_paths(
    loaded: LoadedRecipe, index: int, source: Source, files: Sequence[storage.InputFile]
) -> Iterator[str]:
    """Regular expressions that find a language in no file's path."""
    folder = os.path.dirname(loaded.path)
    names = [row_name(file.path, folder) for file in files]
    patterns: list[tuple[tuple[str | int, ...], str]] = []
    if isinstance(source.language, LanguagePath):
        patterns.append((("language", "path"), source.language.path))
    for number, side in enumerate(source.pairs.sides if source.pairs else ()):
        if side.code_path is not None:
            patterns.append((("pairs", "sides", number, "code_path"), side.code_path))
    for key, pattern in patterns:
        found = (re.search(pattern, name) for name in names)
        if not any(match and match[1] for match in found):
            at = f"{loaded.position('sources', index, *key)}: source '{source.name}'"
            what = f"'{'.'.join(map(str, key))}' finds no language in the path of any file"
            yield f"{at}: {what}; the first is {names[0]}"


def together(source: Source, files: Sequence[storage.InputFile]) -> list[list[storage.InputFile]]:
    """The files of a source that are read, those that are read together as one group.

    Raises:
        UserError: what belongs to a file is not there, or its name does not say what that is.
    """
    if not source.is_bitext:
        return [[file] for file in files]
    by_format: dict[InputFormat, list[storage.InputFile]] = {}
    for file in files:
        by_format.setdefault(input_format(source, file.path), []).append(file)
    return [
        group
        for kind, alike in by_format.items()
        for group in bitext_inputs.together(source, alike, kind)
    ]


def _problem(
    loaded: LoadedRecipe, index: int, source: Source, group: Sequence[storage.InputFile]
) -> str | None:
    """What keeps a file, or some that are read together, from being read as the recipe says."""
    path = group[0].path
    kind = input_format(source, path)
    if source.is_bitext:
        return _problem_of_pairs(loaded, index, source, group, kind)
    options = read_options(loaded.recipe, source)
    at = f"{loaded.position('sources', index, 'text')}: source '{source.name}'"
    try:
        seen = probe(path, cast(FileFormat, kind), options)
    except (MissingColumn, WrongColumnType) as error:
        return f"{at}: {error}"
    except (ProbeError, OSError) as error:
        return f"{loaded.position('sources', index, 'path')}: source '{source.name}': {error}"
    if seen.missing and seen.columns:
        missing = ", ".join(map(repr, seen.missing))
        return f"{at}: no column {missing} in {path}; it has {', '.join(seen.columns)}"
    return None


def _problem_of_pairs(
    loaded: LoadedRecipe,
    index: int,
    source: Source,
    group: Sequence[storage.InputFile],
    kind: InputFormat,
) -> str | None:
    try:
        found = bitext_inputs.problem_of(loaded.recipe, source, group, kind)
    except OSError as error:
        found = ("path",), str(error)
    if found is None:
        return None
    key, message = found
    return f"{loaded.position('sources', index, *key)}: source '{source.name}': {message}"


def lock_recipe(
    loaded: LoadedRecipe,
    found: Sequence[tuple[Source, list[storage.InputFile]]],
    checksum: Callable[[storage.InputFile], str],
) -> Lock:
    """Fixes inputs and units.

    Args:
        loaded: the recipe.
        found: files of every source.
        checksum: of one input.
    """
    recipe = loaded.recipe
    folder = os.path.dirname(loaded.path)
    part = common_part(recipe, checksum)
    inputs: list[Input] = []
    units: list[Unit] = []
    for source, files in found:
        of_source = inputs_of(source, files, folder, checksum)
        inputs += (each for group in of_source for each in group)
        units += _units(recipe, source, of_source, part | source_part(recipe, source, checksum))
    return Lock(
        glotmill=version("glotmill"),
        recipe=recipe,
        inputs=tuple(inputs),
        units=tuple(units),
        ingest_version=INGEST_VERSION,
    )


def inputs_of(
    source: Source,
    files: Sequence[storage.InputFile],
    folder: str,
    checksum: Callable[[storage.InputFile], str],
) -> list[list[Input]]:
    """The files of a source as a lock has them; those that are read together stand together.

    Args:
        source: the source.
        files: of it.
        folder: of the recipe, which names of files are relative to.
        checksum: of one input.
    """
    return [
        [
            Input(
                source=source.name,
                path=file.path,
                name=row_name(file.path, folder),
                format=input_format(source, group[0].path),
                size=file.size,
                checksum=checksum(file),
            )
            for file in group
        ]
        for group in together(source, files)
    ]


def _units(
    recipe: Recipe, source: Source, groups: Iterable[Sequence[Input]], part: dict[str, object]
) -> Iterator[Unit]:
    for num_bytes, slices in _grouped(recipe, source, groups):
        key = unit_key(source, slices, part)
        yield Unit(key=key, source=source.name, num_bytes=num_bytes, slices=tuple(slices))


def _grouped(
    recipe: Recipe, source: Source, groups: Iterable[Sequence[Input]]
) -> Iterator[tuple[int, list[UnitSlice]]]:
    """Large files cut, small ones together, about `ingest.unit_bytes` each.

    Whether a small file opens a new unit depends on that file alone (a hash of its name against
    its share of a unit), so that a file added or removed changes no unit but its own.

    Args:
        recipe: the whole of it.
        source: the source.
        groups: its files; those that are read together stand together.
    """
    unit_bytes = recipe.ingest.unit_bytes
    gathered: list[UnitSlice] = []
    num_bytes = 0
    for group in groups:
        size = sum(map(_text_bytes, group))
        pieces = _pieces(recipe, source, group, size)
        if size >= unit_bytes:
            yield from ((max(1, size // len(pieces)), [piece]) for piece in pieces)
            continue
        if gathered and _opens_unit(group[0], size / unit_bytes):
            yield num_bytes, gathered
            gathered, num_bytes = [], 0
        gathered += pieces
        num_bytes += size
    if gathered:
        yield num_bytes, gathered


def _pieces(recipe: Recipe, source: Source, group: Sequence[Input], size: int) -> list[UnitSlice]:
    """Parts of a file, or of files that are read together."""
    unit_bytes = recipe.ingest.unit_bytes
    first = group[0]
    if len(group) > 1:
        return bitext_inputs.cut(recipe, source, group, unit_bytes)
    if size < unit_bytes:
        return [slice_of(group, 0, max(1, first.size))]
    if source.is_bitext:
        return bitext_inputs.cut(recipe, source, group, unit_bytes)
    kind = cast(FileFormat, first.format)
    parts = split_file(first.path, first.size, kind, unit_bytes)
    return [slice_of(group, part.start, part.end) for part in parts]


def _text_bytes(item: Input) -> int:
    """About how many bytes of text a file holds."""
    packed = item.name.lower().endswith(tuple(COMPRESSED))
    return item.size * _EXPANSION if packed else item.size


def _opens_unit(item: Input, share: float) -> bool:
    drawn = xxhash.xxh3_64_intdigest(item.name.encode()) / 2**64
    return bool(drawn < share)
