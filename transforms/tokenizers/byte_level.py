"""A byte-level BPE of a tokenizer.json, run by tiktoken."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from glotmill.transforms.tokenizers.base import Encoded, Ids, Tokenizer, join
from glotmill.transforms.tokenizers.byte_level_ranks import ByteLevelRanks, NoRanks
from glotmill.transforms.tokenizers.probe import probe_texts
from glotmill.transforms.tokenizers.ranks import encode_ranks, has_long_space, make_encoding

if TYPE_CHECKING:
    from glotmill.transforms.tokenizers.hugging_face import HuggingFaceTokenizer

_Form = Literal["NFC", "NFD", "NFKC", "NFKD"]


class ByteLevelTokenizer(Tokenizer):
    """A tokenizer.json on tiktoken, which leaves to `tokenizers` what it would do otherwise.

    These are texts that normalisation would change, that hold an added token which is matched
    in text, or that have a run of white space too long for tiktoken.
    """

    kind, backend = "huggingface", "tiktoken"

    def __init__(self, reference: HuggingFaceTokenizer, ranks: ByteLevelRanks) -> None:
        """Builds it and compares it with the reference.

        Raises:
            NoRanks: tiktoken does not take the pattern, or gave other ids.
        """
        super().__init__(reference.name, reference.sha256, reference.vocabulary)
        self._reference = reference
        self._forms = ranks.forms
        self._matched = re.compile("|".join(map(re.escape, ranks.matched)))
        self._has_matched = bool(ranks.matched)
        self._ids = np.array(ranks.ids, self.dtype)
        self._num_bytes = np.fromiter(map(len, ranks.pieces), np.int64, len(ranks.pieces))
        self._set_up(ranks)

    def _set_up(self, ranks: ByteLevelRanks) -> None:
        try:
            self._encoding = make_encoding(
                ranks.pattern, {piece: i for i, piece in enumerate(ranks.pieces)}
            )
        except ValueError as error:
            raise NoRanks(f"tiktoken does not take the pattern: {error}") from None
        for text in probe_texts(ranks.pieces):
            if not np.array_equal(self._encode(text), self._reference.encode([text]).ids):
                raise NoRanks(f"tiktoken gave other ids for {text[:40]!r}")

    def encode(self, texts: list[str]) -> Encoded:
        """The tokens of each text."""
        return join([self._encode(text) for text in texts], self.dtype)

    def _encode(self, text: str) -> Ids:
        if not self._is_special_case(text):
            ranks = encode_ranks(self._encoding, text)
            # tiktoken leaves out what the pattern does not match; `tokenizers` keeps it.
            if self._num_bytes[ranks].sum() == len(text.encode()):
                return self._ids[ranks]
        return self._reference.encode([text]).ids

    def _is_special_case(self, text: str) -> bool:
        # Python's Unicode is not older than that of `tokenizers`, so that what is normal here is
        # normal there: characters keep their normal form once they are assigned.
        return (
            not all(unicodedata.is_normalized(cast(_Form, form), text) for form in self._forms)
            or (self._has_matched and self._matched.search(text) is not None)
            or has_long_space(text)
        )

    def decode(self, ids: Iterable[int]) -> str:
        """The text of some tokens; control tokens are spelled out."""
        return self._reference.decode(ids)

    def id_of(self, token: str) -> int | None:
        """The id of a token as the file spells it, with bytes in GPT-2's alphabet."""
        return self._reference.id_of(token)
