"""Flow: what became of the records of a group, from reading to the shards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from glotmill.dashboard.amounts import KEPT, REPEATED, TRAIN, VALIDATION, Amount, Sums, total


@dataclass(frozen=True)
class Flow:
    """What became of the records of a source, a category or a label, or of all of them.

    Attributes:
        name: of the group; empty for all records together.
        rejected: records that could not be read; they have no bytes and no words.
        reasons: dropped documents by reason.
        excluded: documents kept out of training, as they would leak what is held out.
        train: first copies of the documents drawn for training.
        repeated: their further copies.
    """

    name: str
    rejected: Amount
    reasons: Mapping[str, Amount]
    kept: Amount
    duplicates: Amount
    excluded: Amount
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
    def available(self) -> Amount:
        """Surviving documents that training can draw from: neither held out nor excluded."""
        return self.surviving - self.validation - self.excluded

    @property
    def unsampled(self) -> Amount:
        """Available documents that are not in training."""
        return self.available - self.train

    @property
    def sampled(self) -> Amount:
        """What stands in the training shards, repeats included."""
        return self.train + self.repeated


def flows_of(documents: pa.Table, key: str, names: Sequence[str]) -> list[Flow]:
    """The flow of each group, in the order given.

    Args:
        documents: in the schema `statistics.DOCUMENTS`.
        key: the column that makes the groups, such as `source`.
        names: values of the column.
    """
    sums = Sums(documents, [key])
    return [flow_of(sums, (name,), name) for name in names]


def flow_of(sums: Sums, group: tuple[str, ...], name: str = "") -> Flow:
    """The flow of one group of sums."""
    return Flow(
        name=name,
        rejected=sums.all_of(group, "ingest", "rejected"),
        reasons=sums.reasons(group, "ingest", "dropped"),
        kept=sums.of(group, KEPT),
        duplicates=sums.all_of(group, "deduplicate", "dropped"),
        excluded=sums.all_of(group, "compose", "excluded"),
        train=sums.of(group, TRAIN),
        repeated=sums.of(group, REPEATED),
        validation=sums.of(group, VALIDATION),
    )


def whole_flow(flows: Sequence[Flow]) -> Flow:
    """All flows added up."""
    reasons = sorted({reason for flow in flows for reason in flow.reasons})
    names = ("rejected", "kept", "duplicates", "excluded", "train", "repeated", "validation")
    return Flow(
        name="",
        reasons={r: total(flow.reasons.get(r, Amount()) for flow in flows) for r in reasons},
        **{name: total(getattr(flow, name) for flow in flows) for name in names},
    )
