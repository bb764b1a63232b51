"""Flow: what became of the records of a source, from reading to the shards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from glotmill.dashboard.amounts import KEPT, REPEATED, TRAIN, VALIDATION, Amount, Sums, total


@dataclass(frozen=True)
class Flow:
    """What became of the records of one source, or of all of them.

    Attributes:
        source: its name; empty for all sources together.
        rejected: records that could not be read; they have no bytes and no words.
        reasons: dropped documents by reason.
        train: first copies of the documents drawn for training.
        repeated: their further copies.
    """

    source: str
    rejected: Amount
    reasons: Mapping[str, Amount]
    kept: Amount
    duplicates: Amount
    train: Amount
    repeated: Amount
    validation: Amount

    @property
    def dropped(self) -> Amount:
        """Documents that ingest dropped, for any reason."""
        return total(self.reasons.values())

    @property
    def read(self) -> Amount:
        """All records that were read."""
        return self.kept + self.dropped + self.rejected

    @property
    def surviving(self) -> Amount:
        """Documents that deduplication left."""
        return self.kept - self.duplicates

    @property
    def unsampled(self) -> Amount:
        """Surviving documents that are neither in training nor in validation."""
        return self.surviving - self.train - self.validation

    @property
    def sampled(self) -> Amount:
        """What stands in the training shards, repeats included."""
        return self.train + self.repeated


def flows_of(documents: pa.Table, sources: Sequence[str]) -> list[Flow]:
    """The flow of each source, in the order given.

    Args:
        documents: in the schema `statistics.DOCUMENTS`.
        sources: their names.
    """
    sums = Sums(documents, ["source"])
    return [_flow(sums, source) for source in sources]


def _flow(sums: Sums, source: str) -> Flow:
    group = (source,)
    return Flow(
        source=source,
        rejected=sums.all_of(group, "ingest", "rejected"),
        reasons=sums.reasons(group, "ingest", "dropped"),
        kept=sums.of(group, KEPT),
        duplicates=sums.all_of(group, "deduplicate", "dropped"),
        train=sums.of(group, TRAIN),
        repeated=sums.of(group, REPEATED),
        validation=sums.of(group, VALIDATION),
    )


def whole_flow(flows: Sequence[Flow]) -> Flow:
    """All flows added up."""
    reasons = sorted({reason for flow in flows for reason in flow.reasons})
    return Flow(
        source="",
        rejected=total(flow.rejected for flow in flows),
        reasons={r: total(flow.reasons.get(r, Amount()) for flow in flows) for r in reasons},
        kept=total(flow.kept for flow in flows),
        duplicates=total(flow.duplicates for flow in flows),
        train=total(flow.train for flow in flows),
        repeated=total(flow.repeated for flow in flows),
        validation=total(flow.validation for flow in flows),
    )
