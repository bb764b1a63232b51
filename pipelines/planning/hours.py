"""Hours and prices: CPU seconds of each stage, and what they are on each engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from glotmill.pipelines.planning import measured

#: Sizes of clusters that are shown where the user names none: slots, and machines.
FLINK_SLOTS = (16, 64, 256)
DATAFLOW_MACHINES = (4, 16, 64)


@dataclass(frozen=True, kw_only=True)
class Work:
    """What there is to do.

    Attributes:
        ingest_seconds: of CPU; None where nothing tells.
        ingest_error: half the width of its interval; None where no error can be given.
        num_documents: that ingest keeps.
        num_bytes: of text that ingest keeps.
        token_seconds: of CPU to tokenize what may be drawn.
        drawn_bytes: of text in all shards.
        drawn_tokens: in all token files.
        near: whether near duplicates are removed.
    """

    ingest_seconds: float | None
    ingest_error: float | None
    num_documents: float
    num_bytes: float
    token_seconds: float
    drawn_bytes: float
    drawn_tokens: float
    near: bool


@dataclass(frozen=True)
class StageHours:
    """A stage and its CPU.

    Attributes:
        name: of the stage.
        seconds: of CPU, over all workers.
        error: half the width of an interval of 95%; None where no error can be given.
        told_by: where the figure is from.
    """

    name: str
    seconds: float
    error: float | None
    told_by: str

    @property
    def hours(self) -> float:
        """Worker hours: hours of one core."""
        return self.seconds / 3600


@dataclass(frozen=True)
class EngineHours:
    """A run on an engine of some size.

    Attributes:
        engine: local, Flink or Dataflow.
        size: processes, slots or machines.
        unit: what the size counts.
        wall_seconds: from start to end, with what it takes to start jobs.
        price: in USD, or in the currency of the price that the user names; None without one.
        priced: what the price is made of.
    """

    engine: str
    size: int
    unit: str
    wall_seconds: float
    price: float | None
    priced: str

    @property
    def wall_hours(self) -> float:
        """From start to end."""
        return self.wall_seconds / 3600


def stage_hours(work: Work, ingest_told_by: str) -> list[StageHours]:
    """CPU of each stage.

    Args:
        work: what there is to do.
        ingest_told_by: where the figure for ingest is from.
    """
    if work.ingest_seconds is None:
        return []
    near = measured.NEAR_SECONDS_PER_DOCUMENT if work.near else 0.0
    compare = work.num_documents * (measured.EXACT_SECONDS_PER_DOCUMENT + near)
    compose = work.num_bytes * measured.COMPOSE_SECONDS_PER_BYTE + work.token_seconds
    mix = work.drawn_bytes * measured.MIX_SECONDS_PER_BYTE
    mix += work.drawn_tokens * measured.MIX_SECONDS_PER_TOKEN
    by_page = "measured before, docs/performance.md"
    by_near = f"{by_page} and docs/near-duplicates.md" if work.near else by_page
    return [
        StageHours("ingest", work.ingest_seconds, work.ingest_error, ingest_told_by),
        StageHours("deduplicate", compare, None, by_near),
        StageHours("compose", compose, None, by_page),
        StageHours("mix", mix, None, by_page),
        StageHours("report", measured.REPORT_SECONDS, None, by_page),
    ]


def shuffled_bytes(work: Work) -> float:
    """Bytes that deduplication sends through an engine's shuffle."""
    each = measured.EXACT_SHUFFLED_PER_DOCUMENT
    each += measured.NEAR_SHUFFLED_PER_DOCUMENT if work.near else 0
    return work.num_documents * each


def engine_hours(
    stages: Sequence[StageHours],
    shuffled: float,
    *,
    num_cores: int,
    workers: int | None = None,
    core_hour: float | None = None,
) -> list[EngineHours]:
    """Wall time and price on each engine.

    Args:
        stages: with their CPU.
        shuffled: bytes.
        num_cores: of this machine.
        workers: processes, slots and machines that the user wants; None shows some sizes.
        core_hour: what an hour of one core costs the user, here and on Flink.
    """
    if not stages:
        return []
    seconds = sum(stage.seconds for stage in stages)
    rows = [_local(seconds, workers or num_cores, core_hour)]
    rows += _flink(seconds, (workers,) if workers else FLINK_SLOTS, core_hour)
    rows += _dataflow(seconds, shuffled, (workers,) if workers else DATAFLOW_MACHINES)
    return rows


def _local(seconds: float, processes: int, core_hour: float | None) -> EngineHours:
    efficiency = measured.LOCAL_EFFICIENCY if processes > 1 else 1.0
    wall = seconds / (processes * efficiency) + measured.LOCAL_START_SECONDS
    price = None if core_hour is None else core_hour * processes * wall / 3600
    return EngineHours("local", processes, "processes", wall, price, _own_price(core_hour))


def _flink(seconds: float, sizes: Sequence[int], core_hour: float | None) -> Iterator[EngineHours]:
    for slots in sizes:
        wall = seconds / slots + measured.NUM_JOBS * measured.FLINK_SECONDS_PER_JOB
        price = None if core_hour is None else core_hour * slots * wall / 3600
        yield EngineHours("Flink", slots, "slots", wall, price, _own_price(core_hour))


def _own_price(core_hour: float | None) -> str:
    return "" if core_hour is None else f"{core_hour:g} a core hour, for all of the time"


def _dataflow(seconds: float, shuffled: float, sizes: Sequence[int]) -> Iterator[EngineHours]:
    vcpu_hours = seconds * measured.VCPU_PER_CORE / 3600
    hour = measured.USD_PER_VCPU_HOUR + measured.DATAFLOW_GB_PER_VCPU * measured.USD_PER_GB_HOUR
    price = vcpu_hours * hour + shuffled / 1e9 * measured.USD_PER_GB_SHUFFLED
    cores = measured.DATAFLOW_VCPU_PER_MACHINE / measured.VCPU_PER_CORE
    told = f"{vcpu_hours:,.3g} vCPU-hours, {shuffled / 1e9:,.3g} GB of shuffle"
    for machines in sizes:
        wall = seconds / (machines * cores)
        wall += measured.NUM_JOBS * measured.DATAFLOW_SECONDS_PER_JOB
        yield EngineHours("Dataflow", machines, "machines of 8 vCPU", wall, price, told)
