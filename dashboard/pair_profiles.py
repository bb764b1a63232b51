"""Pair profiles: how long the sides of pairs are, and how their lengths compare."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from glotmill.transforms.pair_sketches import SCORE
from glotmill.transforms.sketches import LabelSketches, Sketches

#: Ranks of the quantiles, between the least and the greatest value.
RANKS = (0.05, 0.25, 0.5, 0.75, 0.95)
#: The digests of `pair_sketches.DIGESTS`, and what the page calls them.
MEASURES: Mapping[str, str] = {
    "first_characters": "characters of the first",
    "second_characters": "characters of the second",
    "ratio": "second over first",
    "first_confidence": "confidence in the first",
    "second_confidence": "confidence in the second",
}

_QUANTILES = pa.struct(
    [
        pa.field("num_pairs", pa.int64(), nullable=False),
        pa.field("least", pa.float64(), nullable=False),
        *(pa.field(f"rank_{rank:g}", pa.float64(), nullable=False) for rank in RANKS),
        pa.field("greatest", pa.float64(), nullable=False),
    ]
)
#: One row a source and label; written to `statistics/pair_profiles.parquet`.
PAIR_PROFILES = pa.schema(
    [
        # Null where it is all sources together, as the page shows them.
        pa.field("source", pa.string()),
        # The sides below stand in its order.
        pa.field("label", pa.string(), nullable=False),
        *(pa.field(name, _QUANTILES) for name in MEASURES),
        pa.field("scores", pa.map_(pa.string(), _QUANTILES), nullable=False),
    ]
)


@dataclass(frozen=True)
class Quantiles:
    """How numbers are spread.

    Attributes:
        num_pairs: that have the number; exact.
        least: exact, as is `greatest`.
        ranks: values at RANKS; right within about 1.5% of rank.
    """

    num_pairs: int
    least: float
    ranks: Sequence[float]
    greatest: float

    @property
    def median(self) -> float:
        """The value that half of the pairs are below."""
        return self.ranks[len(RANKS) // 2]

    @property
    def spread(self) -> float:
        """What nine tenths of the pairs lie within, as a factor; for positive numbers.

        >>> Quantiles(9, 0.1, (0.5, 0.9, 1.0, 1.1, 2.0), 9.0).spread
        4.0
        """
        return self.ranks[-1] / self.ranks[0]


@dataclass(frozen=True)
class PairProfile:
    """What the pairs of a label that ingest kept are like.

    Attributes:
        source: where they are from; None for all sources together.
        measures: by a name of MEASURES; those that no pair has are missing.
        scores: by the name that the data gives them.
    """

    source: str | None
    label: str
    measures: Mapping[str, Quantiles]
    scores: Mapping[str, Quantiles]


def pair_profiles(found: Iterable[tuple[str | None, Sketches]]) -> list[PairProfile]:
    """The profile of each source and label, sorted by both; all sources together come first.

    Args:
        found: sketches of pairs by source, and of all sources under None.
    """
    return [
        _profile(source, label, sketches[label])
        for source, sketches in sorted(found, key=lambda each: each[0] or "")
        for label in sorted(sketches)
    ]


def _profile(source: str | None, label: str, sketches: LabelSketches) -> PairProfile:
    measures = {}
    for name in MEASURES:
        digest = "log_ratio" if name == "ratio" else name
        if sketches.num_numbers(digest):
            found = _quantiles(sketches, digest)
            measures[name] = _exponential(found) if name == "ratio" else found
    scores = [name for name in sketches.digests if name.startswith(SCORE)]
    return PairProfile(
        source=source,
        label=label,
        measures=measures,
        scores={name.removeprefix(SCORE): _quantiles(sketches, name) for name in sorted(scores)},
    )


def _quantiles(sketches: LabelSketches, name: str) -> Quantiles:
    least, *ranks, greatest = sketches.quantiles(name, (0.0, *RANKS, 1.0))
    return Quantiles(sketches.num_numbers(name), least, tuple(ranks), greatest)


def _exponential(found: Quantiles) -> Quantiles:
    ranks = tuple(map(math.exp, found.ranks))
    return Quantiles(found.num_pairs, math.exp(found.least), ranks, math.exp(found.greatest))


def pair_profiles_table(rows: Sequence[PairProfile]) -> pa.Table:
    """The profiles in the schema PAIR_PROFILES."""
    found = [
        {
            "source": row.source,
            "label": row.label,
            **{name: _struct(row.measures.get(name)) for name in MEASURES},
            "scores": [(name, _struct(each)) for name, each in row.scores.items()],
        }
        for row in rows
    ]
    return pa.Table.from_pylist(found, schema=PAIR_PROFILES)


def _struct(found: Quantiles | None) -> dict[str, float] | None:
    if found is None:
        return None
    ranks = {f"rank_{rank:g}": value for rank, value in zip(RANKS, found.ranks, strict=True)}
    ends = {"least": found.least, "greatest": found.greatest}
    return {"num_pairs": found.num_pairs, **ends, **ranks}
