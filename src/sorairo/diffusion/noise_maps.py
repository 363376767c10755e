"""The noise level at which every place starts: each tool is one of these maps. Never touches latents.

Maps are float32 [1 t h w] on the latent grid: 0 known, 1 pure noise.

text to video, text to image    full
animate, continue, prepend      known_frames(first ones / last ones)
connect, key frames, storyboard known_frames(anywhere)
loop, sliding window            known_ends
remix (SDEdit)                  full(level)
blend                           curve
inpaint, outpaint, cinemagraph  region
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool
from torch import Tensor

from sorairo.diffusion.flow import NoiseMap
from sorairo.shapes import LatentShape


def full(shape: LatentShape, level: float = 1.0) -> NoiseMap:
    """One level everywhere: 1 makes from nothing, less keeps what the source looks like (Meng et al. 2022, SDEdit)."""
    _check_level("strength", level)
    return torch.full((1, shape.num_frames, shape.height, shape.width), float(level))


def known_frames(shape: LatentShape, frames: Iterable[int]) -> NoiseMap:
    """The latent ``frames`` are given, the others made. Negative numbers count from the end."""
    noise_map = full(shape)
    for frame in frames:
        if not -shape.num_frames <= frame < shape.num_frames:
            raise ValueError(f"known frame {frame} lies outside the clip: frames are 0 to {shape.num_frames - 1}")
        noise_map[:, frame] = 0
    return noise_map


def known_ends(shape: LatentShape, num_first: int, num_last: int) -> NoiseMap:
    """The first and the last frames are given: continue (n, 0), prepend (0, n), connect or close a loop (n, n).

    For a loop, time wraps around: the window holds the clip's end, the seam, and the clip's beginning.
    """
    if min(num_first, num_last) < 0 or num_first + num_last > shape.num_frames:
        raise ValueError(
            f"{num_first} first and {num_last} last known frames do not fit: the clip has {shape.num_frames}"
        )
    return known_frames(shape, [*range(num_first), *range(-num_last, 0)])


def curve(shape: LatentShape, levels: Sequence[float]) -> NoiseMap:
    """One level per latent frame."""
    if len(levels) != shape.num_frames:
        raise ValueError(f"the curve has {len(levels)} levels; the clip has {shape.num_frames} latent frames")
    for level in levels:
        _check_level("level of the curve", level)
    return torch.tensor(levels, dtype=torch.float32)[None, :, None, None] * full(shape)


def region(shape: LatentShape, mask: Bool[Tensor, "t_or_1 rows columns"], patch: int, level: float = 1.0) -> NoiseMap:
    """Makes what the picture ``mask`` (true inside, of any size) touches, and keeps the rest.

    A mask of one picture holds for every frame; otherwise it has one picture per latent frame.
    """
    if len(mask) not in (1, shape.num_frames):
        raise ValueError(f"the mask has {len(mask)} pictures; give 1 or {shape.num_frames}, one per latent frame")
    touched = F.adaptive_max_pool2d(mask.float()[:, None], (shape.height, shape.width))[:, 0]
    return snap_to_patches(touched * full(shape, level), patch)


def snap_to_patches(noise_map: NoiseMap, patch: int) -> NoiseMap:
    """Gives every (patch, patch) square the highest level in it: the transformer has one level per patch."""
    height, width = noise_map.shape[-2:]
    pooled = F.max_pool2d(noise_map, patch, stride=patch, ceil_mode=True)
    return pooled.repeat_interleave(patch, -2).repeat_interleave(patch, -1)[..., :height, :width]


def _check_level(name: str, level: float) -> None:
    if not 0 <= level <= 1:
        raise ValueError(f"{name} is {level:g}; it must lie between 0 and 1: the nearest is {min(max(level, 0), 1):g}")
