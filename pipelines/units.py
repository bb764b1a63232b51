"""Inputs of a recipe, and the units they are cut into."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import entry_points, version
from pathlib import Path

import xxhash

from glotmill.pipelines.errors import UserError
from glotmill.schemas.loading import LoadedRecipe
from glotmill.schemas.lock import Input, Lock, Unit, UnitSlice
from glotmill.schemas.recipe import CustomStage, FileFormat, Recipe, Source
from glotmill.transforms import storage
from glotmill.transforms.custom import GROUP
from glotmill.transforms.ingest import read_options
from glotmill.transforms.models.fasttext_model import BUILTIN
from glotmill.transforms.readers import probe, split_file
from glotmill.transforms.readers.errors import MissingColumn, ProbeError, WrongColumnType

#: Raised by one whenever ingest gives other output for the same recipe and input.
INGEST_VERSION = 3

_FORMATS: dict[str, FileFormat] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".txt": "text",
    ".text": "text",
    ".tsv": "tsv",
}
# How much larger text is than its gzip or zstd file: 3.5 to 5 for text of many scripts.
_EXPANSION = 4
_COMPRESSED = (".gz", ".zst", ".zstd", ".bz2", ".xz")

# Files of a source that are looked into before one is found that fits the recipe.
_NUM_PROBED = 10


def fingerprint(content: object) -> str:
    """A hash of anything that can be written as JSON; 32 hexadecimal digits."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return str(xxhash.xxh3_128_hexdigest(text.encode()))


def find_inputs(loaded: LoadedRecipe) -> list[tuple[Source, list[storage.InputFile]]]:
    """The files of every source, sorted by path.

    Raises:
        UserError: a pattern matches nothing, or cannot be listed; all such are named at once.
    """
    found: list[tuple[Source, list[storage.InputFile]]] = []
    problems: list[str] = []
    for index, source in enumerate(loaded.recipe.sources):
        files: dict[str, storage.InputFile] = {}
        for pattern in source.patterns:
            try:
                files.update((file.path, file) for file in storage.match(pattern))
            except (LookupError, OSError, ValueError) as error:
                position = loaded.position("sources", index, "path")
                problems.append(f"{position}: source '{source.name}': {error}")
        found.append((source, [files[path] for path in sorted(files)]))
    if problems:
        raise UserError("\n".join(problems))
    return found


def input_format(source: Source, path: str) -> FileFormat:
    """The format of a file, by its name where the recipe leaves it open.

    Raises:
        UserError: the name tells nothing.
    """
    if source.format != "auto":
        return source.format
    name = path.lower()
    for suffix in _COMPRESSED:
        name = name.removesuffix(suffix)
    suffix = os.path.splitext(name)[1]
    if suffix not in _FORMATS:
        raise UserError(
            f"source '{source.name}': the name of {path} tells no format; "
            "write 'format:' (jsonl, parquet, text, text_file or tsv)"
        )
    return _FORMATS[suffix]


def row_name(path: str, folder: str) -> str:
    """The path that stands on rows: relative to the recipe where it lies under its folder."""
    if storage.scheme(path) is not None:
        return path
    absolute = Path(path).absolute()
    root = Path(folder).absolute()
    return absolute.relative_to(root).as_posix() if absolute.is_relative_to(root) else str(absolute)


def check_inputs(
    loaded: LoadedRecipe, found: Iterable[tuple[Source, list[storage.InputFile]]]
) -> None:
    """Looks into the first files of each source, until one is as the recipe says.

    Raises:
        UserError: a source's files cannot be read, or lack a column the recipe names.
    """
    problems = []
    for index, (source, files) in enumerate(found):
        tried: list[str] = []
        for file in files[:_NUM_PROBED]:
            problem = _problem(loaded, index, source, file.path)
            if problem is None:
                break
            tried.append(problem)
        else:
            problems.append(tried[0])
    if problems:
        raise UserError("\n".join(problems))


