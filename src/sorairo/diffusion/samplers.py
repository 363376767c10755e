"""From noise to latents along the flow, over any callable. Never knows the model, the text or the tool.

Every sampler solves dx/ds = velocity(x, noise_map) with noise_map = start_map * level while the level falls from 1 to
0, so a place whose start is 0 is never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from sorairo.diffusion.flow import Latents, NoiseMap, clean_from_velocity
from sorairo.diffusion.guidance import Velocity
from sorairo.shapes import LatentShape


@dataclass(frozen=True)
class Step:
    """What a step has reached: for progress, previews, or to stop by raising."""

    number: int  # 1 after the first step
    num_steps: int
    latents: Latents
    clean_estimate: Latents


OnStep = Callable[[Step], None]
Sampler = Callable[..., Latents]


def initial_noise(seeds: Sequence[int], shape: LatentShape, channels: int, frame_offset: int = 0) -> Latents:
    """Unit noise [b c t h w]. Each frame depends on its seed and its place on the timeline only.

    So the same seed gives the same clip in any batch, and a longer clip starts like a shorter one.
    """
    size = (channels, shape.height, shape.width)
    frames = range(frame_offset, frame_offset + shape.num_frames)
    noise = [
        [np.random.default_rng([seed, frame]).standard_normal(size, dtype=np.float32) for frame in frames]
        for seed in seeds
    ]
    return torch.from_numpy(np.stack(noise)).transpose(1, 2).contiguous()


def euler(
    velocity: Velocity, latents: Latents, start_map: NoiseMap, levels: Tensor, on_step: OnStep | None = None
) -> Latents:
    """First order, one call per step. ``levels`` fall from 1 to 0 (see schedules.sampling_levels)."""

    def slope(latents: Latents, level: float, after: float) -> Latents:
        return velocity(latents, start_map * level)

    return _follow(slope, latents, start_map, levels, on_step)


def heun(
    velocity: Velocity, latents: Latents, start_map: NoiseMap, levels: Tensor, on_step: OnStep | None = None
) -> Latents:
    """Second order, two calls per step: Karras et al. 2022 (arXiv 2206.00364), algorithm 1.

    The last step is Euler's: at level 0 a place counts as known, and the model has never been asked its velocity.
    """

    def slope(latents: Latents, level: float, after: float) -> Latents:
        here = velocity(latents, start_map * level)
        if after == 0:
            return here
        return (here + velocity(_move(latents, here, start_map, after - level), start_map * after)) / 2

    return _follow(slope, latents, start_map, levels, on_step)


def multistep(
    velocity: Velocity, latents: Latents, start_map: NoiseMap, levels: Tensor, on_step: OnStep | None = None
) -> Latents:
    """Second order, one call per step: Adams-Bashforth for uneven steps (Hairer et al., Solving ODEs I, III.5).

    The first step is Euler's.
    """
    previous: tuple[Latents, float] | None = None

    def slope(latents: Latents, level: float, after: float) -> Latents:
        nonlocal previous
        here = velocity(latents, start_map * level)
        before, previous = previous, (here, after - level)
        if before is None:
            return here
        return here + (after - level) / (2 * before[1]) * (here - before[0])

    return _follow(slope, latents, start_map, levels, on_step)


SAMPLERS: dict[str, Sampler] = {"euler": euler, "heun": heun, "multistep": multistep}


def _follow(
    slope: Callable[[Latents, float, float], Latents],
    latents: Latents,
    start_map: NoiseMap,
    levels: Tensor,
    on_step: OnStep | None,
) -> Latents:
    values = levels.tolist()
    assert (values[0], values[-1]) == (1, 0), "levels must fall from 1 to 0"
    for number, (level, after) in enumerate(pairwise(values), start=1):
        direction = slope(latents, level, after)
        clean = clean_from_velocity(latents, direction, start_map * level)
        latents = _move(latents, direction, start_map, after - level)
        if on_step is not None:
            on_step(Step(number, len(values) - 1, latents, clean))
    return latents


def _move(latents: Latents, direction: Latents, start_map: NoiseMap, change: float) -> Latents:
    return latents + (start_map * change).unsqueeze(1) * direction
