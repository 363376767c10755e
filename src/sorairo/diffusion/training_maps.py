"""Random noise maps for training, so that one model learns every tool. Never touches latents.

The mixture is in the spirit of Diffusion Forcing (Chen et al. 2024, arXiv 2407.01392).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from sorairo.config import Checked, Weight
from sorairo.diffusion.flow import NoiseMap
from sorairo.diffusion.noise_maps import snap_to_patches
from sorairo.diffusion.schedules import timestep_shift, training_levels
from sorairo.shapes import LatentShape


@dataclass(frozen=True)
class MapMixture(Checked):
    """Shares of the kinds of map; they are weights, so they need not add up to one."""

    one_level: Weight = 0.60  # text to video, remix
    level_per_frame: Weight = 0.08  # blend; also keeps the frames' levels apart in what the model learns
    first_known: Weight = 0.14  # animate, continue, sliding window
    last_known: Weight = 0.04  # prepend
    ends_known: Weight = 0.04  # connect, loop
    some_known: Weight = 0.05  # key frames, storyboard
    region: Weight = 0.05  # inpaint, outpaint, cinemagraph

    def __post_init__(self) -> None:
        super().__post_init__()
        if not any(vars(self).values()):
            raise ValueError("every share of dit.maps is 0; one kind at least must be drawn, such as one_level")


def draw_training_map(
    generator: torch.Generator,
    batch: int,
    shape: LatentShape,
    patch: int,
    mixture: MapMixture | None = None,
    shift: float | None = None,
) -> NoiseMap:
    """``batch`` maps [b t h w]: levels are logit-normal and shifted by the clip's size, known places are 0.

    Every map keeps something to learn: at least one frame or patch is noisy. Pictures always have one level.
    """
    mixture = mixture or MapMixture()
    shift = timestep_shift(shape) if shift is None else shift
    kinds = [field.name for field in fields(mixture)]
    weights = torch.tensor([float(getattr(mixture, kind)) for kind in kinds], device=generator.device)
    drawn = torch.multinomial(weights, batch, replacement=True, generator=generator).tolist()
    maps = [_draw(kinds[kind] if shape.num_frames > 1 else "one_level", shape, shift, generator) for kind in drawn]
    return snap_to_patches(torch.stack(maps), patch)


def _draw(kind: str, shape: LatentShape, shift: float, generator: torch.Generator) -> Tensor:
    frames = shape.num_frames
    num_levels = frames if kind == "level_per_frame" else 1
    level = training_levels((num_levels, 1, 1), shift, generator)
    noisy = torch.ones(frames, shape.height, shape.width, device=generator.device)
    if kind == "first_known":
        noisy[: _integer(1, frames - 1, generator)] = 0
    elif kind == "last_known":
        noisy[-_integer(1, frames - 1, generator) :] = 0
    elif kind == "ends_known":
        first = _integer(1, max(1, frames - 2), generator)
        noisy[:first] = 0
        noisy[first + _integer(1, max(1, frames - first - 1), generator) :] = 0
    elif kind == "some_known":
        order = torch.randperm(frames, generator=generator, device=generator.device)
        noisy[order[: _integer(1, frames - 1, generator)]] = 0
    elif kind == "region":
        noisy = _rectangle(shape, generator).expand_as(noisy)
    return level * noisy


def _rectangle(shape: LatentShape, generator: torch.Generator) -> Tensor:
    """A picture [1 h w] that is noisy inside a random rectangle, or outside of it."""
    mask = torch.zeros(1, shape.height, shape.width, device=generator.device)
    height = _integer(1, max(1, shape.height - 1), generator)
    width = _integer(1, max(1, shape.width - 1), generator)
    top = _integer(0, shape.height - height, generator)
    left = _integer(0, shape.width - width, generator)
    mask[:, top : top + height, left : left + width] = 1
    outside = _integer(0, 1, generator) and bool((mask == 0).any())
    return 1 - mask if outside else mask


def _integer(low: int, high: int, generator: torch.Generator) -> int:
    """Uniform integer between ``low`` and ``high``, both included."""
    return int(torch.randint(low, high + 1, (), generator=generator, device=generator.device))
