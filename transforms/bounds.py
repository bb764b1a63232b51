"""Bounds: what can be drawn of each label, what has to be, and what it weighs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from glotmill.schemas import recipe
from glotmill.schemas.mixture import text_key
from glotmill.schemas.tables import COUNTS
from glotmill.schemas.tiers import MAX_RATE, tier_of, tiers_of
from glotmill.transforms.allocate import TOLERANCE, Floats, Leaf, most_under_caps

#: A category and a label: what the mixture is made of.
Group = tuple[str, str]

_KEYS = ["category", "label"]
_WHOLE = ("num_documents", *COUNTS, "num_tokens")


@dataclass(frozen=True, kw_only=True)
class LabelBounds:
    """The text of a category in a label.

    Attributes:
        category: of the recipe's.
        label: `lang_Script`, or those of pairs.
        tier: its name.
        rate: of the tier, or of the recipe's own for the label.
        mean_weight: what rehydration multiplies rates by, on average.
        whole: sums over all its documents, each once.
        num_validation_documents: of these, held out.
        domains: of its text for training.
        amounts: of the domains; float64[number of domains].
        caps: largest share of each domain, 1 where there is none.
        max_epochs: most copies of a document; None without a cap.
        wanted: least amount that the recipe wants.
        upper: largest amount that can be drawn.
        limit: what sets `upper`: `max_epochs`, `max_rate`, `max`, `domain_cap` or `no_text`.
        lifted: whether the caps of domains, which left nothing, are lifted.
    """

    category: str
    label: str
    tier: str
    rate: float
    mean_weight: float
    whole: Mapping[str, int]
    num_validation_documents: int
    domains: tuple[str, ...]
    amounts: Floats
    caps: Floats
    max_epochs: float | None
    wanted: float
    upper: float
    limit: str
    lifted: bool

    @property
    def name(self) -> str:
        """The name that the options have for it."""
        return text_key(self.category, self.label)

    @property
    def available(self) -> float:
        """What there is to draw."""
        return float(self.amounts.sum())

    @property
    def lower(self) -> float:
        """The least amount that is wanted and can be had."""
        return min(self.wanted, self.upper)

    @property
    def most_of_domains(self) -> Floats:
        """The largest amounts of the domains, without regard to caps."""
        return self.amounts * _most_epochs(self.max_epochs, self.mean_weight)

    def leaf(self, strategy: str, alpha: float) -> Leaf:
        """The label as a part of a mixture; a rate of 0 leaves it out of every strategy."""
        return Leaf(self.weight(strategy, alpha), self.lower, self.upper)

    def weight(self, strategy: str, alpha: float) -> float:
        """What the label weighs among others.

        Args:
            strategy: `rates`, `temperature` or `unimax`.
            alpha: of `temperature`.
        """
        if not self.rate or not self.upper:
            return 0.0
        if strategy == "rates":
            return self.rate * self.available * self.mean_weight
        return float(self.available**alpha) if strategy == "temperature" else 1.0


def _most_epochs(max_epochs: float | None, mean_weight: float) -> float:
    """How often text can be drawn: rates end at MAX_RATE, which rehydration multiplies."""
    return min(math.inf if max_epochs is None else max_epochs, MAX_RATE * mean_weight)


def bounds_of(
    available: pa.Table, options: recipe.Mix, mean_weights: Mapping[Group, float]
) -> list[LabelBounds]:
    """The labels that the mixture takes, by category and label.

    Args:
        available: in the schema AVAILABLE.
        options: of the recipe.
        mean_weights: of rehydration; 1 where a group is absent.
    """
    taken = available.filter(
        pc.invert(pc.is_in(available["category"], pa.array(options.exclude, pa.string())))
    )
    once = taken.filter(pc.invert(taken["again"]))
    held_out = _sums(once.filter(pc.equal(once["split"], "validation")), ["num_documents"])
    domains = _domains(taken.filter(pc.equal(taken["split"], "train")), options.counted)
    labels = []
    for group, whole in sorted(_sums(once, _WHOLE).items()):
        if any(whole.values()):
            validation = held_out.get(group, {}).get("num_documents", 0)
            weight = mean_weights.get(group, 1.0)
            labels.append(
                _bounds(group, whole, validation, domains.get(group, {}), weight, options)
            )
    return labels


def _sums(rows: pa.Table, names: Iterable[str]) -> dict[Group, dict[str, int]]:
    summed = rows.group_by(_KEYS).aggregate([(name, "sum") for name in names])
    return {
        (row["category"], row["label"]): {name: row[f"{name}_sum"] for name in names}
        for row in summed.to_pylist()
    }


def _domains(rows: pa.Table, counted_in: str) -> dict[Group, dict[str, int]]:
    """Amounts by group and domain, those of none left out."""
    summed = rows.group_by([*_KEYS, "domain"]).aggregate([(counted_in, "sum")])
    found: dict[Group, dict[str, int]] = {}
    for row in sorted(summed.to_pylist(), key=lambda row: row["domain"]):
        if row[f"{counted_in}_sum"]:
            of_group = found.setdefault((row["category"], row["label"]), {})
            of_group[row["domain"]] = row[f"{counted_in}_sum"]
    return found


def _bounds(
    group: Group,
    whole: Mapping[str, int],
    num_validation_documents: int,
    domains: Mapping[str, int],
    mean_weight: float,
    options: recipe.Mix,
) -> LabelBounds:
    category, label = group
    tier = tier_of(whole[options.counted], tiers_of(options.tiers, category))
    own = options.options_of(category, label)
    max_epochs = options.max_epochs_of(category, tier.name, label)
    if max_epochs is None and options.strategy == "shares" and options.budget is None:
        max_epochs = 1.0  # the budget is then what there is, and not what repeating makes of it
    amounts = np.array(list(domains.values()), np.float64)
    caps, lifted = _caps(domains, options)
    upper, limit = _upper(amounts * _most_epochs(max_epochs, mean_weight), caps, own.max)
    if limit == "max_epochs" and max_epochs is None:
        limit = "max_rate"
    return LabelBounds(
        category=category,
        label=label,
        tier=tier.name,
        rate=tier.rate if own.rate is None else own.rate,
        mean_weight=mean_weight,
        whole=whole,
        num_validation_documents=num_validation_documents,
        domains=tuple(domains),
        amounts=amounts,
        caps=caps,
        max_epochs=max_epochs,
        wanted=own.min or 0.0,
        upper=upper,
        limit=limit,
        lifted=lifted,
    )


def _caps(domains: Iterable[str], options: recipe.Mix) -> tuple[Floats, bool]:
    """Largest shares of domains; whether they had to be lifted, as they would leave nothing."""
    caps = np.array([options.domain_cap_of(domain) for domain in domains])
    lifted = len(caps) > 0 and bool(caps.sum() < 1 - TOLERANCE)
    return (np.ones(len(caps)) if lifted else caps), lifted


def _upper(most: Floats, caps: Floats, maximum: float | None) -> tuple[float, str]:
    """The largest amount of a label, and what sets it."""
    upper, limit = float(most.sum()), "max_epochs" if len(most) else "no_text"
    capped = most_under_caps(most, caps)
    if capped < upper * (1 - TOLERANCE):
        upper, limit = capped, "domain_cap"
    if maximum is not None and maximum < upper:
        upper, limit = maximum, "max"
    return upper, limit


def row_of(label: LabelBounds) -> dict[str, Any]:
    """What the plan says of a label before anything is allocated."""
    return {
        "category": label.category,
        "label": label.label,
        "tier": label.tier,
        **label.whole,
        "num_validation_documents": label.num_validation_documents,
        "weight": label.mean_weight,
        "available": int(label.available),
    }
