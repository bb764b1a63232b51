"""Labels of which nothing is drawn: who they are, for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from glotmill.schemas.wording import counted

# Bindings of a plan that leave a label with nothing.
_WHY = {
    "rate": "tier '{tier}' has rate 0",
    "no_text": "no text for training",
    "no_share": "no share of the budget",
}


def undrawn(plan: Iterable[Mapping[str, Any]]) -> str:
    """How many labels are not drawn, and why; "" where all are.

    Args:
        plan: rows of a plan.

    >>> rows = [{"binding": "rate", "tier": "unseen", "planned_count": 0.0}] * 2
    >>> undrawn([*rows, {"binding": "no_text", "tier": "low", "planned_count": 0.0}])
    "nothing is drawn of 3 labels (tier 'unseen' has rate 0: 2, no text for training: 1)"
    """
    rows = [row for row in plan if not row["planned_count"]]
    why = Counter(_WHY.get(row["binding"], row["binding"]).format(**row) for row in rows)
    reasons = ", ".join(f"{reason}: {count:,}" for reason, count in why.most_common())
    return f"nothing is drawn of {counted(len(rows), 'label')} ({reasons})" if rows else ""
