"""The report in numbers: all views of one run, and a summary of them for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import pyarrow as pa

from glotmill.dashboard import checks, views
from glotmill.dashboard.amounts import Amount, kind_of, total
from glotmill.dashboard.costs import SourceCost, source_costs
from glotmill.dashboard.duplicates import Duplicates
from glotmill.dashboard.flow import Flow, flows_of, whole_flow
from glotmill.dashboard.languages import Domain, LanguageRow, domains, languages
from glotmill.dashboard.mixture import Mixture, mixture
from glotmill.dashboard.pairs import ParallelText, parallel_text
from glotmill.dashboard.statistics import Gathered
from glotmill.dashboard.tokenizer import Tokens, tokens
from glotmill.dashboard.triage import verdicts
from glotmill.schemas.recipe import Category


@dataclass(frozen=True)
class Kind:
    """What is counted alike: the documents of a run, or its pairs; they are never added up.

    Attributes:
        name: `documents` or `pairs`.
        flow: of all its sources together.
        sources: in the order of the recipe.
        categories: the flow of each category, where there are several.
        drops: reasons to drop, the most frequent first.
    """

    name: str
    flow: Flow
    sources: Sequence[views.SourceRow]
    categories: Sequence[Flow]
    scripts: Sequence[views.ScriptRow]
    tiers: Sequence[views.TierRow]
    drops: Sequence[views.DropRow]
    duplicates: Duplicates

    @property
    def reasons(self) -> list[str]:
        """Drop reasons, the most frequent first."""
        return [row.reason for row in self.drops]


@dataclass(frozen=True)
class Report:
    """All numbers of the page.

    Attributes:
        gathered: what they were made of.
        flow: of all records together, documents and pairs; for checks alone.
        kinds: documents and pairs, those that the recipe has.
        figures: of documents.
        verdicts: amounts by source and verdict.
        languages: labels of documents.
        domains: of documents.
        equations: the conservation law of each source, then of all together.
        file_checks: totals of the statistics against counts of the files.
        parallel: what there is of parallel text; None where no source has any.
        tokens: what the tokenizer makes of the texts; None without one.
        costs: of ingest by source, then of all sources; empty where no records are left.
    """

    gathered: Gathered
    figures: views.KeyFigures
    flow: Flow
    kinds: Sequence[Kind]
    verdicts: Mapping[str, Mapping[str, Amount]]
    languages: Sequence[LanguageRow]
    domains: Sequence[Domain]
    mixture: Mixture
    equations: Sequence[Sequence[checks.Equation]]
    file_checks: Sequence[checks.Equation]
    parallel: ParallelText | None
    tokens: Tokens | None
    costs: Sequence[SourceCost]

    @property
    def sources(self) -> list[views.SourceRow]:
        """All sources, those of documents first."""
        return [row for kind in self.kinds for row in kind.sources]

    def kind(self, name: str) -> Kind | None:
        """The documents, or the pairs, of the run."""
        return next((kind for kind in self.kinds if kind.name == name), None)

    @property
    def failed(self) -> list[checks.Equation]:
        """The equations that do not hold; empty unless something is broken."""
        equations = [each for of_source in self.equations for each in of_source]
        return [each for each in (*equations, *self.file_checks) if not each.holds]

    @property
    def num_checks(self) -> int:
        """Number of equations that were checked."""
        return sum(map(len, self.equations)) + len(self.file_checks)


def make_report(gathered: Gathered) -> Report:
    """All numbers of the report."""
    lock, documents, plan = gathered.lock, gathered.documents, gathered.plan
    flows = flows_of(documents, "source", [source.name for source in lock.recipe.sources])
    flow = whole_flow(flows)
    parts = _by_kind(gathered, flows)
    of_texts, of_pairs = (whole_flow(parts.get(kind, [])) for kind in ("documents", "pairs"))
    labels = languages(_of_kind(documents, "documents"), _of_kind(plan, "documents"))
    parallel = parallel_text(gathered, of_pairs) if "pairs" in parts else None
    planned: dict[str, Sequence[views.Planned]] = {"documents": labels}
    if parallel is not None:
        planned["pairs"] = parallel.pairs
    kinds = [_kind(gathered, name, parts[name], planned[name]) for name in planned if name in parts]
    scripts = kinds[0].scripts if kinds and kinds[0].name == "documents" else []
    return Report(
        gathered=gathered,
        figures=views.key_figures(of_texts, labels, scripts),
        flow=flow,
        kinds=kinds,
        verdicts=verdicts(gathered.cells, [source.name for source in lock.recipe.sources]),
        languages=labels,
        domains=domains(labels),
        mixture=mixture(plan, gathered.rates, documents, lock.recipe.mix.count_by),
        # Of a run that goes on the stages do not fit yet.
        equations=[] if gathered.goes_on else _equations(gathered, flows, flow),
        file_checks=[] if gathered.goes_on else _file_checks(gathered, parts, labels, parallel),
        parallel=parallel,
        tokens=tokens(gathered.available, gathered.fertility),
        costs=source_costs(gathered.records, [source.name for source in lock.recipe.sources]),
    )


def _kind(
    gathered: Gathered, name: str, flows: Sequence[Flow], planned: Sequence[views.Planned]
) -> Kind:
    documents, plan = _of_kind(gathered.documents, name), _of_kind(gathered.plan, name)
    flow = whole_flow(flows)
    sources = _sources(gathered, flows)
    found = {row.source.category for row in sources}
    categories = [each for each in get_args(Category) if each in found]
    return Kind(
        name=name,
        flow=flow,
        sources=sources,
        categories=flows_of(documents, "category", categories),
        scripts=views.scripts(documents),
        tiers=views.tiers(planned, plan, gathered.lock.recipe),
        drops=views.drop_reasons(documents, flow),
        duplicates=gathered.duplicates.get(name, Duplicates([], [], [])),
    )


def _of_kind(table: pa.Table, kind: str) -> pa.Table:
    """The rows of categories that are counted in documents, or in pairs."""
    wanted = [kind_of(category) == kind for category in table.column("category").to_pylist()]
    return table.filter(pa.array(wanted, pa.bool_()))


def _by_kind(gathered: Gathered, flows: Sequence[Flow]) -> dict[str, list[Flow]]:
    """Flows of the sources of documents, and of those of pairs."""
    categories = {source.name: source.category for source in gathered.lock.recipe.sources}
    parts: dict[str, list[Flow]] = {}
    for flow in flows:
        parts.setdefault(kind_of(categories[flow.name]), []).append(flow)
    return parts


def _sources(gathered: Gathered, flows: Sequence[Flow]) -> list[views.SourceRow]:
    sources = {source.name: source for source in gathered.lock.recipe.sources}
    rows = []
    for flow in flows:
        sizes = [each.size for each in gathered.lock.inputs if each.source == flow.name]
        rows.append(views.SourceRow(sources[flow.name], len(sizes), sum(sizes), flow))
    return rows


def _equations(
    gathered: Gathered, flows: Sequence[Flow], whole: Flow
) -> list[list[checks.Equation]]:
    rows = dict(gathered.rows)
    for (table, _), count in gathered.rows.items():
        rows[table, whole.name] = rows.get((table, whole.name), 0) + count
    return [checks.conservation(flow, rows) for flow in (*flows, whole)]


def _file_checks(
    gathered: Gathered,
    parts: Mapping[str, Sequence[Flow]],
    labels: Sequence[LanguageRow],
    parallel: ParallelText | None,
) -> list[checks.Equation]:
    of_texts, of_pairs = (whole_flow(parts.get(kind, [])) for kind in ("documents", "pairs"))
    flow = whole_flow([of_texts, of_pairs])
    left_out = _left_out(labels, parallel).documents
    of_mix = (gathered.manifests["mix"], gathered.directions)
    return [
        *checks.against_files(flow, gathered.manifests, gathered.plan, left_out),
        *checks.against_shards(of_texts, None if parallel is None else of_pairs, *of_mix),
    ]


def _left_out(labels: Sequence[LanguageRow], parallel: ParallelText | None) -> Amount:
    texts = (row.flow.surviving for row in labels if row.tier is None)
    pairs = (row.surviving for row in parallel.pairs if row.tier is None) if parallel else ()
    return total([*texts, *pairs])


_STEPS = (
    "read", "rejected", "dropped", "kept", "duplicates", "surviving", "excluded", "unsampled",
    "train", "repeated", "validation", "sampled",
)  # fmt: skip


def summary(report: Report) -> bytes:
    """The totals as JSON, for programs; documents and pairs apart."""
    lock = report.gathered.lock
    content = {
        "name": lock.recipe.name,
        "seed": lock.recipe.seed,
        "glotmill": lock.glotmill,
        "num_sources": len(lock.recipe.sources),
        **{kind.name: _summary_of(kind, report) for kind in report.kinds},
        "num_checks": report.num_checks,
        "num_failed_checks": len(report.failed),
        "failed_checks": list(map(str, report.failed)),
    }
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def _summary_of(kind: Kind, report: Report) -> dict[str, Any]:
    amounts: dict[str, int] = {}
    for name in _STEPS:
        amount: Amount = getattr(kind.flow, name)
        amounts |= {name: amount.documents}
        amounts |= {f"{name}_bytes": amount.bytes, f"{name}_words": amount.words}
    reasons = {reason: amount.documents for reason, amount in kind.flow.reasons.items()}
    return {**amounts, "dropped_by_reason": reasons, **_numbers_of(kind, report)}


def _numbers_of(kind: Kind, report: Report) -> dict[str, int]:
    figures, parallel = report.figures, report.parallel
    if kind.name == "pairs" and parallel is not None:
        return {
            "num_labels": parallel.num_labels,
            "num_languages": parallel.num_languages,
            "num_training_documents": parallel.num_documents,
        }
    return {
        "num_labels": figures.num_labels,
        "num_available_labels": figures.num_available_labels,
        "num_scripts": figures.num_scripts,
    }
