"""Fates: what became of a record of ingest, from the manifests and files of the stages alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from glotmill.dashboard.samples import rows_at
from glotmill.pipelines.trace_model import Copy, Drawable, Fate, Kept
from glotmill.pipelines.trace_run import Run, find_row
from glotmill.schemas.indexed_dataset import IndexedDataset, IndexedDatasetError
from glotmill.schemas.lock import row_of, split_ordinal, unit_of
from glotmill.schemas.tables import COUNTS, DRAWABLES
from glotmill.transforms.drawables import path_of
from glotmill.transforms.draws import DRAWS
from glotmill.transforms.leaks import read_excluded
from glotmill.transforms.pseudo_documents import COLUMNS as PAIR_COLUMNS
from glotmill.transforms.pseudo_documents import MIN_PAIRS, PseudoDocuments
from glotmill.transforms.shards import shard_name, shard_path
from glotmill.transforms.split import read_splitter
from glotmill.transforms.tables import read_batches
from glotmill.transforms.token_shards import dataset_prefix, documents_path
from glotmill.transforms.unit_index import IndexedUnit, UnitIndex, read_manifest

#: Columns of ingest that a fate tells of.
COLUMNS = [
    "text", "source", "path", "offset", "external_id", "url", "original_code", "label",
    "num_bytes", "verdict", "content_hash",
]  # fmt: skip
# Bits of a sum that tell which pairs a document is made of.
_BITS = 62

Ints = npt.NDArray[np.int64]
Rows = Sequence[tuple[int, Mapping[str, Any]]]


def fates_of(run: Run, unit: IndexedUnit, rows: Rows) -> Iterator[Fate]:
    """What became of documents that ingest kept.

    Args:
        run: the run.
        unit: that they are of.
        rows: their row numbers in the unit, each with COLUMNS.
    """
    removals = _by_row(run.index.removals(unit)) if run.has("deduplicate") else {}
    excluded = _by_row(read_excluded(run.root, unit)) if run.has("compose") else {}
    alive = [row for row, _ in rows if not removals.get(row, {}).get("removed")]
    drawables = _drawables(run, unit, [row for row in alive if row not in excluded])
    for row, values in rows:
        fate = partial(_fate, run, unit, values, removals.get(row, {}))
        if removals.get(row, {}).get("removed"):
            kept = _kept(run, removals[row]["cluster"])
            yield fate(outcome="removed", reason=removals[row]["reason"], kept=kept)
        elif row in excluded:
            yield fate(outcome="excluded", reason=excluded[row]["reason"])
        else:
            yield fate(**_end(run, unit, drawables.get(row, ())))


def _by_row(table: pa.Table | None) -> dict[int, dict[str, Any]]:
    return {row["row"]: row for row in table.to_pylist()} if table is not None else {}


def _fate(
    run: Run, unit: IndexedUnit, row: Mapping[str, Any], removal: Mapping[str, Any], **more: Any
) -> Fate:
    return Fate(
        origin=run.origin(row),
        category=unit.category,
        label=row["label"],
        text=row["text"],
        content_hash=row["content_hash"].hex(),
        num_bytes=row["num_bytes"],
        verdict=row["verdict"],
        cluster_size=removal.get("cluster_size", 1),
        **more,
    )


def dropped_fate(run: Run, unit: IndexedUnit, row: Mapping[str, Any]) -> Fate:
    """A document that ingest dropped; `row` has COLUMNS and the reason."""
    return _fate(run, unit, row, {}, outcome="dropped", reason=row["drop_reason"])


def rejected_fate(run: Run, unit: IndexedUnit, row: Mapping[str, Any]) -> Fate:
    """A record that could not be read; `row` is of the schema REJECTED."""
    return Fate(
        outcome="rejected",
        origin=run.origin(row),
        category=unit.category,
        label=None,
        text=row["excerpt"],
        reason=row["reason"],
        detail=row["detail"],
    )


def _kept(run: Run, cluster: int) -> Kept | None:
    """The document that names a cluster; None where its run is gone."""
    corpus, ordinal = split_ordinal(unit_of(cluster))
    root, index, name = run.root, run.index, None
    if corpus >= 0:
        root = name = run.lock.recipe.deduplicate.against[corpus]
        if read_manifest(root, "ingest") is None:
            return None
        index = UnitIndex(root)
    path = f"{root}/{index.units[ordinal].documents}"
    columns = ["label", "content_hash", "source", "path", "offset", "external_id"]
    (row,) = rows_at([(path, row_of(cluster))], columns).values()
    return Kept(corpus=name, **{**row, "content_hash": row["content_hash"].hex()})


def _end(run: Run, unit: IndexedUnit, drawables: tuple[Drawable, ...]) -> dict[str, Any]:
    """How it went on with a document that nothing spoke against."""
    if run.unfinished in ("deduplicate", "compose"):
        return {"outcome": "kept", "detail": f"the stage {run.unfinished} is not finished"}
    if unit.category in run.lock.recipe.mix.exclude:
        return {"outcome": "left_out", "reason": "category", "detail": _left_out(unit.category)}
    if not drawables:
        return {"outcome": "left_out", "reason": MIN_PAIRS, "detail": _IN_NONE}
    return {"outcome": _outcome(run, drawables), "drawables": drawables}


_IN_NONE = (
    "in no document: too few pairs (bitext.min_pairs), or no direction to write them in "
    "(bitext.directions, bitext.held_out)"
)


def _left_out(category: str) -> str:
    return f"the mixture leaves out '{category}' (mix.exclude)"


def _outcome(run: Run, drawables: Sequence[Drawable]) -> str:
    if any(drawable.held_out for drawable in drawables):
        return "held_out"
    if not run.has("mix"):
        return "kept"
    return "drawn" if any(drawable.copies for drawable in drawables) else "not_drawn"


# ------------------------------------------------------------- drawables


def _drawables(run: Run, unit: IndexedUnit, rows: Sequence[int]) -> dict[int, tuple[Drawable, ...]]:
    """What may be drawn, by the row of ingest that it is or holds."""
    excluded = unit.category in run.lock.recipe.mix.exclude
    if not rows or not run.has("compose") or excluded:
        return {}
    places = _of_pairs if unit.category == "bitext" else _of_documents
    return {
        row: tuple(drawables_at(run, unit, found)) for row, found in places(run, unit, rows).items()
    }


def _of_documents(run: Run, unit: IndexedUnit, rows: Sequence[int]) -> dict[int, list[int]]:
    """Rows of the file of drawables: those of ingest, less what was taken out."""
    stays = ~run.index.removed_rows(unit)
    stays[read_excluded(run.root, unit).column("row").to_numpy()] = False
    before = np.cumsum(stays)
    return {row: [int(before[row]) - 1] for row in rows}


def _of_pairs(run: Run, unit: IndexedUnit, rows: Sequence[int]) -> dict[int, list[int]]:
    """The documents that hold each pair.

    The bytes of a document are the sum of those of its pairs. Pseudo-documents are made anew of
    pairs whose bytes are one bit each, and none for all others: the sum tells which it holds.
    """
    found: dict[int, list[int]] = {row: [] for row in rows}
    for start in range(0, len(rows), _BITS):
        part = rows[start : start + _BITS]
        for number, sum_ in enumerate(_marked_sums(run, unit, part)):
            for bit, row in enumerate(part):
                if sum_ >> bit & 1:
                    found[row].append(number)
    return found


def _marked_sums(run: Run, unit: IndexedUnit, rows: Sequence[int]) -> Iterator[int]:
    marks = np.zeros(unit.num_rows, np.int64)
    marks[list(rows)] = 1 << np.arange(len(rows))
    excluded = read_excluded(run.root, unit).column("row").to_numpy()
    documents = PseudoDocuments(run.lock.recipe.bitext, run.lock.recipe.seed)
    split = partial(read_splitter(run.root).held_out, unit.category)
    for batch in documents.batches(_marked(run, unit, marks, excluded), split, render=False):
        yield from batch.column(COUNTS[0]).to_pylist()


def _marked(
    run: Run, unit: IndexedUnit, marks: Ints, excluded: Ints
) -> Iterator[tuple[pa.RecordBatch, Ints]]:
    for batch, sizes, rows in run.index.surviving_rows(unit, list(PAIR_COLUMNS)):
        place = batch.schema.get_field_index(COUNTS[0])
        marked = batch.set_column(place, batch.schema.field(place), pa.array(marks[rows]))
        stays = ~np.isin(rows, excluded)
        yield marked.filter(pa.array(stays)), sizes[stays]


def drawables_at(run: Run, unit: IndexedUnit, rows: Sequence[int]) -> Iterator[Drawable]:
    """What may be drawn of a unit, by rows of its file, and where it was written."""
    path = f"{run.root}/{path_of(unit)}"
    found = rows_at([(path, row) for row in rows], DRAWABLES.names)
    for row in rows:
        values = found[path, row]
        group = (unit.category, values["label"], unit.domain or "")
        yield Drawable(
            content_hash=values["content_hash"].hex(),
            num_pairs=values["num_pairs"],
            again=values["again"],
            held_out=values["held_out"],
            draw=values["draw"] / DRAWS,
            rate=run.rates.get(group, (None,))[0] if run.has("mix") else None,
            copies=tuple(_copies(run, unit, values)) if run.has("mix") else (),
            decided=run.has("mix"),
        )


def _copies(run: Run, unit: IndexedUnit, values: Mapping[str, Any]) -> Iterator[Copy]:
    """Draws a document again, which tells the shard, and looks for it there."""
    rows = pa.Table.from_pylist([dict(values)], schema=DRAWABLES)
    drawn = run.drawer.draw(unit.category, unit.domain or "", rows)
    split = "validation" if values["held_out"] else "train"
    output = run.lock.recipe.output.parquet
    columns = (drawn[name].tolist() for name in ("copy", "order", "partition"))
    for copy, order, number in zip(*columns, strict=True):
        shard = shard_path(output, number)
        wanted = {
            "content_hash": values["content_hash"],
            "copy": copy,
            "label": values["label"],
            "source": unit.source,
        }
        yield Copy(
            copy=copy,
            split=split,
            shard=shard,
            row=find_row(f"{run.root}/{shard}", wanted, _fraction(run, order, number)),
            num_tokens=values["num_tokens"] or None,
            **_place_of_tokens(run, unit, split, order, wanted),
            **_packed(run, shard_name(output, number), values["content_hash"]),
        )


def _fraction(run: Run, order: int, number: int) -> float:
    """About how far into its shard a copy is."""
    output = run.lock.recipe.output.parquet
    training = number < output.shards
    total = output.shards if training else output.validation_shards
    return order / DRAWS * total - (number if training else number - output.shards)


def _place_of_tokens(
    run: Run, unit: IndexedUnit, split: str, order: int, wanted: Mapping[str, Any]
) -> dict[str, Any]:
    """Dataset, document and first token of a copy, where there are token files."""
    naming = run.naming(split)
    if naming is None:
        return {}
    tier = naming.tiers[unit.category, wanted["label"]]
    row = pa.table({"category": [unit.category], "tier": [tier], "order": [order]})
    (name,) = naming.names_of(row).to_pylist()
    path = f"{run.root}/{documents_path(name)}"
    document = find_row(path, wanted, run.fraction(order, split))
    if document is None:
        return {}
    try:
        tokens = IndexedDataset(f"{run.root}/{dataset_prefix(name)}")
    except IndexedDatasetError:  # as where the output is not on this machine
        return {"dataset": name, "document": document}
    first = int(tokens.pointers[document]) // tokens.dtype.itemsize
    return {"dataset": name, "document": document, "first_token": first}


def _packed(run: Run, shard: str, content_hash: bytes) -> dict[str, Any]:
    """Packed sequences of a shard with parts of a text."""
    path = f"tokens/packed/{shard}.parquet"
    if path not in run.files:
        return {}
    found: list[int] = []
    start = 0
    for batch in read_batches(f"{run.root}/{path}", ["documents"], batch_rows=50_000):
        column = batch.column("documents")
        values = pa.array([content_hash], column.type.value_type)
        hits = pc.is_in(column.flatten(), value_set=values)
        parents = pc.list_parent_indices(column).filter(hits).unique()
        found += [start + row for row in parents.to_pylist()]
        start += batch.num_rows
    return {"packed": path, "sequences": tuple(found)}
