"""Parallel text on the page: as many pairs as a browser shows at once, and no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from glotmill.dashboard.definitions import reason_title
from glotmill.dashboard.names import language_name, languages_of, script_name, script_of
from glotmill.dashboard.pair_profiles import MEASURES, RANKS, Quantiles
from glotmill.dashboard.pairs import DirectionRow, PairRow, ParallelText
from glotmill.dashboard.shares import share, six_digits

#: Pairs of languages on the page, those with the most pairs; all directions of all of them are in
#: `statistics/pairs.parquet`.
MAX_PAIRS = 3_000


def pairs_shown(parallel: ParallelText) -> Sequence[PairRow]:
    """The pairs that the page carries, the most surviving first."""
    return parallel.pairs[:MAX_PAIRS]


def pairs_data(parallel: ParallelText | None) -> dict[str, Any] | None:
    """Pairs and directions by column, and the names of their languages."""
    if parallel is None:
        return None
    pairs = pairs_shown(parallel)
    places = {row.label: place for place, row in enumerate(pairs)}
    directions = [row for row in parallel.directions if row.label in places]
    languages = {label for row in pairs for label in languages_of(row.label)}
    reasons = [row.reason for row in parallel.losses]
    return {
        "pairs": _pair_columns(pairs, reasons) | _profile_columns(pairs),
        "directions": _direction_columns(directions, places),
        "names": {label: language_name(label) for label in sorted(languages)},
        "scripts": {code: script_name(code) for code in sorted(set(map(script_of, languages)))},
        "reasons": [reason_title(reason) for reason in reasons],
        "measures": MEASURES,
        "ranks": RANKS,
    }


def _pair_columns(rows: Sequence[PairRow], reasons: Sequence[str]) -> dict[str, Sequence[object]]:
    places = {reason: place for place, reason in enumerate(reasons)}
    return {
        "label": [row.label for row in rows],
        "name": [row.name for row in rows],
        "tier": [row.tier for row in rows],
        "rate": [row.rate for row in rows],
        "read": [row.read for row in rows],
        "kept": [row.kept.documents for row in rows],
        "removed": [row.removed for row in rows],
        "removed_share": [six_digits(share(row.removed, row.read)) for row in rows],
        "surviving": [row.surviving.documents for row in rows],
        "surviving_words": [row.surviving.words for row in rows],
        "train": [row.train.documents for row in rows],
        "sampled": [row.sampled.documents for row in rows],
        "sampled_words": [row.sampled.words for row in rows],
        "validation": [row.validation.documents for row in rows],
        "documents": [row.num_documents for row in rows],
        # Of each reason its place, and how many pairs it lost.
        "losses": [[[places[reason], count] for reason, count in row.losses] for row in rows],
    }


def _profile_columns(rows: Sequence[PairRow]) -> dict[str, Sequence[object]]:
    """How the lengths of the sides compare; null where there are no sketches."""
    ratios = [row.ratio for row in rows]
    return {
        "ratio": [None if each is None else six_digits(each.median) for each in ratios],
        "spread": [None if each is None else six_digits(each.spread) for each in ratios],
        "warnings": [[each.text for each in row.warnings] for row in rows],
        # By measure: how many have it, the least, RANKS, the greatest.
        "profile": [_measures(row.profile.measures) if row.profile else None for row in rows],
        "scores": [_measures(row.profile.scores) if row.profile else None for row in rows],
    }


def _measures(found: Mapping[str, Quantiles]) -> dict[str, list[float]]:
    return {
        name: [each.num_pairs, *map(six_digits, (each.least, *each.ranks, each.greatest))]
        for name, each in found.items()
    }


def _direction_columns(
    rows: Sequence[DirectionRow], places: dict[str, int]
) -> dict[str, Sequence[object]]:
    return {
        # Which of the pairs it is a direction of.
        "pair": [places[row.label] for row in rows],
        "direction": [row.direction for row in rows],
        "name": [" → ".join(map(language_name, row.languages)) for row in rows],
        "surviving": [row.surviving.documents for row in rows],
        "surviving_words": [row.surviving.words for row in rows],
        "train": [row.train.documents for row in rows],
        "sampled": [row.sampled.documents for row in rows],
        "sampled_words": [row.sampled.words for row in rows],
        "validation": [row.validation.documents for row in rows],
        "documents": [row.num_documents for row in rows],
    }
