"""What is told of ingest while it is at work."""

from glotmill.pipelines.stages.base import Job
from glotmill.pipelines.stages.ingest import _Look, _record_path
from glotmill.schemas.lock import Lock, Unit
from glotmill.schemas.manifest import UnitRecord, dump_manifest
from glotmill.schemas.recipe import Recipe
from glotmill.transforms import storage

RECIPE = {"glotmill": 1, "name": "a", "sources": [{"name": "s", "path": "-"}]}


class Quiet:
    def skipped(self, name): ...
    def started(self, name, *, total, unit, look=None): ...
    def finished(self, name): ...


def write_record(root, key):
    record = UnitRecord(
        key=key, source="s", num_read=5, num_kept=5, num_dropped=0, num_rejected=0,
        num_input_bytes=1, num_text_bytes=1, files=(), profile={},
    )  # fmt: skip
    storage.write_atomically(_record_path(root, key), dump_manifest(record))


def test_only_units_of_the_lock_count_as_done(tmp_path):
    root = str(tmp_path)
    units = tuple(Unit(key=key, source="s", num_bytes=1, slices=()) for key in ("a", "b", "c"))
    lock = Lock(glotmill="0", recipe=Recipe.model_validate(RECIPE), inputs=(), units=units)
    for key in ("a", "old", "older"):
        write_record(root, key)
    look = _Look(Job(lock, root, lambda build, workers: None, 1, Quiet()), [1, 2])
    assert (look().num_done, look().num_rows) == (1, 0)
    write_record(root, "c")
    assert (look().num_done, look().num_rows) == (2, 5)
