"""Our stages as transforms of rows, for other pipelines of Beam: in Python, or in Beam YAML.

Elements are Beam rows; columns are added and none is lost. Rows are gathered into record batches
of up to 2,000, which the stages work on, so that the cost of a row is near that in our own runs.

No `from __future__ import annotations` here: Beam YAML reads the types of the parameters.
"""

from collections.abc import Iterator, Sequence
from importlib import resources
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.typehints.row_type import RowTypeConstraint
from apache_beam.typehints.schemas import named_fields_from_element_type

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
            ValueError: the rows have not the columns that are read, or have one that is added.
        """
        fields = named_fields_from_element_type(rows.element_type)
        self._check([name for name, _ in fields])
        added = [(field.name, _python_type(field)) for field in self._added]
        work = _AnnotateRows(self._annotators, self._columns, [name for name, _ in added])
        return (
            rows
            | beam.BatchElements(min_batch_size=16, max_batch_size=_BATCH_ROWS)
            | beam.ParDo(work).with_output_types(RowTypeConstraint.from_fields([*fields, *added]))
        )

    def _check(self, names: Sequence[str]) -> None:
        there = f"the rows have {', '.join(names)}"
        if missing := [name for name in self._columns.values() if name not in names]:
            raise ValueError(f"no column {', '.join(missing)}; {there}")
        if twice := [field.name for field in self._added if field.name in names]:
            raise ValueError(f"{', '.join(twice)} would be added; {there}: rename it before")


class _AnnotateRows(beam.DoFn):
    """Rows to a record batch, through the annotators, and back."""

    def __init__(
        self, annotators: Sequence[Annotator], columns: dict[str, str], added: Sequence[str]
    ) -> None:
        self._annotators, self._columns, self._added = annotators, columns, added

    def setup(self) -> None:
        for annotator in self._annotators:
            annotator.setup()

    def process(self, rows: Sequence[Any]) -> Iterator[beam.Row]:
        batch = pa.RecordBatch.from_arrays(
            [
                pa.array([getattr(row, theirs) for row in rows], pa.string())
                for theirs in self._columns.values()
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
