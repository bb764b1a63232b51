"""Run merge ranks of bytes on tiktoken, without what it cannot take."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import tiktoken

#: A run of white space of more characters than this ends tiktoken's matching of patterns: from
#: about 500,000 on, `\s+(?!\S)` overflows its stack (0.14).
LONGEST_SPACE = 400_000

_SPACE = re.compile(r"\s+")
# `encode_to_numpy` looks for control tokens even where none may be given; without any at all it
# stops at every character.
_NO_CONTROL = "<|none of the control tokens|>"


def make_encoding(pattern: str, ranks: Mapping[bytes, int]) -> tiktoken.Encoding:
    """An encoding that gives no control token, whatever the text."""
    import tiktoken

    control = {_NO_CONTROL: max(ranks.values()) + 1}
    return tiktoken.Encoding(
        "glotmill", pat_str=pattern, mergeable_ranks=dict(ranks), special_tokens=control
    )


def encode_ranks(encoding: tiktoken.Encoding, text: str) -> npt.NDArray[np.uint32]:
    """The ranks of a text that `has_long_space` does not name."""
    return encoding.encode_to_numpy(text, disallowed_special=())


def has_long_space(text: str) -> bool:
    """Whether a text has a run of white space on which tiktoken ends the process."""
    return len(text) > LONGEST_SPACE and any(
        found.end() - found.start() > LONGEST_SPACE for found in _SPACE.finditer(text)
    )


def without_long_space(text: str) -> Iterator[str]:
    """A text in stretches, cut within runs of white space that are too long."""
    begin = 0
    for found in _SPACE.finditer(text):
        for cut in range(found.start() + LONGEST_SPACE, found.end(), LONGEST_SPACE):
            yield text[begin:cut]
            begin = cut
    yield text[begin:]
