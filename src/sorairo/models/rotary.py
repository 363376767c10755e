"""Rotary positions on a grid of time, height and width. Never learns anything and never knows the size of the grid.

Su et al. 2021, RoFormer (arXiv 2104.09864), eq. 34; the split of a head between the axes follows Wan 2.1.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

# The slowest rotation turns once in 2 pi * ROTARY_BASE steps: long enough for minutes of latents, short enough that
# most of the pairs turn visibly inside the few cells of a small grid.
ROTARY_BASE = 1000.0


class Rotary(NamedTuple):
    """Cosines and sines of every token's rotations, float32 [n e] with e the width of a head."""

    cosine: Tensor
    sine: Tensor


def axis_widths(head_width: int) -> tuple[int, int, int]:
    """Channels of a head given to time, height and width; each even, time takes what is left over."""
    side = 2 * (head_width // 6)
    return head_width - 2 * side, side, side


def rotary(times: Tensor, rows: Tensor, columns: Tensor, head_width: int) -> Rotary:
    """Rotations of the grid ``times`` x ``rows`` x ``columns`` (real indices, any offset), flattened in that order."""
    grid = torch.meshgrid(times.float(), rows.float(), columns.float(), indexing="ij")
    angles = []
    for position, width in zip(grid, axis_widths(head_width), strict=True):
        powers = torch.arange(0, width, 2, device=position.device, dtype=torch.float32) / max(width, 1)
        angles.append(position.reshape(-1, 1) * ROTARY_BASE**-powers)
    angle = torch.cat(angles, dim=1)
    # The pairs are (i, i + e/2): halves instead of neighbours keep every read contiguous.
    return Rotary(torch.cat([angle.cos(), angle.cos()], 1), torch.cat([-angle.sin(), angle.sin()], 1))


def rotate(x: Float[Tensor, "b heads n e"], turns: Rotary, gain: Float[Tensor, " e"]) -> Float[Tensor, "b heads n e"]:
    """``x`` times ``gain``, then every pair of channels turned by its token's angle.

    The gain goes into the small tables of cosines and sines, which saves a pass over ``x``.
    """
    half = x.shape[-1] // 2
    cosine, sine = turns.cosine * gain, turns.sine * gain.roll(half)
    return x * cosine.to(x.dtype) + x.roll(half, dims=-1) * sine.to(x.dtype)
