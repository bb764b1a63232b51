"""What the scripts of the page draw from, as JSON; tables by column, amounts as lists."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from glotmill.dashboard.amounts import UNITS, Amount
from glotmill.dashboard.definitions import TERMS, reason_title
from glotmill.dashboard.flow import Flow
from glotmill.dashboard.funnel import Step, funnel
from glotmill.dashboard.mixture import Mixture
from glotmill.dashboard.overview import Kind, Report
from glotmill.dashboard.pairs_page import pairs_data
from glotmill.dashboard.profiles import Profile
from glotmill.dashboard.shares import six_digits
from glotmill.dashboard.tokenizer import Tokens
from glotmill.dashboard.triage_page import triage_data

#: What becomes of records, by colour of the charts, and what it is called.
FATES = (
    ("train", "train, first copies"),
    ("validation", "validation"),
    ("unsampled", "not drawn"),
    ("excluded", "excluded"),
    ("duplicates", "duplicates"),
    ("dropped", "dropped"),
    ("rejected", "rejected"),
)
#: Domains with a colour of their own; the rest are taken together.
MAX_DOMAINS = 8


def client_data(report: Report) -> dict[str, Any]:
    """All that the scripts draw from; amounts are lists in the order of UNITS."""
    return {
        "name": report.gathered.lock.recipe.name,
        "units": UNITS,
        "terms": TERMS,
        "kinds": {kind.name: _kind(kind) for kind in report.kinds},
        "categories": [_fates(flow) for kind in report.kinds for flow in kind.categories],
        "languages": language_columns(report),
        "domains": [each.name for each in report.domains[:MAX_DOMAINS]],
        "parallel": pairs_data(report.parallel),
        "triage": triage_data(report),
        "plan": plan_columns(report.mixture),
        "tokens": token_columns(report.tokens),
        "profiles": profile_columns(profiles_by(report.gathered.profiles, "label")),
        "tiers": _tier_names(report),
        "costs": [[step, six_digits(n)] for step, n in report.costs[-1].steps.items()]
        if report.costs
        else [],
    }


def dumps(value: object, **_: object) -> str:
    """JSON without spaces; numbers that JSON has no word for are an error."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def funnels(kind: Kind) -> dict[str, list[Step]]:
    """The funnel of all that is counted alike, of each category and of each source."""
    flows: dict[str, Flow] = {kind.name: kind.flow}
    flows |= {f"category:{flow.name}": flow for flow in kind.categories}
    flows |= {f"source:{row.source.name}": row.flow for row in kind.sources}
    return {name: funnel(flow, kind.reasons) for name, flow in flows.items()}


def _kind(kind: Kind) -> dict[str, Any]:
    steps = funnels(kind)
    return {
        "steps": [
            [step.title, step.kind, step.group, step.definition] for step in steps[kind.name]
        ],
        "funnels": {name: [s.amount.as_list() for s in some] for name, some in steps.items()},
        "scripts": [
            {"name": row.name, "code": row.code, **_supply(row.available, row.sampled)}
            for row in kind.scripts
        ],
        "sources": [_fates(row.flow) for row in kind.sources],
        "tiers": [
            {"name": row.name or "left out", **_supply(row.available, row.sampled)}
            for row in kind.tiers
        ],
        "drops": [
            {"name": reason_title(row.reason), "amount": row.amount.as_list()} for row in kind.drops
        ],
        "sizes": [[row.size, row.num_clusters, row.num_documents] for row in kind.duplicates.sizes],
    }


def _supply(available: Amount, sampled: Amount) -> dict[str, list[int]]:
    return {"available": available.as_list(), "sampled": sampled.as_list()}


def _fates(flow: Flow) -> dict[str, Any]:
    """What became of the records of a group, by colour of the chart."""
    return {
        "name": flow.name,
        "fates": {name: getattr(flow, name).as_list() for name, _ in FATES},
    }


def _tier_names(report: Report) -> list[str]:
    """Names of the tiers of documents, the largest first."""
    kind = report.kind("documents")
    names = (row.name.rpartition(": ")[2] for row in kind.tiers) if kind else ()
    return list(dict.fromkeys(filter(None, names)))


