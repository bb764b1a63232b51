"""Sampling: slices of the inputs through the ingest of a run, and what came out of each.

The documents go through `UnitIngester` into a temporary folder, as those of a unit would; once they
are counted they are deleted.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from glotmill.pipelines.errors import UserError
from glotmill.pipelines.planning.cutting import SliceFile, cut_slices, whole_file
from glotmill.pipelines.planning.frame import MAX_SLICE_BYTES, Drawn, FileGroup
from glotmill.schemas.lock import Unit, UnitSlice
from glotmill.schemas.manifest import UnitRecord
from glotmill.schemas.recipe import Recipe, Source
from glotmill.schemas.tables import CORPUS, STATISTICS
from glotmill.transforms.estimates import Stratum
from glotmill.transforms.ingest import UnitIngester
from glotmill.transforms.statistics import merge
from glotmill.transforms.tables import TableWriter, read_batches, read_table
from glotmill.transforms.tokenize import TextTokenizer
from glotmill.transforms.tokenizers.base import TokenizerError

# Text that is looked at in the order of shards.
_SHUFFLED_BYTES = 16e6
# Slices that are ingested again as one unit.
_NUM_AGAIN = 16
_REJECTED = {"stage": "ingest", "outcome": "rejected"}


@dataclass
class SampledSlice:
    """What one slice gave.

    Attributes:
        size: stored bytes.
        statistics: in the schema STATISTICS.
        seconds: of CPU of ingest, that of opening and cutting files included.
        ingest_seconds: of these, those of ingest alone.
        stored: bytes of the `documents` and of the `dropped`, as a run would store them.
        tokens: of kept documents, by label.
        token_seconds: of CPU that tokenizing took.
    """

    size: float
    statistics: pa.Table = field(default_factory=STATISTICS.empty_table)
    seconds: float = 0.0
    ingest_seconds: float = 0.0
    stored: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    token_seconds: float = 0.0


@dataclass(frozen=True)
class SampledSource:
    """What the slices of a source gave."""

    drawn: Drawn
    slices: tuple[SampledSlice, ...]

    @property
    def source(self) -> Source:
        """The source."""
        return self.drawn.source

    @property
    def stratum(self) -> Stratum:
        """Sizes of the slices, and of all of the source."""
        sizes = [each.size for each in self.slices]
        return Stratum(np.array(sizes), self.drawn.num_bytes, self.drawn.num_slices)


@dataclass
class Copies:
    """Equal texts within the sample: at least so many does exact deduplication find in all.

    Attributes:
        num_documents: kept documents of the sample.
        num_copies: of these, those that an equal one came before.
    """

    scope: str
    num_documents: int = 0
    num_copies: int = 0
    _seen: set[tuple[str, bytes]] = field(default_factory=set)

    def add(self, source: Source, labels: Iterable[str], hashes: Iterable[bytes]) -> None:
        """Counts the documents of a slice."""
        constant = {"source": source.name, "category": source.category, "all": ""}.get(self.scope)
        for label, each in zip(labels, hashes, strict=True):
            key = (label if constant is None else constant, each)
            self.num_documents += 1
            self.num_copies += key in self._seen
            self._seen.add(key)


class Shuffled:
    """Some documents of the sample in the order of their hashes, as shards have them.

    Neighbours in a shard are of any label, so zstd packs them less well than those of a unit.
    """

    def __init__(self, share: float) -> None:
        """Takes which share of documents is looked at."""
        self._first = max(1, int(min(1.0, share) * 2**16)).to_bytes(3, "big")
        self._tables: list[pa.Table] = []

    def add(self, path: Path) -> None:
        """Takes documents of a slice."""
        names = [n for n in pq.read_schema(path).names if n in CORPUS.names]
        table = pq.read_table(path, columns=names)
        heads = (b"\0" + each[:2] for each in table["content_hash"].to_pylist())
        self._tables.append(table.filter(pa.array([head < self._first for head in heads])))

    def share(self, folder: Path) -> float | None:
        """Bytes of a shard as a share of those of its text; None where there is no text."""
        table = pa.concat_tables(self._tables) if self._tables else CORPUS.empty_table()
        num_bytes = pc.sum(table["num_bytes"]).as_py()
        if not num_bytes:
            return None
        table = table.sort_by("content_hash")
        with TableWriter(str(folder), "shuffled.parquet", table.schema) as writer:
            for batch in table.to_batches():
                writer.write(batch)
        return _column_bytes(folder / "shuffled.parquet") / num_bytes


class Sampler:
    """Reads what was drawn; made once for a recipe.

    Attributes:
        copies: equal texts within the sample.
        shard_share: bytes of shards as a share of those of their text; None without any text.
    """

    def __init__(self, recipe: Recipe) -> None:
        """Loads models, tables and the tokenizer.

        Raises:
            UserError: the tokenizer cannot be loaded.
        """
        self.copies = Copies(recipe.deduplicate.scope)
        self.shard_share: float | None = None
        self._recipe = recipe
        self._tokenizer = tokenizer_of(recipe)
        self._shuffled = Shuffled(1.0)

    @property
    def token_bytes(self) -> int:
        """Of a token in files of tokens; 0 without a tokenizer."""
        return token_bytes_of(self._tokenizer)

    def sample(
        self, drawn: Sequence[Drawn], tell: Callable[[str], None] = lambda _: None
    ) -> list[SampledSource]:
        """Reads the slices of all sources.

        Args:
            drawn: what to read.
            tell: is told of each source.
        """
        found = []
        self._shuffled = Shuffled(_SHUFFLED_BYTES / max(1.0, sum(e.text_bytes for e in drawn)))
        with tempfile.TemporaryDirectory(prefix="glotmill-plan-") as folder:
            ingester = UnitIngester(self._recipe, folder)
            ingester.setup()
            for each in drawn:
                slices = self._slices(ingester, each, Path(folder))
                found.append(SampledSource(each, slices))
                tell(f"sampled {each.source.name}: {len(slices):,} of {each.num_slices:,} slices")
            self.shard_share = self._shuffled.share(Path(folder))
        return found

    def _slices(self, ingester: UnitIngester, drawn: Drawn, root: Path) -> tuple[SampledSlice, ...]:
        folder = root / "slices"
        found, parts = [], []
        for group, numbers in zip(drawn.groups, drawn.numbers, strict=True):
            size = group.num_bytes / (1 if drawn.is_whole else group.num_slices)
            for file in self._files(drawn, group, numbers, folder) if numbers else ():
                found.append(self._measured(ingester, drawn.source, file, size, root))
                parts.append(file.part)
        _book_as_units(ingester, drawn.source, found, parts, root)
        shutil.rmtree(folder, ignore_errors=True)
        return tuple(found)

    def _files(
        self, drawn: Drawn, group: FileGroup, numbers: tuple[int, ...], folder: Path
    ) -> list[SliceFile]:
        if drawn.is_whole:
            return [whole_file(group)]
        return cut_slices(self._recipe, drawn.source, group, numbers, folder)

    def _measured(
        self, ingester: UnitIngester, source: Source, file: SliceFile, size: float, root: Path
    ) -> SampledSlice:
        found = SampledSlice(size, seconds=file.seconds)
        tables = [_rejected_rows(source, file.rejected)]
        if file.part is not None:
            record = _ingested(ingester, source, [file.part])
            tables.append(read_table(f"{root}/ingest/statistics/slice.parquet"))
            found.seconds += cpu_seconds(record)
            found.ingest_seconds = cpu_seconds(record)
            self._look_at(found, source, record, root)
            shutil.rmtree(root / "ingest")
        found.statistics = merge(tables)
        return found

    def _look_at(self, found: SampledSlice, source: Source, record: UnitRecord, root: Path) -> None:
        """Sizes, copies and tokens of what was written."""
        for name in ("documents", "dropped"):
            if (entry := record.file(name)) is not None:
                found.stored[name] = _column_bytes(root / entry.path)
        if (entry := record.file("documents")) is None:
            return
        self._shuffled.add(root / entry.path)
        columns = ["label", "content_hash", *(["text"] if self._tokenizer else [])]
        for batch in read_batches(str(root / entry.path), columns):
            labels = batch.column("label").to_pylist()
            self.copies.add(source, labels, batch.column("content_hash").to_pylist())
            if self._tokenizer is not None:
                start = time.thread_time()
                counts = self._tokenizer.tokenize(batch.column("text").to_pylist()).num_tokens
                found.token_seconds += time.thread_time() - start
                for label, count in zip(labels, counts.tolist(), strict=True):
                    found.tokens[label] += count


def _ingested(ingester: UnitIngester, source: Source, parts: Sequence[UnitSlice]) -> UnitRecord:
    """The record of slices that are ingested as one unit."""
    return ingester.ingest(Unit(key="slice", source=source.name, num_bytes=0, slices=tuple(parts)))


def cpu_seconds(record: UnitRecord) -> float:
    """CPU of a unit: the sum of its steps."""
    return sum(record.profile.values())


def _book_as_units(
    ingester: UnitIngester,
    source: Source,
    slices: Sequence[SampledSlice],
    parts: Sequence[UnitSlice | None],
    root: Path,
) -> None:
    """Takes off CPU what a slice has of its own: a unit opens its files once for many slices.

    Some slices are ingested a second time, as one unit; what that took, as a share of what they
    took each for itself, is the share that is booked of all.
    """
    small = [place for place, each in enumerate(slices) if each.size <= MAX_SLICE_BYTES]
    again = [place for place in small if parts[place] is not None][:_NUM_AGAIN]
    apart = sum(slices[place].ingest_seconds for place in again)
    if len(again) < 2 or not apart:
        return
    together = cpu_seconds(_ingested(ingester, source, [part for p in again if (part := parts[p])]))
    shutil.rmtree(root / "ingest")
    saved = max(0.0, 1 - together / apart)
    for each in slices:
        each.seconds -= saved * each.ingest_seconds


def token_bytes_of(tokenizer: TextTokenizer | None) -> int:
    """Bytes of a token in files of tokens; 0 without a tokenizer."""
    return 0 if tokenizer is None else tokenizer.dtype.itemsize


def tokenizer_of(recipe: Recipe) -> TextTokenizer | None:
    """The tokenizer of a recipe, None where it makes no tokens.

    Raises:
        UserError: it cannot be loaded.
    """
    if recipe.output.tokens is None:
        return None
    try:
        return TextTokenizer(recipe.output.tokens)
    except TokenizerError as error:
        raise UserError(f"output.tokens.tokenizer: {error}") from None


def _column_bytes(path: Path) -> int:
    """Bytes of the columns of a Parquet file, without its footer, as a unit has one too."""
    metadata = pq.read_metadata(path)
    return sum(
        metadata.row_group(group).column(column).total_compressed_size
        for group in range(metadata.num_row_groups)
        for column in range(metadata.num_columns)
    )


def _rejected_rows(source: Source, rejected: Counter[str]) -> pa.Table:
    """Rejects of a reader's first pass, as statistics."""
    rows = [
        {
            **{field.name: 0 if pa.types.is_integer(field.type) else "" for field in STATISTICS},
            **_REJECTED,
            "reason": reason,
            "source": source.name,
            "num_documents": count,
        }
        for reason, count in rejected.items()
    ]
    return pa.Table.from_pylist(rows, schema=STATISTICS)
