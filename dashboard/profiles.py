"""Profiles: how long texts are, how sure the identifier is, what is frequent.

Of each label, and of all texts of a source, a script, a domain or a category.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from glotmill.dashboard.names import language_name, script_name
from glotmill.dashboard.samples import printable
from glotmill.schemas.recipe import Source
from glotmill.transforms.sketches import LabelSketches, Sketches

#: What there are profiles of: all texts that are alike in it.
GROUPINGS = ("label", "script", "source", "domain", "category")
#: Ranks of the quantiles that are shown.
RANKS = (0.1, 0.5, 0.9)
#: Sketches whose quantiles are shown, and how the columns of the table begin.
MEASURES: Mapping[str, str] = {
    "lengths": "length",
    "confidence": "confidence",
    "script_share": "script_share",
}
#: Hosts and n-grams of a profile.
MAX_HITTERS = 5
_MAX_CHARACTERS = 60

#: One row a profile; written to `statistics/profiles.parquet`.
PROFILES = pa.schema(
    [
        # One of GROUPINGS, and the name: of documents whose source names no domain it is "".
        pa.field("by", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        # Of documents that ingest kept, at the ranks 0.1, 0.5 and 0.9: characters; the identifier's
        # confidence, null where it was not asked; the share of letters of the text's script.
        *(
            pa.field(f"{column}_{rank:g}", pa.float64())
            for column in MEASURES.values()
            for rank in RANKS
        ),
        pa.field("num_hosts", pa.float64(), nullable=False),
        pa.field("hosts", pa.list_(pa.string()), nullable=False),
        pa.field("ngrams", pa.list_(pa.string()), nullable=False),
    ]
)

Quantiles = Sequence[float | None]


@dataclass(frozen=True)
class Profile:
    """What texts are like that are alike in one thing; of documents that ingest kept.

    Attributes:
        by: what they are alike in, one of GROUPINGS.
        name: what it is in them: a label, the name of a source, ...
        title: the name for people.
        quantiles: by a name of MEASURES, at RANKS; None where no document has the number.
        num_hosts: different hosts of URLs, about.
        hosts: the most frequent with their counts; `ngrams` likewise, of a sample of documents.
    """

    by: str
    name: str
    title: str
    quantiles: Mapping[str, Quantiles]
    num_hosts: float
    hosts: Sequence[tuple[str, int]]
    ngrams: Sequence[tuple[str, int]]


def profiles(by_source: Mapping[str, Sketches], sources: Iterable[Source]) -> list[Profile]:
    """All profiles, in the order of GROUPINGS and by name.

    Args:
        by_source: sketches of the documents of each source.
        sources: of the recipe.
    """
    grouped = _grouped(by_source, {source.name: source for source in sources})
    return [
        _profile(by, name, grouped[by][name]) for by in GROUPINGS for name in sorted(grouped[by])
    ]


def _grouped(
    by_source: Mapping[str, Sketches], sources: Mapping[str, Source]
) -> Mapping[str, Sketches]:
    """Merged sketches by grouping and name; each is merged from the next finer ones."""
    grouped: dict[str, Sketches] = {by: {} for by in GROUPINGS}
    for source, sketches in by_source.items():
        for label, each in sketches.items():
            _add(grouped["label"], label, each)
            _add(grouped["source"], source, each)
    for label, each in grouped["label"].items():
        _add(grouped["script"], label.rpartition("_")[2], each)
    for source, each in grouped["source"].items():
        _add(grouped["domain"], sources[source].domain or "", each)
        _add(grouped["category"], sources[source].category, each)
    return grouped


def _add(merged: Sketches, name: str, sketches: LabelSketches) -> None:
    merged.setdefault(name, LabelSketches()).merge(sketches)


def _profile(by: str, name: str, sketches: LabelSketches) -> Profile:
    titles = {"label": language_name, "script": script_name}
    return Profile(
        by=by,
        name=name,
        title=titles.get(by, str)(name),
        quantiles={measure: _quantiles(sketches, measure) for measure in MEASURES},
        num_hosts=sketches.num_distinct("hosts"),
        hosts=_readable(sketches.most_frequent("hosts", MAX_HITTERS)),
        ngrams=_readable(sketches.most_frequent("ngrams", MAX_HITTERS)),
    )


def _quantiles(sketches: LabelSketches, name: str) -> Quantiles:
    return [None if math.isnan(v) else v for v in sketches.quantiles(name, RANKS)]


def _readable(rows: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    return [(printable(value[:_MAX_CHARACTERS]), count) for value, count in rows]


def profiles_table(rows: Sequence[Profile]) -> pa.Table:
    """The profiles in the schema PROFILES."""
    found = [
        {
            "by": row.by,
            "name": row.name,
            **dict(_columns(row)),
            "num_hosts": row.num_hosts,
            "hosts": [value for value, _ in row.hosts],
            "ngrams": [value for value, _ in row.ngrams],
        }
        for row in rows
    ]
    return pa.Table.from_pylist(found, schema=PROFILES)


def _columns(row: Profile) -> Iterator[tuple[str, float | None]]:
    for measure, column in MEASURES.items():
        for rank, value in zip(RANKS, row.quantiles[measure], strict=True):
            yield f"{column}_{rank:g}", value
