"""Profiles: how long the texts of a label are, how sure the identifier is, what is frequent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from glotmill.dashboard.names import language_name
from glotmill.dashboard.samples import printable
from glotmill.transforms.sketches import LabelSketches, Sketches

#: Ranks of the quantiles that are shown.
RANKS = (0.1, 0.5, 0.9)
#: Hosts and n-grams of a label.
MAX_HITTERS = 5
_MAX_CHARACTERS = 60

#: One row a label; written to `statistics/profiles.parquet`.
PROFILES = pa.schema(
    [
        pa.field("label", pa.string(), nullable=False),
        # Characters of documents that ingest kept, at the ranks 0.1, 0.5 and 0.9.
        *(pa.field(f"length_{rank:g}", pa.float64()) for rank in RANKS),
        # The identifier's confidence at the same ranks; null where it was not asked.
        *(pa.field(f"confidence_{rank:g}", pa.float64()) for rank in RANKS),
        pa.field("num_hosts", pa.float64(), nullable=False),
        pa.field("hosts", pa.list_(pa.string()), nullable=False),
        pa.field("ngrams", pa.list_(pa.string()), nullable=False),
    ]
)


@dataclass(frozen=True)
class Profile:
    """What the texts of one label are like; of documents that ingest kept.

    Attributes:
        lengths: characters at RANKS; None where there are no documents.
        confidence: of the identifier at RANKS; None where it was not asked.
        num_hosts: different hosts of URLs, about.
        hosts: the most frequent with their counts; `ngrams` likewise, of a sample of documents.
    """

    label: str
    name: str
    lengths: Sequence[float | None]
    confidence: Sequence[float | None]
    num_hosts: float
    hosts: Sequence[tuple[str, int]]
    ngrams: Sequence[tuple[str, int]]


def profiles(sketches: Sketches) -> list[Profile]:
    """The profile of each label, sorted by label."""
    return [_profile(label, sketches[label]) for label in sorted(sketches)]


def _profile(label: str, sketches: LabelSketches) -> Profile:
    return Profile(
        label=label,
        name=language_name(label),
        lengths=_quantiles(sketches, "lengths"),
        confidence=_quantiles(sketches, "confidence"),
        num_hosts=sketches.num_distinct("hosts"),
        hosts=_readable(sketches.most_frequent("hosts", MAX_HITTERS)),
        ngrams=_readable(sketches.most_frequent("ngrams", MAX_HITTERS)),
    )


def _quantiles(sketches: LabelSketches, name: str) -> list[float | None]:
    return [None if math.isnan(v) else v for v in sketches.quantiles(name, RANKS)]


def _readable(rows: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    return [(printable(value[:_MAX_CHARACTERS]), count) for value, count in rows]


def profiles_table(rows: Sequence[Profile]) -> pa.Table:
    """The profiles in the schema PROFILES."""
    found = [
        {
            "label": row.label,
            **{f"length_{r:g}": v for r, v in zip(RANKS, row.lengths, strict=True)},
            **{f"confidence_{r:g}": v for r, v in zip(RANKS, row.confidence, strict=True)},
            "num_hosts": row.num_hosts,
            "hosts": [value for value, _ in row.hosts],
            "ngrams": [value for value, _ in row.ngrams],
        }
        for row in rows
    ]
    return pa.Table.from_pylist(found, schema=PROFILES)
