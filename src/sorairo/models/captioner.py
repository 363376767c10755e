"""Latents of a video, or the states of a short prompt, to words. Never encodes and never trains.

Convolutions look at each latent among its neighbours, where a colour and a shape can be told; a transformer at all
patches of those, each with its place in time, height and width; a second one writes word after word and looks at those
tokens (Vaswani et al. 2017, arXiv 1706.03762). Its first word tells the style.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from sorairo.config import TEXT_WIDTH, Checked, Count, Natural, Ratio, TextWidth
from sorairo.models.attention import CrossAttention, KeysValues, SelfAttention, TextKeysValues
from sorairo.models.dit import NUM_PICTURE_FEATURES, pad_to_patches, picture_features
from sorairo.models.rotary import Rotary, rotary
from sorairo.models.vocabulary import END, PAD

MAX_WORDS = 128
MAX_FRAMES = 16
"""Latent frames that are told apart by their place in time; rotary positions alone only know distances."""


@dataclass(frozen=True)
class CaptionerConfig(Checked):
    """``near_depth`` blocks look near, ``depth`` far, ``writer_depth`` write; all are ``width`` wide.

    A token is ``patch`` ** 2 latents.

    num_looks: of each latent the colours and the shapes that can be seen there, nothing included.
    """

    latent_channels: Count = 32
    patch: Count = 2
    text_width: TextWidth = TEXT_WIDTH
    width: Count = 192
    near_depth: Natural = 3
    depth: Natural = 4
    writer_depth: Count = 3
    num_heads: Count = 4
    mlp_ratio: Ratio = 3.0
    num_looks: tuple[Count, Count] = (11, 10)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width % (2 * self.num_heads):
            nearest = 2 * self.num_heads * max(1, round(self.width / (2 * self.num_heads)))
            raise ValueError(f"width is {self.width}; it must divide by twice num_heads: the nearest is {nearest}")


class Memory(NamedTuple):
    """What the writer looks at: keys and values for each of its blocks, and a bias [b 1 1 n] that hides padding."""

    blocks: tuple[KeysValues, ...]
    bias: Tensor

    def repeated(self, times: int) -> Memory:
        """Each row so many times in a row, for several texts of one clip."""
        blocks = (KeysValues(*(part.repeat_interleave(times, 0) for part in block)) for block in self.blocks)
        return Memory(tuple(blocks), self.bias.repeat_interleave(times, 0))


class NearBlock(nn.Module):
    """Each latent among its eight neighbours in one frame; the identity at first."""

    def __init__(self, config: CaptionerConfig) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(config.num_heads, config.width)
        self.around = nn.Conv2d(config.width, config.width, 3, padding=1)
        self.mix = nn.Conv2d(config.width, config.width, 1)
        nn.init.zeros_(self.mix.weight)

    def forward(self, x: Float[Tensor, "n d h w"]) -> Float[Tensor, "n d h w"]:
        mixed: Tensor = x + self.mix(F.gelu(self.around(self.norm(x))))
        return mixed


class LookBlock(nn.Module):
    """Self-attention and a perceptron."""

    def __init__(self, config: CaptionerConfig) -> None:
        super().__init__()
        width, hidden = config.width, int(config.width * config.mlp_ratio)
        self.attention_norm, self.mlp_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = SelfAttention(width, config.num_heads)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        for closed in (self.attention.output, self.mlp[-1]):
            nn.init.zeros_(closed.weight)  # type: ignore[arg-type]

    def forward(self, x: Float[Tensor, "b n d"], turns: Rotary) -> Float[Tensor, "b n d"]:
        x = x + self.attention(self.attention_norm(x), turns)
        mixed: Tensor = x + self.mlp(self.mlp_norm(x))
        return mixed


class WriteBlock(LookBlock):
    """The same, where words see only words before them, and then look at the memory."""

    def __init__(self, config: CaptionerConfig) -> None:
        super().__init__(config)
        self.cross_norm = nn.LayerNorm(config.width)
        self.cross_attention = CrossAttention(config.width, config.num_heads)
        nn.init.zeros_(self.cross_attention.output.weight)

    def write(
        self, x: Float[Tensor, "b k d"], turns: Rotary, causal: Tensor, memory: KeysValues, bias: Tensor
    ) -> Tensor:
        x = x + self.attention(self.attention_norm(x), turns, causal)
        x = x + self.cross_attention(self.cross_norm(x), memory, bias)
        mixed: Tensor = x + self.mlp(self.mlp_norm(x))
        return mixed


class Captioner(nn.Module):
    """Writes about a clip's latents, or on from a prompt's token states, in words of a vocabulary of ``num_words``."""

    def __init__(self, config: CaptionerConfig, num_words: int) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.latents_in = nn.Conv2d(config.latent_channels, width, 3, padding=1)
        blocks, norm = (NearBlock(config) for _ in range(config.near_depth)), nn.GroupNorm(config.num_heads, width)
        self.near = nn.Sequential(*blocks, norm)
        self.looks = nn.Linear(width, sum(config.num_looks))
        self.patches_in = nn.Linear(width * config.patch**2, width)
        self.picture_in = nn.Linear(NUM_PICTURE_FEATURES, width, bias=False)
        self.times = nn.Embedding(MAX_FRAMES, width)
        self.blocks = nn.ModuleList(LookBlock(config) for _ in range(config.depth))
        self.text_in = nn.Sequential(nn.LayerNorm(config.text_width), nn.Linear(config.text_width, width))
        self.memory_norm = nn.LayerNorm(width)
        self.readers = nn.ModuleList(TextKeysValues(width, config.num_heads) for _ in range(config.writer_depth))
        self.words = nn.Embedding(num_words, width)
        self.writer = nn.ModuleList(WriteBlock(config) for _ in range(config.writer_depth))
        self.next_word = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, num_words))

    def watch(self, latents: Float[Tensor, "b c t h w"]) -> Memory:
        """What there is to say of a clip."""
        return self.look(self.look_near(latents))

    def look_near(self, latents: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t h w"]:
        """Each latent among its neighbours."""
        frames: Tensor = self.near(self.latents_in(rearrange(latents, "b c t h w -> (b t) c h w")))
        return rearrange(frames, "(b t) d h w -> b d t h w", b=len(latents))

    def name_looks(self, near: Float[Tensor, "b d t h w"]) -> tuple[Tensor, Tensor]:
        """Logits [b t h w n] of the colour and of the shape that is seen at each latent: what teaches it to look."""
        colors, shapes = self.looks(near.movedim(1, -1)).split(self.config.num_looks, dim=-1)
        return colors, shapes

    def look(self, near: Float[Tensor, "b d t h w"]) -> Memory:
        """All of a clip together, a token for each patch."""
        patch = self.config.patch
        patches = rearrange(pad_to_patches(near, patch), "b d t (h p) (w q) -> b t h w (p q d)", p=patch, q=patch)
        times, rows, columns = (torch.arange(length, device=near.device) for length in patches.shape[1:4])
        places = self.picture_in(picture_features(times, len(rows), len(columns)))
        places = places + self.times(times.clamp(max=MAX_FRAMES - 1))[:, None]
        x: Tensor = (self.patches_in(patches.flatten(2, 3)) + places).float().flatten(1, 2)
        turns = rotary(times, rows, columns, self._head_width)
        for block in self.blocks:
            x = block(x, turns)
        return self._remember(x)

    def read(self, states: Float[Tensor, "b l text_width"], mask: Bool[Tensor, "b l"]) -> Memory:
        """Reads a prompt by its token states; ``mask`` is true where a token is real."""
        return self._remember(self.text_in(states), mask)

    def forward(self, words: Int[Tensor, "b k"], memory: Memory) -> Float[Tensor, "b k num_words"]:
        """For each word the logits of the next one."""
        places, nowhere = torch.arange(words.shape[1], device=words.device), torch.zeros(1, device=words.device)
        turns = rotary(places, nowhere, nowhere, self._head_width)
        later = places[None, :] > places[:, None]
        causal = torch.zeros(later.shape, device=words.device).masked_fill(later, -math.inf)[None, None]
        x: Tensor = self.words(words)
        for block, keys in zip(self.writer, memory.blocks, strict=True):
            x = block.write(x, turns, causal, keys, memory.bias)  # type: ignore[operator]
        logits: Tensor = self.next_word(x)
        return logits

    @torch.inference_mode()
    def write(self, memory: Memory, style: int, most: int = MAX_WORDS) -> list[list[int]]:
        """The likeliest next word, again and again, up to the end or to ``most`` words; without the style's number."""
        words = torch.full((len(memory.bias), 1), style, device=memory.bias.device)
        ended = torch.zeros(len(words), dtype=torch.bool, device=words.device)
        while words.shape[1] <= most and not bool(ended.all()):
            following = self(words, memory)[:, -1].argmax(-1).masked_fill(ended, PAD)
            ended |= following == END
            words = torch.cat([words, following[:, None]], 1)
        return words[:, 1:].tolist()

    @property
    def _head_width(self) -> int:
        return self.config.width // self.config.num_heads

    def _remember(self, tokens: Float[Tensor, "b n d"], mask: Bool[Tensor, "b n"] | None = None) -> Memory:
        """Tokens as the writer sees them; ``mask`` is true where a token is real."""
        tokens = self.memory_norm(tokens)
        bias = torch.zeros(tokens.shape[:2], device=tokens.device)
        bias = bias if mask is None else bias.masked_fill(~mask, -math.inf)
        return Memory(tuple(reader(tokens) for reader in self.readers), bias[:, None, None])
