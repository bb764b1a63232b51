"""The live view: what a run that goes on serves, and to whom."""

import json
import urllib.request
from urllib.error import HTTPError

import pytest

from glotmill.dashboard import build_report, growing_report
from glotmill.pipelines.live import LiveView, TimedProgress
from glotmill.pipelines.progress import State


class Heard:
    """Notes what it is told."""

    def __init__(self):
        self.calls = []

    def skipped(self, name):
        self.calls.append(("skipped", name))

    def started(self, name, *, total, unit, look=None):
        self.calls.append(("started", name, total))

    def finished(self, name):
        self.calls.append(("finished", name))


@pytest.fixture
def running(make_small_run):
    root = make_small_run()
    progress = TimedProgress(root, Heard())
    with LiveView(root, progress) as view:
        yield root, progress, view


def get(view, path, **headers):
    request = urllib.request.Request(f"{view.address}{path}", headers=headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.headers, answer.read().decode()


def test_a_run_is_followed(running):
    root, progress, view = running
    progress.skipped("ingest")
    progress.started("mix", total=9, unit="shards", look=lambda: State(2, 50))
    state = json.loads(get(view, "state.json")[1])
    wanted = {"stage": "mix", "unit": "shards", "total": 9, "num_done": 2, "num_rows": 50}
    assert {name: state[name] for name in wanted} == wanted
    assert not state["over"]
    headers, html = get(view, "report.html?3")
    assert "mix: 2 of 9 shards." in html
    assert "The run goes on." in html
    assert "The numbers do not add up." not in html
    assert headers["Cache-Control"] == "no-store"
    assert 'step="kept"} 150' in get(view, "metrics")[1]
    assert "small-corpus" in get(view, "")[1]
    progress.finished("mix")
    with open(f"{root}/times.json", encoding="utf-8") as file:
        times = json.load(file)
    assert list(times) == ["mix"]
    assert times["mix"]["seconds"] >= 0


def test_the_finished_report_is_served_as_it_stands(running):
    root, progress, view = running
    progress.started("report", total=1, unit="page")
    build_report(root)
    progress.finished("report")
    assert json.loads(get(view, "state.json")[1])["over"]
    with open(f"{root}/report.html", encoding="utf-8") as file:
        assert get(view, "report.html")[1] == file.read()


def test_other_names_and_paths_are_refused(running):
    _, _, view = running
    for path, headers, code in (
        ("recipe.lock.yaml", {}, 404), ("../etc/passwd", {}, 404),
        ("state.json", {"Host": "example.org"}, 403),
    ):  # fmt: skip
        with pytest.raises(HTTPError) as refused:
            get(view, path, **headers)
        assert refused.value.code == code
    assert view.address.startswith("http://127.0.0.1:")


def test_everybody_is_told(tmp_path):
    heard = Heard()
    progress = TimedProgress(str(tmp_path), heard)
    progress.skipped("ingest")
    progress.started("mix", total=3, unit="shards")
    progress.finished("mix")
    assert heard.calls == [("skipped", "ingest"), ("started", "mix", 3), ("finished", "mix")]


def test_stages_to_come_are_left_out(make_small_run):
    root = make_small_run()
    page, metrics = growing_report(root, {"ingest"}, "deduplicate: 0 of 3 units.")
    assert b'step="train"} 0' in metrics
    assert b'step="kept"} 150' in metrics
    assert b"deduplicate: 0 of 3 units." in page
