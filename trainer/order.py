"""The global order of training samples: a function of the seed and the position, and nothing else.

Sample k of a run is a dataset and an ordinal within it; which, neither ranks, workers, batch sizes
nor what was read before can change. Nothing is built or kept: any position is computed directly.

* *Which dataset.* Sample n of a dataset with share w stands at time (n + u) / w, where u in [0, 1)
  is a hash of the seed and the dataset's name; samples are taken by time. After k samples a
  dataset of D has given w * k of them, give or take D * w + 1.
* *Which sequence.* The tokens of a dataset, end to end and closed to a ring, are cut into
  N // length sequences, from another start in every epoch; a permutation keyed by seed, name and
  epoch says in which order they are taken. The documents themselves lie shuffled in the shards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

Integers = npt.NDArray[np.int64]
_Keys = npt.NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ROUNDS = np.arange(1, 5, dtype=np.uint64) * _GOLDEN
_NO_END = 2**63  # of the last stage


def mix(values: _Keys) -> _Keys:
    """A hash of 64-bit integers: the finaliser of splitmix64 (Steele et al., OOPSLA 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def permute(indices: Integers, sizes: Integers, keys: _Keys) -> Integers:
    """Where permutations send indices: a Feistel network, walked until it is back in range.

    Args:
        indices: each in [0, its size).
        sizes: of the permuted range, one an index.
        keys: which permutation, one an index.

    >>> sorted(permute(np.arange(5), np.full(5, 5), np.full(5, 7, np.uint64)).tolist())
    [0, 1, 2, 3, 4]
    """
    bits = np.frexp(np.maximum(sizes - 1, 1).astype(np.float64))[1]
    half = ((bits + 1) // 2).astype(np.uint64)
    result = _feistel(indices.astype(np.uint64), half, keys)
    while (outside := result >= sizes.astype(np.uint64)).any():
        result[outside] = _feistel(result[outside], half[outside], keys[outside])
    return result.astype(np.int64)


def _feistel(values: _Keys, half: _Keys, keys: _Keys) -> _Keys:
    mask = (np.uint64(1) << half) - np.uint64(1)
    left, right = values >> half, values & mask
    for constant in _ROUNDS:
        hashed = mix(right + keys + constant)
        left, right = right, left ^ (hashed & mask)
    return (left << half) | right


def keys_of(names: Sequence[str], seed: int, purpose: str) -> _Keys:
    """A key for each name: what is chosen for one dataset does not hang on the others."""
    hashes = [xxhash.xxh3_64_intdigest(f"{purpose}/{name}".encode(), seed) for name in names]
    return np.array(hashes, np.uint64)


class Blend:
    """Datasets taken in turn, each by its share of the samples."""

    def __init__(self, names: Sequence[str], weights: Mapping[str, float], seed: int) -> None:
        shares = np.array([weights.get(name, 0.0) for name in names])
        self._taken = np.flatnonzero(shares)
        self._shares = shares[self._taken] / shares.sum()
        phases = keys_of(names, seed, "phase") >> np.uint64(11)
        self._phases = phases[self._taken] / 2.0**53
        self._num_datasets = len(names)

    def samples(self, position: int, count: int) -> tuple[Integers, Integers]:
        """Samples `position` to `position + count`: the dataset of each, and its ordinal there."""
        first, datasets, ordinals = self._window(position, count)
        chosen = slice(position - first, position - first + count)
        return self._taken[datasets[chosen]], ordinals[chosen]

    def before(self, position: int) -> Integers:
        """How many of the first `position` samples are of each dataset."""
        first, datasets, ordinals = self._window(position, 0)
        counts = np.zeros(self._num_datasets, np.int64)
        early = position - first
        # The first of a dataset from here on has as many before it as its ordinal says.
        taken, where = np.unique(datasets[early:], return_index=True)
        counts[self._taken[taken]] = ordinals[early:][where]
        return counts

    def _window(self, position: int, count: int) -> tuple[int, Integers, Integers]:
        """Samples by time that hold those asked for, and the position of the first of them.

        Between w t - u and w t - u + 1 samples of a dataset stand before time t, so of all
        datasets D between t - D and t + D; every dataset is in the window at least once.
        """
        margin = len(self._shares) + 1
        start = self._count(max(0.0, position - margin))
        stop = self._count(float(position + count + margin)) + 1
        datasets = np.repeat(np.arange(len(start)), stop - start)
        skipped = np.cumsum(stop - start) - (stop - start)
        ordinals = np.arange(len(datasets)) - skipped[datasets] + start[datasets]
        order = np.lexsort((datasets, self._time(datasets, ordinals)))
        return int(start.sum()), datasets[order], ordinals[order]

    def _count(self, time: float) -> Integers:
        """How many samples of each dataset stand before a time, by the times as computed."""
        every = np.arange(len(self._shares))
        counts = np.maximum(np.ceil(time * self._shares - self._phases), 0).astype(np.int64)
        counts -= (counts > 0) & (self._time(every, counts - 1) >= time)
        counts += self._time(every, counts) < time
        return counts

    def _time(self, datasets: Integers, ordinals: Integers) -> npt.NDArray[np.float64]:
        return (ordinals + self._phases[datasets]) / self._shares[datasets]


class SampleOrder:
    """The samples of a run, stage after stage.

    Attributes:
        identity: what the order is a function of, as JSON gives it back.
    """

    def __init__(
        self,
        names: Sequence[str],
        num_tokens: Sequence[int],
        stages: Sequence[tuple[int, Mapping[str, float]]],
        sequence_length: int,
        seed: int,
    ) -> None:
        """Takes what the order is a function of.

        Args:
            names: of the training datasets.
            num_tokens: of each.
            stages: where each stage begins, in samples, and its weights; the first begins at 0.
            sequence_length: tokens of a sample.
            seed: of the run.
        """
        self.identity: dict[str, Any] = {
            "seed": seed,
            "sequence_length": sequence_length,
            "datasets": [list(each) for each in zip(names, num_tokens, strict=True)],
            "stages": [[start, dict(weights)] for start, weights in stages],
        }
        self._num_tokens = np.array(num_tokens, np.int64)
        self._num_sequences = np.maximum(1, self._num_tokens // sequence_length)
        self._length = sequence_length
        self._keys = keys_of(names, seed, "sequence")
        starts = [start for start, _ in stages]
        blends = [Blend(names, weights, seed) for _, weights in stages]
        self._stages = list(zip(starts, [*starts[1:], _NO_END], blends, strict=True))
        self._earlier = [self.before(start) for start in starts]

    def samples(self, position: int, count: int) -> tuple[Integers, Integers]:
        """The dataset of each sample from `position` on, and where in its ring it starts."""
        parts = []
        for (start, end, blend), earlier in zip(self._stages, self._earlier, strict=True):
            first, last = max(position, start), min(position + count, end)
            if first < last:
                datasets, ordinals = blend.samples(first - start, last - first)
                parts.append((datasets, ordinals + earlier[datasets]))
        datasets, ordinals = (np.concatenate(column) for column in zip(*parts, strict=True))
        return datasets, self._offsets(datasets, ordinals)

    def before(self, position: int) -> Integers:
        """How many of the first `position` samples are of each dataset."""
        counts = np.zeros(len(self._num_tokens), np.int64)
        for start, end, blend in self._stages:
            counts += blend.before(max(0, min(position, end) - start))
        return counts

    def _offsets(self, datasets: Integers, ordinals: Integers) -> Integers:
        sizes, rings = self._num_sequences[datasets], self._num_tokens[datasets]
        epochs, indices = np.divmod(ordinals, sizes)
        keys = mix(self._keys[datasets] + epochs.astype(np.uint64) * _GOLDEN)
        shifts = (mix(keys) >> np.uint64(1)).astype(np.int64) % rings
        return (permute(indices, sizes, keys) * self._length + shifts) % rings
