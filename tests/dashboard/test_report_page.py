"""The page: complete, closed to the network, safe from its own data, the same every time."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pyarrow.parquet as pq
import pytest

from glotmill.dashboard import IncompleteRun, build_report
from glotmill.dashboard.policy import PLOT_STYLE

LOADING = {"src", "srcset", "data", "action", "formaction", "background", "poster", "ping"}


class Page(HTMLParser):
    """Elements, texts of scripts and styles, and the text that a person reads."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.inline, self.texts, self._open = [], [], [], None
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in ("script", "style"):
            self._open = (tag, dict(attributes), [])

    def handle_data(self, text):
        (self._open[2] if self._open else self.texts).append(text)

    def handle_endtag(self, tag):
        if self._open and tag == self._open[0]:
            name, attributes, parts = self._open
            self.inline.append((name, attributes, "".join(parts)))
            self._open = None

    @property
    def policy(self):
        for tag, attributes in self.elements:
            if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy":
                directives = (part.strip().split() for part in attributes["content"].split(";"))
                return {name: values for name, *values in directives}
        raise AssertionError("no policy")

    def scripts(self):
        return [t for n, a, t in self.inline if n == "script" and "type" not in a]

    def data(self):
        (text,) = [t for _, a, t in self.inline if a.get("type") == "application/json"]
        return json.loads(text)


