"""From slices to the whole: estimates with errors, and the counts that a plan is made from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from glotmill.pipelines.planning.sampling import SampledSource
from glotmill.schemas.estimates import ERROR, ESTIMATES, QUANTITIES
from glotmill.schemas.recipe import Recipe, Source
from glotmill.schemas.tables import AVAILABLE, COUNTS
from glotmill.transforms.estimates import Floats, Stratum, Totals, share, totals
from glotmill.transforms.pseudo_documents import Directions

#: Outcome, reason and label; "" stands for all of them.
Cell = tuple[str, str, str]
OUTCOMES = ("read", "kept", "dropped", "rejected")
_COUNTED = ("num_documents", *COUNTS)


@dataclass(frozen=True)
class SourceAmounts:
    """Amounts of each slice of a source, by cell; float64[n, number of QUANTITIES]."""

    sampled: SampledSource

    @property
    def source(self) -> Source:
        """The source."""
        return self.sampled.source

    @cached_property
    def stratum(self) -> Stratum:
        """Its slices."""
        return self.sampled.stratum

    @cached_property
    def cells(self) -> Mapping[Cell, Floats]:
        """What there is of each cell that a row is made of."""
        found: dict[Cell, Floats] = {}
        for place, each in enumerate(self.sampled.slices):
            for row in each.statistics.to_pylist():
                amounts = np.array([row[name] for name in _COUNTED] + [0], np.float64)
                for cell in _cells_of(row["outcome"], row["reason"], row["label"]):
                    self._row(found, cell)[place] += amounts
            for label, count in each.tokens.items():
                for cell in _cells_of("kept", "", label):
                    self._row(found, cell)[place, -1] += count
        return found

    def _row(self, found: dict[Cell, Floats], cell: Cell) -> Floats:
        if cell not in found:
            found[cell] = np.zeros((len(self.sampled.slices), len(QUANTITIES)))
        return found[cell]

    def of(self, cell: Cell) -> Floats:
        """Amounts of a cell, zeros where there is none of it."""
        empty = np.zeros((len(self.sampled.slices), len(QUANTITIES)))
        return self.cells.get(cell, empty)

    def labels(self, outcome: str = "kept") -> list[str]:
        """Labels of an outcome."""
        return sorted(
            label for kind, reason, label in self.cells if kind == outcome and label and not reason
        )

    def reasons(self) -> list[tuple[str, str]]:
        """Outcomes and reasons of what is lost."""
        return sorted((kind, reason) for kind, reason, label in self.cells if reason and not label)

    def total(self, values: Sequence[float]) -> tuple[float, float]:
        """Estimated total of an amount of each slice, and its error."""
        found = totals(self.stratum, np.array(values, np.float64)[:, None])
        return float(found.values[0]), float(found.errors()[0])


def _cells_of(outcome: str, reason: str, label: str) -> list[Cell]:
    """The cells that a row of statistics counts in."""
    cells = [("read", "", ""), (outcome, "", "")]
    if outcome != "kept":
        cells.append((outcome, reason or "no reason", ""))
    if label:
        cells += [(outcome, "", label), ("read", "", label)]
    return cells


# -------------------------------------------------------------- estimates


def estimates(amounts: Sequence[SourceAmounts]) -> pa.Table:
    """All estimates, in the schema ESTIMATES."""
    return pa.Table.from_pylist(list(_rows(amounts)), schema=ESTIMATES)


def _rows(amounts: Sequence[SourceAmounts]) -> Iterator[dict[str, Any]]:
    for outcome in OUTCOMES:
        yield _row({"level": "total"}, amounts, (outcome, "", ""))
    categories = sorted({each.source.category for each in amounts})
    for category in categories:
        inside = [each for each in amounts if each.source.category == category]
        for outcome in OUTCOMES:
            yield _row({"level": "category", "category": category}, inside, (outcome, "", ""))
        yield from _label_rows(category, inside)
    for each in amounts:
        yield from _source_rows(each)


def _label_rows(category: str, inside: Sequence[SourceAmounts]) -> Iterator[dict[str, Any]]:
    for label in sorted({label for each in inside for label in each.labels("read")}):
        having = [each for each in inside if ("read", "", label) in each.cells]
        names = {"level": "label", "category": category, "label": label}
        for outcome in ("kept", "dropped"):
            if any((outcome, "", label) in each.cells for each in having):
                yield _row(names, having, (outcome, "", label))


def _source_rows(each: SourceAmounts) -> Iterator[dict[str, Any]]:
    names = {"level": "source", "source": each.source.name, "category": each.source.category}
    for outcome in OUTCOMES:
        yield _row(names, [each], (outcome, "", ""))
    for outcome, reason in each.reasons():
        yield _row(names, [each], (outcome, reason, ""))
    for label in each.labels():
        yield _row({**names, "level": "source_label", "label": label}, [each], ("kept", "", label))


def _row(names: Mapping[str, str], amounts: Sequence[SourceAmounts], cell: Cell) -> dict[str, Any]:
    outcome, reason, label = cell
    parts = [each.of(cell) for each in amounts]
    found = _joined([each.stratum for each in amounts], parts)
    is_whole = all(each.stratum.is_whole for each in amounts)
    unseen = not found.num_seen[0] and not is_whole
    columns: dict[str, Any] = {}
    errors = found.errors().tolist()
    for name, value, error in zip(QUANTITIES, found.values.tolist(), errors, strict=True):
        columns |= {name: value, name + ERROR: None if unseen else known(error)}
    return {
        **{"source": "", "category": "", "label": label, "outcome": outcome, "reason": reason},
        **names,
        "num_slices": sum(len(each.sampled.slices) for each in amounts),
        "num_seen": int(found.num_seen[0]),
        **columns,
        **_share(amounts, parts, label, is_known=columns["num_documents_error"] is not None),
    }


def _share(
    amounts: Sequence[SourceAmounts], parts: Sequence[Floats], label: str, *, is_known: bool
) -> dict[str, float | None]:
    """Documents as a share of those read.

    Where all or none of a sample have it there is no spread, yet the true share may be another.
    """
    strata = [each.stratum for each in amounts]
    wholes = [each.of(("read", "", label))[:, 0] for each in amounts]
    found, error = share(strata, [part[:, 0] for part in parts], wholes)
    no_spread = not all(stratum.is_whole for stratum in strata) and (
        math.isclose(found, 1.0) or found == 0.0
    )
    return {"share": found, "share" + ERROR: known(error) if is_known and not no_spread else None}


def _joined(strata: Sequence[Stratum], parts: Sequence[Floats]) -> Totals:
    first, *others = (totals(*each) for each in zip(strata, parts, strict=True))
    for other in others:
        first = first + other
    return first


def known(value: float) -> float | None:
    """The value, or None in the place of NaN."""
    return None if math.isnan(value) else value


# -------------------------------------------------------------- available


def available_counts(estimated: pa.Table, recipe: Recipe) -> pa.Table:
    """What ingest is expected to keep, in the schema AVAILABLE.

    Nothing is taken off for duplicates, and nothing is held out but pairs of languages that the
    recipe holds out whole. Pairs that are written both ways count a second time, as in a run.

    Args:
        estimated: in the schema ESTIMATES.
        recipe: whose sources were sampled.
    """
    domains = {source.name: source.domain or "" for source in recipe.sources}
    directions = Directions(recipe.bitext, recipe.seed)
    rows = []
    for row in estimated.to_pylist():
        if row["level"] != "source_label" or row["category"] in recipe.mix.exclude:
            continue
        sides = tuple(row["label"].split("-")) if row["category"] == "bitext" else ()
        # The label of very many languages does not name them.
        held_out = len(sides) > 1 and directions.held_out(sides)
        counts = {
            **{name: round(row[name]) for name in QUANTITIES},
            "num_fallback_tokens": 0,
            "category": row["category"],
            "label": row["label"],
            "domain": domains[row["source"]],
            "split": "validation" if held_out else "train",
        }
        rows.append({**counts, "again": False})
        if sides and directions.num_trained(sides) > 1:
            rows.append({**counts, "again": True})
    return _summed(rows)


def _summed(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows of one category, label and domain as one."""
    table = pa.Table.from_pylist(list(rows), schema=AVAILABLE)
    keys = [name for name in AVAILABLE.names if not name.startswith("num_")]
    sums = [name for name in AVAILABLE.names if name.startswith("num_")]
    summed = table.group_by(keys).aggregate([(name, "sum") for name in sums])
    summed = summed.rename_columns([name.removesuffix("_sum") for name in summed.schema.names])
    ordered = summed.sort_by([(name, "ascending") for name in keys])
    return ordered.select(AVAILABLE.names).cast(AVAILABLE)
