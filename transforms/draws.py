"""Draws: every choice by chance is a hash of the seed and the content, never a generator.

So a document has the same fate in every run, on every engine, in every order; and a source that
is added neither redraws nor reshuffles the others.
"""

from __future__ import annotations

import xxhash

# Keeps the choices apart: what is held out tells nothing of what is drawn or where it stands.
_SPLIT, _SAMPLE, _ORDER, _DIRECTION = b"split", b"sample", b"order", b"direction"

#: Draws are integers in [0, DRAWS): 63 bits, as Beam's integers are signed.
DRAWS = 1 << 63


def _draw(seed: int, content_hash: bytes, purpose: bytes) -> int:
    return int(xxhash.xxh3_64_intdigest(content_hash + purpose, seed)) >> 1


def split_draw(seed: int, content_hash: bytes) -> int:
    """Rank of a document for the validation split: the smallest of a label are held out."""
    return _draw(seed, content_hash, _SPLIT)


def sample_draw(seed: int, content_hash: bytes) -> int:
    """Rank of a document among those that may be drawn: the smallest are drawn first."""
    return _draw(seed, content_hash, _SAMPLE)


def order_draw(seed: int, content_hash: bytes, copy: int) -> int:
    """Place of a copy of a document in the shuffled corpus."""
    return _draw(seed, content_hash, _ORDER + copy.to_bytes(4, "little"))


def direction_draw(seed: int, content_hash: bytes) -> int:
    """Which way round a document of pairs is written."""
    return _draw(seed, content_hash, _DIRECTION)


def partition_of(draw: int, num_partitions: int) -> int:
    """Which of equal ranges a draw falls into; in [0, num_partitions).

    >>> partition_of(0, 4), partition_of(DRAWS - 1, 4)
    (0, 3)
    """
    return draw * num_partitions >> 63
