"""Which noise levels are visited, when sampling and when training. Never touches latents.

More places to denoise need more noise to hide the same picture, so both schedules are shifted towards noise by the
size of the clip: Esser et al. 2024, Stable Diffusion 3 (arXiv 2403.03206), section 5.3.2.
"""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from sorairo.shapes import LatentShape

# Noise acts on latents, however the transformer groups them, so sizes are counted in latent positions (t h w).
# One picture of 160x96 (60 positions) is not shifted; a clip of four seconds (540) then has shift 3, SD3's best value.
BASE_POSITIONS = 60
MAX_SHIFT = 12.0
# Of distilled models: that of four seconds of 160x96; how near a border counts as on it; how often a jump is learnt
# from inside a phase, where only tools start that keep some of a source.
PHASE_SHIFT = 3.0
LEVEL_TOLERANCE = 1e-4
INSIDE_SHARE = 0.25

LevelT = TypeVar("LevelT", float, Tensor)


def timestep_shift(shape: LatentShape) -> float:
    """Shift that grows with the square root of the number of latent positions (SD3 eq. 23), between 1 and 12."""
    return min(MAX_SHIFT, max(1.0, math.sqrt(shape.num_tokens(patch=1) / BASE_POSITIONS)))


def shift_levels(levels: LevelT, shift: float) -> LevelT:
    """s' = a s / (1 + (a - 1) s): SD3 eq. 23 with a = sqrt(m / n). Keeps 0 and 1 and the order."""
    return shift * levels / (1 + (shift - 1) * levels)


def sampling_levels(num_steps: int, shift: float = 1.0) -> Float[Tensor, " steps_and_one"]:
    """``num_steps`` + 1 levels from 1 down to 0, even before the shift."""
    if num_steps < 1:
        raise ValueError(f"num_inference_steps is {num_steps}; it must be at least 1")
    return shift_levels(torch.linspace(1, 0, num_steps + 1, dtype=torch.float64), shift).float()


def phase_borders(num_phases: int) -> Float[Tensor, " phases_and_one"]:
    """The levels, from 1 down to 0, between which a distilled model jumps: the same whatever the clip's size."""
    return sampling_levels(num_phases, PHASE_SHIFT)


def phase_levels(num_phases: int, highest: float = 1.0) -> Float[Tensor, " levels"]:
    """Levels from 1 down to 0, as samplers want them, that visit the borders where a clip is at most ``highest`` noisy.

    A distilled model has learnt to jump to the next border from anywhere above it, so a start between two borders
    costs no more jumps: multistep consistency, Heek et al. 2024 (arXiv 2403.06807).
    """
    borders = phase_borders(num_phases)
    below = borders[borders < highest - LEVEL_TOLERANCE]
    return torch.cat([torch.ones(1), below / highest])


def phase_ends(num_phases: int, levels: Tensor) -> Tensor:
    """The border that a jump from each of ``levels`` lands on: the highest one below it; of 0, 0."""
    borders = phase_borders(num_phases).to(levels.device)
    return torch.where(borders < levels[..., None] - LEVEL_TOLERANCE, borders, 0.0).amax(-1)


def training_phase_levels(size: int, num_phases: int, generator: torch.Generator) -> Float[Tensor, " size"]:
    """Levels at which a model is distilled: in every phase alike, mostly its start, else anywhere inside."""
    borders = phase_borders(num_phases).to(generator.device)
    phase = torch.randint(num_phases, (size,), generator=generator, device=generator.device)
    between = torch.rand(size, generator=generator, device=generator.device)
    inside = torch.rand(size, generator=generator, device=generator.device) < INSIDE_SHARE
    start, end = borders[phase], borders[phase + 1]
    return torch.where(inside, torch.lerp(start, end, 0.95 * between), start)


def training_levels(size: tuple[int, ...], shift: float, generator: torch.Generator) -> Tensor:
    """Random levels in (0, 1), float32 of shape ``size``: logit-normal (SD3 eq. 19), then shifted."""
    return shift_levels(torch.randn(size, generator=generator, device=generator.device).sigmoid(), shift)
