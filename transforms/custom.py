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
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points

import pyarrow as pa

from glotmill.schemas import recipe
from glotmill.schemas.tables import DROP_REASON
from glotmill.transforms.batches import Annotator, with_columns

GROUP = "glotmill.stages"

Filter = Callable[[str], "str | None"]


class CustomStageError(ValueError):
    """A custom stage that is not installed or cannot be made."""


def _make(stage: recipe.CustomStage) -> Annotator | Filter:
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if stage.name not in found:
        near = difflib.get_close_matches(stage.name, found, n=1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        there = ", ".join(sorted(found)) or "none"
        raise CustomStageError(
            f"no stage '{stage.name}' is installed; {hint}Installed in the entry point group "
            f"'{GROUP}': {there}"
        )
    try:
        made: Annotator | Filter = found[stage.name].load()(**stage.options)
    except Exception as error:  # the code of others
        raise CustomStageError(f"stage '{stage.name}' cannot be made: {error}") from error
    return made


def make_annotator(stage: recipe.CustomStage) -> Annotator:
    """The annotator an entry point makes.

    Raises:
        CustomStageError: it is not installed, fails, or is no annotator.
    """
    made = _make(stage)
    if not isinstance(made, Annotator):
        raise CustomStageError(
            f"stage '{stage.name}' is no annotator (it lacks name, reads, adds, setup or "
            "annotate); a filter belongs under 'filters.custom'"
        )
    return made


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
            setup()

    def annotate(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        given = DROP_REASON.name in batch.schema.names
        reasons = batch.column(DROP_REASON.name).to_pylist() if given else [None] * batch.num_rows
        texts = batch.column("text").to_pylist()
        judged = [
            reason if reason is not None else self._judge(text)
            for reason, text in zip(reasons, texts, strict=True)
        ]
        return with_columns(batch, [DROP_REASON], [pa.array(judged, pa.string())])
