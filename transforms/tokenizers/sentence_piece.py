"""Tokenizers in SentencePiece's own files, run by SentencePiece."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from glotmill.transforms.tokenizers.base import (
    Encoded,
    Tokenizer,
    TokenizerError,
    Vocabulary,
    has_control_shape,
    pack,
)
from glotmill.transforms.tokenizers.sentence_piece_file import with_control_pieces

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor


class SentencePieceTokenizer(Tokenizer):
    """A SentencePiece model, BPE or unigram, which normalises as its file says."""

    kind = backend = "sentencepiece"

    def __init__(self, name: str, sha256: str, processor: SentencePieceProcessor) -> None:
        super().__init__(name, sha256, _vocabulary(processor))
        self._processor = processor

    def encode(self, texts: list[str]) -> Encoded:
        """The tokens of each text."""
        return pack(self._processor.encode(texts, out_type=int, num_threads=1), self.dtype)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of some tokens; SentencePiece gives control tokens no text."""
        return str(self._processor.decode([int(one) for one in ids]))

    def id_of(self, token: str) -> int | None:
        """The id of a piece; a blank is written `▁` there."""
        found = int(self._processor.piece_to_id(token))
        return found if self._processor.id_to_piece(found) == token else None


def load_sentence_piece(uri: str, content: bytes, name: str, sha256: str) -> SentencePieceTokenizer:
    """Loads a model of SentencePiece from its content.

    Raises:
        TokenizerError: it is none, or was cut short.
    """
    processor = _processor(uri, content)
    shaped = _shaped_pieces(processor)
    if shaped:
        processor = _processor(uri, with_control_pieces(content, shaped))
    return SentencePieceTokenizer(name, sha256, processor)


def _processor(uri: str, content: bytes) -> SentencePieceProcessor:
    from sentencepiece import SentencePieceProcessor

    try:
        return SentencePieceProcessor(model_proto=content)
    except RuntimeError:
        raise TokenizerError(
            f"{uri} is no usable SentencePiece model: it is another file or was cut short; "
            "fetch it anew"
        ) from None


def _shaped_pieces(processor: SentencePieceProcessor) -> set[str]:
    """Pieces that look like control tokens and are not flagged as such."""
    ids = range(len(processor))
    pieces = {processor.id_to_piece(i) for i in ids if not processor.is_control(i)}
    return {piece for piece in pieces if has_control_shape(piece)}


def _vocabulary(processor: SentencePieceProcessor) -> Vocabulary:
    size = len(processor)
    roles = (processor.eos_id(), processor.bos_id(), processor.pad_id())
    eos, bos, pad = (None if found < 0 else found for found in roles)
    fallback = np.fromiter(map(processor.is_byte, range(size)), np.bool_, size)
    return Vocabulary(size, eos, bos, pad, fallback)
