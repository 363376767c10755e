"""Video upscaler: frames at the model's own size to frames 8 or 12 times as wide and high.

Causal in time and streaming: frame after frame gives the same pixels as all at once, at flat memory. Most of the work
is done on the small frames; pixel shuffles (Shi et al. 2016, arXiv 1609.05158) lead to 4 times the size and from there
to 8 or 12. It predicts only what bicubic interpolation misses, so that a fresh one is bicubic interpolation. Never
loads a weight.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from sorairo.config import Checked, Count, Natural
from sorairo.media import Frames
from sorairo.models.precision import autocast
from sorairo.models.video_vae import Features, ResidualBlock, SpatialConv, Stages, TemporalCache

MIDDLE_SCALE = 4
SCALES = (8, 12)

Video = Float[Tensor, "b 3 t h w"]


@dataclass(frozen=True)
class UpscalerConfig(Checked):
    """``num_blocks`` residual blocks of ``width`` channels on small frames, ``fine_width`` at 4 times the size."""

    width: Count = 48
    num_blocks: Natural = 6
    fine_width: Count = 32


class Upscaler(nn.Module):
    """Videos in [-1, 1] to videos 8 or 12 times as wide and high."""

    def __init__(self, config: UpscalerConfig) -> None:
        super().__init__()
        self.config = config
        blocks = [ResidualBlock(config.width) for _ in range(config.num_blocks)]
        self.trunk = Stages(SpatialConv(3, config.width), *blocks)
        self.widen = nn.Linear(config.width, MIDDLE_SCALE**2 * config.fine_width)
        self.fine = SpatialConv(config.fine_width, config.fine_width)
        heads = {str(s): SpatialConv(config.fine_width, 3 * (s // MIDDLE_SCALE) ** 2) for s in SCALES}
        self.heads = nn.ModuleDict(heads)
        for parameter in self.heads.parameters():
            nn.init.zeros_(parameter)

    def forward(
        self, video: Video, scale: int, cache: TemporalCache | None = None, num_last: int | None = None
    ) -> Float[Tensor, "b 3 t_out scale*h scale*w"]:
        """All frames, or only the ``num_last``, unclamped. ``cache`` holds what came before ``video``.

        Raises:
            ValueError: a scale other than 8 and 12.
        """
        if scale not in SCALES:
            raise ValueError(f"scale is {scale}; the nearest is {min(SCALES, key=lambda known: abs(known - scale))}")
        features: Tensor = self.trunk(rearrange(video, "b c t h w -> b t h w c"), cache or TemporalCache())
        wanted = slice(0 if num_last is None else -num_last, None)
        return self._details(features[:, wanted], scale) + bicubic(video[:, :, wanted], scale)

    def _details(self, features: Features, scale: int) -> Float[Tensor, "b 3 t scale*h scale*w"]:
        widened = F.silu(self.widen(features))
        fine = rearrange(widened, "b t h w (c r s) -> b t (h r) (w s) c", r=MIDDLE_SCALE, s=MIDDLE_SCALE)
        fine = fine + F.silu(self.fine(fine))
        finest: Tensor = self.heads[str(scale)](fine)
        return rearrange(finest, "b t h w (c r s) -> b c t (h r) (w s)", c=3, r=scale // MIDDLE_SCALE)

    @torch.inference_mode()
    def stream(self, frames: Iterable[Frames], scale: int) -> Iterator[Frames]:
        """Frames uint8 [h w 3] to frames uint8 [scale*h scale*w 3], one at a time."""
        cache, device = TemporalCache(), self.widen.weight.device
        for frame in frames:
            video = rearrange(torch.from_numpy(np.ascontiguousarray(frame)), "h w c -> 1 c 1 h w").to(device)
            with autocast(device):
                large = self(video.float() / 127.5 - 1, scale, cache)
            pixels = large[0, :, 0].float().add_(1).mul_(127.5).clamp_(0, 255).round_().to(torch.uint8)
            yield rearrange(pixels, "c h w -> h w c").cpu().numpy()


def bicubic(video: Video, scale: int) -> Float[Tensor, "b 3 t scale*h scale*w"]:
    """Each frame by bicubic interpolation (Keys 1981, a = -0.75)."""
    frames = rearrange(video.float(), "b c t h w -> (b t) c h w")
    large = F.interpolate(frames, scale_factor=scale, mode="bicubic")
    return rearrange(large, "(b t) c h w -> b c t h w", b=len(video))
