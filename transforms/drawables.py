"""Drawables: what may be drawn of a unit, documents or pseudo-documents, in a fixed order.

The stage `compose` counts and tokenizes them, the stage `mix` draws among them: both see the same
rows in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from glotmill.schemas.bitext import Bitext
from glotmill.schemas.tables import CORPUS, COUNTS, DRAWABLES
from glotmill.transforms.leaks import excluded_rows, excluded_statistics
from glotmill.transforms.pseudo_documents import COLUMNS as PAIR_COLUMNS
from glotmill.transforms.pseudo_documents import PseudoDocuments
from glotmill.transforms.split import Splitter
from glotmill.transforms.unit_index import IndexedUnit, UnitIndex, read_manifest

# What is added to a document when it is drawn.
_ADDED = ("category", "domain", "licence", "num_tokens", "copy")
#: Columns of CORPUS that a document has before it is drawn.
WHOLE = [name for name in CORPUS.names if name not in _ADDED]
# The same of what is counted only.
_COUNTED = ["label", "content_hash", "cluster_size", *COUNTS]
#: Columns of a batch that say how it may be drawn.
ABOUT = ["held_out", "again", "num_pairs"]

#: Is shown the pairs of a unit as they are read.
Watcher = Callable[[pa.RecordBatch], None]


def path_of(unit: IndexedUnit) -> str:
    """Path of a unit's drawables, relative to the output."""
    return f"compose/drawables/{unit.key}.parquet"


class Drawables:
    """Gives what may be drawn of units: what deduplication left and no held-out text is in."""

    def __init__(self, root: str, splitter: Splitter, bitext: Bitext, seed: int) -> None:
        """Reads the index of the units.

        Args:
            root: the output directory, after the split.
            splitter: says what is held out.
            bitext: how pairs become documents.
            seed: of the recipe.
        """
        self._root = root
        self._index = UnitIndex(root, read_manifest(root, "deduplicate"))
        self._splitter = splitter
        self._pairs = PseudoDocuments(bitext, seed)

    def unit(self, ordinal: int) -> IndexedUnit:
        """What is known of a unit."""
        return self._index.units[ordinal]

    def excluded(
        self, unit: IndexedUnit, rows: npt.NDArray[np.int64], reasons: pa.Array
    ) -> pa.Table:
        """Statistics of rows of a unit that are left out, in the schema STATISTICS."""
        return excluded_statistics(self._index, unit, rows, reasons)

    def batches(
        self,
        unit: IndexedUnit,
        *,
        text: bool,
        watch: Watcher | None = None,
        lost: dict[str, npt.NDArray[np.int64]] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """What may be drawn of a unit.

        Args:
            unit: of the index.
            text: whether the text, and all else that shards hold, is wanted.
            watch: is shown the pairs, where the unit holds parallel text.
            lost: takes the rows of the pairs that no document holds, by reason.

        Yields:
            Batches of the columns WHOLE, or without text of the label, the content hash, the
            size of the cluster and COUNTS, and of ABOUT.
        """
        columns = WHOLE if text else _COUNTED
        if unit.category == "bitext":
            for batch in self._of_pairs(unit, text, watch, {} if lost is None else lost):
                yield batch.select([*columns, *ABOUT])
            return
        read = [name for name in columns if name != "cluster_size"]
        for batch, sizes, _ in self._rows(unit, read, None):
            held_out = self._splitter.held_out(unit.category, batch)
            yield _described(batch, sizes, held_out, columns)

    def _of_pairs(
        self,
        unit: IndexedUnit,
        text: bool,
        watch: Watcher | None,
        lost: dict[str, npt.NDArray[np.int64]],
    ) -> Iterator[pa.RecordBatch]:
        given: list[npt.NDArray[np.int64]] = []

        def pairs() -> Iterator[tuple[pa.RecordBatch, npt.NDArray[np.int64]]]:
            for batch, sizes, rows in self._rows(unit, list(PAIR_COLUMNS), watch):
                given.append(rows)
                yield batch, sizes

        split = partial(self._splitter.held_out, unit.category)
        numbers: dict[str, list[int]] = {}
        yield from self._pairs.batches(pairs(), split, render=text, lost=numbers)
        lost |= {reason: np.concatenate(given)[each] for reason, each in numbers.items()}

    def _rows(
        self, unit: IndexedUnit, columns: list[str], watch: Watcher | None
    ) -> Iterator[tuple[pa.RecordBatch, npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """Surviving rows and their numbers, less those that would tell of the validation split."""
        excluded = excluded_rows(self._root, unit)
        for batch, sizes, rows in self._index.surviving_rows(unit, columns):
            if watch is not None:
                watch(batch)
            stays = ~np.isin(rows, excluded)
            if not stays.all():
                batch, sizes, rows = batch.filter(pa.array(stays)), sizes[stays], rows[stays]
            if batch.num_rows:
                yield batch, sizes, rows


def _described(
    batch: pa.RecordBatch,
    sizes: npt.NDArray[np.int64],
    held_out: npt.NDArray[np.bool_],
    columns: list[str],
) -> pa.RecordBatch:
    """The columns of documents, and how they may be drawn."""
    there = dict(zip(batch.schema.names, batch.columns, strict=True))
    there |= {
        "cluster_size": pa.array(sizes),
        "held_out": pa.array(held_out),
        "again": pa.array(np.zeros(batch.num_rows, bool)),
        "num_pairs": pa.array(np.ones(batch.num_rows, np.int64)),
    }
    names = [*columns, *ABOUT]
    fields = [DRAWABLES.field(n) if n in DRAWABLES.names else CORPUS.field(n) for n in names]
    return pa.RecordBatch.from_arrays([there[name] for name in names], schema=pa.schema(fields))
