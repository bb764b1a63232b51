"""Fit: exact rates of all groups, from what the stage `compose` wrote of each unit.

Two looks at each unit, each of which leaves a small file: amounts by range of draws, then the
events inside the bracket that the amounts leave. Which groups there are, and what is wanted of
them, the units' readers take from a file too: nothing large is pickled into a graph.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from glotmill.schemas.mixture import EVERY_DOMAIN
from glotmill.transforms import storage
from glotmill.transforms.drawables import path_of
from glotmill.transforms.draws import DRAWS
from glotmill.transforms.exact_rates import (
    NUM_BINS,
    Bracket,
    Documents,
    Histogram,
    Target,
    histograms_of,
    settle,
)
from glotmill.transforms.plan import Group
from glotmill.transforms.records import temporary_folder
from glotmill.transforms.rehydrate import Weights, read_weights
from glotmill.transforms.tables import read_table, write_table
from glotmill.transforms.unit_index import IndexedUnit, UnitIndex

#: Rate of each category, label and domain, relative to the output.
RATES_PATH = "mix/rates.parquet"
#: Category, label and domain ("" where the source names none): what has a rate of its own.
DrawGroup = tuple[str, str, str]

_KEY = [pa.field(name, pa.string(), nullable=False) for name in ("category", "label", "domain")]
_HISTOGRAM = pa.schema(
    [
        *_KEY,
        pa.field("weight", pa.float64(), nullable=False),
        pa.field("bin", pa.int32(), nullable=False),
        pa.field("amount", pa.int64(), nullable=False),
    ]
)
_EVENTS = pa.schema(
    [
        *_KEY,
        # Null on the one row of a group that has what is drawn below the bracket.
        pa.field("event", pa.float64()),
        pa.field("amount", pa.int64(), nullable=False),
    ]
)
_BRACKETS = pa.schema(
    [
        *_KEY,
        *(pa.field(name, pa.float64(), nullable=False) for name in ("low", "high", "max_epochs")),
    ]
)

_FOLDER = "rates"
# Rates of domains differ by less where only rounding sets them apart.
_TOLERANCE = 1e-9
# Part of its cap from which on a domain is near it.
_NEAR_CAP = 0.5


def _folder(root: str) -> str:
    return f"{temporary_folder(root, 'mix')}/{_FOLDER}"


def read_look(root: str, name: str) -> Iterator[pa.Table]:
    """What one of the looks, `histogram` or `events`, left of all units."""
    try:
        found = storage.match(f"{storage.escape(_folder(root))}/{name}-*.parquet")
    except LookupError:  # no unit is in the mixture
        return
    for file in found:
        yield read_table(file.path)


def domains_of_one_rate(rates: pa.Table) -> set[DrawGroup]:
    """Groups that are drawn at one rate with others of their label.

    Together they meet their target to within a document; each for itself, a label of many domains
    would miss it by a document for each. A domain that comes near its cap stands alone: among
    others chance would lift it above.

    Args:
        rates: in the schema RATES, as planned.
    """
    by_label: dict[Group, list[dict[str, Any]]] = {}
    for row in rates.to_pylist():
        by_label.setdefault((row["category"], row["label"]), []).append(row)
    found = set()
    for label, rows in by_label.items():
        total = sum(row["target"] for row in rows)
        free = [row for row in rows if not _is_near_cap(row, total)]
        each = [row["rate"] for row in free]
        if len(free) > 1 and max(each) - min(each) <= _TOLERANCE * max(each):
            found |= {(*label, row["domain"]) for row in free}
    return found


def _is_near_cap(row: Mapping[str, Any], total: float) -> bool:
    cap = row["max_share"]
    return cap is not None and row["target"] > _NEAR_CAP * cap * total


def _group_of(group: DrawGroup, shared: Collection[DrawGroup]) -> DrawGroup:
    """The group that a rate is fitted for."""
    return (*group[:2], EVERY_DOMAIN) if group in shared else group


def most_epochs(row: Mapping[str, Any]) -> float:
    """The most epochs of a row of RATES."""
    return np.inf if row["max_epochs"] is None else float(row["max_epochs"])


def targets_of(rates: pa.Table) -> dict[DrawGroup, Target]:
    """What is wanted of each group; domains of one rate are one, by the name EVERY_DOMAIN."""
    shared = domains_of_one_rate(rates)
    amounts: dict[DrawGroup, float] = {}
    epochs: dict[DrawGroup, float] = {}
    for row in rates.to_pylist():
        group = _group_of((row["category"], row["label"], row["domain"]), shared)
        amounts[group] = amounts.get(group, 0.0) + row["target"]
        epochs[group] = most_epochs(row)
    return {group: Target(amount, epochs[group]) for group, amount in amounts.items()}


class _Look:
    """What both looks at a unit have in common."""

    def __init__(self, root: str, column: str) -> None:
        """Takes the output directory and the column of DRAWABLES that is the amount."""
        self._root = root
        self._column = column

    def setup(self) -> None:
        """Reads the index of the units, the plan, and the weights of the rehydration if any."""
        self._index = UnitIndex(self._root)
        self._weights = read_weights(self._root)
        self._shared = domains_of_one_rate(read_table(f"{self._root}/{RATES_PATH}"))

    def _documents(self, ordinal: int) -> Iterator[tuple[DrawGroup, Documents]]:
        unit = self._index.units[ordinal]
        found = documents_of(self._root, unit, self._column, self._weights)
        for group, documents in found.items():
            yield _group_of(group, self._shared), documents

    def _write(self, name: str, ordinal: int, tables: list[pa.Table]) -> str:
        path = f"{_FOLDER}/{name}-{self._index.units[ordinal].key}.parquet"
        return write_table(temporary_folder(self._root, "mix"), path, pa.concat_tables(tables)).path


def documents_of(
    root: str, unit: IndexedUnit, column: str, weights: Weights
) -> dict[DrawGroup, Documents]:
    """What may be drawn of a unit for training, by group.

    Args:
        root: the output directory.
        unit: of the index.
        column: of DRAWABLES that is the amount, such as `num_words`.
        weights: of documents by their label and the size of their cluster.
    """
    columns = ["label", "held_out", "draw", "cluster_size", column]
    table = read_table(f"{root}/{path_of(unit)}", columns)
    table = table.filter(pc.invert(table.column("held_out")))
    labels = table.column("label").combine_chunks().dictionary_encode()
    kinds = labels.indices.to_numpy()
    draws = table.column("draw").to_numpy() / DRAWS
    amounts = table.column(column).to_numpy()
    sizes = table.column("cluster_size").to_numpy()
    found = {}
    for kind, label in enumerate(labels.dictionary.to_pylist()):
        rows = np.flatnonzero(kinds == kind)
        group = (unit.category, label, unit.domain or "")
        of_label = weights.of_all(label, sizes[rows])
        found[group] = Documents(draws[rows], of_label, amounts[rows])
    return found


class WriteHistograms(_Look):
    """Leaves the amounts of a unit by group, weight and range of draws."""

    def __call__(self, ordinal: int) -> str:
        """Gives the path of what it wrote."""
        tables = [_HISTOGRAM.empty_table()]
        for group, documents in self._documents(ordinal):
            for weight, amounts in histograms_of(documents).items():
                bins = np.flatnonzero(amounts)
                columns = {"weight": [weight] * len(bins), "bin": bins, "amount": amounts[bins]}
                tables.append(_grouped(group, columns, _HISTOGRAM))
        return self._write("histogram", ordinal, tables)


def _grouped(group: DrawGroup, columns: Mapping[str, object], schema: pa.Schema) -> pa.Table:
    """Columns of one group as a table."""
    num_rows = len(next(iter(columns.values())))  # type: ignore[arg-type]
    key = {
        name: pa.repeat(value, num_rows)
        for name, value in zip(("category", "label", "domain"), group, strict=True)
    }
    return pa.table({**key, **columns}).cast(schema)


def histograms(tables: Iterable[pa.Table]) -> dict[DrawGroup, Histogram]:
    """The amounts of all units."""
    found: dict[DrawGroup, Histogram] = {}
    for table in tables:
        for group, rows in _by_group(table):
            histogram = found.setdefault(group, Histogram())
            weights = rows.column("weight").to_numpy()
            for weight in np.unique(weights):
                of_weight = weights == weight
                amounts = np.zeros(NUM_BINS, np.int64)
                bins = rows.column("bin").to_numpy()[of_weight]
                amounts[bins] = rows.column("amount").to_numpy()[of_weight]
                histogram.add(float(weight), amounts)
    return found


def _by_group(table: pa.Table) -> Iterator[tuple[DrawGroup, pa.Table]]:
    """The rows of each group; they stand together."""
    names = ["category", "label", "domain"]
    keys = list(zip(*(table.column(name).to_pylist() for name in names), strict=True))
    starts = [i for i in range(len(keys)) if i == 0 or keys[i] != keys[i - 1]]
    for start, end in pairwise([*starts, len(keys)]):
        yield keys[start], table.slice(start, end - start)


def write_brackets(
    root: str, targets: Mapping[DrawGroup, Target], found: Mapping[DrawGroup, Histogram]
) -> None:
    """Leaves the brackets of all groups of which something is wanted."""
    rows = []
    for group, target in sorted(targets.items()):
        bracket = found[group].bracket(target) if group in found and target.amount > 0 else None
        if bracket is not None:
            numbers = {"low": bracket.low, "high": bracket.high, "max_epochs": target.max_epochs}
            rows.append(dict(zip(("category", "label", "domain"), group, strict=True)) | numbers)
    table = pa.Table.from_pylist(rows, schema=_BRACKETS)
    write_table(temporary_folder(root, "mix"), f"{_FOLDER}/brackets.parquet", table)


def read_brackets(root: str) -> dict[DrawGroup, tuple[Bracket, float]]:
    """The brackets, each with the most epochs of its group."""
    rows = read_table(f"{_folder(root)}/brackets.parquet").to_pylist()
    return {
        (row["category"], row["label"], row["domain"]): (
            Bracket(row["low"], row["high"]),
            row["max_epochs"],
        )
        for row in rows
    }


class WriteEvents(_Look):
    """Leaves the events of a unit inside the brackets, and what is drawn below them."""

    def setup(self) -> None:
        """Reads the brackets too."""
        super().setup()
        self._brackets = read_brackets(self._root)

    def __call__(self, ordinal: int) -> str:
        """Gives the path of what it wrote."""
        tables = [_EVENTS.empty_table()]
        for group, documents in self._documents(ordinal):
            if group in self._brackets:
                tables.append(_events(group, documents, *self._brackets[group]))
        return self._write("events", ordinal, tables)


def _events(
    group: DrawGroup, documents: Documents, bracket: Bracket, max_epochs: float
) -> pa.Table:
    below = documents.drawn(bracket.low, max_epochs)
    events, amounts = documents.events(bracket, max_epochs)
    columns = {
        "event": pa.array([None, *events.tolist()], pa.float64()),
        "amount": [below, *amounts.tolist()],
    }
    return _grouped(group, columns, _EVENTS)


def settled_rates(
    targets: Mapping[DrawGroup, Target],
    found: Mapping[DrawGroup, Histogram],
    tables: Iterable[pa.Table],
) -> dict[DrawGroup, tuple[float, int]]:
    """The exact rate of each group, and the amount that is drawn at it.

    Where nothing is nearer to the targets of all groups of a label than their first documents, the
    one of them that is nearest is drawn: no label that is wanted is lost. As the budget grows it is
    also the first that would be drawn, so that a larger budget draws it too.

    Args:
        targets: what is wanted of each.
        found: their histograms.
        tables: the events of all units.
    """
    parts: dict[DrawGroup, list[pa.Table]] = {}
    for table in tables:
        for group, rows in _by_group(table):
            parts.setdefault(group, []).append(rows)
    rates = dict.fromkeys(targets, (0.0, 0))
    lost: dict[Group, dict[DrawGroup, tuple[float, int]]] = {}
    for group, rows in parts.items():
        given = targets[group], pa.concat_tables(rows), found[group].enough(targets[group])
        rates[group] = _settled(*given, at_least_one=False)
        if not rates[group][1]:
            lost.setdefault(group[:2], {})[group] = _settled(*given, at_least_one=True)
    drawn = {group[:2] for group, (_, amount) in rates.items() if amount}
    for label, firsts in lost.items():
        if label not in drawn:
            nearest = min(sorted(firsts), key=lambda one: firsts[one][1] / targets[one].amount)
            rates[nearest] = firsts[nearest]
    return rates


def _settled(
    target: Target, rows: pa.Table, enough: float, *, at_least_one: bool
) -> tuple[float, int]:
    below = pc.is_null(rows.column("event"))
    inside = rows.filter(pc.invert(below))
    drawn_below = int(pc.sum(rows.filter(below).column("amount")).as_py())
    events, amounts = (inside.column(name).to_numpy() for name in ("event", "amount"))
    rate = settle(target, drawn_below, events, amounts, at_least_one=at_least_one)
    if rate is None:
        rate = enough
    return rate, drawn_below + int(amounts[events < rate].sum())
