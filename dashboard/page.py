"""The page: all views as one self-contained HTML file."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

import jinja2
import yaml
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from glotmill.dashboard import formats
from glotmill.dashboard.amounts import UNITS, Amount
from glotmill.dashboard.definitions import (
    TERMS,
    VERDICTS,
    reason_definition,
    reason_title,
    verdict_title,
)
from glotmill.dashboard.funnel import Step, funnel
from glotmill.dashboard.names import language_name, locale_of
from glotmill.dashboard.overview import Report
from glotmill.dashboard.pairs_page import pairs_data, pairs_shown
from glotmill.dashboard.policy import PLOT_STYLE, content_security_policy
from glotmill.dashboard.triage_page import MAX_CELLS, cells_shown, triage_data
from glotmill.schemas.recipe import Recipe

SCRIPTS = (
    "vendor/d3.min.js",
    "vendor/plot.umd.min.js",
    "format.js",
    "charts.js",
    "table.js",
    "matrix.js",
    "app.js",
)
STYLE = "style.css"

#: Rows of rejected records on the page; all of them are in `statistics/rejected.parquet`.
MAX_REJECTED = 200
#: Input files on the page; all of them are in `recipe.lock.yaml`.
MAX_INPUTS = 500


def render(report: Report) -> str:
    """The page, the same for the same report."""
    scripts = [_file(name) for name in SCRIPTS]
    style = _file(STYLE)
    return _template().render(
        report=report,
        lock=report.gathered.lock,
        recipe=recipe_yaml(report.gathered.lock.recipe),
        steps=_steps(report)[""],
        rejected=_largest_rejected(report),
        num_rejected_groups=report.gathered.rejected.num_rows,
        num_cells_shown=len(cells_shown(report)),
        max_cells=MAX_CELLS,
        num_pairs_shown=len(pairs_shown(report.parallel)) if report.parallel else 0,
        inputs=report.gathered.lock.inputs[:MAX_INPUTS],
        policy=content_security_policy(scripts, [style, PLOT_STYLE]),
        # Our own files and the vendored ones, never anything of the data.
        scripts=[Markup(text) for text in scripts],
        style=Markup(style),
        data=htmlsafe_json_dumps(client_data(report), dumps=_dumps),
        licences=_licences(),
    )


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FunctionLoader(_file),
    )
    environment.filters.update(
        number=formats.number,
        size=formats.size,
        compact=formats.compact,
        percent=formats.percent,
        reason_definition=reason_definition,
        reason_title=reason_title,
        verdict_title=verdict_title,
        language_name=language_name,
        locale=locale_of,
    )
    environment.globals.update(terms=TERMS, verdicts=VERDICTS)
    return environment.get_template("template.html")


@functools.cache
def _file(name: str) -> str:
    """A file of this package as text, its line ends as a browser reads them."""
    text = resources.files("glotmill.dashboard").joinpath(name).read_text(encoding="utf-8")
    return text.replace("\r\n", "\n")


def _licences() -> list[tuple[str, str]]:
    """Name and licence of each library in the page."""
    folder = resources.files("glotmill.dashboard").joinpath("vendor")
    names = sorted(file.name for file in folder.iterdir() if file.name.startswith("LICENSE-"))
    return [
        (name.removeprefix("LICENSE-").removesuffix(".txt"), _file(f"vendor/{name}").strip())
        for name in names
    ]


def recipe_yaml(recipe: Recipe) -> str:
    """The resolved recipe, defaults included."""
    data = recipe.model_dump(mode="json")
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100)


def _largest_rejected(report: Report) -> list[dict[str, Any]]:
    rejected = report.gathered.rejected
    order = [("num_records", "descending"), ("source", "ascending"), ("path", "ascending")]
    rows: list[dict[str, Any]] = rejected.sort_by(order).slice(0, MAX_REJECTED).to_pylist()
    return rows


def _steps(report: Report) -> dict[str, list[Step]]:
    """The funnel of each source, and of all under the empty name."""
    reasons = [row.reason for row in report.drops]
    flows = [report.flow, *(row.flow for row in report.sources)]
    return {flow.source: funnel(flow, reasons) for flow in flows}


# ------------------------------------------------------- data for the scripts


def client_data(report: Report) -> dict[str, Any]:
    """What the scripts draw from; amounts are lists in the order of UNITS."""
    steps = _steps(report)
    return {
        "name": report.gathered.lock.recipe.name,
        "units": UNITS,
        "terms": TERMS,
        "funnel": {
            "steps": [[step.title, step.kind, step.group] for step in steps[""]],
            "amounts": {
                source: [step.amount.as_list() for step in of_source]
                for source, of_source in steps.items()
            },
        },
        "languages": language_columns(report),
        "scripts": [
            {"name": row.name, "code": row.code, **_supply(row.available, row.sampled)}
            for row in report.scripts
        ],
        "tiers": [
            {"name": row.name or "left out", **_supply(row.available, row.sampled)}
            for row in report.tiers
        ],
        "sources": [_fates(report, index) for index in range(len(report.sources))],
        "parallel": pairs_data(report.parallel),
        "triage": triage_data(report),
        "drops": [
            {"name": reason_title(row.reason), "amount": row.amount.as_list()}
            for row in report.drops
        ],
    }


def _supply(available: Amount, sampled: Amount) -> dict[str, list[int]]:
    return {"available": available.as_list(), "sampled": sampled.as_list()}


def _fates(report: Report, index: int) -> dict[str, Any]:
    """What became of the documents of a source, by colour of the chart."""
    flow = report.sources[index].flow
    amounts = {
        "train": flow.train,
        "validation": flow.validation,
        "unsampled": flow.unsampled,
        "duplicates": flow.duplicates,
        "dropped": flow.dropped,
        "rejected": flow.rejected,
    }
    return {
        "name": flow.source,
        "fates": {name: amount.as_list() for name, amount in amounts.items()},
    }


def language_columns(report: Report) -> dict[str, Sequence[object]]:
    """The language table by column: 1,000 rows of objects would repeat every name 1,000 times."""
    rows = report.languages
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
        "sampled_share": [_six_digits(row.sampled_share) for row in rows],
        "validation_documents": [row.validation.documents for row in rows],
        "duplicates_share": [_six_digits(row.duplicates_share) for row in rows],
        "dropped_share": [_six_digits(row.dropped_share) for row in rows],
    }


def _six_digits(value: float) -> float:
    return float(f"{value:.6g}")


def _dumps(value: object, **_: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
