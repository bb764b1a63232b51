"""A stage, a filter, and factories that fail, for glotmill's entry point group."""

import pyarrow as pa


class TallyLetter:
    """Annotator that counts a letter in each text; a text with `fail_on` makes it fail."""

    name = "tally"
    reads = ("text",)

    def __init__(self, letter: str = "e", fail_on: str = "") -> None:
        self.letter = letter
        self.fail_on = fail_on
        self.ready = False

    @property
    def adds(self) -> list[pa.Field]:
        return [pa.field(f"num_{self.letter}", pa.int32())]

    def setup(self) -> None:
        self.ready = True

    def annotate(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if not self.ready:
            raise RuntimeError("setup was not called")
        texts = batch.column("text").to_pylist()
        if self.fail_on and any(self.fail_on in text for text in texts):
            raise ValueError(f"found {self.fail_on}")
        counts = pa.array([text.count(self.letter) for text in texts], pa.int32())
        return batch.append_column(self.adds[0], counts)


class RefuseWord:
    """Filter that drops texts with a word, and fails on texts with another."""

    def __init__(self, *, word: str, fail_on: str = "") -> None:
        self.word = word
        self.fail_on = fail_on
        self.ready = False

    def setup(self) -> None:
        self.ready = True

    def __call__(self, text: str) -> "str | None":
        if not self.ready:
            raise RuntimeError("setup was not called")
        if self.fail_on and self.fail_on in text:
            raise KeyError(self.fail_on)
        return f"has_{self.word}" if self.word in text else None


class BreakPromise(TallyLetter):
    """Annotator that loses rows, or forgets its column."""

    def __init__(self, *, loses_rows: bool) -> None:
        super().__init__()
        self.loses_rows = loses_rows

    def annotate(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return super().annotate(batch).slice(1) if self.loses_rows else batch


def broken() -> None:
    """A factory that fails."""
    raise OSError("no licence found")


def number() -> int:
    """A factory of something that is neither stage nor filter."""
    return 7
