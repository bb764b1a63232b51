"""Llama 2 and 3: modules named as in the Hugging Face layout, so weights need no translation.

Sums and roundings are made in the order of `transformers`, so logits in float32 are the same bits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention
from torch.utils.checkpoint import checkpoint

from glotmill.trainer.config import ConfigError

#: What says which tokens a token sees: None (all before it), a boolean mask, or blocks of one.
Mask: TypeAlias = Tensor | BlockMask | None

# Flex attention and its masks would, not compiled, build matrices of length x length.
_compiled = cache(torch.compile)

# The numbers that each kind of scaling of positions needs.
_LLAMA_3 = ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")
SCALINGS = {"default": (), "linear": ("factor",), "llama3": _LLAMA_3}


@dataclass(frozen=True, kw_only=True)
class LlamaConfig:
    """The part of `config.json` that says what is computed, with the defaults of such files.

    Raises:
        ConfigError: the numbers do not fit together.
    """

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    rope_scaling: dict[str, Any]
    rope_theta: float = 10_000.0
    rms_norm_eps: float = 1e-6
    tie_word_embeddings: bool = False
    attention_bias: bool = False
    mlp_bias: bool = False
    initializer_range: float = 0.02

    def __post_init__(self) -> None:
        heads, keys = self.num_attention_heads, self.num_key_value_heads
        if self.hidden_size % heads or heads % keys or self.head_dim % 2:
            raise ConfigError(
                f"hidden_size {self.hidden_size} must be a multiple of num_attention_heads {heads},"
                f" that of num_key_value_heads {keys}, and head_dim {self.head_dim} even"
            )
        rope, kind = self.rope_scaling, self.rope_scaling["rope_type"]
        wrong = [name for name in SCALINGS[kind] if not is_positive(rope.get(name), int, float)]
        if wrong:
            raise ConfigError(f"rope_scaling '{kind}' wants numbers above 0 for {', '.join(wrong)}")


def is_positive(value: Any, *kinds: type[float]) -> bool:
    """Whether a value is a finite number above 0 of one of some kinds."""
    return isinstance(value, kinds) and 0 < value < math.inf


class RMSNorm(nn.Module):
    """Scales each vector to unit root mean square, in float32."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Gives the shape and type of `x`."""
        wide = x.float()
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.eps)
        return self.weight * wide.to(x.dtype)


def frequencies(config: LlamaConfig, device: torch.device | None = None) -> Tensor:
    """Angle per position of each pair of channels, [head_dim / 2].

    `llama3` scaling (Llama 3.1): waves longer than the context it was trained on are stretched by
    `factor`, short ones stay, those between are blended.
    """
    exponents = torch.arange(0, config.head_dim, 2, dtype=torch.float, device=device)
    angles = 1.0 / (config.rope_theta ** (exponents / config.head_dim))
    rope = config.rope_scaling
    if rope["rope_type"] == "linear":
        return angles / rope["factor"]
    if rope["rope_type"] != "llama3":
        return angles
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    context = rope["original_max_position_embeddings"]
    waves = 2 * math.pi / angles
    stretched = torch.where(waves > context / low, angles / rope["factor"], angles)
    smooth = (context / waves - low) / (high - low)
    blended = (1 - smooth) * stretched / rope["factor"] + smooth * stretched
    between = ~(waves < context / high) & ~(waves > context / low)
    return torch.where(between, blended, stretched)


def rotation(positions: Tensor, config: LlamaConfig) -> tuple[Tensor, Tensor]:
    """Cosines and sines of rotary positions, each [batch, 1, length, head_dim], float32."""
    angles = positions[..., None].float() * frequencies(config, positions.device)
    both = torch.cat((angles, angles), dim=-1).unsqueeze(1)
    return both.cos(), both.sin()


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


