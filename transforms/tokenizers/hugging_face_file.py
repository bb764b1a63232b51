"""The parts of a tokenizer.json, and the form of it that gives no control token for text.

The library's own `encode_special_tokens` leaves two ways in: unigram and word models find a
control token's piece in the text as any other, and tokens that are not flagged `special` are
matched whatever they are.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from glotmill.transforms.tokenizers.base import TokenizerError, has_control_shape

#: One object of the file.
Json = dict[str, Any]

# Of models with byte fallback: `tokenizers` finds them by these names and no others.
_BYTES = frozenset(f"<0x{byte:02X}>" for byte in range(256))
# What hidden names begin with. Any fixed name could be written into a text, whatever its
# characters; this one is drawn anew by each process, and no id depends on it. It begins with no
# character (U+FDD0), so that models are done with it at the first step in almost all text.
_SECRET = f"\ufdd0{secrets.token_hex(32)}"


@dataclass(frozen=True)
class TokenizerJson:
    """A tokenizer.json.

    Attributes:
        spec: the file as it is, but for what would cut, pad, drop or add at random.
        control: names of its control tokens.
        hidden: for control tokens that are pieces of the model too, but not single bytes, a name
            that no text has; others in each process.
        matched: the added tokens that are found in text before all else.
        vocab: ids of the model's pieces, by name.
    """

    spec: Json
    control: frozenset[str]
    hidden: Mapping[str, str]
    matched: tuple[str, ...]
    vocab: Mapping[str, int]

    def parts(self, name: str) -> Iterator[Json]:
        """The steps of one part, such as `pre_tokenizer`, with sequences taken apart."""
        yield from _steps(self.spec.get(name))


def parse_tokenizer_json(uri: str, content: bytes) -> TokenizerJson:
    """Reads a tokenizer.json.

    Args:
        uri: for messages.
        content: of the file.

    Raises:
        TokenizerError: it is no JSON, was cut short, or is another kind of JSON.
    """
    try:
        spec = orjson.loads(content)
    except ValueError as error:
        raise TokenizerError(f"{uri} is no usable tokenizer.json: {error}; fetch it anew") from None
    model = spec.get("model") if isinstance(spec, dict) else None
    if not isinstance(model, dict) or not isinstance(model.get("vocab"), (dict, list)):
        raise TokenizerError(
            f"{uri} is JSON but no tokenizer.json: it has no 'model' with a 'vocab'; "
            "save it with `tokenizers` or `save_pretrained` of a fast tokenizer"
        )
    if "dropout" in model:
        model["dropout"] = None
    return _parsed(spec | {"truncation": None, "padding": None, "post_processor": None})


def _parsed(spec: Json) -> TokenizerJson:
    added = spec.get("added_tokens") or []
    control = frozenset(token["content"] for token in added if _is_control(token))
    matched = tuple(token["content"] for token in added if not _is_control(token))
    vocab = _vocab(spec["model"])
    kept = _BYTES if spec["model"].get("byte_fallback") else frozenset()
    hidden = {name: f"{_SECRET}{name}" for name in control if name in vocab and name not in kept}
    return TokenizerJson(spec, control, hidden, matched, vocab)


def _is_control(token: Json) -> bool:
    return bool(token.get("special")) or has_control_shape(token["content"])


def _vocab(model: Json) -> dict[str, int]:
    vocab = model["vocab"]
    if isinstance(vocab, dict):
        return vocab
    return {piece: i for i, (piece, _) in enumerate(vocab)}


def _steps(part: Json | None) -> Iterator[Json]:
    if part is None:
        return
    if part.get("type") != "Sequence":
        yield part
    for name in ("normalizers", "pretokenizers", "decoders", "processors"):
        for step in part.get(name, ()):
            yield from _steps(step)


def pairs(model: Json) -> Iterator[tuple[str, str]]:
    """The merges of a BPE model, in order; files have them as pairs or with a blank between."""
    for merge in model["merges"]:
        first, second = merge.split(" ") if isinstance(merge, str) else merge
        yield first, second


def without_control(parsed: TokenizerJson) -> Json:
    """The file in a form in which no text gives a control token.

    All are flagged special, for `encode_special_tokens`, and those that the model has as pieces
    get a name that no text has there. Their ids stay. Tokens for single bytes keep theirs, or
    bytes would be unknown.
    """
    hidden = parsed.hidden
    added = [
        token | {"special": True, "content": hidden.get(token["content"], token["content"])}
        if token["content"] in parsed.control
        else token
        for token in parsed.spec.get("added_tokens") or ()
    ]
    model = _renamed(parsed.spec["model"], hidden) if hidden else parsed.spec["model"]
    return parsed.spec | {"added_tokens": added, "model": model}


def _renamed(model: Json, hidden: Mapping[str, str]) -> Json:
    vocab = model["vocab"]
    if isinstance(vocab, list):
        return model | {"vocab": [[hidden.get(piece, piece), score] for piece, score in vocab]}
    changed = model | {"vocab": {hidden.get(piece, piece): i for piece, i in vocab.items()}}
    if model.get("unk_token") in hidden:
        changed["unk_token"] = hidden[model["unk_token"]]
    if "merges" in model:
        changed["merges"] = [
            [first, second]
            for first, second in pairs(model)
            if not hidden.keys() & {first, second, first + second}
        ]
    return changed
