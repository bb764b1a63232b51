"""What a run tells: losses by label, tier, category and source, in lines and as curves."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glotmill.schemas.training import Training
from glotmill.trainer.data import Group

METRICS = "metrics.jsonl"


class Breakdown:
    """Losses summed by group, and what they say of each label, tier, category and source.

    Bits per byte make labels comparable, as a tokenizer cuts their text into pieces of unlike
    size: loss / ln 2 * tokens / bytes, with the plan's tokens and bytes of the label.
    """

    def __init__(self, groups: Sequence[Group], training: Training) -> None:
        plans = {(each.category, each.label): each for each in training.labels}
        found = [plans.get((group.category, group.label)) for group in groups]
        sizes = ((plan.num_bytes, plan.num_tokens) if plan else (0, 0) for plan in found)
        self._bytes = np.array([size / count if count else math.nan for size, count in sizes])
        names = {
            "all": ["all"] * len(groups),
            "category": [group.category for group in groups],
            "tier": [plan.tier if plan else "" for plan in found],
            "source": [group.source for group in groups],
            "label": [group.label for group in groups],
        }
        self._views = {view: np.array(each, object) for view, each in names.items()}

    def of(
        self, losses: npt.ArrayLike, counts: npt.ArrayLike, views: Sequence[str]
    ) -> dict[str, Any]:
        """Loss, bits per byte and number of tokens of every part, by view.

        Args:
            losses: sum of each group, in nats.
            counts: tokens of each group.
            views: some of all, category, tier, source, label.
        """
        sums = np.stack([losses, counts, np.multiply(counts, self._bytes)])
        rows = np.flatnonzero(sums[1])
        return {view: _parts(self._views[view][rows], sums[:, rows]) for view in views}


def _parts(names: npt.NDArray[Any], sums: npt.NDArray[np.float64]) -> dict[str, Any]:
    known, places = np.unique(names, return_inverse=True)
    of_parts = (np.bincount(places, column, len(known)).tolist() for column in sums)
    return {name: _part(*each) for name, *each in zip(known, *of_parts, strict=True)}


def _part(loss: float, count: float, num_bytes: float) -> dict[str, float | int]:
    part: dict[str, float | int] = {"loss": loss / count, "num_tokens": int(count)}
    if math.isfinite(num_bytes) and num_bytes > 0:
        part["bits_per_byte"] = loss / math.log(2) / num_bytes
    return part


def forgetting(
    first: Mapping[str, Any], now: Mapping[str, Any], watched: Sequence[str]
) -> dict[str, float]:
    """How much worse each watched category is than at the first validation, in nats a token.

    Args:
        first: the part `category` of the first validation.
        now: of the latest.
        watched: categories; all where it is empty.

    >>> forgetting({"code": {"loss": 1.0}}, {"code": {"loss": 1.5}}, [])
    {'code': 0.5}
    """
    names = [name for name in now if name in first and (not watched or name in watched)]
    return {name: now[name]["loss"] - first[name]["loss"] for name in names}


class MetricsLog:
    """Lines of `metrics.jsonl`, and TensorBoard's files where it is installed.

    Attributes:
        is_validated: whether the step that the run goes on from was validated before.
    """

    def __init__(self, folder: Path, step: int, tensorboard: bool) -> None:
        """Opens both for a run that goes on from a step; later lines of before are taken out.

        At step 0 all are: the run validates anew before its first step.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / METRICS
        self.is_validated = _keep_until(path, step)
        self._file = path.open("a", encoding="utf-8")
        self._board = _open_board(folder / "tensorboard", step) if tensorboard else None

    def write(self, kind: str, step: int, **values: Any) -> None:
        """Add a line; numbers in it become curves."""
        line = finite({"kind": kind, "step": step, **values})
        self._file.write(json.dumps(line, allow_nan=False) + "\n")
        self._file.flush()
        if self._board is not None:
            for name, value in _numbers(kind, values):
                self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        if self._board is not None:
            self._board.close()


def finite(value: Any) -> Any:
    """The value with null for what JSON has no number for.

    >>> finite({"loss": math.inf, "step": 3})
    {'loss': None, 'step': 3}
    """
    if isinstance(value, Mapping):
        return {key: finite(each) for key, each in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a `metrics.jsonl`; those that a crash left damaged are passed over."""
    lines = (_parsed(line) for line in path.read_bytes().split(b"\n"))
    return [line for line in lines if line is not None]


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The object on a line; None where it is no line that was written whole.

    >>> _parsed(b'{"kind": "train", "step": 3}'), _parsed(b'{"kind": "tr')
    ({'kind': 'train', 'step': 3}, None)
    """
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and {"kind", "step"} <= found.keys() else None


def _keep_until(path: Path, step: int) -> bool:
    """Take later lines out; whether those that stay tell of a validation of the step."""
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    # One that is damaged says no step: it stays, and the report tells of it.
    found = [_parsed(line) or {"step": 0, "kind": ""} for line in lines]
    places = zip(lines, found, strict=True)
    kept = [line for line, at in places if step and line.endswith(b"\n") and at["step"] <= step]
    if len(kept) < len(lines):
        aside = path.with_suffix(".tmp")
        aside.write_bytes(b"".join(kept))
        aside.rename(path)
    # What is written last of a validation.
    return step > 0 and any((at["step"], at["kind"]) == (step, "train_parts") for at in found)


def _open_board(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step and step + 1)


def _numbers(name: str, values: Mapping[str, Any]) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            found += _numbers(f"{name}/{key}", value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found.append((f"{name}/{key}", value))
    return found
