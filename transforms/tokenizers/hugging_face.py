"""Tokenizers in Hugging Face's tokenizer.json, run by `tokenizers`."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import orjson

from glotmill.transforms.tokenizers.base import (
    Encoded,
    Tokenizer,
    TokenizerError,
    is_piece,
    pack,
    vocabulary_by_names,
)
from glotmill.transforms.tokenizers.byte_alphabet import bytes_of
from glotmill.transforms.tokenizers.byte_level import ByteLevelTokenizer
from glotmill.transforms.tokenizers.byte_level_ranks import NoRanks, byte_level_ranks
from glotmill.transforms.tokenizers.hugging_face_file import (
    Json,
    TokenizerJson,
    parse_tokenizer_json,
    without_control,
)

if TYPE_CHECKING:
    import tokenizers

_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
_log = logging.getLogger(__name__)


class HuggingFaceTokenizer(Tokenizer):
    """Any tokenizer.json; its truncation, padding, templates and dropout are left out."""

    kind, backend = "huggingface", "tokenizers"

    def __init__(self, name: str, sha256: str, parsed: TokenizerJson) -> None:
        # The library would use a thread a core in each worker.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        self._engine = _engine(without_control(parsed))
        self._engine.encode_special_tokens = True
        # Names and decoding are those of the file.
        self._named = _engine(parsed.spec) if parsed.hidden else self._engine
        fallback = _fallback(parsed, _size(self._named))
        control = {name: self.id_of(name) for name in parsed.control}
        super().__init__(name, sha256, vocabulary_by_names(control, fallback))

    def encode(self, texts: list[str]) -> Encoded:
        """The tokens of each text."""
        found = self._engine.encode_batch_fast(texts, add_special_tokens=False)
        return pack([each.ids for each in found], self.dtype)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of some tokens; control tokens are spelled out."""
        return self._named.decode([int(one) for one in ids], skip_special_tokens=False)

    def id_of(self, token: str) -> int | None:
        """The id of a token as the file spells it."""
        return self._named.token_to_id(token)


def load_hugging_face(uri: str, content: bytes, name: str, sha256: str, fastest: bool) -> Tokenizer:
    """Loads a tokenizer.json from its content.

    Args:
        uri: for messages.
        content: of the file.
        name: of the tokenizer.
        sha256: of the content.
        fastest: whether tiktoken may run it where the ids are the same.

    Raises:
        TokenizerError: it is none, or `tokenizers` cannot load it.
    """
    import tokenizers  # noqa: F401 - says what is missing before the work

    parsed = parse_tokenizer_json(uri, content)
    try:
        reference = HuggingFaceTokenizer(name, sha256, parsed)
    except ImportError:
        raise
    except Exception as error:  # the library raises a bare Exception
        raise TokenizerError(f"{uri} is no usable tokenizer.json: {error}") from None
    return _on_tiktoken(reference, parsed) if fastest else reference


def _on_tiktoken(reference: HuggingFaceTokenizer, parsed: TokenizerJson) -> Tokenizer:
    """The same on tiktoken, or as it was where the ids could differ."""
    try:
        return ByteLevelTokenizer(reference, byte_level_ranks(parsed))
    except NoRanks as reason:
        _log.info("%s stays with tokenizers: %s", reference.name, reason)
        return reference


def _engine(spec: Json) -> tokenizers.Tokenizer:
    from tokenizers import Tokenizer as Engine

    return Engine.from_buffer(orjson.dumps(spec))


def _size(engine: tokenizers.Tokenizer) -> int:
    """Largest id + 1, added tokens included."""
    return max(engine.get_vocab(with_added_tokens=True).values(), default=-1) + 1


def _fallback(parsed: TokenizerJson, size: int) -> npt.NDArray[np.bool_]:
    """Pieces of characters: of a byte-level model, or its tokens for single bytes."""
    marks = np.zeros(size, np.bool_)
    is_byte_level = any(step["type"] == "ByteLevel" for step in parsed.parts("pre_tokenizer"))
    for piece, i in parsed.vocab.items():
        if is_byte_level:
            content = bytes_of(piece)
            marks[i] = content is not None and piece not in parsed.control and is_piece(content)
        elif parsed.spec["model"].get("byte_fallback"):
            marks[i] = _BYTE.fullmatch(piece) is not None
    return marks
