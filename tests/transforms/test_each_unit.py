"""Each unit: the same files from the engine and from this process."""

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to

from glotmill.pipelines.engine import run_locally
from glotmill.pipelines.stages.base import Job
from glotmill.transforms.each_unit import EachUnit, do_directly


class Square:
    """Writes the square of an ordinal."""

    def __init__(self, folder):
        self._folder = folder
        self._power = None

    def setup(self):
        self._power = int((self._folder / "power").read_text())

    def __call__(self, ordinal):
        path = self._folder / f"{ordinal}.txt"
        path.write_text(str(ordinal**self._power))
        return str(path)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "power").write_text("2")
    return tmp_path


def written(folder):
    return {int(path.stem): int(path.read_text()) for path in folder.glob("*.txt")}


def on_the_engine(work, ordinals):
    paths = [str(work._folder / f"{ordinal}.txt") for ordinal in ordinals]
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        found = pipeline | beam.Create(ordinals, reshuffle=False) | EachUnit(work)
        assert_that(found, equal_to(paths))


@pytest.mark.parametrize("do", [do_directly, on_the_engine])
@pytest.mark.parametrize("ordinals", [[], [3], [0, 1, 2, 7]])
def test_the_work_is_set_up_and_done_on_each(folder, do, ordinals):
    do(Square(folder), ordinals)
    assert written(folder) == {ordinal: ordinal**2 for ordinal in ordinals}


def test_types_are_declared(folder):
    pipeline = beam.Pipeline(runner=FnApiRunner())
    found = pipeline | beam.Create([1], reshuffle=False) | EachUnit(Square(folder))
    assert found.element_type is str


@pytest.mark.parametrize(("size", "engines"), [(0, 0), (99, 0), (100, 1), (10**9, 1)])
def test_the_engine_is_started_where_the_work_is_worth_it(folder, size, engines):
    """A tenth of what is worth a worker; either way the same files are written."""
    started = []

    def engine(build, workers):
        started.append(workers)
        run_locally(build, workers)

    job = Job(None, str(folder), engine, 1, None)
    job.each_unit(Square(folder), range(3), size, size_worth_a_worker=1_000)
    assert written(folder) == {0: 0, 1: 1, 2: 4}
    assert started == [1] * engines


@pytest.mark.parametrize(
    ("wanted", "pieces", "size", "expected"),
    [(None, 9, 0, 1), (4, 9, 0, 4), (4, 3, 10**9, 3), (None, 1, 10**9, 1), (2, 0, 10, 1)],
)
def test_workers_are_as_many_as_are_wanted_and_no_more_than_pieces(wanted, pieces, size, expected):
    job = Job(None, "", run_locally, wanted, None)
    assert job.workers_for(pieces, size, 1_000) == expected
