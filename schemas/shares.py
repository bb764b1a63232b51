"""Shares of a mixture: a tree over categories, groups of them, and tiers inside a category."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, get_args

from pydantic import Field, model_validator

from glotmill.schemas.model import Model
from glotmill.schemas.problems import did_you_mean
from glotmill.schemas.tiers import TiersOption, tiers_of
from glotmill.schemas.values import Category, misplaced

Portion = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]

_CATEGORIES = get_args(Category)


class SharePart(Model):
    """A share that is divided further: among tiers of a category, or among categories."""

    share: Portion
    """Relative to its siblings."""
    tiers: dict[str, Portion] | None = None
    """Of a category: shares of its tiers, relative to each other."""
    of: dict[str, Portion | SharePart] | None = None
    """Of a group under a name of your own: shares of the categories and groups in it."""

    @model_validator(mode="after")
    def _one_kind(self) -> SharePart:
        if self.tiers is not None and self.of is not None:
            raise ValueError("'tiers' divide a category and 'of' a group; this has both")
        return self


Shares = Mapping[str, "float | SharePart"]

#: The two mixes of arXiv 2506.00469, in percent of the training tokens, read off the charts of the
#: paper's page. The second is the first without bitext, but for rounding.
SHARE_TABLES: dict[str, dict[str, float]] = {
    "emma500-bilingual": {
        "bitext": 32.3,
        "monolingual": 26.3,
        "code": 15.0,
        "paper": 13.2,
        "instruction": 11.4,
        "book": 1.8,
    },
    "emma500-monolingual": {
        "monolingual": 38.9,
        "code": 22.1,
        "paper": 19.5,
        "instruction": 16.8,
        "book": 2.6,
    },
}


@dataclass(frozen=True)
class ShareNode:
    """A part of the mixture.

    Attributes:
        name: of the category, of the group, or of the category and tier (`monolingual/high`).
        share: relative to its siblings.
        category: whose text it is; None of a group.
        tier: of the category, where it is divided by tiers.
        children: what it is divided into; none where labels are next.
    """

    name: str
    share: float
    category: str | None = None
    tier: str | None = None
    children: tuple[ShareNode, ...] = ()


def share_table(shares: str | Shares) -> Shares:
    """The shares that are written, or those of a shipped table.

    Raises:
        ValueError: there is no table of that name.
    """
    if not isinstance(shares, str):
        return shares
    if shares not in SHARE_TABLES:
        raise ValueError(f"no table of shares {shares!r}; there are {', '.join(SHARE_TABLES)}")
    return SHARE_TABLES[shares]


def share_tree(shares: str | Shares, exclude: Collection[str] = ()) -> tuple[ShareNode, ...]:
    """The tree without the categories that are left out, and without groups of only these.

    >>> [node.name for node in share_tree("emma500-bilingual", ["bitext", "code"])]
    ['monolingual', 'paper', 'instruction', 'book']
    """
    return tuple(_nodes(share_table(shares), exclude))


def _nodes(shares: Shares, exclude: Collection[str]) -> Iterator[ShareNode]:
    for name, given in shares.items():
        part = given if isinstance(given, SharePart) else SharePart(share=given)
        if name not in _CATEGORIES:
            children = tuple(_nodes(part.of or {}, exclude))
            if children:
                yield ShareNode(name, part.share, children=children)
        elif name not in exclude:
            tiers = tuple(
                ShareNode(f"{name}/{tier}", share, name, tier)
                for tier, share in (part.tiers or {}).items()
            )
            yield ShareNode(name, part.share, name, children=tiers)


def place_of(shares: Shares, name: str) -> tuple[str, ...]:
    """The keys that lead to a part of a tree, as written; none where it has no such part.

    Args:
        shares: the tree.
        name: of the part, as that of a :class:`ShareNode`.

    >>> place_of({"text": SharePart(share=1, of={"book": 2})}, "book")
    ('text', 'of', 'book')
    """
    for key, given in shares.items():
        if key == name:
            return (key,)
        if name.startswith(f"{key}/"):
            return (key, "tiers", name.removeprefix(f"{key}/"))
        if isinstance(given, SharePart) and (below := place_of(given.of or {}, name)):
            return (key, "of", *below)
    return ()


def check_shares(shares: Shares, tiers: TiersOption, where: tuple[str, ...]) -> None:
    """Looks whether a tree names categories and tiers that there are, each category once.

    Args:
        shares: as written.
        tiers: of the recipe.
        where: location of the tree in the recipe.

    Raises:
        PydanticCustomError: it does not, at the place that is wrong.
    """
    _check(shares, tiers, where, set())


def _check(shares: Shares, tiers: TiersOption, where: tuple[str, ...], seen: set[str]) -> None:
    for name, given in shares.items():
        here = (*where, name)
        part = given if isinstance(given, SharePart) else SharePart(share=given)
        if name in seen:
            raise misplaced(f"'{name}' has a share already", *here)
        if name not in _CATEGORIES:
            _check_group(name, part, tiers, here, seen)
            continue
        seen.add(name)
        if part.of is not None:
            raise misplaced(f"'{name}' is a category, not a group: it has no 'of'", *here)
        if part.tiers is not None:
            _check_tiers(name, part.tiers, tiers, (*here, "tiers"))
    _check_positive([_share_of(given) for given in shares.values()], where)


def _check_group(
    name: str, part: SharePart, tiers: TiersOption, here: tuple[str, ...], seen: set[str]
) -> None:
    if part.of is None:
        known = did_you_mean(name, list(_CATEGORIES))
        message = f"'{name}' is no category; {known}; a group of categories has them under 'of'"
        raise misplaced(message, *here)
    _check(part.of, tiers, (*here, "of"), seen)


def _check_tiers(
    category: str, shares: Mapping[str, float], tiers: TiersOption, where: tuple[str, ...]
) -> None:
    known = [tier.name for tier in tiers_of(tiers, category)]
    for name in shares:
        if name not in known:
            message = f"'{category}' has no tier '{name}'; {did_you_mean(name, known)}"
            raise misplaced(message, *where, name)
    _check_positive(list(shares.values()), where)


def _check_positive(shares: list[float], where: tuple[str, ...]) -> None:
    if not any(share > 0 for share in shares):
        raise misplaced("no share is more than 0", *where)


def _share_of(given: float | SharePart) -> float:
    return given.share if isinstance(given, SharePart) else given