def language_columns(report: Report) -> dict[str, Sequence[object]]:
    """The language table by column: 1,000 rows of objects would repeat every name 1,000 times."""
    rows = report.languages
    places = {each.name: place for place, each in enumerate(report.domains[:MAX_DOMAINS])}
    return {
        "label": [row.label for row in rows],
        "name": [row.name for row in rows],
        "script": [row.script for row in rows],
        "category": [row.category for row in rows],
        "tier": [row.tier for row in rows],
        "rate": [row.rate for row in rows],
        "documents": [row.available.documents for row in rows],
        "words": [row.available.words for row in rows],
        "bytes": [row.available.bytes for row in rows],
        "sampled_documents": [row.sampled.documents for row in rows],
        "sampled_words": [row.sampled.words for row in rows],
        "sampled_bytes": [row.sampled.bytes for row in rows],
        "sampled_share": [six_digits(row.sampled_share) for row in rows],
        "validation_documents": [row.validation.documents for row in rows],
        "duplicates_share": [six_digits(row.duplicates_share) for row in rows],
        "dropped_share": [six_digits(row.dropped_share) for row in rows],
        "sources": [row.num_sources for row in rows],
        # Of each domain that has a colour: its place, and its available words.
        "domains": [
            [[places[d.name], d.available.words] for d in row.domains if d.name in places]
            for row in rows
        ],
        "domain": [row.domains[0].name if row.domains else "" for row in rows],
        "fates": [
            [getattr(row.flow, name).documents for name, _ in FATES if name != "rejected"]
            for row in rows
        ],
        "warnings": [[each.text for each in row.warnings] for row in rows],
    }


def plan_columns(mixture: Mixture) -> Mapping[str, Sequence[object]]:
    """The plan against what was drawn, by column."""
    rows = mixture.labels
    return {
        "label": [row.label for row in rows],
        "name": [row.name for row in rows],
        "category": [row.category for row in rows],
        "tier": [row.tier for row in rows],
        "available": [round(row.available) for row in rows],
        "planned": [round(row.planned) for row in rows],
        "planned_share": [six_digits(row.planned_share) for row in rows],
        "realised": [row.realised for row in rows],
        "realised_share": [six_digits(row.realised_share) for row in rows],
        "deviation": [None if row.deviation is None else six_digits(row.deviation) for row in rows],
        "epochs": [six_digits(row.epochs) for row in rows],
        "binding": [row.binding.replace("_", " ") for row in rows],
        "relaxed": [row.relaxed for row in rows],
    }


def token_columns(tokens: Tokens | None) -> Mapping[str, object] | None:
    """What the tokenizer makes of each label, by column."""
    if tokens is None:
        return None
    rows = tokens.labels
    return {
        "label": [row.label for row in rows],
        "name": [row.name for row in rows],
        "script": [row.script for row in rows],
        "category": [row.category for row in rows],
        "tokens": [row.num_tokens for row in rows],
        "words": [row.num_words for row in rows],
        "fertility": [six_digits(row.fertility) for row in rows],
        "premium": [None if row.premium is None else six_digits(row.premium) for row in rows],
        "bytes_per_token": [six_digits(row.bytes_per_token) for row in rows],
        "fallback_share": [six_digits(row.fallback_share) for row in rows],
        "reference": six_digits(tokens.reference_fertility),
    }


def profiles_by(profiles: Iterable[Profile], by: str) -> list[Profile]:
    """Those of one grouping."""
    return [profile for profile in profiles if profile.by == by]


def profile_columns(profiles: Sequence[Profile]) -> Mapping[str, Sequence[object]]:
    """What the texts of each label are like, by column."""
    lengths = {
        f"length_{place}": [_rounded(row.quantiles["lengths"][place]) for row in profiles]
        for place in (0, 1, 2)
    }
    shares = {
        f"{measure}_{place}": [_six(row.quantiles[measure][place]) for row in profiles]
        for measure in ("confidence", "script_share")
        for place in (0, 1)
    }
    return {
        "label": [row.name for row in profiles],
        "name": [row.title for row in profiles],
        **lengths,
        **shares,
        "hosts": [round(row.num_hosts) for row in profiles],
        "top_hosts": [[f"{value} {count:,}" for value, count in row.hosts] for row in profiles],
        "ngrams": [[value for value, _ in row.ngrams] for row in profiles],
    }


def _rounded(value: float | None) -> int | None:
    return None if value is None else round(value)


def _six(value: float | None) -> float | None:
    return None if value is None else six_digits(value)
