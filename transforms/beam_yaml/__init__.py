"""Our stages as transforms of rows, for other pipelines of Beam: in Python, or in Beam YAML.

Elements are Beam rows; columns are added and none is lost, and a row keeps its time and its window.
Rows of a bundle are gathered into record batches of up to 2,000, which the stages work on, so that
the cost of a row is near that in our own runs.

No `from __future__ import annotations` here: Beam YAML reads the types of the parameters.
"""

import types
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Any, Union, get_args, get_origin

import apache_beam as beam
import pyarrow as pa
from apache_beam.typehints.row_type import RowTypeConstraint
from apache_beam.typehints.schemas import named_fields_from_element_type
from apache_beam.utils.windowed_value import WindowedValue

from glotmill.schemas import recipe
from glotmill.transforms.batches import Annotator, chained_schema
from glotmill.transforms.identify import IdentifyLanguage as _IdentifyLanguage
from glotmill.transforms.ingest import HashContent as _HashContent
from glotmill.transforms.measure import MeasureText as _MeasureText
from glotmill.transforms.normalise import NormaliseText as _NormaliseText

# What our own rows call the code that was declared; others may have no such column.
_ORIGINAL_CODE = pa.field("original_code", pa.string())
_BATCH_ROWS = 2_000
_PYTHON_TYPES = (
    (pa.types.is_string, str),
    (pa.types.is_integer, int),
    (pa.types.is_floating, float),
    (pa.types.is_boolean, bool),
)


def provider_file() -> str:
    """Path of the provider file to `include` in a pipeline of Beam YAML."""
    return str(resources.files(__package__) / "providers.yaml")


class AnnotateRows(beam.PTransform):
    """Passes rows through annotators, whose columns it appends; rows stay as they are otherwise."""

    def __init__(self, annotators: Sequence[Annotator], columns: dict[str, str]) -> None:
        """Takes the annotators.

        Args:
            annotators: in order.
            columns: our names of the columns they read, and those of the rows.

        Raises:
            StageOrderError: one reads a column that is not there.
        """
        super().__init__()
        self._annotators, self._columns = list(annotators), dict(columns)
        read = pa.schema([pa.field(name, pa.string()) for name in self._columns])
        added = chained_schema(read, self._annotators)
        unseen = {*self._columns, _ORIGINAL_CODE.name}
        self._added = [field for field in added if field.name not in unseen]

    def expand(self, rows: beam.PCollection) -> beam.PCollection:
        """Annotates rows.

        Raises:
            ValueError: the rows have not the columns that are read, have no text in them, or have
                one that is added.
        """
        fields = named_fields_from_element_type(rows.element_type)
        self._check(dict(fields))
        added = [(field.name, _python_type(field)) for field in self._added]
        work = _AnnotateRows(self._annotators, self._columns, [name for name, _ in added])
        typed = RowTypeConstraint.from_fields([*fields, *added])
        return (
            rows
            | beam.ParDo(_GatherRows()).with_output_types(list[Any])
            | beam.ParDo(work).with_output_types(typed)
        )

    def _check(self, names: Mapping[str, Any]) -> None:
        there = f"the rows have {', '.join(names)}"
        if missing := [name for name in self._columns.values() if name not in names]:
            raise ValueError(f"no column {', '.join(missing)}; {there}")
        for name in self._columns.values():
            if not _may_hold_text(names[name]):
                kind = getattr(names[name], "__name__", names[name])
                raise ValueError(f"column {name} holds {kind}, and has to hold text")
        if twice := [field.name for field in self._added if field.name in names]:
            raise ValueError(f"{', '.join(twice)} would be added; {there}: rename it before")


class _GatherRows(beam.DoFn):
    """Rows of a bundle in lists, each row with its time and its window.

    Beam's own BatchElements gives every row the end of its window for its time.
    """

    def __init__(self) -> None:
        self._pending: list[WindowedValue] = []

    def start_bundle(self) -> None:
        self._pending = []

    def process(
        self,
        row: Any,
        timestamp: Any = beam.DoFn.TimestampParam,
        window: Any = beam.DoFn.WindowParam,
        pane: Any = beam.DoFn.PaneInfoParam,
    ) -> Iterator[WindowedValue]:
        self._pending.append(WindowedValue(row, timestamp, (window,), pane))
        if len(self._pending) == _BATCH_ROWS:
            yield self._take()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        if self._pending:
            yield self._take()

    def _take(self) -> WindowedValue:
        pending, self._pending = self._pending, []
        return pending[-1].with_value(pending)


