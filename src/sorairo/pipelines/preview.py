"""A cheap look at latents: one linear map from each latent to one pixel. Never decodes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from sorairo.media import Frames
from sorairo.shapes import SPATIAL_STRIDE, TEMPORAL_STRIDE


@dataclass(frozen=True)
class LatentPreview:
    """The map: weight [c 3] and bias [3], to colours in [-1, 1]."""

    weight: Tensor
    bias: Tensor

    def __call__(self, latents: Float[Tensor, "1 c t h w"]) -> Frames:
        """Pictures uint8 [t h w 3], one pixel for each latent."""
        colours = torch.einsum("cthw,ck->thwk", latents[0].cpu().float(), self.weight) + self.bias
        return to_pixels(colours)


def fit_preview(latents: Float[Tensor, "b c t h w"], video: Float[Tensor, "b 3 T H W"]) -> LatentPreview:
    """The map with the least squared error to ``video``, averaged over the block of pixels of each latent."""
    inputs = rearrange(latents, "b c t h w -> (b t h w) c")
    targets = rearrange(_block_means(video), "b k t h w -> (b t h w) k")
    with_ones = torch.cat([inputs, torch.ones(len(inputs), 1)], dim=1)
    solution = torch.linalg.lstsq(with_ones, targets).solution
    return LatentPreview(solution[:-1], solution[-1])


def to_pixels(colours: Tensor) -> Frames:
    """Colours in [-1, 1] to uint8, rounded to the nearest."""
    return ((colours.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy()


def _block_means(video: Float[Tensor, "b 3 T H W"]) -> Float[Tensor, "b 3 t h w"]:
    """The first frame has a latent frame of its own; then four share one."""
    kernel = (TEMPORAL_STRIDE, SPATIAL_STRIDE, SPATIAL_STRIDE)
    padded = torch.cat([video[:, :, :1].expand(-1, -1, TEMPORAL_STRIDE - 1, -1, -1), video], dim=2)
    return F.avg_pool3d(padded, kernel)
