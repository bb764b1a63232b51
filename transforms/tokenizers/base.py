"""What every tokenizer gives, whichever library runs it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

#: Ids of tokens, of any of the two dtypes.
Ids = npt.NDArray[Any]

# Megatron and GPT-NeoX keep 35 ids free below 65,536 (`best_fitting_dtype`).
_UINT16_BELOW = 65_500
# The roles that files leave unsaid, by the names that models give them; the first that exists.
_EOS = (
    "<|end_of_text|>", "<|endoftext|>", "</s>", "<eos>", "<｜end▁of▁sentence｜>", "<|eos|>",
    "[EOS]", "<EOS>", "<EOT>", "<|EOT|>",
)  # fmt: skip
_BOS = (
    "<|begin_of_text|>", "<|startoftext|>", "<s>", "<bos>", "<｜begin▁of▁sentence｜>", "<|bos|>",
    "[BOS]", "<BOS>", "<SOS>",
)  # fmt: skip
_PAD = (
    "<pad>", "<|pad|>", "[PAD]", "<PAD>", "<｜▁pad▁｜>", "<|finetune_right_pad_id|>",
    "<|finetune_right_pad|>",
)  # fmt: skip
_CONTROL_SHAPE = re.compile(r"<([|｜])[^<>]*\w[^<>]*\1>")


class TokenizerError(Exception):
    """A tokenizer that cannot be used; the message says which, why and what to do."""


@dataclass(frozen=True)
class Encoded:
    """The tokens of some texts.

    Attributes:
        ids: of all texts, one after the other; shape (lengths.sum(),), the tokenizer's dtype.
        lengths: number of tokens of each text; shape (number of texts,), int64.
    """

    ids: Ids
    lengths: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """What is known of the ids beside the texts they stand for.

    Attributes:
        size: largest id + 1, control and added tokens included.
        eos_id: end of a document, None without one.
        bos_id: beginning of a document, None without one.
        pad_id: padding, None without one.
        fallback: which ids are bytes or other pieces of a character; shape (size,).
        text_size: no text gives this id or a larger one; None where that is not known.
    """

    size: int
    eos_id: int | None
    bos_id: int | None
    pad_id: int | None
    fallback: npt.NDArray[np.bool_]
    text_size: int | None = None


class Tokenizer(ABC):
    """Text to ids and back.

    No control token is ever added, and text that spells one is encoded as the text it is. A
    tokenizer starts no threads. It pickles, but is large: a worker better loads its own.

    Attributes:
        name: `owner/name/file` of `hf://`, else the name of the file.
        kind: whose file it is: `huggingface`, `sentencepiece` or `tiktoken`.
        backend: the library that encodes: `tokenizers`, `sentencepiece` or `tiktoken`.
        sha256: of the file, in hexadecimal.
        vocabulary: the five attributes that follow, and `text_size`.
        vocab_size: largest id + 1, control and added tokens included.
        eos_id: end of a document, None without one.
        bos_id: beginning of a document, None without one.
        pad_id: padding, None without one.
        fallback: which ids are bytes or other pieces of a character; shape (vocab_size,).
        dtype: of ids, the smallest that Megatron and GPT-NeoX would choose.
    """

    kind: str
    backend: str

    def __init__(self, name: str, sha256: str, vocabulary: Vocabulary) -> None:
        self.name, self.sha256, self.vocabulary = name, sha256, vocabulary
        self.vocab_size = vocabulary.size
        self.eos_id, self.bos_id = vocabulary.eos_id, vocabulary.bos_id
        self.pad_id, self.fallback = vocabulary.pad_id, vocabulary.fallback
        self.dtype = dtype_of(vocabulary.size)

    @abstractmethod
    def encode(self, texts: list[str]) -> Encoded:
        """The tokens of each text.

        Args:
            texts: without lone surrogates, as Arrow gives them.
        """

    @abstractmethod
    def decode(self, ids: Iterable[int]) -> str:
        """The text of some tokens; control tokens are spelled out."""

    @abstractmethod
    def id_of(self, token: str) -> int | None:
        """The id of a token by its name in the file, None where there is none."""


def dtype_of(vocab_size: int) -> np.dtype[Any]:
    """The dtype of ids in files of Megatron and GPT-NeoX (`best_fitting_dtype`).

    >>> dtype_of(32_000), dtype_of(128_256)
    (dtype('uint16'), dtype('int32'))
    """
    return np.dtype(np.uint16 if vocab_size < _UINT16_BELOW else np.int32)


def pack(rows: Sequence[Sequence[int]], dtype: np.dtype[Any]) -> Encoded:
    """Lists of ids in one array.

    >>> pack([[5, 7], [], [9]], np.dtype(np.uint16))
    Encoded(ids=array([5, 7, 9], dtype=uint16), lengths=array([2, 0, 1]))
    """
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    ids = np.fromiter(chain.from_iterable(rows), dtype, int(lengths.sum()))
    return Encoded(ids, lengths)


def join(arrays: Sequence[Ids], dtype: np.dtype[Any]) -> Encoded:
    """Arrays of ids in one array."""
    lengths = np.fromiter(map(len, arrays), np.int64, len(arrays))
    return Encoded(np.concatenate([np.empty(0, dtype), *arrays], dtype=dtype), lengths)


def vocabulary_by_names(
    control: Mapping[str, int | None], fallback: npt.NDArray[np.bool_]
) -> Vocabulary:
    """The roles of tokens by the names that models give them.

    Args:
        control: ids of the control tokens, by name; others may spell `</s>` as they spell code.
        fallback: which ids are pieces of a character; its length is that of the vocabulary.
    """
    eos, bos, pad = (_first_id(control, names) for names in (_EOS, _BOS, _PAD))
    return Vocabulary(len(fallback), eos, bos, pad, fallback)


def _first_id(control: Mapping[str, int | None], names: Iterable[str]) -> int | None:
    return next((control[name] for name in names if name in control), None)


def has_control_shape(token: str) -> bool:
    """Whether a token is one for control by its look, even if its file does not flag it so.

    >>> [has_control_shape(token) for token in ("<|im_start|>", "<｜User｜>", "<table>", "<||>")]
    [True, True, False, False]
    """
    return _CONTROL_SHAPE.fullmatch(token) is not None


def is_piece(content: bytes) -> bool:
    """Whether bytes are not whole characters, so that they mean nothing on their own.

    >>> is_piece("ã".encode()), is_piece("ã".encode()[:1])
    (False, True)
    """
    try:
        content.decode()
    except UnicodeDecodeError:
        return True
    return False
