"""Units of the lock as a table: each is found as it is in the lock."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from glotmill.schemas.lock import Companion, Unit, UnitSlice
from glotmill.transforms.lock_units import UnitTable, write_units


def slice_of(number: int, companions: tuple[Companion, ...] = ()) -> UnitSlice:
    return UnitSlice(
        path=f"gs://corpora/text/{number:05}.jsonl.zst",
        name=f"text/{number:05}.jsonl.zst",
        format="moses" if companions else "jsonl",
        checksum=f"{number:016x}",
        start=number << 40,
        end=number + 1 << 40,
        companions=companions,
    )


def units_of(num: int) -> list[Unit]:
    beside = Companion(path="gs://b/a.de", name="a.de", checksum="")
    kinds = [(), (slice_of(0), slice_of(1)), (slice_of(2, (beside, beside)), slice_of(3))]
    return [
        Unit(key=f"{number:032x}", source="a", num_bytes=number << 40, slices=kinds[number % 3])
        for number in range(num)
    ]


@pytest.mark.parametrize("num", [1, 499, 500, 501, 1_700])
def test_each_unit_is_found_by_its_ordinal(tmp_path: Path, num: int) -> None:
    path, units = f"{tmp_path}/new/units.parquet", units_of(num)
    write_units(path, units)
    table = UnitTable(path)
    for ordinal in {0, 1, num // 2, num - 2, num - 1} & set(range(num)):
        assert table.unit(ordinal) == units[ordinal]


def test_one_unit_is_looked_up_without_unpacking_all(tmp_path: Path) -> None:
    path = f"{tmp_path}/units.parquet"
    write_units(path, units_of(3_000))
    metadata = pq.ParquetFile(path).metadata
    assert metadata.num_row_groups == 6
    assert metadata.num_rows == 3_000
