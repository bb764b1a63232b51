"""The encodings of tiktoken's rank files, which hold neither pattern nor control tokens.

Those of OpenAI are from tiktoken (`tiktoken_ext/openai_public.py`), those of Llama from Meta's
`llama_models` (`llama3/tokenizer.py`, `llama4/tokenizer.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

#: Splits text into the words of GPT-2.
GPT2_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
_CL100K_PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+"
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)
_LLAMA3_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_O200K_PATTERN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class RankEncoding:
    """What belongs to a rank file.

    Attributes:
        pattern: splits text into the words within which bytes are merged.
        control: its control tokens, of the number of ranks.
        sha256: of the files that are known to be in it, in hexadecimal.
    """

    pattern: str
    control: Callable[[int], dict[str, int]]
    sha256: tuple[str, ...] = field(default=())


def _fixed(tokens: dict[str, int]) -> Callable[[int], dict[str, int]]:
    return lambda num_ranks: tokens


def _llama3_control(num_ranks: int) -> dict[str, int]:
    named = [
        "<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>",
        "<|reserved_special_token_1|>", "<|finetune_right_pad_id|>", "<|step_id|>",
        "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>",
        "<|image|>",
    ]  # fmt: skip
    return _numbered([*named, *_reserved("", 2, 256 - len(named))], num_ranks)


def _llama4_control(num_ranks: int) -> dict[str, int]:
    named = [
        "<|begin_of_text|>", "<|end_of_text|>", "<|fim_prefix|>", "<|fim_middle|>",
        "<|fim_suffix|>", "<|header_start|>", "<|header_end|>", "<|eom|>", "<|eot|>", "<|step|>",
        *_reserved("text_post_train_", 0, 6), "<|python_start|>", "<|python_end|>",
        "<|finetune_right_pad|>", *_reserved("text_post_train_", 8, 61), "<|image_start|>",
        "<|image_end|>", *_reserved("vision_", 0, 2), "<|tile_x_separator|>",
        "<|tile_y_separator|>", *_reserved("vision_", 2, 4), "<|image|>",
        *_reserved("vision_", 6, 1), "<|patch|>", *_reserved("vision_", 7, 1041),
        *_reserved("reasoning_", 0, 8), "<|reasoning_thinking_start|>",
        "<|reasoning_thinking_end|>",
    ]  # fmt: skip
    return _numbered([*named, *_reserved("", 0, 2048 - len(named))], num_ranks)


def _reserved(use: str, first: int, count: int) -> list[str]:
    return [f"<|{use}reserved_special_token_{first + i}|>" for i in range(count)]


def _numbered(tokens: list[str], first: int) -> dict[str, int]:
    return {token: first + i for i, token in enumerate(tokens)}


_ENDOFTEXT = "<|endoftext|>"
_CL100K_CONTROL = {
    _ENDOFTEXT: 100257,
    "<|fim_prefix|>": 100258,
    "<|fim_middle|>": 100259,
    "<|fim_suffix|>": 100260,
    "<|endofprompt|>": 100276,
}

#: By name.
ENCODINGS = {
    "r50k_base": RankEncoding(
        GPT2_PATTERN,
        _fixed({_ENDOFTEXT: 50256}),
        ("306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",),
    ),
    "p50k_base": RankEncoding(
        GPT2_PATTERN,
        _fixed({_ENDOFTEXT: 50256}),
        ("94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",),
    ),
    "cl100k_base": RankEncoding(
        _CL100K_PATTERN,
        _fixed(_CL100K_CONTROL),
        ("223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",),
    ),
    "o200k_base": RankEncoding(
        _O200K_PATTERN,
        _fixed({_ENDOFTEXT: 199999, "<|endofprompt|>": 200018}),
        ("446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",),
    ),
    "llama3": RankEncoding(
        _LLAMA3_PATTERN,
        _llama3_control,
        ("82e9d31979e92ab929cd544440f129d9ecd797b69e327f80f17e1c50d5551b55",),
    ),
    "llama4": RankEncoding(
        _O200K_PATTERN,
        _llama4_control,
        ("d0bdbaf59b0762c8c807617e2d8ea51420eb1b1de266df2495be755c8e0ed6ed",),
    ),
}
