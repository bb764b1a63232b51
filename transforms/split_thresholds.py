"""Thresholds: the largest draw that is held out of each category and label, for `split`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import apache_beam as beam
import numpy as np
import orjson
import pyarrow as pa
from apache_beam import typehints

from glotmill.transforms.gather import ToList
from glotmill.transforms.plan import Group
from glotmill.transforms.records import write_record
from glotmill.transforms.split import BITEXT, FOLDER, NEVER, PATH, Draws, SplitRule
from glotmill.transforms.tables import write_file
from glotmill.transforms.unit_index import UnitIndex, read_manifest

#: Category, label, and whether the pairs may not be trained on.
Part = tuple[str, str, bool]


def smallest(draws: Draws, k: int) -> Draws:
    """The k smallest, sorted; all of them where there are fewer."""
    return np.sort(draws)[:k]


class _Wanted:
    """How many documents of each part are held out."""

    def __init__(self, wanted: Mapping[Group, int], max_zero_shot: int) -> None:
        self._wanted = dict(wanted)
        self._max_zero_shot = max_zero_shot

    def __call__(self, part: Part) -> int:
        category, label, zero_shot = part
        return self._max_zero_shot if zero_shot else self._wanted.get((category, label), 0)

    def any_of(self, category: str) -> bool:
        """Whether something of a category is held out."""
        of_category = (n for group, n in self._wanted.items() if group[0] == category)
        return any(of_category) or (category == BITEXT and self._max_zero_shot > 0)

    @property
    def most(self) -> int:
        """Of any part."""
        return max([*self._wanted.values(), self._max_zero_shot])


@typehints.with_input_types(int)
@typehints.with_output_types(tuple[Part, bytes])
class _SmallestOfUnit(beam.DoFn):
    def __init__(self, root: str, wanted: _Wanted, rule: SplitRule) -> None:
        self._root = root
        self._wanted = wanted
        self._rule = rule

    def setup(self) -> None:
        self._index = UnitIndex(self._root, read_manifest(self._root, "deduplicate"))

    def process(self, ordinal: int) -> Iterator[tuple[Part, bytes]]:
        unit = self._index.units[ordinal]
        if not self._wanted.any_of(unit.category):
            return
        found: dict[Part, Draws] = {}
        for batch, _ in self._index.surviving(unit, self._rule.columns(unit.category)):
            for part, draws in self._parts(unit.category, batch):
                before = found.get(part, draws[:0])
                found[part] = smallest(np.append(before, draws), self._wanted(part))
        for part, draws in sorted(found.items(), key=lambda each: each[0]):
            if len(draws):
                yield part, draws.tobytes()

    def _parts(self, category: str, batch: pa.RecordBatch) -> Iterator[tuple[Part, Draws]]:
        """The draws of a batch by part, of parts of which some are wanted."""
        encoded = batch.column("label").dictionary_encode()
        codes = np.asarray(encoded.indices) * 2 + self._rule.zero_shot(category, batch)
        draws = self._rule.draws(category, batch)
        for code in np.unique(codes).tolist():
            part = (category, encoded.dictionary[code // 2].as_py(), bool(code % 2))
            if self._wanted(part):
                of_part = draws[codes == code]
                yield part, of_part[of_part != NEVER]


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


@typehints.with_input_types(tuple[Part, bytes])
@typehints.with_output_types(list[tuple[Part, bytes]])
class _PartsToList(ToList):
    """Gathers the draws of parts."""


@typehints.with_input_types(list[tuple[Part, bytes]])
@typehints.with_output_types(str)
class _WriteThresholds(beam.DoFn):
    def __init__(self, root: str, wanted: _Wanted, rule: SplitRule) -> None:
        self._root = root
        self._wanted = wanted
        self._rule = rule

    def process(self, found: list[tuple[Part, bytes]]) -> Iterator[str]:
        rows = []
        for part, packed in sorted(found):
            draws = np.frombuffer(packed, np.int64)[: self._wanted(part)]
            rows.append([*part, int(draws[-1])])
        content = orjson.dumps(
            {"rule": self._rule.parts, "thresholds": rows}, option=orjson.OPT_INDENT_2
        )
        entry = write_file(self._root, PATH, content, len(rows))
        yield write_record(self._root, FOLDER, "split", [entry])


@typehints.with_input_types(int)
@typehints.with_output_types(str)
class FindThresholds(beam.PTransform):
    """Ordinals of units to one file with the rule and its thresholds."""

    def __init__(
        self,
        root: str,
        wanted: Mapping[Group, int],
        rule: SplitRule,
        *,
        max_zero_shot: int = 0,
    ) -> None:
        """Takes what there is to know.

        Args:
            root: the output directory.
            wanted: how many documents, or pairs, each category and label holds out.
            rule: what ranks them.
            max_zero_shot: how many pairs of a label are held out of those that may not be trained
                on.
        """
        super().__init__()
        self._root = root
        self._wanted = _Wanted(wanted, max_zero_shot)
        self._rule = rule

    def expand(self, ordinals: beam.PCollection) -> beam.PCollection:
        """Takes the smallest draws of each unit, then of each part."""
        combine = beam.CombinePerKey(_Smallest(self._wanted.most))
        write = _WriteThresholds(self._root, self._wanted, self._rule)
        return (
            ordinals
            | "SmallestOfUnit" >> beam.ParDo(_SmallestOfUnit(self._root, self._wanted, self._rule))
            | "SmallestOfPart" >> combine.with_output_types(tuple[Part, bytes])
            | "Gather" >> beam.CombineGlobally(_PartsToList())
            | "WriteThresholds" >> beam.ParDo(write)
        )
