"""What the plan of a mixture has to meet, and what rehydration makes of its rates."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from glotmill.pipelines.errors import UserError
from glotmill.schemas import recipe
from glotmill.schemas.problems import Position
from glotmill.schemas.shares import place_of, share_table
from glotmill.transforms.cluster_sizes import PATH as CLUSTERS_PATH
from glotmill.transforms.compose import SIZES_PATH
from glotmill.transforms.findings import Finding
from glotmill.transforms.plan import Group, MixturePlan
from glotmill.transforms.rehydrate import Weights, mean_weights, rehydration
from glotmill.transforms.tables import read_table

# The key of the recipe that a finding is about, where it is not about an entry of it.
_KEYS = {"budget": "budget", "mins": "labels", "domain_cap": "domain_caps"}


def refuse_infeasible(
    mixture: MixturePlan,
    mix: recipe.Mix,
    position: Callable[..., Position] | None = None,
    before: str = "",
) -> None:
    """Ends where a recipe cannot be met and does not allow to come near.

    Args:
        mixture: the plan.
        mix: the recipe's section.
        position: where a key of the recipe was written, if that is known.
        before: what is told first: why there is no text.

    Raises:
        UserError: with all that cannot be had.
    """
    if not mixture.infeasible or mix.on_infeasible == "relax":
        return
    lines = [before] if before else []
    for finding in mixture.infeasible:
        where = f"{position('mix', *_place(finding, mix))}: " if position else ""
        lines.append(f"{where}{finding}")
    raise UserError("\n".join(lines))


def _place(finding: Finding, mix: recipe.Mix) -> tuple[str, ...]:
    """The keys, inside the section, that lead to what a finding is about."""
    if finding.kind in ("min", "mins") and len(finding.labels) == 1:
        return ("labels", *finding.labels, "min")
    if finding.kind in _KEYS:
        return (_KEYS[finding.kind],)
    return ("shares", *place_of(share_table(mix.shares or {}), finding.subject))


def mean_weights_of(root: str, mix: recipe.Mix) -> Mapping[Group, float]:
    """What rehydration multiplies the rate of each category and label by, on average.

    Args:
        root: an output directory whose stage `compose` is done.
        mix: the recipe's section.
    """
    if mix.rehydrate is None:
        return {}
    clusters = read_table(f"{root}/{CLUSTERS_PATH}")
    weights = Weights.read(rehydration(mix.rehydrate, clusters, mix.exclude))
    return mean_weights(read_table(f"{root}/{SIZES_PATH}"), weights, mix.counted)
