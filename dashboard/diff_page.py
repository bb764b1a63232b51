"""The page of two runs' differences: one self-contained HTML file, like the report."""

from __future__ import annotations

from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from glotmill.dashboard.diff import SIGNIFICANT, Difference
from glotmill.dashboard.page import STYLE, environment, file_text
from glotmill.dashboard.page_data import dumps
from glotmill.dashboard.policy import content_security_policy

SCRIPTS = ("client/format.js", "client/table.js", "client/diff.js")


def render_difference(found: Difference) -> str:
    """The page, the same for the same difference."""
    scripts = [file_text(name) for name in SCRIPTS]
    style = file_text(STYLE)
    return (
        environment()
        .get_template("diff.html")
        .render(
            diff=found,
            significant=SIGNIFICANT,
            policy=content_security_policy(scripts, [style]),
            # Our own files, never anything of the data.
            scripts=[Markup(text) for text in scripts],
            style=Markup(style),
            data=htmlsafe_json_dumps({"name": "-".join(found.names)}, dumps=dumps),
        )
    )
