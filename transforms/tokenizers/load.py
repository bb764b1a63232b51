"""Load a tokenizer from a path or URI; its content says what it is."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import Literal

from glotmill.transforms import storage
from glotmill.transforms.hub import HubError, fetched_from_hub
from glotmill.transforms.tokenizers.base import Tokenizer, TokenizerError
from glotmill.transforms.tokenizers.hugging_face import load_hugging_face
from glotmill.transforms.tokenizers.rank_file import is_rank_file, load_rank_file
from glotmill.transforms.tokenizers.sentence_piece import load_sentence_piece

Backend = Literal["fastest", "reference"]


def load_tokenizer(
    uri: str, *, backend: Backend = "fastest", encoding: str | None = None
) -> Tokenizer:
    """Loads a tokenizer.

    Args:
        uri: a path, a URI of a file system Beam knows, or `hf://owner/name/file`. The file is a
            `tokenizer.json` of Hugging Face, a SentencePiece model, or ranks of tiktoken.
        backend: `fastest` takes the fastest library whose ids are the same; `reference` the one
            that the file is written for.
        encoding: whose pattern and control tokens belong to a file of tiktoken's ranks, such as
            `cl100k_base`; None tells it from the file.

    Raises:
        TokenizerError: it is not there, not readable, no tokenizer, or its library is missing.
    """
    content = read_content(uri)
    try:
        return _loader(uri, content, backend, encoding)(_name(uri), _sha256(content))
    except ImportError as error:
        raise TokenizerError(
            f"tokenizer {uri} needs the package {error.name}: pip install 'glotmill[tokens]'"
        ) from None


def _loader(
    uri: str, content: bytes, backend: Backend, encoding: str | None
) -> Callable[[str, str], Tokenizer]:
    """What makes the tokenizer of its name and SHA-256."""
    if content.lstrip()[:1] == b"{":
        return lambda name, sha: load_hugging_face(uri, content, name, sha, backend == "fastest")
    if is_rank_file(content):
        return lambda name, sha: load_rank_file(uri, content, name, sha, encoding)
    # The first field of a SentencePiece model is its first piece: field 1, a message.
    if content[:1] == b"\x0a":
        return lambda name, sha: load_sentence_piece(uri, content, name, sha)
    raise TokenizerError(
        f"{uri} is no tokenizer that is known here; known are tokenizer.json of Hugging Face, "
        "*.model of SentencePiece, and ranks of tiktoken (*.tiktoken, tokenizer.model of Llama 3)"
    )


def read_content(uri: str) -> bytes:
    """The bytes of a tokenizer's file, from wherever `load_tokenizer` takes it.

    Raises:
        TokenizerError: it is not there, or not readable.
    """
    try:
        return storage.read_bytes(fetched_from_hub(uri) if uri.startswith("hf://") else uri)
    except HubError as error:
        raise TokenizerError(str(error)) from None
    except Exception as error:  # each file system has its own kinds of failure
        raise TokenizerError(f"tokenizer {uri} cannot be read: {error}") from None


def sha256_of(uri: str) -> str:
    """The SHA-256 of a tokenizer's file, as `Tokenizer.sha256` has it, without loading it.

    Raises:
        TokenizerError: it is not there, or not readable.
    """
    return _sha256(read_content(uri))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _name(uri: str) -> str:
    """A name that does not depend on where a local file lies.

    >>> _name("hf://owner/name/tokenizer.json"), _name("/data/tokenizer.model")
    ('owner/name/tokenizer.json', 'tokenizer.model')
    """
    return uri.removeprefix("hf://") if uri.startswith("hf://") else os.path.basename(uri)
