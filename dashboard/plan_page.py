"""The page of a plan: one self-contained HTML file, like the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from glotmill.dashboard.diff_page import SCRIPTS
from glotmill.dashboard.page import STYLE, environment, file_text
from glotmill.dashboard.page_data import dumps
from glotmill.dashboard.policy import content_security_policy

#: Rows of a table, by column.
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class PlanReport:
    """A plan in tables; `plan.json` holds the same.

    Amounts have their errors beside them, `NAME_error`: half widths of intervals of 95%, None where
    no error can be given and 0 where all was read.

    Attributes:
        name: of the recipe.
        seed: of the recipe.
        glotmill: the version.
        unit: that the recipe counts by.
        strategy: of the mixture.
        told_by: what the counts are from.
        sources: estimates of each source; empty without a sample.
        losses: what is dropped and rejected of each source, by reason; empty without a sample.
        labels: estimates of each category and label; empty without a sample.
        mixture: the plan of each category and label.
        written: files.
        stages: CPU of each stage; empty where nothing tells of it.
        engines: hours and price on each engine; empty where nothing tells of it.
        assumptions: what the numbers rest on, and what they leave out.
        findings: what of the recipe cannot be had, and what else should be known.
    """

    name: str
    seed: int
    glotmill: str
    unit: str
    strategy: str
    told_by: str
    sources: Rows
    losses: Rows
    labels: Rows
    mixture: Rows
    written: Rows
    stages: Rows
    engines: Rows
    assumptions: Sequence[str]
    findings: Sequence[str]


def render_plan(report: PlanReport) -> str:
    """The page, the same for the same plan."""
    scripts = [file_text(name) for name in SCRIPTS]
    style = file_text(STYLE)
    return (
        environment()
        .get_template("plan.html")
        .render(
            plan=report,
            policy=content_security_policy(scripts, [style]),
            # Our own files, never anything of the data.
            scripts=[Markup(text) for text in scripts],
            style=Markup(style),
            data=htmlsafe_json_dumps({"name": f"{report.name}-plan"}, dumps=dumps),
        )
    )
