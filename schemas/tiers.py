"""Tiers of resources: which size of a label is drawn how often."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, field_validator

from glotmill.schemas.model import Model

#: Epochs that text may be drawn at most where nothing else limits it.
MAX_RATE = 1000

Rate = Annotated[float, Field(ge=0, le=MAX_RATE)]


class Tier(Model):
    """Labels of at least `at_least` units are drawn `rate` times."""

    name: Annotated[str, Field(min_length=1)]
    """Name of the tier."""
    at_least: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """Least count of a label in the tier, in the unit of `mix.count_by`."""
    rate: Rate
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
    # Thresholds of the bilingual corpus of the second paper (arXiv 2506.00469): whitespace tokens
    # of source and target together, which put its 2,507 pairs into classes of 4, 83, 67, 281,
    # 508, 655 and 909; note 5e8. The rates are ours: of the paper's we know that low-resource
    # categories were drawn 20 to 50 times as often as high-resource ones.
    "emma500-bitext": _table(
        ("very high", 1e10, 0.25),
        ("high", 1e9, 0.5),
        ("medium-high", 5e8, 1.0),
        ("medium", 1e8, 1.0),
        ("medium-low", 1e7, 2.0),
        ("low", 1e6, 5.0),
        ("very low", 0, 10.0),
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


class CategoryTiers(Model):
    """A table for each category, by name or written out."""

    monolingual: str | list[Tier] = "emma500-monolingual"
    """Tiers of text in one language."""
    bitext: str | list[Tier] = "emma500-bitext"
    """Tiers of pairs; counts are of all sides together, of both directions together."""
    code: str | list[Tier] = "uniform"
    """Tiers of code."""
    paper: str | list[Tier] = "uniform"
    """Tiers of scientific papers."""
    book: str | list[Tier] = "uniform"
    """Tiers of books."""
    instruction: str | list[Tier] = "uniform"
    """Tiers of instructions."""

    @field_validator("*")
    @classmethod
    def _known_table(cls, tiers: str | list[Tier]) -> str | list[Tier]:
        tier_table(tiers)
        return tiers


#: What `mix.tiers` may be.
TiersOption = str | list[Tier] | CategoryTiers


def tiers_of(tiers: str | Sequence[Tier] | CategoryTiers, category: str) -> tuple[Tier, ...]:
    """The tiers of a category, largest first.

    Args:
        tiers: one table for all categories, or one for each.
        category: of the recipe's.

    Raises:
        ValueError: it is no table.

    >>> tiers_of(CategoryTiers(), "bitext")[0].name
    'very high'
    """
    return tier_table(getattr(tiers, category) if isinstance(tiers, CategoryTiers) else tiers)


def tier_of(count: float, table: Sequence[Tier]) -> Tier:
    """The tier of a label.

    Args:
        count: size of the label.
        table: tiers, largest first, the last at 0.

    >>> tier_of(2_000_000, TIER_TABLES["emma500-monolingual"]).name
    'medium-low'
    """
    return next(tier for tier in table if count >= tier.at_least)
