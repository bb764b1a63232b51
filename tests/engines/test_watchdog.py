"""The watchdog: a sign of life within the time, or an error."""

import pytest

from glotmill.pipelines.errors import RunError
from glotmill.pipelines.progress import State
from glotmill.pipelines.watchdog import Watchdog


class World:
    """Time, reports and progress that a test moves."""

    def __init__(self) -> None:
        self.now, self.num_reports, self.num_done = 0.0, 0, 0

    def watchdog(self, **options: object) -> Watchdog:
        return Watchdog(
            seconds=30,
            num_reports=lambda: self.num_reports,
            look=lambda: State(self.num_done, 0),
            advice="look at the workers",
            clock=lambda: self.now,
        )


@pytest.fixture
def world() -> World:
    return World()


def test_silence_is_an_error_only_when_the_time_is_over(world: World) -> None:
    watchdog = world.watchdog()
    world.now = 29.9
    watchdog.check()
    world.now = 30
    with pytest.raises(RunError, match=r"within 30 s.*\nlook at the workers"):
        watchdog.check()


@pytest.mark.parametrize("sign", ["num_reports", "num_done"])
def test_one_sign_of_life_is_enough(world: World, sign: str) -> None:
    watchdog = world.watchdog()
    world.now = 20
    setattr(world, sign, 1)
    watchdog.check()
    setattr(world, sign, 0)
    world.now = 1000
    watchdog.check()


def test_what_was_done_before_is_no_sign(world: World) -> None:
    world.num_done = 7
    watchdog = world.watchdog()
    world.now = 31
    with pytest.raises(RunError):
        watchdog.check()


def test_a_folder_that_changes_while_one_looks_is_no_failure() -> None:
    def look() -> State:
        raise OSError("gone")

    now = [0.0]
    watchdog = Watchdog(
        seconds=5, num_reports=lambda: 0, look=look, advice="", clock=lambda: now[0]
    )
    watchdog.check()
    now[0] = 6
    with pytest.raises(RunError):
        watchdog.check()
