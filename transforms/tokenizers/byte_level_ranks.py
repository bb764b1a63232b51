"""The merges of a byte-level tokenizer.json as ranks of tiktoken, where the ids are the same.

Both begin with bytes and merge the neighbours of lowest rank, leftmost first, within each word of
the pattern. `tokenizers` merges the pairs that the file lists. tiktoken merges any two neighbours
that make up a token, and takes a word that is a token at once. They agree where

1. each token that is left to tiktoken comes out of `tokenizers`' merging of its own bytes, and
2. tokens have the order of their merges.

For suppose that both have gone the same way so far, and tiktoken now joins x and y to z. No merge
has crossed the ends of that stretch, so within it `tokenizers` has gone the way it goes on z alone.
By 1 that way ends with z, and each of its steps leaves one part less, so x and y are the two parts
that it joins last: the pair is listed, and by 2 it is next. Tokens that fail 1 are never made by
`tokenizers`, so tiktoken gets none of them. Where words that are tokens are taken at once
(`ignore_merges`), it needs them; then each way to make up such a token has to be listed.

The pattern is run by two libraries; `probe` shows that they agree on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from glotmill.transforms.tokenizers.byte_alphabet import ALPHABET, bytes_of
from glotmill.transforms.tokenizers.encodings import GPT2_PATTERN
from glotmill.transforms.tokenizers.hugging_face_file import Json, TokenizerJson, pairs

_FORMS = ("NFC", "NFD", "NFKC", "NFKD")
# What Oniguruma and Rust's `regex` read otherwise: anchors, and escapes beyond these.
_READ_OTHERWISE = re.compile(r"\\[^pPrntsS\W]|(?<![\\\[])\^|(?<!\\)\$|&&")


class NoRanks(Exception):  # noqa: N818
    """Why a tokenizer.json cannot be shown to give the same ids on tiktoken."""


@dataclass(frozen=True)
class ByteLevelRanks:
    """What tiktoken needs, and which texts it must not get.

    Attributes:
        pattern: splits text into words.
        pieces: the bytes of each rank.
        ids: the id of each rank.
        forms: Unicode normal forms that text has to be in.
        matched: added tokens that are matched in text.
    """

    pattern: str
    pieces: tuple[bytes, ...]
    ids: tuple[int, ...]
    forms: tuple[str, ...]
    matched: tuple[str, ...]


def byte_level_ranks(parsed: TokenizerJson) -> ByteLevelRanks:
    """The merges of a tokenizer.json as ranks.

    Raises:
        NoRanks: it is of another kind, or its ids could differ.
    """
    model = parsed.spec["model"]
    _check_model(model)
    forms, pattern = _forms(parsed), _pattern(list(parsed.parts("pre_tokenizer")))
    names = [*ALPHABET.values(), *_merged(model, _candidates(parsed))]
    pieces = tuple(bytes_of(name) or b"" for name in names)
    ids = tuple(parsed.vocab[name] for name in names)
    return ByteLevelRanks(pattern, pieces, ids, forms, parsed.matched)


def _check_model(model: Json) -> None:
    if model.get("type", "BPE") != "BPE" or "merges" not in model:
        raise NoRanks("its model is not BPE")
    for option in ("continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"):
        if model.get(option):
            raise NoRanks(f"its model has {option}")
    if not set(ALPHABET.values()) <= model["vocab"].keys():
        raise NoRanks("its vocabulary lacks a byte")


def _forms(parsed: TokenizerJson) -> tuple[str, ...]:
    forms = tuple(step["type"] for step in parsed.parts("normalizer"))
    if not set(forms) <= set(_FORMS):
        raise NoRanks(f"it normalises by {', '.join(forms)}")
    return forms


def _pattern(steps: list[Json]) -> str:
    """The pattern of the one split before bytes."""
    if not steps or steps[-1]["type"] != "ByteLevel" or steps[-1].get("add_prefix_space", True):
        raise NoRanks("its words are not split as bytes without a blank before")
    *splits, last = steps
    if not splits and last.get("use_regex", True):
        return GPT2_PATTERN
    if len(splits) != 1 or last.get("use_regex", True) or not _is_isolating(splits[0]):
        raise NoRanks("its words are not split by one pattern")
    pattern = str(splits[0]["pattern"]["Regex"])
    if _READ_OTHERWISE.search(pattern):
        raise NoRanks(f"its pattern may mean another thing to tiktoken: {pattern}")
    return pattern


def _is_isolating(step: Json) -> bool:
    return (
        step["type"] == "Split"
        and step.get("behavior") == "Isolated"
        and not step.get("invert")
        and "Regex" in step.get("pattern", {})
    )


def _candidates(parsed: TokenizerJson) -> list[str]:
    """Tokens of two bytes or more that are no control tokens."""
    return [
        piece
        for piece in parsed.vocab
        if len(piece) > 1 and piece not in parsed.control and bytes_of(piece) is not None
    ]


def _merged(model: Json, candidates: Iterable[str]) -> list[str]:
    """The tokens that tiktoken gets, in the order of their merges."""
    listed = list(pairs(model))
    order = _order(listed)
    odd = set(_not_made(model["vocab"], listed, candidates))
    if model.get("ignore_merges"):
        _check_ways(model["vocab"], set(listed), odd)
        odd = set()
    return sorted((piece for piece in candidates if piece not in odd), key=order.__getitem__)


def _order(listed: Iterable[tuple[str, str]]) -> dict[str, int]:
    """The place of each token among the merges."""
    order: dict[str, int] = {}
    last = ""
    for i, (first, second) in enumerate(listed):
        token = first + second
        if token in order and token != last:
            raise NoRanks(f"the merges that make {token!r} have others between them")
        order[token] = i
        last = token
    return order


def _not_made(
    vocab: dict[str, int], listed: list[tuple[str, str]], candidates: Iterable[str]
) -> Iterator[str]:
    """Tokens that merging their own bytes does not make."""
    from tokenizers.models import BPE

    merging = BPE(vocab, listed)
    return (piece for piece in candidates if len(merging.tokenize(piece)) != 1)


def _check_ways(vocab: dict[str, int], listed: set[tuple[str, str]], odd: Iterable[str]) -> None:
    """That each way to make up these tokens of two others is listed."""
    for piece in odd:
        ways = {(piece[:i], piece[i:]) for i in range(1, len(piece))}
        ways = {(first, second) for first, second in ways if first in vocab and second in vocab}
        if not ways or not ways <= listed:
            raise NoRanks(f"only a whole word makes {piece!r}")
