"""Inputs of parallel text: which files belong together, how they are cut, a look into them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from glotmill.pipelines.errors import UserError
from glotmill.schemas.formats import BitextFormat, InputFormat
from glotmill.schemas.lock import Companion, Input, UnitSlice
from glotmill.schemas.pairs import Pairs, unfit_options
from glotmill.schemas.recipe import Recipe, Source
from glotmill.transforms import storage
from glotmill.transforms.pairs import bitext_options, files_of, label_of, parts_of_name
from glotmill.transforms.readers import MissingColumn, Slice, WrongColumnType
from glotmill.transforms.readers.bitext import MisalignedFiles, read_bitext, split_bitext

#: Formats in which each language has a file of its own.
OF_SEVERAL_FILES = ("moses", "messages")

# Batches that are looked at before a file counts as unreadable.
_NUM_BATCHES = 20
# Files of a faulty group that a message names.
_NUM_SHOWN = 4
# What OPUS packs together with line-aligned texts: endings in the place of the language, and names.
_ABOUT_LINES = ("ids", "scores")
_ABOUT_CORPUS = ("README", "LICENSE")


def together(
    source: Source, files: Sequence[storage.InputFile], kind: InputFormat
) -> list[list[storage.InputFile]]:
    """Files that are read together, in the order of the languages; with the file of codes last.

    Raises:
        UserError: a file has no partner, or its name does not say what belongs to it.
    """
    if kind not in OF_SEVERAL_FILES:
        return [[file] for file in files]
    pairs = source.pairs or Pairs()
    groups: dict[str, list[storage.InputFile]] = {}
    of_codes: dict[str, storage.InputFile] = {}
    if pairs.line_codes is not None:
        of_codes, files = _parted(pairs.line_codes, files)
    for file in _without_notes(pairs, files, kind):
        parts = parts_of_name(file.path, source)
        if parts is None:
            raise UserError(
                f"source '{source.name}': the name of {file.path} does not say which files belong "
                "to it; write 'pairs.align', a regular expression with two groups, around the "
                "stem and the language code"
            )
        groups.setdefault(parts[0], []).append(file)
    for stem, group in groups.items():
        _leave_out_links(source, group, kind)
        _check_group(source, stem, group)
        if pairs.line_codes is not None:
            if stem not in of_codes:
                name = pairs.line_codes.replace("{stem}", stem)
                raise UserError(f"source '{source.name}': there is no file of codes {name}")
            group.append(of_codes[stem])
    return list(groups.values())


def _parted(
    pattern: str, files: Sequence[storage.InputFile]
) -> tuple[dict[str, storage.InputFile], list[storage.InputFile]]:
    """The files of codes by the stem that they belong to, and the others."""
    before, _, after = pattern.partition("{stem}")
    of_codes, others = {}, []
    for file in files:
        if file.path.startswith(before) and file.path.endswith(after):
            of_codes[file.path[len(before) : len(file.path) - len(after)]] = file
        else:
            others.append(file)
    return of_codes, others


def _without_notes(
    pairs: Pairs, files: Sequence[storage.InputFile], kind: InputFormat
) -> Sequence[storage.InputFile]:
    """Leaves out what OPUS packs beside line-aligned files to describe the corpus."""
    if kind != "moses" or pairs.align is not None:
        return files
    return [each for each in files if each.path.rpartition("/")[2] not in _ABOUT_CORPUS] or files


def _leave_out_links(source: Source, group: list[storage.InputFile], kind: InputFormat) -> None:
    """Takes OPUS's `.ids` and `.scores` out of files that belong together: they are no text."""
    pairs = source.pairs or Pairs()
    if kind != "moses" or pairs.align is not None or len(pairs.codes) == len(group):
        return
    texts = [file for file in group if _code_of(file, source) not in _ABOUT_LINES]
    if len(texts) >= 2:
        group[:] = texts


def _code_of(file: storage.InputFile, source: Source) -> str:
    parts = parts_of_name(file.path, source)
    return parts[1] if parts else ""