def _problem(loaded: LoadedRecipe, index: int, source: Source, path: str) -> str | None:
    """What keeps a file from being read as the recipe says."""
    kind = input_format(source, path)
    options = read_options(loaded.recipe, source)
    at = f"{loaded.position('sources', index, 'text')}: source '{source.name}'"
    try:
        seen = probe(path, kind, options)
    except (MissingColumn, WrongColumnType) as error:
        return f"{at}: {error}"
    except (ProbeError, OSError) as error:
        return f"{loaded.position('sources', index, 'path')}: source '{source.name}': {error}"
    if seen.missing and seen.columns:
        missing = ", ".join(map(repr, seen.missing))
        return f"{at}: no column {missing} in {path}; it has {', '.join(seen.columns)}"
    return None


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
    folder = os.path.dirname(os.path.abspath(loaded.path))
    part = _ingest_part(recipe)
    inputs: list[Input] = []
    units: list[Unit] = []
    for source, files in found:
        of_source = [
            Input(
                source=source.name,
                path=file.path,
                name=row_name(file.path, folder),
                format=input_format(source, file.path),
                size=file.size,
                checksum=checksum(file),
            )
            for file in files
        ]
        inputs += of_source
        units += _units(source, of_source, recipe.ingest.unit_bytes, part)
    return Lock(
        glotmill=version("glotmill"), recipe=recipe, inputs=tuple(inputs), units=tuple(units)
    )


def _ingest_part(recipe: Recipe) -> dict[str, object]:
    """All that decides what ingest writes, but for the source and the input."""
    model = recipe.identify.model
    return {
        "version": INGEST_VERSION,
        "recipe": recipe.model_dump(
            mode="json", include={"normalise", "stages", "script", "identify", "filters"}
        ),
        "near": near_key(recipe),
        "max_record_bytes": recipe.ingest.max_record_bytes,
        "model": BUILTIN if model == BUILTIN else _model_checksum(model),
        "custom": {
            stage.name: _stage_version(stage) for stage in (*recipe.stages, *recipe.filters.custom)
        },
    }


def near_key(recipe: Recipe) -> dict[str, int] | None:
    """What decides the band keys and sketches that ingest writes."""
    near = recipe.deduplicate.near
    if near is None:
        return None
    return near.model_dump(include={"ngram", "character_ngram", "bands", "rows"})


def _model_checksum(model: str) -> str:
    # A hub's file is named by its repository; its content is the hub's business.
    return model if model.startswith("hf://") else storage.checksum(model)


def _stage_version(stage: CustomStage) -> str:
    for entry in entry_points(group=GROUP):
        if entry.name == stage.name and entry.dist is not None:
            return f"{entry.dist.name} {entry.dist.version}"
    return "unknown"


def _units(
    source: Source, inputs: Iterable[Input], unit_bytes: int, part: dict[str, object]
) -> Iterator[Unit]:
    options = source.model_dump(mode="json", exclude={"path", "priority", "domain", "licence"})
    for num_bytes, slices in _grouped(inputs, unit_bytes):
        described = [piece.model_dump(exclude={"path"}) for piece in slices]
        key = fingerprint({"part": part, "source": options, "slices": described})
        yield Unit(key=key, source=source.name, num_bytes=num_bytes, slices=tuple(slices))


def _grouped(inputs: Iterable[Input], unit_bytes: int) -> Iterator[tuple[int, list[UnitSlice]]]:
    """Large files cut, small ones together, about `unit_bytes` each.

    Whether a small file opens a new unit depends on that file alone (a hash of its name against
    its share of a unit), so that a file added or removed changes no unit but its own.
    """
    group: list[UnitSlice] = []
    num_bytes = 0
    for item in inputs:
        size = _text_bytes(item)
        if size >= unit_bytes:
            yield from _cut(item, unit_bytes)
            continue
        if group and _opens_unit(item, size / unit_bytes):
            yield num_bytes, group
            group, num_bytes = [], 0
        group.append(_slice(item, 0, max(1, item.size)))
        num_bytes += size
    if group:
        yield num_bytes, group


def _cut(item: Input, unit_bytes: int) -> Iterator[tuple[int, list[UnitSlice]]]:
    pieces = split_file(item.path, item.size, item.format, unit_bytes)
    for piece in pieces:
        yield max(1, _text_bytes(item) // len(pieces)), [_slice(item, piece.start, piece.end)]


def _slice(item: Input, start: int, end: int) -> UnitSlice:
    return UnitSlice(
        path=item.path,
        name=item.name,
        format=item.format,
        checksum=item.checksum,
        start=start,
        end=end,
    )


def _text_bytes(item: Input) -> int:
    """About how many bytes of text a file holds."""
    packed = item.name.lower().endswith(_COMPRESSED)
    return item.size * _EXPANSION if packed else item.size


def _opens_unit(item: Input, share: float) -> bool:
    drawn = xxhash.xxh3_64_intdigest(item.name.encode()) / 2**64
    return bool(drawn < share)
