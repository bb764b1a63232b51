"""Two runs into one output directory, the second while the first is at its preflight."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from flink_runs import RECIPE, events, running
from flink_servers import RunningFlink

from glotmill.pipelines.engines.job_note import read_note

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_the_second_ends_at_once_and_the_first_is_not_disturbed(
    tmp_path: Path, embedded_flink: RunningFlink
) -> None:
    out = tmp_path / "out"
    options = [*embedded_flink.options, "--workers", "1", *embedded_flink.process_workers]
    with ExitStack() as held, running(RECIPE, out, *options) as first:
        held.enter_context(embedded_flink.held_workers())
        first.wait_until(lambda: (note := read_note(str(out))) and note.job_id)
        note = read_note(str(out))
        with running(RECIPE, out, *options) as second:
            assert second.end() == 1
        assert f"{out} is in use by a run on" in second.told
        assert f"(process {first.process.pid}, " in second.told
        assert read_note(str(out)) == note
        held.close()
        assert first.end() == 0, first.told
    told = [each["event"] for each in events(out)]
    assert told[0] == "run_started"
    assert told[-1] == "run_finished"
    assert not {"run_started", "run_failed"} & set(told[1:-1])
