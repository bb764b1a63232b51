"""Triage: what was declared × what was identified × the script, per source; the worst first.

The order of cells is that of `WORST_FIRST` by verdict; within a rank by the number of documents
times their share of the declared label, largest first; then by the keys. So ten thousand documents
that are all of their label stand above ten thousand that are a tenth of theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from glotmill.dashboard.amounts import COLUMNS, Amount, total
from glotmill.dashboard.samples import find_samples
from glotmill.schemas.manifest import Manifest
from glotmill.schemas.tables import STATISTICS, VERDICTS

KEYS = ("source", "declared_label", "identified_label", "script", "verdict")

#: Verdicts by rank: something is wrong, nobody can tell, nothing was asked, all is well.
WORST_FIRST = (
    ("contradicted",),
    ("unidentified", "unsure"),
    ("unknown_code",),
    ("too_short",),
    ("unverifiable",),
    ("identified",),
    ("confirmed",),
)
_RANKS = {verdict: rank for rank, verdicts in enumerate(WORST_FIRST) for verdict in verdicts}

# Verdicts whose texts are not worth a look.
_UNDOUBTED = frozenset({"confirmed", ""})
# Texts are looked up for so many cells of a verdict, the worst: reading them is what costs.
MAX_CELLS_WITH_SAMPLES = 40

#: `statistics/triage.parquet`: all cells, the worst first.
TRIAGE = pa.schema(
    [
        *(STATISTICS.field(name) for name in KEYS),
        pa.field("num_documents", pa.int64(), nullable=False),
        # Those of them that ingest dropped, for any reason.
        pa.field("num_dropped", pa.int64(), nullable=False),
        pa.field("num_bytes", pa.int64(), nullable=False),
        pa.field("num_words", pa.int64(), nullable=False),
        # Share of the documents of the source that have the same declared label.
        pa.field("share_of_declared", pa.float64(), nullable=False),
        pa.field("samples", pa.list_(pa.string()), nullable=False),
    ]
)


@dataclass(frozen=True)
class Cell:
    """Documents of one source with the same labels, script and verdict.

    Attributes:
        declared_label: empty where nothing was declared, or no known code.
        identified_label: empty where the identifier was not asked, or found nothing.
        amount: documents that ingest kept or dropped.
        num_dropped: those of them that it dropped.
        share: of the documents of the source with the same declared label.
        samples: a few of the texts, cut short.
    """

    source: str
    declared_label: str
    identified_label: str
    script: str
    verdict: str
    amount: Amount
    num_dropped: int
    share: float
    samples: Sequence[str] = ()

    @property
    def key(self) -> tuple[str, ...]:
        """The values of `KEYS`."""
        return tuple(getattr(self, name) for name in KEYS)


def badness(cell: Cell) -> tuple[object, ...]:
    """What cells are sorted by: the worst is the smallest."""
    rank = _RANKS.get(cell.verdict, len(_RANKS))
    return rank, -cell.amount.documents * cell.share, cell.key


def triage(statistics: pa.Table) -> list[Cell]:
    """All cells of what ingest kept and dropped, the worst first.

    Args:
        statistics: rows with the columns of STATISTICS.
    """
    grouped = _ingested(statistics).group_by(list(KEYS)).aggregate(
        [(name, "sum") for name in (*COLUMNS, "num_dropped")]
    )  # fmt: skip
    keys = list(zip(*(grouped.column(name).to_pylist() for name in KEYS), strict=True))
    columns = [grouped.column(f"{name}_sum").to_pylist() for name in COLUMNS]
    amounts = [Amount(*numbers) for numbers in zip(*columns, strict=True)]
    dropped = grouped.column("num_dropped_sum").to_pylist()
    declared: dict[tuple[str, str], int] = {}
    for key, amount in zip(keys, amounts, strict=True):
        declared[key[:2]] = declared.get(key[:2], 0) + amount.documents
    cells = [
        _cell(key, amount, num_dropped, declared[key[:2]])
        for key, amount, num_dropped in zip(keys, amounts, dropped, strict=True)
    ]
    return sorted(cells, key=badness)


def _cell(key: tuple[str, ...], amount: Amount, num_dropped: int, num_declared: int) -> Cell:
    source, declared, identified, script, verdict = key
    share = amount.documents / (num_declared or 1)
    return Cell(source, declared, identified, script, verdict, amount, num_dropped, share)


def _ingested(statistics: pa.Table) -> pa.Table:
    """Rows of documents with labels, those of dropped documents counted as such beside."""
    outcomes = pa.array(["kept", "dropped"])
    seen = statistics.filter(
        pc.and_(
            pc.equal(statistics.column("stage"), "ingest"),
            pc.is_in(statistics.column("outcome"), value_set=outcomes),
        )
    )
    is_dropped = pc.equal(seen.column("outcome"), "dropped")
    return seen.append_column("num_dropped", pc.if_else(is_dropped, seen.column(COLUMNS[0]), 0))


def worst_of_each_verdict(cells: Iterable[Cell], num_cells: int) -> list[Cell]:
    """The first cells of each verdict, in the order given.

    Args:
        cells: the worst first.
        num_cells: most cells of a verdict.
    """
    seen: dict[str, int] = {}
    chosen = []
    for cell in cells:
        seen[cell.verdict] = seen.get(cell.verdict, 0) + 1
        if seen[cell.verdict] <= num_cells:
            chosen.append(cell)
    return chosen


def with_samples(
    cells: Sequence[Cell], root: str, ingest: Manifest, units: Mapping[str, pa.Table]
) -> list[Cell]:
    """The cells, the worst of each verdict but `confirmed` with samples of their texts.

    Args:
        cells: the worst first.
        root: the output directory.
        ingest: manifest of the stage.
        units: statistics of each unit, by its key.
    """
    worst = worst_of_each_verdict(cells, MAX_CELLS_WITH_SAMPLES)
    doubtful = [cell.key for cell in worst if cell.verdict not in _UNDOUBTED]
    found = find_samples(root, ingest, units, KEYS, doubtful)
    return [replace(cell, samples=found.get(cell.key, ())) for cell in cells]


def verdicts(cells: Iterable[Cell], sources: Sequence[str]) -> dict[str, dict[str, Amount]]:
    """Amounts by source and verdict, every verdict that occurs anywhere in every source.

    Args:
        cells: in any order.
        sources: their names, in the order wanted.
    """
    amounts: dict[tuple[str, str], list[Amount]] = {}
    for cell in cells:
        amounts.setdefault((cell.source, cell.verdict), []).append(cell.amount)
    occurring = {verdict for _, verdict in amounts}
    names = [*(v for v in VERDICTS if v in occurring), *sorted(occurring - set(VERDICTS))]
    return {
        source: {verdict: total(amounts.get((source, verdict), ())) for verdict in names}
        for source in sources
    }


def triage_table(cells: Sequence[Cell]) -> pa.Table:
    """The cells in the schema TRIAGE."""
    columns = {name: [getattr(cell, name) for cell in cells] for name in KEYS}
    amounts = zip(*(cell.amount.as_list() for cell in cells), strict=True) if cells else ([],) * 3
    columns |= {name: list(values) for name, values in zip(COLUMNS, amounts, strict=True)}
    columns["num_dropped"] = [cell.num_dropped for cell in cells]
    columns["share_of_declared"] = [cell.share for cell in cells]
    columns["samples"] = [list(cell.samples) for cell in cells]
    return pa.table(columns, schema=TRIAGE)
