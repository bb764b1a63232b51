"""Split: the thresholds under which a document's split draw puts it into validation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from apache_beam import typehints

from glotmill.transforms.draws import split_draw
from glotmill.transforms.plan import Group
from glotmill.transforms.tables import read_table, write_table
from glotmill.transforms.unit_index import UnitIndex, read_manifest

THRESHOLDS = "mix/thresholds.parquet"
_SCHEMA = pa.schema(
    [
        pa.field("category", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("threshold", pa.int64(), nullable=False),
    ]
)

Draws = npt.NDArray[np.int64]


def smallest(draws: Draws, k: int) -> Draws:
    """The k smallest, sorted; all of them where there are fewer."""
    return np.sort(draws)[:k]


@typehints.with_input_types(int)
@typehints.with_output_types(tuple[tuple[str, str], bytes])
class _SmallestOfUnit(beam.DoFn):
    def __init__(self, root: str, wanted: Mapping[Group, int], seed: int) -> None:
        self._root = root
        self._wanted = dict(wanted)
        self._seed = seed

    def setup(self) -> None:
        self._index = UnitIndex(self._root, read_manifest(self._root, "deduplicate"))

    def process(self, ordinal: int) -> Iterator[tuple[Group, bytes]]:
        unit = self._index.units[ordinal]
        found: dict[Group, list[int]] = {}
        for batch, _ in self._index.surviving(unit, ["content_hash", "label"]):
            columns = (batch.column(name).to_pylist() for name in ("label", "content_hash"))
            for label, content in zip(*columns, strict=True):
                if self._wanted.get((unit.category, label)):
                    draws = found.setdefault((unit.category, label), [])
                    draws.append(split_draw(self._seed, content))
        for group, draws in sorted(found.items()):
            yield group, smallest(np.array(draws, np.int64), self._wanted[group]).tobytes()


@typehints.with_input_types(bytes)
@typehints.with_output_types(bytes)
class _Smallest(beam.CombineFn):
    """Keeps the smallest draws of a group, `num_kept` at most; packed as bytes."""

    def __init__(self, num_kept: int) -> None:
        self._num_kept = num_kept

    def create_accumulator(self) -> bytes:
        return b""

    def add_input(self, accumulator: bytes, element: bytes) -> bytes:
        return self.merge_accumulators([accumulator, element])

    def merge_accumulators(self, accumulators: Iterable[bytes]) -> bytes:
        draws = np.frombuffer(b"".join(accumulators), np.int64)
        return smallest(draws, self._num_kept).tobytes()

    def extract_output(self, accumulator: bytes) -> bytes:
        return accumulator


@typehints.with_input_types(tuple[int, Iterable[tuple[tuple[str, str], bytes]]])
@typehints.with_output_types(str)
class _WriteThresholds(beam.DoFn):
    def __init__(self, root: str, wanted: Mapping[Group, int]) -> None:
        self._root = root
        self._wanted = dict(wanted)

    def process(self, element: tuple[int, Iterable[tuple[Group, bytes]]]) -> Iterator[str]:
        rows = []
        for (category, label), packed in sorted(element[1]):
            draws = np.frombuffer(packed, np.int64)[: self._wanted[category, label]]
            rows.append({"category": category, "label": label, "threshold": int(draws[-1])})
        yield write_table(self._root, THRESHOLDS, pa.Table.from_pylist(rows, _SCHEMA)).path


def _to_one(element: tuple[Group, bytes]) -> tuple[int, tuple[Group, bytes]]:
    return 0, element


@typehints.with_input_types(int)
@typehints.with_output_types(str)
class FindThresholds(beam.PTransform):
    """Ordinals of units to one table of thresholds."""

    def __init__(self, root: str, wanted: Mapping[Group, int], seed: int) -> None:
        """Takes the output directory, how many each group holds out, and the seed."""
        super().__init__()
        self._root = root
        self._wanted = wanted
        self._seed = seed

    def expand(self, ordinals: beam.PCollection) -> beam.PCollection:
        """Takes the smallest draws of each unit, then of each group."""
        num_kept = max(self._wanted.values(), default=0)
        one = beam.Map(_to_one).with_output_types(tuple[int, tuple[tuple[str, str], bytes]])
        return (
            ordinals
            | "SmallestOfUnit" >> beam.ParDo(_SmallestOfUnit(self._root, self._wanted, self._seed))
            | "SmallestOfGroup"
            >> beam.CombinePerKey(_Smallest(num_kept)).with_output_types(
                tuple[tuple[str, str], bytes]
            )
            | "ToOne" >> one
            | "Gather" >> beam.GroupByKey()
            | "WriteThresholds" >> beam.ParDo(_WriteThresholds(self._root, self._wanted))
        )


def read_thresholds(root: str) -> dict[Group, int]:
    """The thresholds that `FindThresholds` wrote."""
    rows = read_table(f"{root}/{THRESHOLDS}").to_pylist()
    return {(row["category"], row["label"]): row["threshold"] for row in rows}
