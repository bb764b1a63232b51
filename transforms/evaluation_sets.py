"""Evaluation sets: their files, and the index of their text that documents are held against."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from glotmill.schemas import recipe as recipes
from glotmill.schemas.evaluation import Decontaminate, EvaluationSet
from glotmill.schemas.formats import TEXT_FORMATS, FileFormat, format_by_name
from glotmill.transforms import storage
from glotmill.transforms.contamination import ContaminationIndex
from glotmill.transforms.normalise import NormaliseText
from glotmill.transforms.readers import ReadOptions, Reject, read_slice
from glotmill.transforms.readers.errors import ColumnError
from glotmill.transforms.scan import pieces, scan
from glotmill.transforms.script import recognise_scripts
from glotmill.transforms.sketch import compared_words, shingle_lengths
from glotmill.transforms.words import Ints, word_characters, word_starts

_END = 1 << 62
_NEVER = 1 << 62


class EvaluationSetError(Exception):
    """An evaluation set cannot be used.

    Attributes:
        number: of the set, counted from 0.
    """

    def __init__(self, number: int, name: str, problem: object) -> None:
        super().__init__(number, name, problem)
        self.number = number
        self._message = f"evaluation set '{name}': {problem}"

    def __str__(self) -> str:
        return self._message


@dataclass(frozen=True)
class EvaluationFile:
    """A file of an evaluation set, given by its number."""

    number: int
    file: storage.InputFile
    format: FileFormat


def find_evaluation_files(options: Decontaminate) -> list[EvaluationFile]:
    """The files of all sets, sorted by path within a set.

    Raises:
        EvaluationSetError: a pattern matches nothing, or a file's name tells no format.
    """
    found = []
    for number, each in enumerate(options.sets):
        files: dict[str, storage.InputFile] = {}
        for pattern in each.patterns:
            try:
                matched = storage.match(pattern, inputs=True)
                files.update((file.path, file) for file in matched)
            except (LookupError, OSError, ValueError) as error:
                raise EvaluationSetError(number, each.name, error) from None
        found += [
            EvaluationFile(number, files[path], _format(number, each, path))
            for path in sorted(files)
        ]
    return found


def _format(number: int, options: EvaluationSet, path: str) -> FileFormat:
    if options.format != "auto":
        return options.format
    kind = format_by_name(path, bitext=False)
    if kind is None:
        known = ", ".join(TEXT_FORMATS)
        problem = f"the name of {path} tells no format; write 'format:' (one of {known})"
        raise EvaluationSetError(number, options.name, problem)
    return cast(FileFormat, kind)


def evaluation_index(recipe: recipes.Recipe) -> ContaminationIndex | None:
    """The index of a recipe's evaluation sets, read once in a process; None if it has none.

    Raises:
        EvaluationSetError: a set cannot be read, or has no text that can be looked for.
    """
    options = recipe.decontaminate
    if options is None:
        return None
    files = tuple(find_evaluation_files(options))
    stamps = tuple(_modified(each.file.path) for each in files)
    normalise = recipe.normalise.model_dump_json()
    return _load(
        options.model_dump_json(), normalise, recipe.ingest.max_record_bytes, files, stamps
    )


def _modified(path: str) -> int:
    return os.stat(path).st_mtime_ns if storage.is_local(path) else 0


@functools.lru_cache(maxsize=1)
def _load(
    options_json: str,
    normalise_json: str,
    max_record_bytes: int,
    files: tuple[EvaluationFile, ...],
    stamps: tuple[int, ...],
) -> ContaminationIndex:
    """The index of some files as they were at some time."""
    options = Decontaminate.model_validate_json(options_json)
    normalise = NormaliseText(recipes.Normalise.model_validate_json(normalise_json))
    kinds = np.array([options.ngram, options.character_ngram, options.cluster_ngram])
    least = np.unique(_scaled(options.min_words, kinds, options))
    index = ContaminationIndex(least.tolist())
    for number, each in enumerate(options.sets):
        num_segments = 0
        for file in (file for file in files if file.number == number):
            for text in _texts(each, file, max_record_bytes):
                num_segments += _add(index, number, _segments(each, normalise, text), options)
        if not num_segments:
            wanted = f"{options.min_words_alone} words or more (min_words_alone)"
            raise EvaluationSetError(number, each.name, f"it has no segment of {wanted}")
    index.finish()
    return index


def _texts(
    options: EvaluationSet, file: EvaluationFile, max_record_bytes: int
) -> Iterator[pa.RecordBatch]:
    """The texts of a file, column by column; a value that is not there is passed over."""
    path = file.file.path
    for column in options.columns:
        read = ReadOptions(text_column=column, max_record_bytes=max_record_bytes)
        rejects: list[Reject] = []
        num_texts = 0
        try:
            for batch in read_slice(path, file.format, 0, _END, read):
                rejects += batch.rejects
                num_texts += batch.records.num_rows
                yield batch.records
        except ColumnError as error:
            raise EvaluationSetError(file.number, options.name, error) from None
        faults = [each for each in rejects if each.reason != "missing_field"]
        if faults or (rejects and not num_texts):
            first = (faults or rejects)[0]
            problem = f"{path}, offset {first.offset}: {first.reason}: {first.detail}"
            raise EvaluationSetError(file.number, options.name, problem)


def _segments(options: EvaluationSet, normalise: NormaliseText, texts: pa.RecordBatch) -> pa.Array:
    """What is looked for of some texts, normalised as documents are."""
    text = normalise.annotate(texts).column("text")
    if options.segments == "records":
        return text
    return pc.list_flatten(pc.split_pattern(text, "\n"))


def _add(index: ContaminationIndex, number: int, segments: pa.Array, options: Decontaminate) -> int:
    """Adds segments to the index; how many are long enough to be looked for."""
    num_added = 0
    for text in pieces(segments):
        scanned = scan(text)
        inside = word_characters(scanned)
        words, counts = compared_words(scanned, inside)
        scripts, _, _ = recognise_scripts(scanned)
        lengths = shingle_lengths(scripts, options)
        least = _scaled(options.min_words, lengths, options)
        # Names in Katakana have many letters: whoever bears one would be taken for contaminated.
        num_words = scanned.sum_by_document(word_starts(scanned, inside))
        least[num_words < options.min_words] = _NEVER
        long = counts >= _scaled(options.min_words_alone, lengths, options)
        words = words[np.repeat(long, counts)]
        index.add(number, words, counts[long], lengths[long], least[long])
        num_added += int(long.sum())
    return num_added


def _scaled(num_words: int, lengths: Ints, options: Decontaminate) -> Ints:
    """As much text as so many words, where runs are so long; never fewer words."""
    return np.maximum(-(-num_words * lengths // options.ngram), num_words)
