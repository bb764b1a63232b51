"""Parts of a mixture: categories, groups and tiers with their shares, down to the labels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from glotmill.schemas import recipe
from glotmill.schemas.shares import ShareNode, share_tree
from glotmill.transforms.allocate import TOLERANCE, Branch, allocate
from glotmill.transforms.bounds import LabelBounds
from glotmill.transforms.findings import (
    Finding,
    amount,
    amount_below,
    counted,
    joined,
    names_of,
    remedies,
    some_of,
    what_binds,
)


@dataclass(frozen=True)
class Part:
    """A part that is given an amount: the whole mixture, or what has a share in it.

    Attributes:
        name: as the recipe has it; "" of the whole.
        branch: what is allocated.
        labels: the leaves of the branch, in their order.
        parts: with shares of this one; none where it is divided among labels.
    """

    name: str
    branch: Branch
    labels: tuple[LabelBounds, ...]
    parts: tuple[Part, ...] = ()

    @property
    def fractions(self) -> list[float]:
        """What the parts are to have of this one: they add up to 1, or all are 0."""
        weights = [part.branch.weight for part in self.parts]
        total = math.fsum(weights) or 1.0
        return [weight / total for weight in weights]

    def amounts(self, total: float) -> dict[str, float]:
        """Divides an amount among the labels, by their names."""
        names = [label.name for label in self.labels]
        return dict(zip(names, allocate(self.branch, total), strict=True))


def whole_of(labels: Sequence[LabelBounds], options: recipe.Mix) -> Part:
    """The mixture as parts: one, or those of a tree of shares."""
    if options.shares is None:
        return _of_labels("", 1.0, labels, options.strategy, options)
    nodes = share_tree(options.shares, options.exclude)
    return _of_parts("", 1.0, [_part(node, labels, options) for node in nodes])


def _of_labels(
    name: str, share: float, labels: Sequence[LabelBounds], strategy: str, options: recipe.Mix
) -> Part:
    leaves = [label.leaf(strategy, options.alpha) for label in labels]
    return Part(name, Branch(share, leaves), tuple(labels))


def _of_parts(name: str, share: float, parts: Sequence[Part]) -> Part:
    branch = Branch(share, [part.branch for part in parts])
    return Part(name, branch, tuple(label for part in parts for label in part.labels), tuple(parts))


def _part(node: ShareNode, labels: Sequence[LabelBounds], options: recipe.Mix) -> Part:
    if node.children:
        parts = [_part(child, labels, options) for child in node.children]
        return _of_parts(node.name, node.share, parts)
    inside = [
        label
        for label in labels
        if label.category == node.category and node.tier in (None, label.tier)
    ]
    return _of_labels(node.name, node.share, inside, options.within, options)


def largest_budget(part: Part, fraction: float = 1.0) -> float:
    """The largest amount of which every part can have its share.

    Parts without any text, which could have a share of nothing only, are left aside.
    """
    if not fraction or not part.branch.upper:
        return math.inf
    shares = zip(part.parts, part.fractions, strict=True)
    inner = (largest_budget(each, fraction * share) for each, share in shares)
    return min([part.branch.upper / fraction, *inner])


def findings_of_parts(
    whole: Part, labels: Sequence[LabelBounds], budget: float, options: recipe.Mix
) -> Iterator[Finding]:
    """What of a budget and of shares cannot be had.

    Args:
        whole: the mixture.
        labels: all of them, those too that no part has.
        budget: the amount to be divided.
        options: of the recipe.
    """
    reach = largest_budget(whole)
    if budget > whole.branch.upper * (1 + TOLERANCE):
        yield _short_budget(whole, budget, reach, options)
    if whole.branch.lower > budget * (1 + TOLERANCE):
        yield _too_many_mins(whole, budget, f"the budget of {amount(budget)}", options)
    if not budget and labels:  # the largest at which every share can be had
        yield _nothing(labels)
    yield from _findings(whole, budget, reach, options)
    yield from _without_share(whole, labels, options)


def _findings(part: Part, wanted: float, reach: float, options: recipe.Mix) -> Iterator[Finding]:
    """What the parts of a part cannot have of the amount that it is to have."""
    for each, fraction in zip(part.parts, part.fractions, strict=True):
        share = wanted * fraction
        if share and not each.branch.upper:
            yield _no_text(each, share)
            continue
        if share > each.branch.upper * (1 + TOLERANCE):
            yield _short_share(each, share, reach, options)
        if each.branch.lower > share * (1 + TOLERANCE):
            where = f"the {amount(share)} that are the share of {each.name}"
            yield _too_many_mins(each, share, where, options)
        yield from _findings(each, share, reach, options)


def _short_budget(whole: Part, budget: float, reach: float, options: recipe.Mix) -> Finding:
    possible, binding = whole.branch.upper, what_binds(whole.labels)
    return Finding(
        kind="budget",
        subject="budget",
        wanted=budget,
        possible=possible,
        binding=binding,
        labels=_at_their_most(whole),
        message=f"the budget of {amount(budget)} {options.unit} cannot be met: all labels give "
        f"{amount_below(possible)} ({binding})",
        advice=joined([*remedies(whole.labels), _lower_budget(reach)]),
    )


def _lower_budget(reach: float) -> str:
    return f"lower the budget to {amount_below(reach)}" if math.isfinite(reach) else "add text"


def _at_their_most(part: Part) -> tuple[str, ...]:
    return names_of(each for each in part.labels if each.rate and each.upper)


def _short_share(part: Part, wanted: float, reach: float, options: recipe.Mix) -> Finding:
    possible, binding = part.branch.upper, what_binds(part.labels)
    return Finding(
        kind="share",
        subject=part.name,
        wanted=wanted,
        possible=possible,
        binding=binding,
        labels=_at_their_most(part),
        message=f"{part.name} cannot have its share: {amount(wanted)} {options.unit} are wanted, "
        f"{amount_below(possible)} possible ({binding})",
        advice=joined(
            [
                *remedies(part.labels),
                f"{_lower_budget(reach)}, at which every share can be had",
                "lower its share",
            ]
        ),
    )


def _too_many_mins(part: Part, wanted: float, where: str, options: recipe.Mix) -> Finding:
    labels = names_of(each for each in part.labels if each.lower)
    least = part.branch.lower
    return Finding(
        kind="mins",
        subject=part.name or "budget",
        wanted=least,
        possible=wanted,
        binding="min",
        labels=labels,
        message=f"what {counted(len(labels))} {'is' if len(labels) == 1 else 'are'} to have at "
        f"least ({some_of(labels)}) is {amount(least)} {options.unit}, more than {where}",
        advice="lower 'min' in 'labels', or raise the "
        + (f"share of {part.name}" if part.name else "budget"),
    )


def _no_text(part: Part, wanted: float) -> Finding:
    binding = what_binds(part.labels)
    return Finding(
        kind="no_text",
        subject=part.name,
        wanted=wanted,
        binding=binding,
        labels=names_of(part.labels),
        message=f"{part.name} has a share, but nothing can be drawn of it ({binding})",
        advice=joined(
            [*remedies(part.labels), "take its share out", "list its category under 'exclude'"]
        ),
    )


def _nothing(labels: Sequence[LabelBounds]) -> Finding:
    return Finding(
        kind="no_text",
        subject="shares",
        labels=names_of(labels),
        message="nothing can be drawn of what has a share",
        advice="give another share, or another rate, to what there is text of",
    )


def _without_share(
    whole: Part, labels: Iterable[LabelBounds], options: recipe.Mix
) -> Iterator[Finding]:
    """Text in categories and tiers that the tree of shares does not name."""
    inside = {label.name for label in whole.labels}
    silent: dict[str, list[LabelBounds]] = {}
    named = set(_names(whole))
    for label in labels:
        if label.name not in inside and (label.rate or label.wanted) and label.available:
            tier = f"/{label.tier}" if label.category in named else ""
            silent.setdefault(f"{label.category}{tier}", []).append(label)
    for name, found in silent.items():
        names = names_of(found)
        there = sum(each.available for each in found)
        yield Finding(
            kind="no_share",
            subject=name,
            wanted=there,
            labels=names,
            message=f"'shares' say nothing of {name}: {counted(len(names))} ({some_of(names)}), "
            f"{amount(there)} {options.unit}",
            advice="give it a share, 0 to leave it out"
            + ("" if "/" in name else ", or list it under 'exclude'"),
        )


def _names(part: Part) -> Iterator[str]:
    yield part.name
    for each in part.parts:
        yield from _names(each)