class Attention(nn.Module):
    """Causal attention, with fewer heads of keys and values than of queries."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        self.grouped = config.num_key_value_heads != config.num_attention_heads
        width, bias = config.hidden_size, config.attention_bias
        queries = config.num_attention_heads * config.head_dim
        keys = config.num_key_value_heads * config.head_dim
        self.q_proj = nn.Linear(width, queries, bias=bias)
        self.k_proj = nn.Linear(width, keys, bias=bias)
        self.v_proj = nn.Linear(width, keys, bias=bias)
        self.o_proj = nn.Linear(queries, width, bias=bias)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Mask) -> Tensor:
        """Takes and gives [batch, length, hidden_size]."""
        heads = (*x.shape[:-1], -1, self.head_dim)
        query = _rotate(self.q_proj(x).view(heads).transpose(1, 2), cos, sin)
        key = _rotate(self.k_proj(x).view(heads).transpose(1, 2), cos, sin)
        value = self.v_proj(x).view(heads).transpose(1, 2)
        seen = attend(query, key, value, mask, self.grouped)
        return self.o_proj(seen.transpose(1, 2).reshape(*x.shape[:-1], -1))


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Mask, grouped: bool) -> Tensor:
    """Attention, [batch, heads, length, head_dim], by the kernel that the mask asks for."""
    if isinstance(mask, BlockMask):
        inside = torch.compiler.is_compiling()
        flex = flex_attention if inside else _compiled(flex_attention, dynamic=False)
        return flex(query, key, value, block_mask=mask, enable_gqa=grouped)
    return functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, is_causal=mask is None, enable_gqa=grouped
    )


def document_mask(documents: Tensor, blocks: bool) -> Mask:
    """The mask under which a token sees its own document up to itself.

    Args:
        documents: of each token, [batch, length].
        blocks: give blocks, for a GPU kernel that passes over what is hidden, rather than a
            matrix [batch, 1, length, length].
    """
    batch, length = documents.shape
    if blocks:

        def visible(b: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
            return (query >= key) & (documents[b, query] == documents[b, key])

        make = _compiled(create_block_mask)
        return make(visible, batch, None, length, length, device=documents.device)
    same = documents[:, None, :, None] == documents[:, None, None, :]
    return same & torch.ones_like(same[:1], dtype=torch.bool).tril()


class FeedForward(nn.Module):
    """SwiGLU."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        width, inner, bias = config.hidden_size, config.intermediate_size, config.mlp_bias
        self.gate_proj = nn.Linear(width, inner, bias=bias)
        self.up_proj = nn.Linear(width, inner, bias=bias)
        self.down_proj = nn.Linear(inner, width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Takes and gives [batch, length, hidden_size]."""
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    """Attention and a feed-forward network, each added to what it reads."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.recompute = False
        self.self_attn = Attention(config)
        self.mlp = FeedForward(config)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Mask) -> Tensor:
        """Takes and gives [batch, length, hidden_size]."""
        if self.recompute and torch.is_grad_enabled():
            return checkpoint(self._forward, x, cos, sin, mask, use_reentrant=False)
        return self._forward(x, cos, sin, mask)

    def _forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Mask) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    """Embedding, layers, and the norm after them."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(self, tokens: Tensor, positions: Tensor, mask: Mask) -> Tensor:
        """Takes [batch, length], gives [batch, length, hidden_size]."""
        x = self.embed_tokens(tokens)
        cos, sin = (each.to(x.dtype) for each in rotation(positions, self.config))
        for layer in self.layers:
            x = layer(x, cos, sin, mask)
        return self.norm(x)


class Llama(nn.Module):
    """A causal language model of the Llama 2 or 3 architecture."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Decoder(config)
        # Tied, the output has no weights of its own: none to keep the same, none in the files.
        if not config.tie_word_embeddings:
            self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)

    def forward(self, tokens: Tensor, positions: Tensor, mask: Mask = None) -> Tensor:
        """Logits of the token after each.

        Args:
            tokens: int64 [batch, length].
            positions: of each, int64 [batch, length].
            mask: which tokens each one sees.

        Returns:
            [batch, length, vocab_size].
        """
        x = self.model(tokens, positions, mask)
        if self.config.tie_word_embeddings:
            return functional.linear(x, self.model.embed_tokens.weight)
        return self.lm_head(x)