def _check_group(source: Source, stem: str, group: Sequence[storage.InputFile]) -> None:
    """Refuses files that cannot be paired.

    Raises:
        UserError: there is only one, another number than codes, or they have one another's codes.
    """
    codes = (source.pairs or Pairs()).codes
    paths = ", ".join(file.path for file in group[:_NUM_SHOWN])
    if len(group) < 2:
        raise UserError(
            f"source '{source.name}': {paths} has no file of another language beside it; files "
            f"that belong together begin alike ('{stem}'), or as 'pairs.align' says"
        )
    if codes and len(codes) != len(group):
        raise UserError(
            f"source '{source.name}': {len(codes)} codes in 'pairs.codes' for {len(group)} files "
            f"that belong together: {paths}"
        )
    labels = [label_of(code) for code in codes]
    for file, given in zip(group, labels, strict=bool(codes)):
        found = label_of(_code_of(file, source))
        if found != given and found in labels:
            raise UserError(
                f"source '{source.name}': 'pairs.codes' says that {file.path} is in {given}, and "
                f"its name that it is in {found}, which is another file's; the codes stand in the "
                f"order of the files: {paths}"
            )
    if not codes and (source.pairs is None or source.pairs.line_codes is None):
        seen = [_code_of(file, source) for file in group]
        if len(set(seen)) < len(seen):
            raise UserError(f"source '{source.name}': two files of one language: {paths}")


def slice_of(group: Sequence[Input], start: int, end: int) -> UnitSlice:
    """A part of files that are read together."""
    first, *others = group
    return UnitSlice(
        path=first.path,
        name=first.name,
        format=first.format,
        checksum=first.checksum,
        start=start,
        end=end,
        companions=tuple(
            Companion(path=each.path, name=each.name, checksum=each.checksum) for each in others
        ),
    )


def cut(recipe: Recipe, source: Source, group: Sequence[Input], unit_bytes: int) -> list[UnitSlice]:
    """Parts of files that are read together, of about so many bytes.

    Raises:
        UserError: line-aligned files have different numbers of lines.
    """
    options = bitext_options(recipe, source, slice_of(group, 0, 1))
    paths, sizes = [each.path for each in group], [each.size for each in group]
    try:
        parts: list[Slice] = split_bitext(
            paths, sizes, _bitext(group[0].format), unit_bytes, options
        )
    except MisalignedFiles as error:
        raise UserError(f"source '{source.name}': {error}") from None
    return [slice_of(group, part.start, part.end) for part in parts]


def documents_key(source: Source, checksum: Callable[[storage.InputFile], str]) -> list[object]:
    """What stands for the documents of an alignment, which are no inputs themselves."""
    found: list[object] = []
    for path in (each.rstrip("/") for each in (source.pairs or Pairs()).documents):
        for pattern in (storage.escape(path), f"{storage.escape(path)}/**"):
            try:
                files = storage.match(pattern, inputs=True)
            except (LookupError, OSError, ValueError):
                continue
            found += [[file.path.removeprefix(path), checksum(file)] for file in files]
            break
    return found


def problem_of(
    recipe: Recipe, source: Source, group: Sequence[storage.InputFile], kind: InputFormat
) -> tuple[tuple[str, ...], str] | None:
    """What keeps files from being read as the recipe says, and which key of the source is about it.

    Raises:
        OSError: a file cannot be opened.
    """
    pairs = source.pairs or Pairs()
    for name, message in unfit_options(pairs, [kind], identified=recipe.identify.enabled):
        return ("pairs", name), message
    inputs = [
        Input(source=source.name, path=file.path, name=file.path, format=kind, size=0, checksum="")
        for file in group
    ]
    part = slice_of(inputs, 0, 1 << 62)
    paths = files_of(source, part)
    for path in paths:
        with storage.open_input(path):  # raises what the reader would turn into a reject
            pass
    options = bitext_options(recipe, source, part)
    try:
        batches = read_bitext(paths, _bitext(kind), 0, part.end, options, is_checked=True)
        return _first_reject(paths[0], islice(batches, _NUM_BATCHES))
    except (MissingColumn, WrongColumnType) as error:
        return ("pairs", "sides"), str(error)


def _first_reject(path: str, batches: Iterator) -> tuple[tuple[str, ...], str] | None:  # type: ignore[type-arg]
    first = None
    for batch in batches:
        if batch.records.num_rows:
            return None
        if batch.rejects and first is None:
            first = batch.rejects[0]
    if first is None:
        return None
    return ("path",), (
        f"no unit of {path} can be read; the first problem, at offset {first.offset}, is "
        f"{first.reason}: {first.detail}"
    )


def _bitext(kind: InputFormat) -> BitextFormat:
    if kind == "text" or kind == "text_file":
        raise ValueError(f"{kind} is no format of parallel text")
    return kind
