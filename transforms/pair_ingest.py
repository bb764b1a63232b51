"""Ingest of parallel text: units are paired, their sides annotated as documents are, and folded.

A segment is annotated once, in however many pairs it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from glotmill.schemas import recipe as recipes
from glotmill.schemas.lock import UnitSlice
from glotmill.schemas.pairs import Pairs
from glotmill.schemas.tables import DROP_REASON, RECORDS
from glotmill.transforms.batches import Annotator, chained_schema, with_columns
from glotmill.transforms.custom import make_annotator, make_filter
from glotmill.transforms.identify import IdentifyLanguage
from glotmill.transforms.measure import MeasureText
from glotmill.transforms.normalise import NormaliseText
from glotmill.transforms.pair_addresses import PLAIN_LETTERS, PLAIN_WORDS, plain_columns
from glotmill.transforms.pair_filters import Sides, drop_reasons, pair_filters
from glotmill.transforms.pair_rows import SIDE_HASH, FoldSides, pair_fields, segment_hashes
from glotmill.transforms.pair_sketches import update_pairs
from glotmill.transforms.pairs import (
    Bools,
    Groups,
    Ints,
    MakePairs,
    Segments,
    bitext_options,
    files_of,
    segments_of,
)
from glotmill.transforms.readers import MissingColumn, ReadBatch, Reject, WrongColumnType
from glotmill.transforms.readers.bitext import END, UNITS, read_bitext
from glotmill.transforms.sentences import JudgeSentences
from glotmill.transforms.sketches import Sketches

# So many segments are annotated at once, and so many rows, and bytes of them, made of them.
_NUM_SEGMENTS = 4_000
_NUM_ROWS = 2_000
_NUM_BYTES = 16 * 2**20

_Result = TypeVar("_Result")
RunStage = Callable[[Annotator, pa.RecordBatch], pa.RecordBatch]


class Work(Protocol):
    """Where rows, rejects and sketches of a unit go."""

    sketches: Sketches

    def timed(self, step: str, work: Callable[[], _Result]) -> _Result:
        """Does the work and books its time."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Takes rows with their drop reasons."""

    def reject(self, name: str, rejects: Sequence[Reject]) -> None:
        """Takes rejects of a file."""


def side_annotators(recipe: recipes.Recipe, source: recipes.Source) -> list[Annotator]:
    """The stages that the sides of a source pass, in order."""
    identify = recipe.identify
    judges = identify.enabled and identify.min_consistency > 0
    chain: list[Annotator] = [
        NormaliseText(recipe.normalise, strip_markup=source.strip_markup),
        *(make_annotator(stage) for stage in recipe.stages),
        MeasureText(keeps_words=True, recipe=recipe),
        IdentifyLanguage(identify),
        *([JudgeSentences(identify)] if judges else []),
        *(make_filter(stage) for stage in recipe.filters.custom),
    ]
    chained_schema(RECORDS, chain)
    return chain


def pairs_schema(recipe: recipes.Recipe, source: recipes.Source) -> pa.Schema:
    """Schema of the rows of a source of parallel text."""
    identify = recipe.identify
    fields = pair_fields(
        recipe.deduplicate.near,
        _added_by_user(recipe, source),
        consistency=identify.enabled and identify.min_consistency > 0,
    )
    return pa.schema(fields)


def _added_by_user(recipe: recipes.Recipe, source: recipes.Source) -> list[pa.Field]:
    """Columns that stages of the user's own add to the sides."""
    added = {field.name: field for stage in recipe.stages for field in make_annotator(stage).adds}
    return [field for name, field in added.items() if name not in RECORDS.names]


