"""Two runs in one output directory: the second is told, and a killed one keeps nobody out."""

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from glotmill.pipelines import lock_directory
from glotmill.pipelines.errors import RunError
from glotmill.pipelines.lock_directory import LOCK_FILE, hold_directory, refuse_if_held

HOLD = """
import sys, time
from glotmill.pipelines.lock_directory import hold_directory
with hold_directory(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def root(tmp_path: Path) -> str:
    return f"{tmp_path}/out"


def hold_elsewhere(root: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, root], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def quicken(monkeypatch: pytest.MonkeyPatch, renewed: float, stale: float) -> None:
    monkeypatch.setattr(lock_directory, "RENEWED_SECONDS", renewed)
    monkeypatch.setattr(lock_directory, "STALE_SECONDS", stale)


def pretend(root: str, **changes: object) -> None:
    """Makes the lock one of another machine."""
    path = Path(root) / LOCK_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_the_lock_is_gone_with_the_run(root: str) -> None:
    for _ in range(2):
        with hold_directory(root) as held:
            assert LOCK_FILE in os.listdir(root)
            held.check()
        assert os.listdir(root) == []


def test_a_second_run_is_told_who_is_at_work_and_what_to_do(root: str) -> None:
    process = hold_elsewhere(root)
    try:
        with pytest.raises(RunError) as caught, hold_directory(root):
            pass
        with pytest.raises(RunError, match="is in use by a run on"):
            refuse_if_held(root, print)
    finally:
        process.kill()
        process.wait()
    message = str(caught.value)
    assert f"{root} is in use by a run on {os.uname().nodename} (process {process.pid}, " in message
    assert "name another --out" in message
    assert f"delete {root}/{LOCK_FILE}" in message


def test_the_lock_of_a_killed_run_is_taken_over_at_once(root: str) -> None:
    process = hold_elsewhere(root)
    process.kill()
    process.wait()
    told: list[str] = []
    refuse_if_held(root, told.append)
    assert told[0].endswith("which is gone; it is taken over")
    began = time.monotonic()
    with hold_directory(root) as held:
        held.check()
    assert time.monotonic() - began < 2


def test_a_process_that_took_the_number_of_a_dead_one_is_not_the_holder(root: str) -> None:
    with hold_directory(root):
        pretend(root, born="17")  # same number, another birth
        with hold_directory(root) as second:
            second.check()


def test_a_run_elsewhere_that_lives_is_let_alone(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hold_directory(root):
        pretend(root, machine="another", host="far")
        with pytest.raises(RunError, match="a run on far"), hold_directory(root):
            pass


def test_a_run_elsewhere_that_no_longer_renews_is_taken_over(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hold_directory(root):
        pretend(root, machine="another", renewed=time.time() - 301)
        quicken(monkeypatch, 0.1, 300)
        with hold_directory(root) as second:
            second.check()


def test_a_clock_that_is_wrong_does_not_make_a_lock_stale(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hold_directory(root):
        pretend(root, machine="another", renewed=time.time() - 3_000)
        quicken(monkeypatch, 0.2, 300)
        renewing = threading.Timer(
            0.1, pretend, (root,), {"machine": "another", "renewed": time.time() - 2_990}
        )
        renewing.start()
        with pytest.raises(RunError, match="is in use"), hold_directory(root):
            pass
        renewing.join()


def test_a_run_that_lost_its_lock_marks_nothing_as_complete(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quicken(monkeypatch, 0.05, 300)
    done: list[int] = []
    with hold_directory(root) as held:
        work = held.guarded(done.append)
        work(1)
        pretend(root, run="other", host="far")
        with pytest.raises(RunError, match=r"was taken over by a run on far .* nothing more is"):
            work(2)
        time.sleep(0.2)  # renewals do not take it back
        with pytest.raises(RunError, match="was taken over"):
            held.check()
    assert done == [1, 2]
    assert json.loads((Path(root) / LOCK_FILE).read_text())["run"] == "other"


def test_a_lock_is_renewed(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch, 0.05, 300)
    with hold_directory(root) as held:
        first = json.loads((Path(root) / LOCK_FILE).read_text())
        time.sleep(0.3)
        second = json.loads((Path(root) / LOCK_FILE).read_text())
        held.check()
    assert second["renewed"] > first["renewed"]
    assert second["run"] == first["run"]


def test_of_many_that_find_a_stale_lock_one_gets_it(root: str) -> None:
    with hold_directory(root):
        pretend(root, born="17")
        stale = (Path(root) / LOCK_FILE).read_text()
    Path(root, LOCK_FILE).write_text(stale)
    won: list[object] = []
    barrier = threading.Barrier(6)

    def attempt() -> None:
        barrier.wait()
        with suppress(RunError):
            won.append(lock_directory._take(root))

    threads = [threading.Thread(target=attempt) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    won[0].release()  # type: ignore[attr-defined]


def test_a_lock_that_cannot_be_read_is_watched_and_taken_over(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.makedirs(root)
    (Path(root) / LOCK_FILE).write_text("{")
    quicken(monkeypatch, 0.05, 300)
    with hold_directory(root) as held:
        held.check()
