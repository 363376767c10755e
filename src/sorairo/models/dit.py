"""The diffusion transformer: noisy latents, the noise level of each patch and a text give the velocity.

Never samples, never encodes text, never draws noise. Peebles & Xie 2023 (arXiv 2212.09748) for the block, Chen et al.
2023 (PixArt, arXiv 2310.00426) for the shared adaLN; one noise level per patch after Chen et al. 2024 (Diffusion
Forcing, arXiv 2407.01392).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange, reduce
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sorairo.config import DiTConfig
from sorairo.models.attention import CrossAttention, KeysValues, SelfAttention, TextKeysValues
from sorairo.models.rotary import Rotary, rotary

NUM_LEVEL_FREQUENCIES = 128
NUM_PICTURE_FREQUENCIES = 4
# x and y at every frequency as sine and cosine, x and y themselves, and the mark of a clip's first frame.
NUM_PICTURE_FEATURES = 4 * NUM_PICTURE_FREQUENCIES + 3


class Text(NamedTuple):
    """Token states of prompts, and who may look at them: every frame [b 1 l], or each its own (timed prompts)."""

    states: Float[Tensor, "b l text_width"]
    mask: Bool[Tensor, "b t_or_1 l"]


class TextMemory(NamedTuple):
    """A text as the transformer reads it: keys and values of every block, computed once for all sampling steps."""

    blocks: tuple[KeysValues, ...]
    bias: Float[Tensor, "b t_or_1 l"]  # 0 where the frame may look, -inf where not


class TextReader(nn.Module):
    """Token states to text memory. Norms them first: the encoder's states are about half a unit wide."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        width = config.width
        self.norm = nn.LayerNorm(config.text_width)
        self.mlp = nn.Sequential(nn.Linear(config.text_width, width), nn.GELU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(TextKeysValues(width, config.num_heads) for _ in range(config.depth))

    def forward(self, text: Text) -> TextMemory:
        if text.mask.device.type == "cpu":  # looking at the values would make an accelerator wait
            assert bool(text.mask.any(-1).all()), "a frame without any text token to look at"
        tokens = self.mlp(self.norm(text.states))
        bias = torch.zeros(text.mask.shape, device=text.mask.device).masked_fill(~text.mask, -math.inf)
        return TextMemory(tuple(block(tokens) for block in self.blocks), bias)


class Block(nn.Module):
    """Self-attention, attention to the text, and a perceptron; the identity when fresh."""

    def __init__(self, width: int, num_heads: int, mlp_ratio: float) -> None:
        super().__init__()
        hidden = int(width * mlp_ratio)
        self.self_attention = SelfAttention(width, num_heads)
        self.cross_norm = nn.LayerNorm(width)
        self.cross_attention = CrossAttention(width, num_heads)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        # Rows: shift, scale, gate of attention, then of the perceptron. Gates start at zero, scales at one.
        self.offsets = nn.Parameter(torch.zeros(6, width))

    def forward(
        self,
        x: Float[Tensor, "b t s d"],
        modulation: Float[Tensor, "b t_or_1 s_or_1 six d"],
        turns: Rotary,
        text: KeysValues,
        bias: Tensor,
    ) -> Float[Tensor, "b t s d"]:
        frames = x.shape[1]
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = (modulation + self.offsets).unbind(-2)
        mixed = self.self_attention(modulate(x, shift_a, scale_a).flatten(1, 2), turns)
        x = torch.addcmul(x, gate_a, mixed.unflatten(1, (frames, -1)))
        read = self.cross_attention(self.cross_norm(x).flatten(1, 2), text, bias)
        x = x + read.unflatten(1, (frames, -1))
        return torch.addcmul(x, gate_m, self.mlp(modulate(x, shift_m, scale_m)))


class Head(nn.Module):
    """Tokens to patches of velocity; zero when fresh."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.modulation = nn.Linear(width, 2 * width)
        self.offsets = nn.Parameter(torch.zeros(2, width))  # shift, scale
        self.output = nn.Linear(width, channels)

    def forward(
        self, x: Float[Tensor, "b t s d"], level: Float[Tensor, "b t_or_1 s_or_1 d"]
    ) -> Float[Tensor, "b t s channels"]:
        modulation = self.modulation(F.silu(level)).float().unflatten(-1, (2, -1)) + self.offsets
        patches: Tensor = self.output(modulate(x, *modulation.unbind(-2)))
        return patches


class DiT(nn.Module):
    """Predicts the velocity noise - clean (rectified flow) of latents whose patches each have their own noise level."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        channels = config.latent_channels * config.patch**2
        self.patches_in = nn.Linear(channels, width)
        self.picture_in = nn.Linear(NUM_PICTURE_FEATURES, width, bias=False)
        self.text_reader = TextReader(config)
        self.level_in = nn.Sequential(nn.Linear(2 * NUM_LEVEL_FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width))
        self.modulation = nn.Linear(width, 6 * width)
        self.blocks = nn.ModuleList(Block(width, config.num_heads, config.mlp_ratio) for _ in range(config.depth))
        self.head = Head(width, channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Xavier for linear maps; zero for every gate and the head, so that a fresh model answers exactly zero."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        blocks = [block for block in self.blocks if isinstance(block, Block)]
        closed = [self.modulation, self.head.modulation, self.head.output]
        closed += [block.cross_attention.output for block in blocks]
        for linear in closed:
            nn.init.zeros_(linear.weight)
        for offsets in [self.head.offsets, *(block.offsets for block in blocks)]:
            nn.init.zeros_(offsets)
            nn.init.ones_(offsets[1::3])  # the scales

    def text_memory(self, states: Float[Tensor, "b l text_width"], mask: Bool[Tensor, "b t_or_1 l"]) -> TextMemory:
        """Reads a text once for a whole generation; every row of ``mask`` needs a token to look at (see ``Text``)."""
        memory: TextMemory = self.text_reader(Text(states, mask))
        return memory

    def forward(
        self,
        latents: Float[Tensor, "b c t h w"],
        noise_map: Float[Tensor, "b t #h #w"],
        text: Text | TextMemory,
        frame_offset: int = 0,
    ) -> Float[Tensor, "b c t h w"]:
        """Velocity, float32.

        ``noise_map`` [b t h w] is constant inside each patch, or [b t 1 1] where all of a frame is as noisy.
        ``frame_offset`` is the place of the first frame on the timeline. Training gives the ``Text`` itself, sampling
        its ``text_memory``.
        """
        height, width = latents.shape[-2:]
        patch = self.config.patch
        memory = text if isinstance(text, TextMemory) else self.text_reader(text)
        latents = pad_to_patches(latents, patch)
        levels = pad_to_patches(noise_map, patch)[..., ::patch, ::patch]
        frames, rows, columns = latents.shape[2], latents.shape[3] // patch, latents.shape[4] // patch
        times = torch.arange(frame_offset, frame_offset + frames, device=latents.device)

        patches = rearrange(latents, "b c t (h p) (w q) -> b t (h w) (p q c)", p=patch, q=patch)
        x = (self.patches_in(patches) + self.picture_in(picture_features(times, rows, columns))).float()
        level = self.level_in(level_features(distinct_levels(levels.flatten(2))))
        x = self._run_blocks(x, level, self._turns(times, rows, columns), memory)
        patches = self.head(x, level).float()
        velocity: Tensor = rearrange(patches, "b t (h w) (p q c) -> b c t (h p) (w q)", h=rows, p=patch, q=patch)
        return velocity[..., :height, :width]

    def _run_blocks(
        self, x: Float[Tensor, "b t s d"], level: Tensor, turns: Rotary, memory: TextMemory
    ) -> Float[Tensor, "b t s d"]:
        modulation = self.modulation(F.silu(level)).float().unflatten(-1, (6, -1))
        bias = memory.bias if memory.bias.shape[1] == 1 else memory.bias.repeat_interleave(x.shape[2], 1)
        for block, text in zip(self.blocks, memory.blocks, strict=True):
            x = block(x, modulation, turns, text, bias.unsqueeze(1))
        return x

    def _turns(self, times: Tensor, rows: int, columns: int) -> Rotary:
        # Counted in two latents whatever the patch, so that weights of one size of patch can start those of another.
        cells = torch.arange(max(rows, columns), device=times.device) * (self.config.patch / 2)
        return rotary(times, cells[:rows], cells[:columns], self.config.width // self.config.num_heads)


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Float[Tensor, "b t s d"]:
    """Layer norm, then ``scale`` and ``shift`` chosen by the noise level; float32 inside."""
    return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=1e-6), scale)


def distinct_levels(levels: Float[Tensor, "b t s"]) -> Float[Tensor, "b t_or_1 s_or_1"]:
    """The same levels, with axes along which they do not vary kept once, so that modulation is computed once too."""
    if levels.device.type != "cpu":  # looking at the values would make an accelerator wait
        return levels
    if torch.equal(levels, levels[..., :1].expand_as(levels)):
        levels = levels[..., :1]
        if torch.equal(levels, levels[:, :1].expand_as(levels)):
            levels = levels[:, :1]
    return levels


def level_features(levels: Tensor) -> Tensor:
    """Sines and cosines of noise levels in [0, 1]; [...] -> [... 2 * NUM_LEVEL_FREQUENCIES]. Vaswani et al. 2017."""
    exponents = torch.arange(NUM_LEVEL_FREQUENCIES, device=levels.device, dtype=torch.float32) / NUM_LEVEL_FREQUENCIES
    angles = 1000.0 * levels[..., None] * 10000.0**-exponents
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


def picture_features(times: Tensor, rows: int, columns: int) -> Float[Tensor, "t s features"]:
    """Where a patch lies in the picture, in [-1, 1] whatever the size: rotary positions only know distances.

    The clip's first frame is marked, since a causal video autoencoder stores one picture there instead of four.
    """
    y = (2 * torch.arange(rows, device=times.device) + 1) / rows - 1
    x = (2 * torch.arange(columns, device=times.device) + 1) / columns - 1
    place = torch.stack(torch.meshgrid(y, x, indexing="ij"), dim=-1).flatten(0, 1)
    angles = torch.cat([place * (math.pi / 2 * 2**k) for k in range(NUM_PICTURE_FREQUENCIES)], dim=-1)
    place = torch.cat([place, angles.sin(), angles.cos()], dim=-1)
    first = (times == 0).to(place.dtype)[:, None, None].expand(-1, rows * columns, 1)
    return torch.cat([place.expand(len(times), -1, -1), first], dim=-1)


def with_patch(weights: Mapping[str, Tensor], before: DiTConfig, after: DiTConfig) -> dict[str, Tensor]:
    """Weights of a transformer with another patch, as a start for one with ``after.patch``, which divides it.

    A small patch is read as if the whole large one were filled with it, and written as the large one's mean; all other
    weights are the same, since positions do not depend on the patch. Compare Anagnostidis et al. 2025, FlexiDiT
    (arXiv 2502.20126), who do so without changing the model's answers at first.

    Raises:
        ValueError: the patch is not a multiple of the new one.
    """
    if before.patch % after.patch:
        raise ValueError(f"model.dit.patch is {after.patch}; the start has {before.patch}, which is no multiple of it")
    axes = {"p": after.patch, "q": after.patch, "i": before.patch // after.patch, "j": before.patch // after.patch}
    changed = dict(weights)
    changed["patches_in.weight"] = reduce(
        weights["patches_in.weight"], "d (i p j q c) -> d (p q c)", "sum", **axes, c=before.latent_channels
    )
    for name in ("head.output.weight", "head.output.bias"):
        columns = weights[name].reshape(len(weights[name]), -1)
        mean = reduce(columns, "(i p j q c) d -> (p q c) d", "mean", **axes, c=before.latent_channels)
        changed[name] = mean.reshape(-1, *weights[name].shape[1:])
    return changed


def pad_to_patches(x: Tensor, patch: int) -> Tensor:
    """Repeats the last row and column where a side is not a multiple of ``patch``."""
    height, width = x.shape[-2:]
    rows = torch.arange(height + -height % patch, device=x.device).clamp(max=height - 1)
    columns = torch.arange(width + -width % patch, device=x.device).clamp(max=width - 1)
    return x if len(rows) == height and len(columns) == width else x[..., rows, :][..., columns]