class PairIngester:
    """Reads, pairs, annotates, folds and filters slices of one source."""

    def __init__(self, recipe: recipes.Recipe, source: recipes.Source, run_stage: RunStage) -> None:
        """Takes what is to be done; loads nothing.

        Args:
            recipe: the whole of it.
            source: the source.
            run_stage: runs a stage and holds it to what it promises.
        """
        self._recipe = recipe
        self._source = source
        self._run_stage = run_stage
        options = source.pairs or Pairs()
        self._chain = side_annotators(recipe, source)
        self._filters = pair_filters(recipe, source)
        self._make = MakePairs(options)
        self._fold = FoldSides(
            pairs_schema(recipe, source),
            recipe.deduplicate.near,
            keeps_direction=options.direction == "kept",
        )

    def setup(self) -> None:
        """Loads models and tables."""
        for annotator in self._chain:
            annotator.setup()

    def ingest(self, work: Work, part: UnitSlice) -> None:
        """Reads a slice and writes what it gives."""
        batches = self._read(part)
        while (read := work.timed("read", lambda: next(batches, None))) is not None:
            work.reject(part.name, read.rejects)
            for units in _portions(read.records):
                self._ingest_units(work, part.name, units)

    def _read(self, part: UnitSlice) -> Iterator[ReadBatch]:
        """The batches of a slice; a file that is not as the recipe says is one reject."""
        options = bitext_options(self._recipe, self._source, part)
        paths = files_of(self._source, part)
        try:
            yield from read_bitext(
                paths,
                part.format,  # type: ignore[arg-type]
                part.start,
                part.end,
                options,
                is_checked=part.end < END,
            )
        except (MissingColumn, WrongColumnType) as error:
            reject = Reject(0, "missing_column", str(error), "")
            yield ReadBatch(pa.RecordBatch.from_pylist([], schema=UNITS), [reject])

    def _ingest_units(self, work: Work, name: str, units: pa.RecordBatch) -> None:
        """Writes the rows of some units; one that makes a stage fail is rejected."""
        segments = segments_of(units)
        offsets = units.column("offset").to_numpy()
        groups, rejects = work.timed("pair", lambda: self._make.pair(segments, offsets))
        work.reject(name, rejects)
        if not len(groups):
            return
        used, members = np.unique(groups.members, return_inverse=True)
        groups = Groups(members, groups.starts, groups.units)
        try:
            sides = self._annotated(work, self._side_records(segments, used, units, name))
        except _StageFailed as failure:
            self._retry(work, name, units, np.unique(groups.units), str(failure))
            return
        matched: dict[str, Bools] = {}
        for start, end in _row_portions(sides, groups):
            rows = self._folded(work, sides, groups.between(start, end), units, matched)
            work.timed("write", partial(work.write, rows))

    def _annotated(self, work: Work, sides: pa.RecordBatch) -> pa.RecordBatch:
        for annotator in self._chain:
            try:
                sides = work.timed(annotator.name, partial(self._run_stage, annotator, sides))
            except MemoryError:  # no fault of the row
                raise
            except Exception as error:  # of any stage, custom ones included
                detail = f"stage '{annotator.name}': {type(error).__name__}: {error}"
                raise _StageFailed(detail) from error
        found = [pa.array(segment_hashes(sides)), *plain_columns(sides)]
        return with_columns(sides, [SIDE_HASH, PLAIN_WORDS, PLAIN_LETTERS], found)

    def _retry(
        self, work: Work, name: str, units: pa.RecordBatch, paired: Ints, problem: str
    ) -> None:
        """Ingests the halves of units that made a stage fail; rejects one that does so alone."""
        if len(paired) > 1:
            middle = len(paired) // 2
            for half in (paired[:middle], paired[middle:]):
                self._ingest_units(work, name, units.take(pa.array(half)))
            return
        unit = units.slice(int(paired[0]), 1)
        text = segments_of(unit).texts[0].as_py()
        reject = Reject(unit.column("offset")[0].as_py(), "stage_failed", problem, text[:200])
        work.reject(name, [reject])

    def _folded(
        self,
        work: Work,
        sides: pa.RecordBatch,
        groups: Groups,
        units: pa.RecordBatch,
        matched: dict[str, Bools],
    ) -> pa.RecordBatch:
        rows = work.timed("fold", lambda: self._fold.fold(sides, groups, units))
        given = Sides(sides, groups, rows.column("scores"), matched)
        reasons = work.timed("filter", lambda: drop_reasons(self._filters, given))
        kept = np.asarray(reasons.is_null())
        work.timed("sketches", lambda: update_pairs(work.sketches, sides, groups, rows, kept))
        return with_columns(rows, [DROP_REASON], [reasons])

    def _side_records(
        self, segments: Segments, used: np.ndarray, units: pa.RecordBatch, name: str
    ) -> pa.RecordBatch:
        """Segments as records of their own, in the schema RECORDS."""
        of_unit = pa.array(segments.units[used])
        places = pa.array(used)
        columns = {
            "text": segments.texts.take(places),
            "source": pa.repeat(self._source.name, len(used)),
            "path": pa.repeat(name, len(used)),
            "original_code": segments.codes.take(places),
        }
        arrays = [
            columns[field.name] if field.name in columns else units.column(field.name).take(of_unit)
            for field in RECORDS
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=RECORDS)


class _StageFailed(Exception):  # noqa: N818
    """A stage raised an error over a batch of sides."""


def _portions(units: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Units with about so many segments at once."""
    if not units.num_rows:
        return
    sizes = np.asarray(pc.list_value_length(units.column("segments"))).astype(np.int64)
    place = (np.cumsum(sizes) - 1) // _NUM_SEGMENTS
    cuts = np.flatnonzero(np.diff(place)) + 1
    for start, end in zip([0, *cuts.tolist()], [*cuts.tolist(), units.num_rows], strict=True):
        yield units.slice(start, end - start)


def _row_portions(sides: pa.RecordBatch, groups: Groups) -> Iterator[tuple[int, int]]:
    """Rows of about so many, and of about so many bytes, at once."""
    sizes = np.asarray(sides.column("num_bytes"))[groups.members]
    by_row = np.add.reduceat(sizes, groups.starts[:-1])
    filled = np.cumsum(by_row + _NUM_BYTES // _NUM_ROWS) // (2 * _NUM_BYTES)
    cuts = np.flatnonzero(np.diff(filled)) + 1
    yield from zip([0, *cuts.tolist()], [*cuts.tolist(), len(groups)], strict=True)
