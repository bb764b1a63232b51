"""Stages and filters of installed packages, by entry point.

A package names a factory in the entry point group `glotmill.stages`; the recipe names the entry
point and its options. The factory is called with the options as keyword arguments and returns

* an annotator (`name`, `reads`, `adds`, `setup`, `annotate`): record batch in, record batch out; or
* a filter: a callable that takes a text and returns None to keep it or a reason to drop it.

Neither may read files in its constructor: it is made once to check the recipe and again in each
worker. A filter may have a method `setup` for that.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pyarrow as pa

from glotmill.schemas import recipe
from glotmill.schemas.tables import (
    CONTAMINATED_BY,
    DOCUMENTS,
    DROP_REASON,
    PAIRS,
    RECORDS,
    SENTENCE_CONSISTENCY,
    STATISTICS,
    WORD_HASHES,
    sketch_fields,
)
from glotmill.transforms.batches import Annotator, StageFaultError, with_columns
from glotmill.transforms.pair_addresses import PLAIN_LETTERS, PLAIN_WORDS
from glotmill.transforms.pair_rows import SIDE_HASH
from glotmill.transforms.unit_index import IN_OVERSIZED

GROUP = "glotmill.stages"

#: The column that a stage may replace.
TEXT = RECORDS.field("text")

# Columns that our own stages and statistics give meaning to.
_OUR_FIELDS = (
    *DOCUMENTS, *sketch_fields(1, 1), *PAIRS, *STATISTICS,
    SENTENCE_CONSISTENCY, DROP_REASON, CONTAMINATED_BY,
    WORD_HASHES, SIDE_HASH, PLAIN_WORDS, PLAIN_LETTERS,
)  # fmt: skip
_OURS = {field.name for field in _OUR_FIELDS} - {TEXT.name} | {IN_OVERSIZED}

Filter = Callable[[str], "str | None"]


class CustomStageError(ValueError):
    """A custom stage that is not installed or cannot be made."""


def find_stage(name: str) -> EntryPoint:
    """The entry point of a stage, filters included.

    Raises:
        CustomStageError: no installed package has it, or several have.
    """
    entries = entry_points(group=GROUP)
    found = {_place(entry): entry for entry in entries if entry.name == name}
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise CustomStageError(
            f"several packages have a stage '{name}': {', '.join(sorted(found))}; "
            "uninstall all but one of them"
        )
    names = sorted({entry.name for entry in entries})
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    raise CustomStageError(
        f"no stage '{name}' is installed; {hint}Installed in the entry point group "
        f"'{GROUP}': {', '.join(names) or 'none'}"
    )


def _place(entry: EntryPoint) -> str:
    return f"{package_of(entry)} ({entry.value})"


def package_of(entry: EntryPoint) -> str:
    """Name and version of the package that has an entry point."""
    return "unknown" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"


def _make(stage: recipe.CustomStage) -> Annotator | Filter:
    entry = find_stage(stage.name)
    try:
        made: Annotator | Filter = entry.load()(**stage.options)
    except Exception as error:  # the code of others
        raise CustomStageError(f"stage '{stage.name}' cannot be made: {error}") from error
    return made


def make_annotator(stage: recipe.CustomStage) -> Annotator:
    """The annotator an entry point makes.

    Raises:
        CustomStageError: it is not installed, fails, is no annotator, or adds what it may not.
    """
    made = _make(stage)
    if not isinstance(made, Annotator):
        raise CustomStageError(
            f"stage '{stage.name}' is no annotator (it lacks name, reads, adds, setup or "
            "annotate); a filter belongs under 'filters.custom'"
        )
    return _UsersStage(stage.name, made)


class _UsersStage:
    """Annotator of a package: what it says of itself is checked, and its set-up names it."""

    def __init__(self, entry: str, made: Annotator) -> None:
        self._entry, self._made = entry, made
        if not isinstance(made.name, str):
            raise CustomStageError(f"stage '{entry}' has {made.name!r} for a name, not a text")
        self.name = made.name
        self.reads: Sequence[str] = _listed(entry, "reads", made.reads, str, "names of columns")
        self.adds: Sequence[pa.Field] = _listed(
            entry, "adds", made.adds, pa.Field, "fields of pyarrow"
        )
        _check_added(entry, self.adds)

    def setup(self) -> None:
        _set_up(self._entry, self._made.setup)

    def annotate(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return self._made.annotate(batch)


def _listed(entry: str, name: str, given: Any, kind: type, wanted: str) -> tuple[Any, ...]:
    """What a stage lists under `reads` or `adds`.

    Raises:
        CustomStageError: it is no list of that.
    """
    fits = isinstance(given, Iterable) and not isinstance(given, str | Mapping)
    listed = tuple(given) if fits else ()
    if not fits or not all(isinstance(each, kind) for each in listed):
        raise CustomStageError(
            f"'{name}' of stage '{entry}' has to be a list of {wanted}, not {given!r}"
        )
    return listed


def _check_added(entry: str, fields: Sequence[pa.Field]) -> None:
    """Refuses columns that would be lost, or would change what a row says of itself.

    Raises:
        CustomStageError: there is one.
    """
    for name, count in Counter(field.name for field in fields).items():
        if count > 1:
            raise CustomStageError(f"stage '{entry}' adds the column '{name}' {count} times")
        if name in _OURS:
            raise CustomStageError(
                f"stage '{entry}' adds the column '{name}', which is one of glotmill's own; "
                f"give it another name (of these only '{TEXT.name}' may be replaced)"
            )
    for field in fields:
        if field.name == TEXT.name and field.type != TEXT.type:
            raise CustomStageError(
                f"stage '{entry}' replaces the column '{TEXT.name}' by {field.type}; it has to "
                f"stay {TEXT.type}"
            )


def _set_up(entry: str, setup: Callable[[], None]) -> None:
    """Loads what a stage needs.

    Raises:
        CustomStageError: it fails.
    """
    try:
        setup()
    except Exception as error:  # the code of others
        problem = f"{type(error).__name__}: {error}"
        raise CustomStageError(f"stage '{entry}' cannot be set up: {problem}") from error


def make_filter(stage: recipe.CustomStage) -> Annotator:
    """The filter an entry point makes, as an annotator that gives drop reasons.

    Raises:
        CustomStageError: it is not installed, fails, or cannot be called.
    """
    made = _make(stage)
    if not callable(made):
        raise CustomStageError(f"filter '{stage.name}' cannot be called with a text")
    return _FilterTexts(stage.name, made)


class _FilterTexts:
    """Annotator that asks a filter about each text; the first filter's reason stands."""

    reads: Sequence[str] = ("text",)

    def __init__(self, name: str, judge: Filter) -> None:
        self.name = name
        self._judge = judge

    @property
    def adds(self) -> Sequence[pa.Field]:
        return [DROP_REASON]

    def setup(self) -> None:
        setup = getattr(self._judge, "setup", None)
        if setup is not None:
            _set_up(self.name, setup)

    def annotate(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        given = DROP_REASON.name in batch.schema.names
        reasons = batch.column(DROP_REASON.name).to_pylist() if given else [None] * batch.num_rows
        texts = batch.column("text").to_pylist()
        judged = [
            reason if reason is not None else _verdict(self._judge(text))
            for reason, text in zip(reasons, texts, strict=True)
        ]
        return with_columns(batch, [DROP_REASON], [pa.array(judged, pa.string())])


def _verdict(given: object) -> str | None:
    """What a filter gave for a text.

    Raises:
        StageFaultError: it is neither None nor a reason.
    """
    if given is None or (isinstance(given, str) and given.strip()):
        return given
    raise StageFaultError(f"gave {given!r} for a reason; it has to be a text, or None to keep")
