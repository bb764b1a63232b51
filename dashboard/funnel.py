"""The funnel: the steps from records read to documents in the shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from glotmill.dashboard.amounts import Amount
from glotmill.dashboard.definitions import TERMS, reason_definition, reason_title
from glotmill.dashboard.flow import Flow

Kind = Literal["level", "loss", "gain"]


@dataclass(frozen=True)
class Step:
    """One bar: a level that was reached, or what was lost or gained on the way to the next.

    Attributes:
        key: names the step in all groups alike.
        group: which colour it has.
    """

    key: str
    title: str
    definition: str
    kind: Kind
    group: str
    amount: Amount


def funnel(flow: Flow, reasons: Sequence[str]) -> list[Step]:
    """The steps of a flow, in order.

    Args:
        flow: of one group or of all.
        reasons: drop reasons to show, so that all groups of a kind have the same steps.
    """
    dropped = [_dropped(reason, flow.reasons.get(reason, Amount())) for reason in reasons]
    return [
        _step("read", "level", "read", flow.read),
        _step("rejected", "loss", "rejected", flow.rejected),
        *dropped,
        _step("kept", "level", "kept", flow.kept),
        _step("duplicates", "loss", "duplicates", flow.duplicates),
        _step("surviving", "level", "kept", flow.surviving),
        _step("excluded", "loss", "excluded", flow.excluded),
        _step("not drawn", "loss", "unsampled", flow.unsampled),
        _step("validation", "loss", "validation", flow.validation),
        _step("train, first copies", "level", "train", flow.train),
        _step("repeats", "gain", "repeats", flow.repeated),
        _step("sampled", "level", "train", flow.sampled),
    ]


def _step(term: str, kind: Kind, group: str, amount: Amount) -> Step:
    return Step(term, term, TERMS[term], kind, group, amount)


def _dropped(reason: str, amount: Amount) -> Step:
    title = f"dropped: {reason_title(reason)}"
    return Step(f"dropped/{reason}", title, reason_definition(reason), "loss", "dropped", amount)
