"""Noise maps for training, drawn where the model is: no number is looked at, so that the card never waits.

The kinds of `sorairo.diffusion.training_maps`, a whole batch at once.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sorairo.diffusion.noise_maps import snap_to_patches
from sorairo.diffusion.schedules import shift_levels
from sorairo.shapes import LatentShape

# Shares of the kinds, as weights: the library's mixture, with more of the first, which is what WorldBench asks for.
KINDS = {"one_level": 0.9, "level_per_frame": 0.08, "first": 0.14, "last": 0.04, "ends": 0.04, "some": 0.05}
NOISE_SHIFT = 3.0  # times the size's own, of half the clips: what is where is settled where sampling hardly trained


def frame_maps(batch: int, frames: int, shift: float, device: torch.device) -> Tensor:
    """Levels [b t 1 1], 0 in known frames; at least one frame is noisy. Of a picture, one level each."""
    if frames == 1:
        return shift_levels(torch.randn(batch, 1, 1, 1, device=device).sigmoid(), shift)
    shifts = torch.where(torch.rand(batch, 1, device=device) < 0.5, NOISE_SHIFT * shift, shift)
    normal = torch.randn(batch, frames, device=device)
    kinds = torch.multinomial(torch.tensor([*KINDS.values()], device=device), batch, replacement=True)
    normal = torch.where(kinds[:, None] == 1, normal, normal[:, :1])
    u = normal.sigmoid()
    levels = shifts * u / (1 + (shifts - 1) * u)  # `shift_levels`, with a shift of each clip's own
    return (levels * ~_known(kinds, frames))[..., None, None]


def region_maps(batch: int, shape: LatentShape, shift: float, patch: int, device: torch.device) -> Tensor:
    """Levels [b t h w]: noisy inside of a rectangle, or outside of it, in all frames alike."""
    inside = _between(shape.height, batch, device)[:, :, None] & _between(shape.width, batch, device)[:, None]
    noisy = inside ^ (torch.rand(batch, 1, 1, device=device) < 0.5)
    levels = shift_levels(torch.randn(batch, 1, 1, device=device).sigmoid(), shift) * noisy
    return snap_to_patches(levels[:, None].expand(-1, shape.num_frames, -1, -1), patch)


def _known(kinds: Tensor, frames: int) -> Tensor:
    """Which frames [b t] are known, by each clip's kind."""
    batch, device = len(kinds), kinds.device
    at = torch.arange(frames, device=device)
    number = _integers(1, torch.full((batch, 1), frames - 1, device=device))
    first = _integers(1, torch.full((batch, 1), max(1, frames - 2), device=device))
    stop = first + _integers(1, (frames - first - 1).clamp(min=1))
    order = torch.rand(batch, frames, device=device).argsort(1)
    none = torch.zeros(batch, frames, dtype=torch.bool, device=device)
    by_kind = [none, none, at < number, at >= frames - number, (at < first) | (at >= stop), order < number]
    return torch.stack(by_kind)[kinds, torch.arange(batch, device=device)]


def _between(size: int, batch: int, device: torch.device) -> Tensor:
    """Intervals [b size] somewhere, shorter than the whole where there is room."""
    length = _integers(1, torch.full((batch, 1), max(1, size - 1), device=device))
    start = _integers(0, size - length)
    at = torch.arange(size, device=device)
    return (at >= start) & (at < start + length)


def _integers(low: int, high: Tensor) -> Tensor:
    """Uniform integers from ``low`` to ``high``, both included, of ``high``'s shape."""
    drawn = low + (torch.rand(high.shape, device=high.device) * (high - low + 1)).floor().long()
    return drawn.clamp(max=high)
