"""The report in numbers: all views of one run, and a summary of them for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from glotmill.dashboard import checks, views
from glotmill.dashboard.amounts import Amount, total
from glotmill.dashboard.flow import Flow, flows_of, whole_flow
from glotmill.dashboard.pairs import CATEGORY, ParallelText, parallel_text
from glotmill.dashboard.statistics import Gathered
from glotmill.dashboard.triage import verdicts


@dataclass(frozen=True)
class Report:
    """All numbers of the page.

    Attributes:
        gathered: what they were made of.
        flow: of all sources together.
        sources: in the order of the recipe.
        verdicts: amounts by source and verdict.
        equations: the conservation law of each source, then of all together.
        file_checks: totals of the statistics against counts of the files.
        parallel: what there is of parallel text; None where no source has any.
    """

    gathered: Gathered
    figures: views.KeyFigures
    flow: Flow
    sources: Sequence[views.SourceRow]
    verdicts: Mapping[str, Mapping[str, Amount]]
    languages: Sequence[views.LanguageRow]
    scripts: Sequence[views.ScriptRow]
    tiers: Sequence[views.TierRow]
    drops: Sequence[views.DropRow]
    equations: Sequence[Sequence[checks.Equation]]
    file_checks: Sequence[checks.Equation]
    parallel: ParallelText | None

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
    recipe = gathered.lock.recipe
    flows = flows_of(gathered.documents, [source.name for source in recipe.sources])
    flow = whole_flow(flows)
    of_pairs, of_texts = _by_kind(gathered, flows)
    languages = views.languages(gathered.documents, gathered.plan)
    scripts = views.scripts(gathered.documents)
    return Report(
        gathered=gathered,
        figures=views.key_figures(flow, languages, scripts),
        flow=flow,
        sources=_sources(gathered, flows),
        verdicts=verdicts(gathered.cells, [source.name for source in recipe.sources]),
        languages=languages,
        scripts=scripts,
        tiers=views.tiers(languages, gathered.plan, recipe),
        drops=views.drop_reasons(gathered.documents, flow),
        equations=_equations(gathered, flows, flow),
        file_checks=[
            *checks.against_files(
                flow, gathered.manifests, gathered.plan, _left_out(languages).documents
            ),
            *checks.against_shards(
                whole_flow(of_texts),
                whole_flow(of_pairs) if of_pairs else None,
                gathered.manifests["mix"],
                gathered.directions,
            ),
        ],
        parallel=parallel_text(gathered, whole_flow(of_pairs)) if of_pairs else None,
    )


def _by_kind(gathered: Gathered, flows: Sequence[Flow]) -> tuple[list[Flow], list[Flow]]:
    """Flows of the sources of parallel text, and of the others."""
    categories = {source.name: source.category for source in gathered.lock.recipe.sources}
    pairs = [flow for flow in flows if categories[flow.source] == CATEGORY]
    return pairs, [flow for flow in flows if flow not in pairs]


def _sources(gathered: Gathered, flows: Sequence[Flow]) -> list[views.SourceRow]:
    rows = []
    for source, flow in zip(gathered.lock.recipe.sources, flows, strict=True):
        inputs = [each for each in gathered.lock.inputs if each.source == source.name]
        rows.append(views.SourceRow(source, len(inputs), sum(each.size for each in inputs), flow))
    return rows


def _equations(
    gathered: Gathered, flows: Sequence[Flow], whole: Flow
) -> list[list[checks.Equation]]:
    rows = dict(gathered.rows)
    for (table, _), count in gathered.rows.items():
        rows[table, whole.source] = rows.get((table, whole.source), 0) + count
    return [checks.conservation(flow, rows) for flow in (*flows, whole)]


def _left_out(languages: Sequence[views.LanguageRow]) -> Amount:
    return total(row.available for row in languages if row.tier is None)


def summary(report: Report) -> bytes:
    """The totals as JSON, for programs."""
    flow = report.flow
    outcomes = ("read", "rejected", "dropped", "kept", "duplicates", "surviving", "unsampled")
    names = (*outcomes, "train", "repeated", "validation", "sampled")
    lock = report.gathered.lock
    content = {
        "name": lock.recipe.name,
        "seed": lock.recipe.seed,
        "glotmill": lock.glotmill,
        "num_sources": len(report.sources),
        "num_labels": report.figures.num_labels,
        "num_available_labels": report.figures.num_available_labels,
        "num_scripts": report.figures.num_scripts,
        **{name: vars(getattr(flow, name)) for name in names},
        "dropped_by_reason": {reason: vars(amount) for reason, amount in flow.reasons.items()},
        **_summary_of_pairs(report.parallel),
        "num_checks": report.num_checks,
        "num_failed_checks": len(report.failed),
    }
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def _summary_of_pairs(parallel: ParallelText | None) -> dict[str, object]:
    if parallel is None:
        return {}
    flow = parallel.flow
    names = ("read", "kept", "surviving", "train", "repeated", "validation", "sampled")
    return {
        "pairs": {
            **{name: getattr(flow, name).documents for name in names},
            "num_labels": parallel.num_labels,
            "num_languages": parallel.num_languages,
            "num_training_documents": parallel.num_documents,
        }
    }
