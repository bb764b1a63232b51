"""Tokenizers in tiktoken's rank files, one base64 piece and its rank a line, run by tiktoken."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from glotmill.transforms.tokenizers.base import (
    Encoded,
    Ids,
    Tokenizer,
    TokenizerError,
    is_piece,
    join,
    vocabulary_by_names,
)
from glotmill.transforms.tokenizers.encodings import ENCODINGS, RankEncoding
from glotmill.transforms.tokenizers.ranks import (
    encode_ranks,
    has_long_space,
    make_encoding,
    without_long_space,
)

_NUM_BYTES = 256
_LINE = re.compile(rb"[A-Za-z0-9+/]+={0,2} [0-9]+\r?(\n|$)")


class RankTokenizer(Tokenizer):
    """Ranks of tiktoken with the pattern and the control tokens of their encoding."""

    kind = backend = "tiktoken"

    def __init__(
        self, name: str, sha256: str, ranks: Mapping[bytes, int], encoding: RankEncoding
    ) -> None:
        self._ids, self._control = ranks, encoding.control(len(ranks))
        self._names = {i: token.encode() for token, i in self._control.items()}
        self._names |= {rank: piece for piece, rank in ranks.items()}
        vocabulary = vocabulary_by_names(self._control, _fallback(self._names))
        super().__init__(name, sha256, replace(vocabulary, text_size=max(ranks.values()) + 1))
        self._encoding = make_encoding(encoding.pattern, ranks)

    def encode(self, texts: list[str]) -> Encoded:
        """The tokens of each text."""
        return join([self._encode(text) for text in texts], self.dtype)

    def _encode(self, text: str) -> Ids:
        if not has_long_space(text):
            return encode_ranks(self._encoding, text)
        parts = without_long_space(text)
        return np.concatenate([encode_ranks(self._encoding, part) for part in parts])

    def decode(self, ids: Iterable[int]) -> str:
        """The text of some tokens; what is no UTF-8 becomes U+FFFD."""
        return b"".join(self._names[int(one)] for one in ids).decode(errors="replace")

    def id_of(self, token: str) -> int | None:
        """The id of a control token or of the piece that spells a text."""
        return self._control.get(token, self._ids.get(token.encode()))


def is_rank_file(content: bytes) -> bool:
    """Whether a file begins as tiktoken's rank files do.

    >>> is_rank_file(b"IQ== 0"), is_rank_file(b"a text")
    (True, False)
    """
    return _LINE.match(content) is not None


def load_rank_file(
    uri: str, content: bytes, name: str, sha256: str, encoding: str | None
) -> RankTokenizer:
    """Loads ranks from their content.

    Args:
        uri: for messages.
        content: of the file.
        name: of the tokenizer.
        sha256: of the content; it tells the files that are known.
        encoding: a name in ENCODINGS; None takes that of a known file, or of the file's name.

    Raises:
        TokenizerError: its encoding is unknown or has ids that the ranks take, or the file was
            cut short.
    """
    ranks = _read(uri, content)
    chosen = encoding or _encoding_of(name, sha256)
    if chosen not in ENCODINGS:
        problem = f"no encoding is called {chosen!r}" if chosen else "its encoding is unknown"
        raise TokenizerError(
            f"{uri} holds {len(ranks)} ranks of tiktoken without pattern and control tokens, and "
            f"{problem}; name one of {', '.join(ENCODINGS)} by encoding= or in the file's name"
        )
    _check_control(uri, ranks, chosen)
    return RankTokenizer(name, sha256, ranks, ENCODINGS[chosen])


def _encoding_of(name: str, sha256: str) -> str | None:
    known = {digest: key for key, one in ENCODINGS.items() for digest in one.sha256}
    named = (key for key in ENCODINGS if key.removesuffix("_base") in name)
    return known.get(sha256) or next(named, None)


def _read(uri: str, content: bytes) -> dict[bytes, int]:
    """The rank of each piece."""
    ranks = {}
    for number, line in enumerate(content.splitlines(), 1):
        if not line:
            continue
        try:
            piece, rank = line.split()
            ranks[base64.b64decode(piece, validate=True)] = int(rank)
        except (ValueError, binascii.Error):
            raise TokenizerError(
                f"{uri}, line {number}, is no rank of tiktoken (base64 and a number): {line[:80]!r}"
            ) from None
    _check(uri, ranks)
    return ranks


def _check(uri: str, ranks: Mapping[bytes, int]) -> None:
    missing = sum(bytes((byte,)) not in ranks for byte in range(_NUM_BYTES))
    if missing or len(set(ranks.values())) != len(ranks):
        problem = f"{missing} single bytes have no rank" if missing else "ranks stand twice"
        raise TokenizerError(f"{uri} is no whole file of tiktoken's ranks: {problem}")


def _check_control(uri: str, ranks: Mapping[bytes, int], encoding: str) -> None:
    control = ENCODINGS[encoding].control(len(ranks))
    taken = set(control.values()).intersection(ranks.values())
    if not taken:
        return
    names = ", ".join(f"{name} is {i}" for name, i in control.items() if i in taken)
    raise TokenizerError(
        f"{uri} has {len(ranks)} ranks of tiktoken, up to {max(ranks.values())}, and {encoding} "
        f"keeps some of their ids for control tokens: {names}; name the encoding that they are "
        "of by encoding= or in the file's name (llama3 and llama4 number control tokens after "
        "the ranks)"
    )


def _fallback(names: Mapping[int, bytes]) -> npt.NDArray[np.bool_]:
    marks = np.zeros(max(names) + 1, np.bool_)
    marks[[i for i, piece in names.items() if is_piece(piece)]] = True
    return marks
