"""What a trainer's folder tells: lines of `metrics.jsonl` and `spikes.jsonl`, and those unreadable.

The forms are those that the trainer writes; see docs/trainer.md, "What a run tells".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, Protocol, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

METRICS = "metrics.jsonl"
SPIKES = "spikes.jsonl"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


#: Null where it was no number: JSON has no word for those.
Number = Annotated[float | None, AfterValidator(_finite)]


class _Record(BaseModel):
    # Later trainers may tell more.
    model_config = ConfigDict(extra="ignore", frozen=True)


class Part(_Record):
    """Loss of some tokens, in nats a token.

    Attributes:
        bits_per_byte: None where the plan does not know the bytes of the tokens.
    """

    loss: Number
    num_tokens: int
    bits_per_byte: Number = None


Parts = Mapping[str, Part]


class StepLine(_Record):
    """One step of training; `num_tokens` are all that were learned from so far."""

    kind: Literal["train"]
    step: int
    loss: Number
    learning_rate: float
    gradient_norm: Number = None
    position: int
    num_tokens: int
    tokens_per_second: Number = None
    waiting_for_data: Number = None
    mfu: Number = None
    memory_bytes: Number = None
    category: Parts
    tier: Parts


class _ByView(_Record):
    all: Parts
    category: Parts
    tier: Parts
    source: Parts
    label: Parts

    def of(self, view: str) -> Parts:
        """The parts of a view: all, category, tier, source or label."""
        parts: Parts = getattr(self, view)
        return parts


class StretchLine(_ByView):
    """Training since the last validation; `seen` counts the tokens of each label since the start.

    Attributes:
        planned: tokens of each label that the plan wants seen.
    """

    kind: Literal["train_parts"]
    step: int
    seen: Mapping[str, int]
    planned: Mapping[str, int]


class ValidationLine(_ByView):
    """The validation split after a step; `forgetting` is in nats a token, by watched category."""

    kind: Literal["validation"]
    step: int
    forgetting: Mapping[str, Number]


class SpikedDocument(_Record):
    """A document of the batch whose loss leapt, with what its token files say of it."""

    dataset: str | None = None
    category: str | None = None
    label: str | None = None
    source: str | None = None
    content_hash: str | None = None


class Spike(_Record):
    """A step whose loss lies above the limit; `step` is that of the steps done before it."""

    step: int
    position: int
    loss: Number
    limit: Number
    documents: Sequence[SpikedDocument] = ()


_Line = Annotated[StepLine | StretchLine | ValidationLine, Field(discriminator="kind")]
_LINE: TypeAdapter[StepLine | StretchLine | ValidationLine] = TypeAdapter(_Line)
_SPIKE: TypeAdapter[Spike] = TypeAdapter(Spike)
_Read = TypeVar("_Read")


class _Stepped(Protocol):
    @property
    def step(self) -> int: ...


_Of = TypeVar("_Of", bound=_Stepped)


@dataclass(frozen=True)
class Lines(Generic[_Read]):
    """The lines of a file that grows.

    Attributes:
        read: those that could be read.
        damaged: numbers of those that could not, the first line being 1.
        is_cut: whether the last one is half written; it is in neither.
    """

    read: Sequence[_Read]
    damaged: Sequence[int]
    is_cut: bool


@dataclass(frozen=True)
class Log:
    """`metrics.jsonl`, each kind of line by step."""

    steps: Sequence[StepLine]
    stretches: Sequence[StretchLine]
    validations: Sequence[ValidationLine]
    damaged: Sequence[int]
    is_cut: bool


def read_log(content: bytes) -> Log:
    """The lines of `metrics.jsonl`.

    Where a run was killed before its first checkpoint and began anew, a step stands there twice:
    the later line counts.
    """
    lines = _lines(content, _LINE)
    return Log(
        steps=_by_step(line for line in lines.read if isinstance(line, StepLine)),
        stretches=_by_step(line for line in lines.read if isinstance(line, StretchLine)),
        validations=_by_step(line for line in lines.read if isinstance(line, ValidationLine)),
        damaged=lines.damaged,
        is_cut=lines.is_cut,
    )


def read_spikes(content: bytes) -> Lines[Spike]:
    """The lines of `spikes.jsonl`, each once: a run that goes on may meet a spike again."""
    lines = _lines(content, _SPIKE)
    once = {(spike.step, spike.position, spike.loss): spike for spike in lines.read}
    return Lines(list(once.values()), lines.damaged, lines.is_cut)


def _by_step(lines: Iterable[_Of]) -> list[_Of]:
    by_step = {line.step: line for line in lines}
    return [by_step[step] for step in sorted(by_step)]


def _lines(content: bytes, adapter: TypeAdapter[Any]) -> Lines[Any]:
    *whole, rest = content.split(b"\n")
    read, damaged = [], []
    for number, line in enumerate(whole, start=1):
        try:
            read.append(adapter.validate_json(line))
        except ValidationError:
            damaged.append(number)
    return Lines(read, damaged, is_cut=bool(rest))
