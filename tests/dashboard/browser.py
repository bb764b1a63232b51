"""A page of a report in a real browser; whoever leaves it hears of what went wrong in it."""

import shutil
from contextlib import contextmanager

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


@contextmanager
def running_browser():
    """A headless browser; the test is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api")
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no browser on PATH (looked for {', '.join(NAMES)}); install chromium")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=found, args=list(FLAGS))
        yield running
        running.close()


class Troubles:
    """What a page does that a report must not do: errors, warnings, requests."""

    def __init__(self, page, allowed):
        self.seen = []
        page.on("console", lambda message: self.seen.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.seen.append(f"error: {error}"))
        page.on("request", lambda request: self._look(request.url, allowed))

    def _look(self, url, allowed):
        if not url.startswith((allowed, "data:", "blob:")):
            self.seen.append(f"request: {url}")


def open_report(context, root, address="", name="report.html"):
    """A page with a report, and what went wrong in it so far."""
    page = context.new_page()
    url = f"file://{root}/{name}"
    troubles = Troubles(page, url)
    page.goto(f"{url}#{address}")
    return page, troubles


def rows_of(page, table):
    """Texts of the cells of a table's body, as a person sees them."""
    return page.eval_on_selector_all(
        f"#table-{table} tbody tr",
        "rows => rows.map(row => [...row.cells].map(cell => cell.innerText.trim()))",
    )


def column_of(page, table, place=0):
    """The first lines of a column's cells."""
    return [row[place].partition("\n")[0] for row in rows_of(page, table)]


def current_view(page):
    """Names of the views that are shown, by the sections and by the links to them."""
    sections = page.eval_on_selector_all("section.view.current", "all => all.map(one => one.id)")
    links = page.eval_on_selector_all("nav [aria-current]", "all => all.map(one => one.hash)")
    return sections, links


def download(page, button):
    """What a button gives to save: its name, and its lines."""
    with page.expect_download() as waiting:
        page.click(button)
    found = waiting.value
    with open(found.path(), encoding="utf-8-sig", newline="") as file:
        return found.suggested_filename, file.read().split("\r\n")
