"""Reading a slice and gathering what it gives."""

from dataclasses import dataclass, field

from glotmill.transforms.readers import ReadOptions, Reject, read_slice

END = 1 << 60


@dataclass
class Read:
    """All that a slice gives."""

    texts: list[str] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    extra: dict[str, list[str | None]] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    batches: list = field(default_factory=list)

    @property
    def reasons(self):
        return [reject.reason for reject in self.rejects]

    @property
    def num_read(self):
        return sum(batch.num_read for batch in self.batches)


def read(path, format="text", start=0, end=END, **options):
    """Read a slice and gather its batches; checks what holds for every batch."""
    options = ReadOptions(**options)
    out = Read(extra={name: [] for name in options.extra_columns})
    for batch in read_slice(str(path), format, start, end, options):
        batch.records.validate(full=True)
        assert batch.records.schema.equals(options.schema)
        assert batch.records.num_rows <= options.max_rows
        assert batch.num_read > 0
        out.batches.append(batch)
        out.texts += batch.records.column("text").to_pylist()
        out.offsets += batch.records.column("offset").to_pylist()
        for name in options.extra_columns:
            out.extra[name] += batch.records.column(name).to_pylist()
        out.rejects += batch.rejects
    assert out.num_read == len(out.texts) + len(out.rejects)
    assert out.offsets == sorted(out.offsets)
    return out