class _AnnotateRows(beam.DoFn):
    """Lists of rows to record batches, through the annotators, and back.

    Apart from `_GatherRows`, since Beam 2.77 loses what `finish_bundle` gives to transforms that
    take batches, as those of data frames do.
    """

    def __init__(
        self, annotators: Sequence[Annotator], columns: dict[str, str], added: Sequence[str]
    ) -> None:
        self._annotators, self._columns, self._added = annotators, columns, added

    def setup(self) -> None:
        for annotator in self._annotators:
            annotator.setup()

    def process(self, gathered: Sequence[WindowedValue]) -> Iterator[WindowedValue]:
        rows = self._annotate([each.value for each in gathered])
        for each, row in zip(gathered, rows, strict=True):
            yield each.with_value(row)

    def _annotate(self, rows: Sequence[Any]) -> Iterator[beam.Row]:
        batch = pa.RecordBatch.from_arrays(
            [
                _texts(theirs, [getattr(row, theirs) for row in rows], ours == _ORIGINAL_CODE.name)
                for ours, theirs in self._columns.items()
            ],
            names=list(self._columns),
        )
        for annotator in self._annotators:
            batch = annotator.annotate(batch)
        # A stage may have given what it reads another value, as a text its normal form.
        back = {theirs: batch.column(ours).to_pylist() for ours, theirs in self._columns.items()}
        back |= {name: batch.column(name).to_pylist() for name in self._added}
        for number, row in enumerate(rows):
            values = {name: column[number] for name, column in back.items()}
            yield beam.Row(**{**row._asdict(), **values})


def _texts(column: str, values: Sequence[Any], may_be_null: bool) -> pa.Array:
    """A column of texts.

    Raises:
        ValueError: a value is no text.
    """
    for value in values:
        if not isinstance(value, str) and not (value is None and may_be_null):
            shown = "null" if value is None else f"{value!r:.50}"
            raise ValueError(
                f"column {column} holds {shown}, and has to hold text; leave out such rows before"
            )
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError as error:
        raise ValueError(f"column {column} holds what is no Unicode text: {error}") from None


def _may_hold_text(kind: Any) -> bool:
    """Whether texts may be among the values of a type; where Beam knows none they may."""
    kinds = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    return any(each in (Any, str, object) for each in kinds)


def _python_type(field: pa.Field) -> Any:
    kind = next((kind for fits, kind in _PYTHON_TYPES if fits(field.type)), bytes)
    return kind | None if field.nullable else kind


class NormaliseText(AnnotateRows):
    """Repairs a text where that changes no meaning; adds `changes`, a bit for each repair.

    Args:
        text: the column with the text, which is replaced.
        strip_markup: remove tags first.
    """

    def __init__(self, text: str = "text", strip_markup: bool = False) -> None:
        stage = _NormaliseText(recipe.Normalise(), strip_markup=strip_markup)
        super().__init__([stage], {"text": text})


class MeasureText(AnnotateRows):
    """Adds the script of a text, its counts of words and characters, and how it repeats itself.

    Args:
        text: the column with the text.
    """

    def __init__(self, text: str = "text") -> None:
        super().__init__([_MeasureText()], {"text": text})


class IdentifyLanguage(AnnotateRows):
    """Adds the language of a text as a label such as `swa_Latn`, and what `MeasureText` adds.

    Args:
        text: the column with the text.
        language: the column with the code that was declared, such as `sw`; none by default.
        model: `builtin`, or a path or URI of a fastText model.
        threshold: least confidence that counts.
    """

    def __init__(
        self,
        text: str = "text",
        language: str = "",
        model: str = "builtin",
        threshold: float = 0.5,
    ) -> None:
        options = recipe.Identify(model=model, threshold=threshold)
        declared: list[Annotator] = [] if language else [_NothingDeclared()]
        columns = {"text": text} | ({_ORIGINAL_CODE.name: language} if language else {})
        super().__init__([*declared, _MeasureText(), _IdentifyLanguage(options)], columns)


class HashContent(AnnotateRows):
    """Adds `content_hash`, 16 bytes that are equal where the text is: what duplicates are found by.

    Args:
        text: the column with the text.
    """

    def __init__(self, text: str = "text") -> None:
        super().__init__([_HashContent()], {"text": text})


class _NothingDeclared:
    """Annotator for rows that declare no language."""

    name = "declare"
    reads: Sequence[str] = ("text",)
    adds: Sequence[pa.Field] = (_ORIGINAL_CODE,)

    def setup(self) -> None:
        """Nothing to load."""

    def annotate(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Appends a column of nulls."""
        return batch.append_column(self.adds[0], pa.nulls(batch.num_rows, pa.string()))
