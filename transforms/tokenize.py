"""Tokenize: texts to the tokens that training sees, each text once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from glotmill.schemas.output import TokenOutput
from glotmill.transforms.tokenizers.base import Tokenizer, TokenizerError

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Tokenized:
    """Texts as tokens.

    Attributes:
        tokens: a list of uint16 or int32 for each text, with those that begin and end it.
        num_tokens: length of each list.
        num_fallback: how many in each stand for single bytes.
    """

    tokens: pa.ListArray
    num_tokens: Ints
    num_fallback: Ints


class TextTokenizer:
    """A tokenizer with the tokens that the recipe puts around each document."""

    def __init__(self, options: TokenOutput) -> None:
        """Loads the tokenizer.

        Args:
            options: of the recipe.

        Raises:
            TokenizerError: it cannot be loaded, or has no token of the name that is wanted.
        """
        # The libraries behind it are an extra, and slow to import.
        from glotmill.transforms.tokenizers.load import load_tokenizer

        self.tokenizer = load_tokenizer(options.tokenizer, encoding=options.encoding)
        self.eos_id = _marker(self.tokenizer, options.append_eos, "eos", options.eos)
        self.bos_id = _marker(self.tokenizer, options.prepend_bos, "bos", options.bos)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the tokens: uint16 or int32."""
        return np.dtype(self.tokenizer.dtype)

    def tokenize(self, texts: list[str]) -> Tokenized:
        """Tokens of texts."""
        encoded = self.tokenizer.encode(texts)
        fallback = _sums(self.tokenizer.fallback[encoded.ids], encoded.lengths)
        ids, lengths = self._marked(encoded.ids, encoded.lengths)
        offsets = np.zeros(len(lengths) + 1, np.int32)
        np.cumsum(lengths, out=offsets[1:])
        tokens = pa.ListArray.from_arrays(pa.array(offsets), pa.array(ids))
        return Tokenized(tokens, lengths, fallback)

    def _marked(self, ids: npt.NDArray[Any], lengths: Ints) -> tuple[npt.NDArray[Any], Ints]:
        """The tokens with those that begin and end each text."""
        longer = lengths + (self.bos_id is not None) + (self.eos_id is not None)
        marked = np.empty(int(longer.sum()), self.dtype)
        ends = np.cumsum(longer)
        own = np.ones(len(marked), bool)
        for marker, places in ((self.bos_id, ends - longer), (self.eos_id, ends - 1)):
            if marker is not None:
                marked[places] = marker
                own[places] = False
        marked[own] = ids
        return marked, longer


def _marker(tokenizer: Tokenizer, wanted: bool, kind: str, name: str | None) -> int | None:
    """The id of a token that begins or ends documents."""
    if not wanted:
        return None
    found = getattr(tokenizer, f"{kind}_id") if name is None else tokenizer.id_of(name)
    if found is None:
        what = f"has no token '{name}'" if name else f"names no {kind.upper()} token"
        option = "append_eos" if kind == "eos" else "prepend_bos"
        raise TokenizerError(
            f"{tokenizer.name} {what}; name one of its tokens in 'output.tokens.{kind}', "
            f"or set '{option}: false'"
        )
    return int(found)


def _sums(values: npt.NDArray[np.bool_], lengths: Ints) -> Ints:
    """Sums over consecutive pieces, of which some may be empty."""
    running = np.concatenate([[0], np.cumsum(values)])
    ends = np.cumsum(lengths)
    return np.asarray(running[ends] - running[ends - lengths], np.int64)


def list_type(dtype: np.dtype[Any]) -> pa.DataType:
    """The type of a column of tokens."""
    return pa.list_(pa.from_numpy_dtype(dtype))
