"""Tiers of resources: which size of a label is drawn how often."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from glotmill.schemas.model import Model


class Tier(Model):
    """Labels of at least `at_least` units are drawn `rate` times."""

    name: Annotated[str, Field(min_length=1)]
    """Name of the tier."""
    at_least: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """Least count of a label in the tier, in the unit of `mix.count_by`."""
    rate: Annotated[float, Field(ge=0, le=1000)]
    """Epochs: 0.25 draws a quarter of the documents, 3 draws each three times."""


def _table(*rows: tuple[str, float, float]) -> tuple[Tier, ...]:
    return tuple(Tier(name=name, at_least=at_least, rate=rate) for name, at_least, rate in rows)


# The thresholds of the first table are the paper's (arXiv 2409.17892): the published classes
# partition the published whitespace token counts exactly on powers of ten. The paper leaves out
# labels under 1e5 tokens ("unseen"). Its sampling rates per tier are not public in a source we
# could read: the rates below are ours.
TIER_TABLES: dict[str, tuple[Tier, ...]] = {
    "emma500-monolingual": _table(
        ("high", 1e9, 0.5),
        ("medium-high", 1e8, 1.0),
        ("medium", 1e7, 2.0),
        ("medium-low", 1e6, 5.0),
        ("low", 1e5, 10.0),
        ("unseen", 0, 0.0),
    ),
    # Everything once: for trying things out, and as a base to write one's own from.
    "uniform": _table(("all", 0, 1.0)),
}


def tier_table(tiers: str | Sequence[Tier]) -> tuple[Tier, ...]:
    """The tiers, largest first.

    Args:
        tiers: name of a shipped table, or tiers in any order.

    Raises:
        ValueError: the name is unknown, names repeat, or the lowest tier does not start at 0.
    """
    if isinstance(tiers, str):
        if tiers not in TIER_TABLES:
            raise ValueError(f"no tier table {tiers!r}; there are {', '.join(sorted(TIER_TABLES))}")
        return TIER_TABLES[tiers]
    table = tuple(sorted(tiers, key=lambda tier: -tier.at_least))
    if len({tier.name for tier in table}) < len(table):
        raise ValueError("two tiers share a name")
    if len({tier.at_least for tier in table}) < len(table):
        raise ValueError("two tiers share a threshold")
    if not table or table[-1].at_least > 0:
        raise ValueError("the lowest tier has to start at 0, so that every label has a tier")
    return table


def tier_of(count: float, table: Sequence[Tier]) -> Tier:
    """The tier of a label.

    Args:
        count: size of the label.
        table: tiers, largest first, the last at 0.

    >>> tier_of(2_000_000, TIER_TABLES["emma500-monolingual"]).name
    'medium-low'
    """
    return next(tier for tier in table if count >= tier.at_least)
