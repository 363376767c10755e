"""Attention between tokens, and from tokens to text. Never knows about noise, time or pictures.

Queries and keys are RMS-normalised per head (Dehghani et al. 2023, arXiv 2302.05442: without it large steps diverge).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from sorairo.models.rotary import Rotary, rotate


class HeadNorm(nn.Module):
    """RMS norm of each head of queries or keys, times one learned gain per channel."""

    def __init__(self, head_width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(head_width))

    def forward(self, x: Float[Tensor, "b heads n e"], turns: Rotary | None = None) -> Float[Tensor, "b heads n e"]:
        """Norms ``x``; with ``turns`` also rotates it, the gain folded into the cosines and sines."""
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
        x = x * (x.shape[-1] ** 0.5 / (length + 1e-6)).to(x.dtype)
        return x * self.gain.to(x.dtype) if turns is None else rotate(x, turns, self.gain)


class KeysValues(NamedTuple):
    """What the text offers to one block: keys and values [b heads l e]."""

    keys: Tensor
    values: Tensor


class SelfAttention(nn.Module):
    """Every token attends to every token, or to those that ``bias`` lets it see, with rotary positions."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query_key_value = nn.Linear(width, 3 * width)
        self.query_norm = HeadNorm(width // num_heads)
        self.key_norm = HeadNorm(width // num_heads)
        self.output = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "b n d"], turns: Rotary, bias: Tensor | None = None) -> Float[Tensor, "b n d"]:
        query, key, value = rearrange(self.query_key_value(x), "b n (k h e) -> k b h n e", k=3, h=self.num_heads)
        query = self.query_norm(query, turns)
        key = self.key_norm(key, turns)
        mixed = attend(query, key, value, bias)
        result: Tensor = self.output(rearrange(mixed, "b h n e -> b n (h e)"))
        return result


class TextKeysValues(nn.Module):
    """What one block reads of a text."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.key_value = nn.Linear(width, 2 * width)
        self.key_norm = HeadNorm(width // num_heads)

    def forward(self, text: Float[Tensor, "b l d"]) -> KeysValues:
        keys, values = rearrange(self.key_value(text), "b l (k h e) -> k b h l e", k=2, h=self.num_heads)
        return KeysValues(self.key_norm(keys), values)


class CrossAttention(nn.Module):
    """Tokens attend to text; ``bias`` [b 1 n|1 l] is 0 where a token may look and -inf where not."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query = nn.Linear(width, width)
        self.query_norm = HeadNorm(width // num_heads)
        self.output = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "b n d"], text: KeysValues, bias: Tensor) -> Float[Tensor, "b n d"]:
        query = self.query_norm(rearrange(self.query(x), "b n (h e) -> b h n e", h=self.num_heads))
        mixed: Tensor = self.output(rearrange(attend(query, text.keys, text.values, bias), "b h n e -> b n (h e)"))
        return mixed


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None) -> Float[Tensor, "b heads n e"]:
    """Scaled dot-product attention; ``bias`` [b 1 n|1 l] is 0 where a token may look and -inf where not."""
    bias = None if bias is None else bias.to(query.dtype)
    if query.device.type == "cpu" and query.dtype == torch.bfloat16 and torch.is_grad_enabled():
        # There the fused kernel's backward pass takes three times as long as these two products; half in float32.
        scores = query * query.shape[-1] ** -0.5 @ key.transpose(-1, -2)
        scores = scores if bias is None else scores + bias
        mixed: Tensor = scores.softmax(-1).to(value.dtype) @ value
        return mixed
    return F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
