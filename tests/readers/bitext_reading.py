"""Reading parallel text and gathering what it gives."""

import re
from dataclasses import dataclass, field

from glotmill.transforms.readers import Reject
from glotmill.transforms.readers.bitext import END, UNITS, BitextOptions, read_bitext


@dataclass
class ReadUnits:
    """All that a slice gives."""

    units: list[dict] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    batches: list = field(default_factory=list)

    @property
    def pairs(self):
        return [tuple((s["code"], s["text"]) for s in unit["segments"]) for unit in self.units]

    @property
    def texts(self):
        return [tuple(s["text"] for s in unit["segments"]) for unit in self.units]

    @property
    def reasons(self):
        return [reject.reason for reject in self.rejects]

    @property
    def offsets(self):
        return self.values("offset")

    def values(self, name):
        return [unit[name] for unit in self.units]


def read_units(paths, format, start=0, end=END, **options):
    """Read a slice and gather its batches; checks what holds for every batch."""
    paths = [str(path) for path in (paths if isinstance(paths, list | tuple) else [paths])]
    chosen = BitextOptions(**options)
    out = ReadUnits()
    for batch in read_bitext(paths, format, start, end, chosen):
        batch.records.validate(full=True)
        assert batch.records.schema.equals(UNITS)
        assert batch.records.num_rows <= chosen.max_rows
        assert batch.num_read > 0
        out.batches.append(batch)
        rows = batch.records.to_pylist()
        for row in rows:
            row["scores"] = dict(row["scores"])
            assert len(row["segments"]) >= chosen.min_segments
        out.units += rows
        out.rejects += batch.rejects
        assert all(re.fullmatch("[a-z0-9_]+", r.reason) and r.detail for r in batch.rejects)
    assert out.offsets == sorted(out.offsets)
    return out
