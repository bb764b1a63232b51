"""The page around a report that grows."""

from __future__ import annotations

from markupsafe import Markup

from glotmill.dashboard.page import STYLE, environment, file_text
from glotmill.dashboard.statistics import read_lock


def live_page(root: str) -> bytes:
    """A page that asks its server how far the run is, and shows the report so far.

    Raises:
        IncompleteRun: there is no lock at `root` yet.
    """
    page = (
        environment()
        .get_template("live.html")
        .render(
            name=read_lock(root).recipe.name,
            style=Markup(file_text(STYLE)),
            script=Markup(file_text("client/live.js")),
        )
    )
    return page.encode()
