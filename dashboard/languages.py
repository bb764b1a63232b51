"""Languages: each label of texts in one language, what there is of it and what was drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from glotmill.dashboard.amounts import Amount, Sums, total
from glotmill.dashboard.flow import Flow, flow_of
from glotmill.dashboard.names import language_name, script_of
from glotmill.dashboard.shares import share
from glotmill.dashboard.warnings import Warn, warnings_of


@dataclass(frozen=True)
class Domain:
    """What one domain gives to a label; its name is empty where sources name none."""

    name: str
    available: Amount
    sampled: Amount


@dataclass(frozen=True)
class LanguageRow:
    """One label in one category of the mixture.

    Attributes:
        flow: what became of its documents; rejected records have no label.
        sampled_share: of the words that were drawn of all labels.
        contradicted_share: of its documents, those in which another language was identified.
        domains: the most available words first.
        num_sources: sources that it was kept from.
        warnings: what a person should look at before training on it.
    """

    label: str
    name: str
    script: str
    category: str
    flow: Flow
    tier: str | None
    rate: float | None
    sampled_share: float
    contradicted_share: float
    domains: Sequence[Domain]
    num_sources: int
    warnings: Sequence[Warn] = ()

    @property
    def available(self) -> Amount:
        """What training can draw from."""
        return self.flow.available

    @property
    def sampled(self) -> Amount:
        """What stands in the training shards, repeats included."""
        return self.flow.sampled

    @property
    def validation(self) -> Amount:
        """What is held out."""
        return self.flow.validation

    @property
    def duplicates_share(self) -> float:
        """Duplicates among the documents that ingest kept."""
        return share(self.flow.duplicates.documents, self.flow.kept.documents)

    @property
    def dropped_share(self) -> float:
        """Documents that ingest dropped, among those it kept or dropped."""
        return share(self.flow.dropped.documents, self.flow.read.documents)


def languages(documents: pa.Table, plan: pa.Table) -> list[LanguageRow]:
    """Every category and label that ingest saw, sorted by label.

    Args:
        documents: in the schema `statistics.DOCUMENTS`, of texts in one language.
        plan: in the schema PLAN.
    """
    sums = Sums(documents, ["label", "category"])
    drawn = total(sums.sampled(group) for group in sums.groups)
    planned = planned_by_group(plan)
    domains_of, contradicted = _domains(documents), _contradicted(documents)
    num_sources = _num_sources(documents)
    # Of a corpus of one domain it is no news that a label is.
    several_domains = len({each.name for of_label in domains_of.values() for each in of_label}) > 1
    rows = []
    for group in sums.groups:
        label, category = group
        if not label:  # of rejected records
            continue
        flow = flow_of(sums, group, label)
        tier, rate = planned.get((label, category), (None, None))
        row = LanguageRow(
            label=label,
            name=language_name(label),
            script=script_of(label),
            category=category,
            flow=flow,
            tier=tier,
            rate=rate,
            sampled_share=share(flow.sampled.words, drawn.words),
            contradicted_share=share(contradicted.get(group, 0), flow.read.documents),
            domains=domains_of.get(group, ()),
            num_sources=num_sources.get(group, 0),
        )
        rows.append(replace(row, warnings=_warnings(row, several_domains)))
    return rows


def _warnings(row: LanguageRow, several_domains: bool) -> Sequence[Warn]:
    largest = row.domains[0] if row.domains and several_domains else Domain("", Amount(), Amount())
    return warnings_of(
        domain=largest.name,
        domain_share=share(largest.available.words, row.available.words),
        epochs=share(row.sampled.words, row.available.words),
        contradicted=row.contradicted_share,
        duplicates=row.duplicates_share,
        dropped=row.dropped_share,
    )


def planned_by_group(plan: pa.Table) -> dict[tuple[str, ...], tuple[str, float]]:
    """Tier and rate by label and category."""
    names = ("label", "category", "tier", "rate")
    rows = zip(*(plan.column(name).to_pylist() for name in names), strict=True)
    return {(label, category): (tier, rate) for label, category, tier, rate in rows}


def _domains(documents: pa.Table) -> dict[tuple[str, ...], list[Domain]]:
    """Domains by label and category, the most available words first."""
    sums = Sums(_with_domain(documents), ["label", "category", "domain"])
    found: dict[tuple[str, ...], list[Domain]] = {}
    for group in sums.groups:
        each = Domain(group[2], sums.available(group), sums.sampled(group))
        if each.available.documents:
            found.setdefault(group[:2], []).append(each)
    for rows in found.values():
        rows.sort(key=_largest_first)
    return found


def _largest_first(domain: Domain) -> tuple[int, str]:
    return -domain.available.words, domain.name


def _with_domain(documents: pa.Table) -> pa.Table:
    place = documents.schema.get_field_index("domain")
    filled = pc.fill_null(documents.column("domain"), "")
    return documents.set_column(place, "domain", filled)


def domains(rows: Iterable[LanguageRow]) -> list[Domain]:
    """The domains of all labels, the most available words first."""
    found: dict[str, list[Domain]] = {}
    for row in rows:
        for each in row.domains:
            found.setdefault(each.name, []).append(each)
    summed = [
        Domain(name, total(d.available for d in of), total(d.sampled for d in of))
        for name, of in found.items()
    ]
    return sorted(summed, key=_largest_first)


def _contradicted(documents: pa.Table) -> Mapping[tuple[str, ...], int]:
    wanted = pc.and_(
        pc.equal(documents.column("stage"), "ingest"),
        pc.equal(documents.column("verdict"), "contradicted"),
    )
    grouped = documents.filter(wanted).group_by(["label", "category"])
    summed = grouped.aggregate([("num_documents", "sum")])
    columns = (summed.column(name).to_pylist() for name in ("label", "category"))
    counts = summed.column("num_documents_sum").to_pylist()
    return dict(zip(zip(*columns, strict=True), counts, strict=True))


def _num_sources(documents: pa.Table) -> Mapping[tuple[str, ...], int]:
    kept = documents.filter(pc.equal(documents.column("outcome"), "kept"))
    grouped = kept.group_by(["label", "category"]).aggregate([("source", "count_distinct")])
    columns = (grouped.column(name).to_pylist() for name in ("label", "category"))
    counts = grouped.column("source_count_distinct").to_pylist()
    return dict(zip(zip(*columns, strict=True), counts, strict=True))
