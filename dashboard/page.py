"""The page: all views as one self-contained HTML file."""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any

import jinja2
import yaml
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from glotmill.dashboard import formats
from glotmill.dashboard.amounts import kind_of
from glotmill.dashboard.definitions import (
    TERMS,
    VERDICTS,
    reason_definition,
    reason_title,
    verdict_title,
)
from glotmill.dashboard.names import language_name, locale_of
from glotmill.dashboard.overview import Report
from glotmill.dashboard.page_data import FATES, client_data, dumps, funnels
from glotmill.dashboard.pairs_page import pairs_shown
from glotmill.dashboard.policy import PLOT_STYLE, content_security_policy
from glotmill.dashboard.training import TrainingReport
from glotmill.dashboard.training_page import training_context, with_training
from glotmill.dashboard.triage_page import MAX_CELLS, cells_shown
from glotmill.dashboard.warnings import WARNINGS
from glotmill.schemas.recipe import Recipe

SCRIPTS = (
    "vendor/d3.min.js",
    "vendor/plot.umd.min.js",
    "client/format.js",
    "client/charts.js",
    "client/maps.js",
    "client/sparks.js",
    "client/table.js",
    "client/columns.js",
    "client/matrix.js",
    "client/heatmap.js",
    "client/pair_details.js",
    "client/views.js",
    "client/pairs.js",
    "client/app.js",
)
STYLE = "client/style.css"
#: Of pages that show training; the script comes before the one that starts the page.
TRAINING_SCRIPT, TRAINING_STYLE = "client/training.js", "client/training.css"

#: Rows of rejected records on the page; all of them are in `statistics/rejected.parquet`.
MAX_REJECTED = 200
#: Input files on the page; all of them are in `recipe.lock.yaml`.
MAX_INPUTS = 500


def render(report: Report, *, unfinished: str = "", training: TrainingReport | None = None) -> str:
    """The page, the same for the same report.

    Args:
        report: its numbers.
        unfinished: of a run that goes on, what is still to come; it stands at the top.
        training: what runs of the trainer tell, if the page is to show it.
    """
    shown = training is not None
    names = [*SCRIPTS[:-1], TRAINING_SCRIPT, SCRIPTS[-1]] if shown else SCRIPTS
    scripts = [file_text(name) for name in names]
    style = "".join(map(file_text, (STYLE, TRAINING_STYLE) if shown else (STYLE,)))
    return (
        environment()
        .get_template("report.html")
        .render(
            report=report,
            lock=report.gathered.lock,
            views=views_of(report, training),
            unfinished=unfinished,
            recipe=recipe_yaml(report.gathered.lock.recipe),
            steps=_first_steps(report),
            fates=FATES,
            warning_kinds=WARNINGS,
            counted_in={row.source.name: kind_of(row.source.category) for row in report.sources},
            times={each.stage: each for each in report.gathered.times},
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
            data=htmlsafe_json_dumps(_data(report, training), dumps=dumps),
            **training_context(training),
            licences=_licences(),
        )
    )


def views_of(report: Report, training: TrainingReport | None = None) -> list[tuple[str, str, str]]:
    """Name, title and template of each view that the run has something for."""
    views = [
        ("overview", "Overview", True),
        ("languages", "Languages", bool(report.languages) or report.parallel is None),
        ("scripts", "Scripts", True),
        ("sources", "Sources", True),
        ("pairs", "Parallel text", report.parallel is not None),
        ("triage", "Triage", True),
        ("duplicates", "Duplicates", True),
        ("mixture", "Mixture", True),
        ("tokenizer", "Tokenizer", report.tokens is not None),
        ("training", "Training", training is not None),
        ("losses", "Losses", True),
        ("run", "Run", True),
    ]
    return [(name, title, f"{name}.html") for name, title, there in views if there]


def _data(report: Report, training: TrainingReport | None) -> dict[str, Any]:
    """What the scripts draw from."""
    data = client_data(report)
    return data if training is None else with_training(data, report, training)


@functools.cache
def environment() -> jinja2.Environment:
    """The templates of the report's pages, with their filters."""
    made = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FunctionLoader(lambda name: file_text(f"templates/{name}")),
    )
    made.filters.update(
        number=formats.number,
        size=formats.size,
        compact=formats.compact,
        percent=formats.percent,
        times=formats.times,
        duration=formats.duration,
        reason_definition=reason_definition,
        reason_title=reason_title,
        verdict_title=verdict_title,
        language_name=language_name,
        locale=locale_of,
    )
    made.globals.update(terms=TERMS, verdicts=VERDICTS)
    return made


@functools.cache
def file_text(name: str) -> str:
    """A file of this package as text, its line ends as a browser reads them."""
    text = resources.files("glotmill.dashboard").joinpath(name).read_text(encoding="utf-8")
    return text.replace("\r\n", "\n")


def _licences() -> list[tuple[str, str]]:
    """Name and licence of each library in the page."""
    folder = resources.files("glotmill.dashboard").joinpath("vendor")
    names = sorted(file.name for file in folder.iterdir() if file.name.startswith("LICENSE-"))
    return [
        (name.removeprefix("LICENSE-").removesuffix(".txt"), file_text(f"vendor/{name}").strip())
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


def _first_steps(report: Report) -> list[Any]:
    """The funnel that the page is written with."""
    return list(funnels(report.kinds[0])[report.kinds[0].name])
