"""Pairs: parallel text by pair of languages, and by the order in which these are written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from glotmill.dashboard.amounts import BITEXT, KEPT, TRAIN, VALIDATION, Amount, Outcome, Sums
from glotmill.dashboard.flow import Flow
from glotmill.dashboard.languages import planned_by_group
from glotmill.dashboard.names import language_name, languages_of
from glotmill.dashboard.pair_profiles import PairProfile, Quantiles
from glotmill.dashboard.shares import share
from glotmill.dashboard.statistics import Gathered
from glotmill.dashboard.warnings import Warn, warnings_of_pairs
from glotmill.schemas.tables import MANY_LANGUAGES

# Outcome and reason of what is counted by direction. What is called available there is all that
# survives: those held out or excluded are not told apart in the order of the data.
_SURVIVING, _TRAIN, _REPEATED = ("available", ""), ("train", ""), ("train", "repeated")
_VALIDATION = (("validation", ""), ("validation", "repeated"))

#: One row a source, label and direction; written to `statistics/pairs.parquet`.
DIRECTED_PAIRS = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        # Labels in order with `>` between them; null below where there are more than two.
        pa.field("direction", pa.string(), nullable=False),
        pa.field("source_label", pa.string()),
        pa.field("target_label", pa.string()),
        pa.field("num_surviving", pa.int64(), nullable=False),
        pa.field("num_surviving_words", pa.int64(), nullable=False),
        pa.field("num_train", pa.int64(), nullable=False),
        pa.field("num_repeated", pa.int64(), nullable=False),
        pa.field("num_validation", pa.int64(), nullable=False),
        pa.field("num_sampled_words", pa.int64(), nullable=False),
        pa.field("num_train_documents", pa.int64(), nullable=False),
        pa.field("num_validation_documents", pa.int64(), nullable=False),
    ]
)


@dataclass(frozen=True)
class PairRow:
    """One pair of languages in either order, or more of them.

    Attributes:
        label: those of its languages, sorted.
        read: pairs that ingest kept or dropped; what was rejected has no label.
        losses: pairs that ingest dropped and deduplication removed, by reason, the most first.
        available: surviving pairs that are neither held out nor excluded.
        train: pairs drawn for training, each counted once; `sampled` counts repeats too.
        num_documents: pseudo-documents that training sees.
        profile: lengths and how they compare; None where ingest left no sketches of the label.
    """

    label: str
    name: str
    tier: str | None
    rate: float | None
    read: int
    kept: Amount
    surviving: Amount
    available: Amount
    train: Amount
    sampled: Amount
    validation: Amount
    num_documents: int
    losses: Sequence[tuple[str, int]]
    profile: PairProfile | None
    category: str = BITEXT

    @property
    def removed(self) -> int:
        """Pairs that ingest dropped or deduplication removed."""
        return self.read - self.surviving.documents

    @property
    def ratio(self) -> Quantiles | None:
        """Characters of the second language over those of the first."""
        return self.profile.measures.get("ratio") if self.profile is not None else None

    @property
    def warnings(self) -> Sequence[Warn]:
        """What a person should look at before training on the label."""
        if self.ratio is None:
            return []
        return warnings_of_pairs(self.label, self.ratio.num_pairs, self.ratio.median)


@dataclass(frozen=True)
class DirectionRow:
    """One order of languages: as the data has it where surviving, as written where drawn."""

    label: str
    direction: str
    surviving: Amount
    train: Amount
    repeated: Amount
    validation: Amount
    num_documents: int

    @property
    def languages(self) -> list[str]:
        """Labels in order."""
        return self.direction.split(">")

    @property
    def sampled(self) -> Amount:
        """What stands in the training shards, repeats included."""
        return self.train + self.repeated


@dataclass(frozen=True)
class LossRow:
    """One reason to lose pairs, and the labels with the most of them."""

    stage: str
    reason: str
    amount: Amount
    share_of_read: float
    top_labels: Sequence[tuple[str, int]]


@dataclass(frozen=True)
class ParallelText:
    """What the page shows of parallel text.

    Attributes:
        flow: of its sources, in pairs.
        pairs: the most surviving pairs first.
        directions: in the same order.
        num_labels: pairs of languages with a surviving pair.
        num_languages: of these; more than three together name none.
        num_documents: pseudo-documents that training sees.
    """

    flow: Flow
    pairs: Sequence[PairRow]
    directions: Sequence[DirectionRow]
    losses: Sequence[LossRow]
    num_labels: int
    num_languages: int
    num_documents: int


def parallel_text(gathered: Gathered, flow: Flow) -> ParallelText:
    """The numbers of parallel text.

    Args:
        gathered: of the run.
        flow: of its sources of parallel text.
    """
    documents = gathered.documents
    documents = documents.filter(pc.equal(documents.column("category"), BITEXT))
    by_direction = directions_of(gathered.directions)
    num_documents: dict[str, int] = {}
    for each in by_direction:
        num_documents[each.label] = num_documents.get(each.label, 0) + each.num_documents
    profiles = {each.label: each for each in gathered.pair_profiles if each.source is None}
    pairs = _pairs(documents, gathered.plan, num_documents, profiles)
    place = {row.label: number for number, row in enumerate(pairs)}
    by_direction.sort(key=lambda row: (place[row.label], row.direction))
    languages = {
        each for row in pairs if row.surviving.documents for each in languages_of(row.label)
    }
    return ParallelText(
        flow=flow,
        pairs=pairs,
        directions=by_direction,
        losses=_losses(documents, flow),
        num_labels=sum(1 for row in pairs if row.surviving.documents),
        num_languages=len(languages - {MANY_LANGUAGES}),
        num_documents=sum(num_documents.values()),
    )


def _pairs(
    documents: pa.Table,
    plan: pa.Table,
    num_documents: Mapping[str, int],
    profiles: Mapping[str, PairProfile],
) -> list[PairRow]:
    sums = Sums(documents, ["label"])
    planned = planned_by_group(plan)
    rows = []
    for group in sums.groups:
        label = group[0]
        if not label:  # of rejected records
            continue
        kept = sums.of(group, KEPT)
        tier, rate = planned.get((label, BITEXT), (None, None))
        rows.append(
            PairRow(
                label=label,
                name=language_name(label),
                tier=tier,
                rate=rate,
                read=kept.documents + sums.all_of(group, "ingest", "dropped").documents,
                kept=kept,
                surviving=sums.surviving(group),
                available=sums.available(group),
                train=sums.of(group, TRAIN),
                sampled=sums.sampled(group),
                validation=sums.of(group, VALIDATION),
                num_documents=num_documents.get(label, 0),
                losses=_most(_reasons(sums, group)),
                profile=profiles.get(label),
            )
        )
    return sorted(rows, key=lambda row: (-row.surviving.documents, -row.read, row.label))


def _reasons(sums: Sums, group: tuple[str, ...]) -> dict[str, int]:
    return {
        reason: amount.documents
        for stage in ("ingest", "deduplicate")
        for reason, amount in sums.reasons(group, stage, "dropped").items()
    }


def _most(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


_NUM_TOP_LABELS = 3


def _losses(documents: pa.Table, flow: Flow) -> list[LossRow]:
    sums, labels = Sums(documents, []), Sums(documents, ["label"])
    rows = []
    for stage in ("ingest", "deduplicate"):
        for reason, amount in sums.reasons((), stage, "dropped").items():
            outcome = Outcome(stage, "dropped", reason)
            found = {label: labels.of((label,), outcome).documents for (label,) in labels.groups}
            top = _most({label: count for label, count in found.items() if count})
            part = share(amount.documents, flow.read.documents)
            rows.append(LossRow(stage, reason, amount, part, top[:_NUM_TOP_LABELS]))
    return sorted(rows, key=lambda row: (-row.amount.documents, row.reason))


# ------------------------------------------------------------ by direction


def directions_of(directions: pa.Table) -> list[DirectionRow]:
    """All sources together, sorted by label and direction.

    Args:
        directions: in the schema `tables.DIRECTIONS`.
    """
    found = _by_outcome(directions, ("label", "direction"))
    return [_direction(key[0], key[1], of_direction) for key, of_direction in found]


_ByOutcome = Mapping[tuple[str, str], tuple[Amount, int]]


def _by_outcome(
    directions: pa.Table, keys: Sequence[str]
) -> Iterable[tuple[tuple[str, ...], _ByOutcome]]:
    """Pairs and pseudo-documents by keys, and then by outcome and reason; sorted by the keys."""
    groups: dict[tuple[str, ...], dict[tuple[str, str], tuple[Amount, int]]] = {}
    for row in directions.to_pylist():
        group = groups.setdefault(tuple(row[key] for key in keys), {})
        outcome = (row["outcome"], row["reason"])
        amount, count = group.get(outcome, (Amount(), 0))
        more = Amount(row["num_pairs"], row["num_bytes"], row["num_words"])
        group[outcome] = (amount + more, count + row["num_documents"])
    return sorted(groups.items())


def _sum(found: _ByOutcome, *outcomes: tuple[str, str]) -> tuple[Amount, int]:
    parts = [found.get(outcome, (Amount(), 0)) for outcome in outcomes]
    return sum((amount for amount, _ in parts), Amount()), sum(count for _, count in parts)


def _direction(label: str, direction: str, found: _ByOutcome) -> DirectionRow:
    return DirectionRow(
        label=label,
        direction=direction,
        surviving=_sum(found, _SURVIVING)[0],
        train=_sum(found, _TRAIN)[0],
        repeated=_sum(found, _REPEATED)[0],
        validation=_sum(found, *_VALIDATION)[0],
        num_documents=_sum(found, _TRAIN, _REPEATED)[1],
    )


def pairs_table(directions: pa.Table) -> pa.Table:
    """Pairs by source, label and direction, in the schema DIRECTED_PAIRS.

    Args:
        directions: in the schema `tables.DIRECTIONS`.
    """
    rows = []
    for (source, label, direction), found in _by_outcome(
        directions, ("source", "label", "direction")
    ):
        row = _direction(label, direction, found)
        two = row.languages if len(row.languages) == 2 else (None, None)
        rows.append(
            {
                "source": source,
                "label": label,
                "direction": direction,
                "source_label": two[0],
                "target_label": two[1],
                "num_surviving": row.surviving.documents,
                "num_surviving_words": row.surviving.words,
                "num_train": row.train.documents,
                "num_repeated": row.repeated.documents,
                "num_validation": row.validation.documents,
                "num_sampled_words": row.sampled.words,
                "num_train_documents": row.num_documents,
                "num_validation_documents": _sum(found, *_VALIDATION)[1],
            }
        )
    return pa.Table.from_pylist(rows, schema=DIRECTED_PAIRS)