def csp_hash(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@pytest.fixture(scope="module")
def html(small_run):
    build_report(small_run)
    with open(f"{small_run}/report.html", encoding="utf-8", newline="") as file:
        return file.read()


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_files_are_written_as_listed(small_run, html):
    entries = build_report(small_run)
    assert [entry.path for entry in entries] == [
        "statistics/documents.parquet",
        "statistics/rejected.parquet",
        "statistics/triage.parquet",
        "statistics/languages.parquet",
        "statistics/mixture.parquet",
        "statistics/summary.json",
        "statistics/metrics.prom",
        "report.html",
    ]
    for entry in entries:
        with open(f"{small_run}/{entry.path}", "rb") as file:
            content = file.read()
        assert entry.num_bytes == len(content)
        assert entry.sha256 == hashlib.sha256(content).hexdigest()


def test_statistics_tell_category_domain_and_licence(small_run, html, hostile):
    table = pq.read_table(f"{small_run}/statistics/documents.parquet")
    assert table.num_rows == 15
    rows = table.select(["source", "category", "domain", "licence"]).to_pylist()
    found = {tuple(row.values()) for row in rows}
    assert found == {
        ("web", "monolingual", None, None),
        ("bible", "monolingual", "religious", hostile),
        ("code", "code", None, "MIT"),
    }


def test_summary(small_run, html):
    with open(f"{small_run}/statistics/summary.json", encoding="utf-8") as file:
        summary = json.load(file)
    assert summary["name"] == "small-corpus"
    found = summary["documents"]
    assert (found["sampled"], found["sampled_bytes"], found["sampled_words"]) == (
        148,
        17_300,
        4_060,
    )
    assert summary["num_failed_checks"] == 0


def test_policy_allows_what_is_in_the_page_and_nothing_else(page):
    policy = page.policy
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == [csp_hash(text) for text in page.scripts()]
    styles = [text for name, _, text in page.inline if name == "style"]
    assert policy["style-src"] == [csp_hash(text) for text in [*styles, PLOT_STYLE]]
    assert "unsafe" not in json.dumps(policy)


def test_nothing_is_loaded_and_nothing_runs_inline(page):
    for tag, attributes in page.elements:
        assert tag not in {"img", "iframe", "object", "embed", "video", "audio", "base", "form"}
        assert not LOADING & set(attributes)
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert attributes.get("href", "#").startswith(("#", "data:,"))


def test_own_files_fetch_nothing(page):
    own = "".join(page.scripts()[2:]) + "".join(t for n, _, t in page.inline if n == "style")
    assert not re.search(r"\b(fetch|XMLHttpRequest|import|WebSocket|sendBeacon)\b\s*\(", own)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", own)
    assert set(re.findall(r"https?://[^\s\"']+", own)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"url\(|@import", own)


def test_hostile_text_is_shown_and_not_obeyed(html, page, hostile):
    assert hostile not in html
    assert "<img" not in html
    texts = [text for text in page.texts if hostile in text]
    # Licence, drop reason (thrice), example of it, detail and excerpt of a rejected record, recipe.
    assert len(texts) >= 6
    reasons = [each["name"] for each in page.data()["kinds"]["documents"]["drops"]]
    assert hostile in reasons


def test_hostile_lines_do_not_break_the_data(page):
    assert page.data()["name"] == "small-corpus"
    assert page.data()["languages"]["label"] == ["swh_Latn", "zho_Hans", "zxx_Zyyy"]


def test_texts_have_direction_and_language(page):
    quotes = [attributes for tag, attributes in page.elements if tag == "blockquote"]
    assert all(each["dir"] == "auto" for each in quotes)
    assert {each["lang"] for each in quotes} == {"swh-Latn", "zh-Hans", ""}


def test_every_column_and_view_has_a_name(page):
    ids = {attributes.get("id") for _, attributes in page.elements}
    links = {a["href"][1:] for tag, a in page.elements if tag == "a"}
    assert links <= ids
    labelled = [a for tag, a in page.elements if a.get("role") == "region"]
    assert all(each["aria-label"] and each["tabindex"] == "0" for each in labelled)
    assert all(a.get("scope") for tag, a in page.elements if tag == "th")


def test_same_bytes_for_the_same_output(make_small_run):
    entries = [build_report(make_small_run(name)) for name in ("a", "b", "a")]
    assert entries[0] == entries[1] == entries[2]


def test_failed_checks_raise_an_alarm(make_small_run):
    totals = {"ingest": {}, "deduplicate": {"removed": 10}, "mix": {}}
    root = make_small_run(totals=totals)
    build_report(root)
    with open(f"{root}/report.html", encoding="utf-8") as file:
        assert "The numbers do not add up." in file.read()


def test_numbers_that_add_up_raise_no_alarm(html):
    assert "The numbers do not add up." not in html


def test_a_thousand_labels_are_quick_and_small(large_report):
    entries, seconds, _ = large_report
    assert seconds < 5
    assert entries[-1].num_bytes < 2_000_000


def test_unfinished_stage_is_named(make_small_run, tmp_path):
    root = make_small_run()
    (tmp_path / "mix" / "_SUCCESS").unlink()
    with pytest.raises(IncompleteRun, match=r"stage 'mix' is not finished in .*'glotmill run'"):
        build_report(root)


def test_a_folder_that_is_no_output_is_refused(tmp_path):
    with pytest.raises(IncompleteRun, match=r"no recipe\.lock\.yaml in .*output directory"):
        build_report(str(tmp_path))


@pytest.mark.parametrize("line", ["recipes:\n", "recipe: [\n"])
def test_a_damaged_lock_is_refused(make_small_run, tmp_path, line):
    root = make_small_run()
    lock = tmp_path / "recipe.lock.yaml"
    lock.write_text(lock.read_text().replace("recipe:\n", line))
    with pytest.raises(IncompleteRun, match=r"recipe\.lock\.yaml is damaged, or another version"):
        build_report(root)


def test_a_lock_of_another_run_is_refused(make_small_run, tmp_path):
    root = make_small_run()
    lock = tmp_path / "recipe.lock.yaml"
    lock.write_text(lock.read_text().replace("name: bible", "name: psalms"))
    with pytest.raises(IncompleteRun, match=r"has no source 'bible', .*lock is of another run"):
        build_report(root)


def test_files_that_no_manifest_lists_are_not_read(make_small_run, tmp_path):
    root = make_small_run()
    before = build_report(root)
    (tmp_path / "ingest" / "statistics" / "stray.parquet").write_bytes(b"not parquet")
    (tmp_path / "ingest" / "rejected" / "stray.parquet").write_bytes(b"not parquet")
    assert build_report(root) == before


def test_numbers_of_the_large_run_add_up(large_run, large_report):
    with open(f"{large_run}/statistics/summary.json", encoding="utf-8") as file:
        summary = json.load(file)
    assert (summary["num_checks"], summary["num_failed_checks"]) == (26, 0)


def test_a_run_that_kept_nothing_has_a_report(empty_run):
    build_report(empty_run)
    with open(f"{empty_run}/report.html", encoding="utf-8") as file:
        html = file.read()
    assert "Nothing was dropped." in html
    assert "No document survived." in html
    assert "The numbers do not add up." not in html


def test_tables_name_large_thresholds_in_full(large_report):
    assert '<td class="number">1,000,000,000</td>' in large_report[2]
