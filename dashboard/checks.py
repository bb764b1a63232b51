"""Conservation: whether the numbers of the stages and of their files add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from glotmill.dashboard.flow import Flow
from glotmill.schemas.manifest import Manifest


@dataclass(frozen=True)
class Equation:
    """`left = terms[0] + terms[1] + …`, in documents.

    Attributes:
        about: what it is about: a source, or all.
        left: name and value of the whole.
        terms: names and values of the parts.
    """

    about: str
    left: tuple[str, int]
    terms: Sequence[tuple[str, int]]

    @property
    def holds(self) -> bool:
        """Whether both sides are equal and nothing is negative."""
        values = [value for _, value in self.terms]
        return self.left[1] == sum(values) and min(self.left[1], *values) >= 0

    def __str__(self) -> str:
        """It as a line.

        >>> str(Equation("news", ("read", 5), [("kept", 3), ("dropped", 1)]))
        'news: 5 read = 3 kept + 1 dropped'
        """
        left, *terms = (f"{value:,} {name}" for name, value in (self.left, *self.terms))
        return f"{self.about or 'all records'}: {left} = {' + '.join(terms)}"


def conservation(flow: Flow, rows: Mapping[tuple[str, str], int]) -> list[Equation]:
    """The conservation law of a source.

    The first equation compares rows of files with sums of statistics; what is left of a stage is
    derived in the others, so they fail where it would be negative.

    Args:
        flow: of the source.
        rows: rows of ingest's files by table and source.
    """
    tables = ("documents", "dropped", "rejected")
    rows_read = sum(rows.get((table, flow.name), 0) for table in tables)
    return [
        Equation(
            flow.name,
            ("read", rows_read),
            [
                ("kept", flow.kept.documents),
                ("dropped", flow.dropped.documents),
                ("rejected", flow.rejected.documents),
            ],
        ),
        Equation(
            flow.name,
            ("kept", flow.kept.documents),
            [
                ("duplicates", flow.duplicates.documents),
                ("surviving", flow.surviving.documents),
            ],
        ),
        Equation(
            flow.name,
            ("surviving", flow.surviving.documents),
            [
                ("train, first copies", flow.train.documents),
                ("validation", flow.validation.documents),
                *([("excluded", flow.excluded.documents)] if flow.excluded.documents else []),
                ("not drawn", flow.unsampled.documents),
            ],
        ),
    ]


def against_files(
    flow: Flow, manifests: Mapping[str, Manifest], plan: pa.Table, left_out: int
) -> list[Equation]:
    """Totals of the statistics against counts that the stages made another way.

    Args:
        flow: of all sources.
        manifests: of the stages.
        plan: the mixture, in the schema PLAN.
        left_out: documents that survive in categories the mixture leaves out.
    """
    planned = pc.sum(plan.column("num_documents")).as_py() or 0
    return [
        *(
            Equation(
                "manifest of ingest",
                (name, manifests["ingest"].counts.get(name, 0)),
                [(f"{name} by statistics", amount.documents)],
            )
            for name, amount in (
                ("read", flow.read),
                ("kept", flow.kept),
                ("dropped", flow.dropped),
                ("rejected", flow.rejected),
            )
        ),
        Equation(
            "manifest of deduplicate",
            ("removed", manifests["deduplicate"].counts.get("removed", 0)),
            [("duplicates", flow.duplicates.documents)],
        ),
        Equation(
            "plan",
            ("surviving", flow.surviving.documents),
            [("documents of the plan", planned), ("left out", left_out)],
        ),
    ]


def against_shards(
    texts: Flow, pairs: Flow | None, mix: Manifest, directions: pa.Table
) -> list[Equation]:
    """Rows of the shards against the statistics, which count pairs where rows hold several.

    Args:
        texts: of the sources that are not parallel text.
        pairs: of those that are, if there are any.
        mix: manifest of the stage.
        directions: pairs as `mix` counts them by direction, in the schema `tables.DIRECTIONS`.
    """
    train = [("first copies", texts.train.documents), ("repeats", texts.repeated.documents)]
    validation = [("validation", texts.validation.documents)]
    if pairs is not None:
        train.append(("pseudo-documents", _directed(directions, "num_documents", "train")))
        num_held_out = _directed(directions, "num_documents", "validation")
        validation.append(("pseudo-documents", num_held_out))
    shards = [
        Equation("training shards", ("rows", _rows(mix, "shards/train-")), train),
        Equation("validation shards", ("rows", _rows(mix, "shards/validation-")), validation),
    ]
    return shards if pairs is None else [*shards, *_of_directions(pairs, directions)]


def _of_directions(pairs: Flow, directions: pa.Table) -> list[Equation]:
    counted = (
        ("available", None, "surviving", pairs.surviving),
        ("train", "", "train, first copies", pairs.train),
        ("train", "repeated", "repeats", pairs.repeated),
        ("validation", "", "validation", pairs.validation),
    )
    return [
        Equation(
            "pairs by direction",
            (term, _directed(directions, "num_pairs", outcome, reason)),
            [(f"{term} by statistics", amount.documents)],
        )
        for outcome, reason, term, amount in counted
    ]


def _directed(directions: pa.Table, column: str, outcome: str, reason: str | None = None) -> int:
    """Sum of a column over the rows of an outcome, and of a reason where one is given."""
    wanted = pc.equal(directions.column("outcome"), outcome)
    if reason is not None:
        wanted = pc.and_(wanted, pc.equal(directions.column("reason"), reason))
    return pc.sum(directions.filter(wanted).column(column)).as_py() or 0


def _rows(manifest: Manifest, prefix: str) -> int:
    return sum(entry.num_rows for entry in manifest.files if entry.path.startswith(prefix))
