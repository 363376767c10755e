"""The noise level at which every place starts: each tool is one of these maps. Never touches latents.

Maps are float32 [1 t h w] on the latent grid: 0 known, 1 pure noise.

text to video, text to image    curve: 1 everywhere
animate, continue, prepend      curve: 0 at the first or the last frames
connect, key frames, storyboard curve: 0 anywhere
loop, sliding window            curve: 0 at both ends
remix (SDEdit), blend           curve: levels in between
inpaint, outpaint, cinemagraph  region
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool
from torch import Tensor

from sorairo.diffusion.flow import NoiseMap
from sorairo.shapes import LatentShape


def curve(shape: LatentShape, levels: Sequence[float]) -> NoiseMap:
    """One level per latent frame: 1 makes from nothing, less keeps what the source looks like (Meng et al. 2022)."""
    if len(levels) != shape.num_frames:
        raise ValueError(f"the curve has {len(levels)} levels; the clip has {shape.num_frames} latent frames")
    for level in levels:
        if not 0 <= level <= 1:
            nearest = f"the nearest is {min(max(level, 0), 1):g}"
            raise ValueError(f"level of the curve is {level:g}; it must lie between 0 and 1: {nearest}")
    return torch.tensor(levels, dtype=torch.float32)[None, :, None, None].repeat(1, 1, shape.height, shape.width)


def region(shape: LatentShape, mask: Bool[Tensor, "t_or_1 rows columns"], patch: int) -> NoiseMap:
    """Makes what the picture ``mask`` (true inside, of any size) touches, and keeps the rest.

    A mask of one picture holds for every frame; otherwise it has one picture per latent frame.
    """
    if len(mask) not in (1, shape.num_frames):
        raise ValueError(f"the mask has {len(mask)} pictures; give 1 or {shape.num_frames}, one per latent frame")
    touched = F.adaptive_max_pool2d(mask.float()[:, None], (shape.height, shape.width))[:, 0]
    return snap_to_patches(touched.expand(shape.num_frames, -1, -1)[None], patch)


def snap_to_patches(noise_map: NoiseMap, patch: int) -> NoiseMap:
    """Gives every (patch, patch) square the highest level in it: the transformer has one level per patch."""
    height, width = noise_map.shape[-2:]
    pooled = F.max_pool2d(noise_map, patch, stride=patch, ceil_mode=True)
    return pooled.repeat_interleave(patch, -2).repeat_interleave(patch, -1)[..., :height, :width]
