"""Segments: the sides of a pair, out of its one text."""

from __future__ import annotations

from collections.abc import Sequence


def cut_segments(text: str, lengths: Sequence[int]) -> tuple[str, ...]:
    r"""The segments of a pair's text.

    Args:
        text: the segments with a line feed between them.
        lengths: of each, in bytes of UTF-8.

    >>> cut_segments("a\nb\nç", [3, 2])
    ('a\nb', 'ç')
    """
    encoded = text.encode()
    segments = []
    start = 0
    for length in lengths:
        segments.append(encoded[start : start + length].decode())
        start += length + 1
    return tuple(segments)
