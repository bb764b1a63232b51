"""Ingest: read a unit, annotate its documents, decide what is dropped, write its files.

A unit is one call of one function, not a chain of Beam steps, because it ends in files of its own:
the text never leaves the process, a failed unit is redone alone, and progress is the number of
unit records that exist (docs/decisions/0004).
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TypeVar, cast

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from apache_beam import typehints

from glotmill.schemas import recipe as recipes
from glotmill.schemas.lock import Unit, UnitSlice
from glotmill.schemas.manifest import UnitRecord, dump_manifest
from glotmill.schemas.tables import (
    ANNOTATIONS,
    CONTAMINATED_BY,
    DROP_REASON,
    RECORDS,
    REJECTED,
)
from glotmill.transforms import storage
from glotmill.transforms.batches import Annotator, annotated, chained_schema, with_columns
from glotmill.transforms.custom import make_annotator, make_filter
from glotmill.transforms.decide import DecideDrops, drop_rules
from glotmill.transforms.details import named, names_of_paths
from glotmill.transforms.identify import IdentifyLanguage
from glotmill.transforms.measure import MeasureText
from glotmill.transforms.normalise import NormaliseText
from glotmill.transforms.pair_ingest import PairIngester, pairs_schema, side_annotators
from glotmill.transforms.readers import (
    Format,
    MissingColumn,
    ReadBatch,
    ReadOptions,
    Reject,
    WrongColumnType,
    read_slice,
)
from glotmill.transforms.sentences import JudgeSentences
from glotmill.transforms.sketches import Sketches, sketches_table, update
from glotmill.transforms.statistics import merge, summarise
from glotmill.transforms.tables import TableWriter, write_table

FOLDER = "ingest"

_Result = TypeVar("_Result")


class HashContent:
    """Annotator for `content_hash`: xxh3-128 of the normalised text's UTF-8 bytes."""

    name = "hash"
    reads: Sequence[str] = ("text",)

    @property
    def adds(self) -> Sequence[pa.Field]:
        """The column it appends."""
        return ANNOTATIONS["hash"]

    def setup(self) -> None:
        """Nothing to load."""

    def annotate(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Appends the column."""
        texts = batch.column("text").cast(pa.binary()).to_pylist()
        digests = [xxhash.xxh3_128_digest(text) for text in texts]
        return with_columns(batch, self.adds, [pa.array(digests, pa.binary(16))])


def annotators(recipe: recipes.Recipe, source: recipes.Source) -> list[Annotator]:
    """The stages that the documents of a source pass, in order; of parallel text its sides.

    Raises:
        CustomStageError: a custom stage is not installed or cannot be made.
        StageOrderError: a stage reads a column that is not there yet.
    """
    if source.is_bitext:
        return side_annotators(recipe, source)
    chain: list[Annotator] = [
        NormaliseText(
            recipe.normalise, strip_markup=source.strip_markup, code=source.category == "code"
        ),
        *(make_annotator(stage) for stage in recipe.stages),
        MeasureText(recipe.deduplicate.near, recipe=recipe),
        IdentifyLanguage(recipe.identify),
        *([JudgeSentences(recipe.identify)] if _judges_sentences(recipe.identify) else []),
        HashContent(),
        *(make_filter(stage) for stage in recipe.filters.custom),
        DecideDrops(drop_rules(recipe, source)),
    ]
    chained_schema(RECORDS, chain)
    return chain


def _judges_sentences(options: recipes.Identify) -> bool:
    return options.enabled and options.min_consistency > 0


def documents_schema(recipe: recipes.Recipe, source: recipes.Source | None = None) -> pa.Schema:
    """Schema of the documents of a source, the first by default, custom columns included."""
    source = source or recipe.sources[0]
    if source.is_bitext:
        return pairs_schema(recipe, source)
    chain = annotators(recipe, source)
    schema = chained_schema(RECORDS, chain)
    decided = (DROP_REASON.name, CONTAMINATED_BY.name)
    return pa.schema([field for field in schema if field.name not in decided])


def read_options(recipe: recipes.Recipe, source: recipes.Source) -> ReadOptions:
    """How the readers read a source."""
    extra = {"external_id": source.id, "url": source.url}
    if isinstance(source.language, recipes.LanguageColumn):
        extra["original_code"] = source.language.column
    return ReadOptions(
        text_column=source.text,
        extra_columns={name: column for name, column in extra.items() if column is not None},
        max_record_bytes=recipe.ingest.max_record_bytes,
    )


def declared_code(source: recipes.Source, name: str) -> str | None:
    """The language code that a source declares for a whole file, if it does."""
    if isinstance(source.language, recipes.LanguageCode):
        return source.language.code
    if isinstance(source.language, recipes.LanguagePath):
        match = re.search(source.language.path, name)
        return match[1] if match else None
    return None


class UnitIngester:
    """Ingests units of a recipe; made once in a worker."""

    def __init__(self, recipe: recipes.Recipe, root: str) -> None:
        """Takes the recipe and the output directory; loads nothing."""
        self._root = root
        self._recipe = recipe
        self._sources = {source.name: source for source in recipe.sources}
        self._chains: dict[str, list[Annotator]] = {}
        self._pairs: dict[str, PairIngester] = {}
        self._schemas = {
            name: documents_schema(recipe, each) for name, each in self._sources.items()
        }

    def setup(self) -> None:
        """Loads models and tables."""
        for source in self._recipe.sources:
            if source.is_bitext:
                self._pair_ingester(source)
            else:
                self._chain(source.name)

    def _pair_ingester(self, source: recipes.Source) -> PairIngester:
        if source.name not in self._pairs:
            ingester = PairIngester(self._recipe, source, annotated)
            ingester.setup()
            self._pairs[source.name] = ingester
        return self._pairs[source.name]

    def _chain(self, source: str) -> list[Annotator]:
        if source not in self._chains:
            chain = annotators(self._recipe, self._sources[source])
            for annotator in chain:
                annotator.setup()
            self._chains[source] = chain
        return self._chains[source]

    def ingest(self, unit: Unit) -> UnitRecord:
        """Reads, annotates and writes one unit; its record is written last."""
        source = self._sources[unit.source]
        with ExitStack() as stack:
            schema, pairs = self._schemas[source.name], source.is_bitext
            documents = source.pairs.documents if source.pairs else ()
            work = _UnitWork(self._root, unit, schema, stack, pairs=pairs, documents=documents)
            for part in unit.slices:
                if source.is_bitext:
                    self._pair_ingester(source).ingest(work, part)
                else:
                    self._ingest_slice(work, unit, part)
        record = work.record()
        storage.write_atomically(
            f"{self._root}/{FOLDER}/units/{unit.key}.json", dump_manifest(record)
        )
        return record

    def _ingest_slice(self, work: _UnitWork, unit: Unit, part: UnitSlice) -> None:
        source = self._sources[unit.source]
        options = read_options(self._recipe, source)
        code = declared_code(source, part.name)
        batches = _read(part, options)
        while (read := work.timed("read", lambda: next(batches, None))) is not None:
            work.reject(part.name, read.rejects)
            if read.records.num_rows:
                records = _records(read.records, unit.source, part.name, code)
                self._annotate(work, self._chain(unit.source), records)

    def _annotate(self, work: _UnitWork, chain: Sequence[Annotator], batch: pa.RecordBatch) -> None:
        """Runs the chain; a row that makes a stage fail is rejected, the others go on."""
        for place, annotator in enumerate(chain):
            try:
                batch = work.timed(annotator.name, partial(annotated, annotator, batch))
            except MemoryError:  # no fault of the row
                raise
            except Exception as error:  # of any stage, custom ones included
                if batch.num_rows == 1:
                    work.reject_row(batch, annotator.name, error)
                    return
                half = batch.num_rows // 2
                self._annotate(work, chain[place:], batch.slice(0, half))
                self._annotate(work, chain[place:], batch.slice(half))
                return
        work.timed("write", lambda: work.write(batch))


def _read(part: UnitSlice, options: ReadOptions) -> Iterator[ReadBatch]:
    """The batches of a slice; a file without the text column is one reject."""
    try:
        kind = cast(Format, part.format)
        yield from read_slice(part.path, kind, part.start, part.end, options)
    except (MissingColumn, WrongColumnType) as error:
        reject = Reject(0, "missing_column", str(error), "")
        empty = pa.RecordBatch.from_pylist([], schema=options.schema)
        yield ReadBatch(empty, [reject])


def _records(read: pa.RecordBatch, source: str, name: str, code: str | None) -> pa.RecordBatch:
    """The reader's columns in the schema RECORDS."""
    n = read.num_rows
    columns = []
    for field in RECORDS:
        if field.name in read.schema.names:
            columns.append(read.column(field.name))
        else:
            value = {"source": source, "path": name, "original_code": code}.get(field.name)
            columns.append(pa.array([value], pa.string()).take(pa.array([0] * n, pa.int32())))
    return pa.RecordBatch.from_arrays(columns, schema=RECORDS)


class _UnitWork:
    """Files and sums of the unit at hand."""

    def __init__(
        self,
        root: str,
        unit: Unit,
        schema: pa.Schema,
        stack: ExitStack,
        *,
        pairs: bool,
        documents: Sequence[str] = (),
    ) -> None:
        self._root = root
        self._unit = unit
        self._names = names_of_paths(unit.slices, documents)
        self._schema = schema
        tables = {
            "documents": schema,
            "dropped": schema.append(DROP_REASON),
            "rejected": REJECTED,
        }
        self._writers = {
            name: stack.enter_context(
                TableWriter(root, f"{FOLDER}/{name}/{unit.key}.parquet", table)
            )
            for name, table in tables.items()
        }
        self._counts: Counter[str] = Counter()
        self._statistics: list[pa.Table] = []
        self.sketches: Sketches = {}
        # Who pairs texts knows the lengths of both sides, and sketches them.
        self._are_sketched = not pairs
        self._profile: Counter[str] = Counter()

    def timed(self, step: str, work: Callable[[], _Result]) -> _Result:
        """Does the work and books its CPU time, without that of steps within it."""
        start, booked = time.thread_time_ns(), self._profile.total()
        try:
            return work()
        finally:
            within = self._profile.total() - booked
            self._profile[step] += time.thread_time_ns() - start - within

    def write(self, batch: pa.RecordBatch) -> None:
        """Sends each row to the kept or to the dropped documents."""
        reason = batch.column(DROP_REASON.name)
        kept = pc.is_null(reason)
        documents = batch.filter(kept).select(self._schema.names)
        dropped = batch.filter(pc.invert(kept))
        for name, rows in (("documents", documents), ("dropped", dropped)):
            order = [*self._schema.names, *([DROP_REASON.name] if name == "dropped" else [])]
            self._writers[name].write(rows.select(order))
        if self._are_sketched:
            self.timed("sketches", lambda: update(self.sketches, documents))
        self._counts.update(
            kept=documents.num_rows,
            dropped=dropped.num_rows,
            text_bytes=pc.sum(batch.column("num_bytes")).as_py(),
        )
        outcome = pc.if_else(kept, "kept", "dropped")
        table = pa.table(batch).append_column("outcome", outcome)
        table = table.append_column("reason", pc.fill_null(reason, ""))
        self._statistics.append(summarise(table, {"stage": FOLDER}))

    def reject(self, name: str, rejects: Sequence[Reject]) -> None:
        """Writes what a reader rejected; in the details paths are as names of files are."""
        if not rejects:
            return
        source, names = self._unit.source, self._names.get(name, {})
        rows = [
            (source, name, r.offset, r.reason, named(r.detail, names), r.excerpt) for r in rejects
        ]
        arrays = [
            pa.array(list(column), field.type)
            for column, field in zip(zip(*rows, strict=True), REJECTED, strict=True)
        ]
        batch = pa.RecordBatch.from_arrays(arrays, schema=REJECTED)
        self._writers["rejected"].write(batch)
        self._counts.update(rejected=batch.num_rows)
        self._statistics.append(summarise(batch, {"stage": FOLDER, "outcome": "rejected"}))

    def reject_row(self, row: pa.RecordBatch, stage: str, error: Exception) -> None:
        """Rejects the one row of a batch that made a stage fail."""
        text = row.column("text")[0].as_py()
        detail = f"stage '{stage}': {type(error).__name__}: {error}"
        reject = Reject(row.column("offset")[0].as_py(), "stage_failed", detail, text[:200])
        self.reject(row.column("path")[0].as_py(), [reject])

    def record(self) -> UnitRecord:
        """The unit's record, once its files are closed."""
        path = f"{FOLDER}/statistics/{self._unit.key}.parquet"
        statistics = write_table(self._root, path, merge(self._statistics))
        files = [entry for writer in self._writers.values() for entry in writer.entries]
        if self.sketches:
            path = f"{FOLDER}/sketches/{self._unit.key}.parquet"
            files.append(write_table(self._root, path, sketches_table(self.sketches)))
        counts = self._counts
        return UnitRecord(
            key=self._unit.key,
            source=self._unit.source,
            num_read=counts["kept"] + counts["dropped"] + counts["rejected"],
            num_kept=counts["kept"],
            num_dropped=counts["dropped"],
            num_rejected=counts["rejected"],
            num_input_bytes=self._unit.num_bytes,
            num_text_bytes=counts["text_bytes"],
            files=(*files, statistics),
            profile={step: nanos / 1e9 for step, nanos in sorted(self._profile.items())},
        )


@typehints.with_input_types(str)
@typehints.with_output_types(str)
class _IngestUnit(beam.DoFn):
    def __init__(self, recipe: str, root: str) -> None:
        self._recipe = recipe
        self._root = root

    def setup(self) -> None:
        recipe = recipes.Recipe.model_validate_json(self._recipe)
        self._ingester = UnitIngester(recipe, self._root)
        self._ingester.setup()

    def process(self, unit: str) -> Iterator[str]:
        yield self._ingester.ingest(Unit.model_validate_json(unit)).model_dump_json()


@typehints.with_input_types(str)
@typehints.with_output_types(str)
class IngestUnits(beam.PTransform):
    """Units of the lock, as JSON, to the records of what they gave, as JSON."""

    def __init__(self, recipe: recipes.Recipe, root: str) -> None:
        super().__init__()
        self._recipe = recipe.model_dump_json()
        self._root = root

    def expand(self, units: beam.PCollection) -> beam.PCollection:
        """Ingests each unit."""
        return units | beam.ParDo(_IngestUnit(self._recipe, self._root))
